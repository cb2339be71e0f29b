"""The examples of docs/scheduling work: files parse, commands are commands, bars name what there is."""

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from toolkit import paths
from toolkit.cli import _parser
from toolkit.reporting import bars

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
EXAMPLES = DOCS / "scheduling"
DAG = EXAMPLES / "airflow_dag.py"
BARS = sorted(path for path in EXAMPLES.glob("*.yml") if path.name != "nightly.yml")


def _workflow() -> dict:
    return yaml.safe_load((EXAMPLES / "nightly.yml").read_text(encoding="utf-8"))


def _cron_lines() -> list[str]:
    lines = (EXAMPLES / "crontab").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"[\d*]", line)]


def _texts(tree: ast.AST) -> list[str]:
    """Strings of a module, with x in place of what is filled in."""
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    return ["".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values) for node in joined]


def _commands() -> dict[str, list[str]]:
    """Where a command of ours stands -> its arguments, up to what belongs to the shell."""
    shells = {f"crontab {number}": line for number, line in enumerate(_cron_lines())}
    steps = _workflow()["jobs"]["report"]["steps"]
    shells |= {f"nightly.yml, {step.get('name')}": step["run"] for step in steps if "run" in step}
    tree = ast.parse(DAG.read_text(encoding="utf-8"))
    shells |= {f"airflow_dag.py {number}": text for number, text in enumerate(_texts(tree))}
    found = {}
    for where, shell in shells.items():
        for call in re.findall(r"python\"? -m toolkit ([^\n;|&<>]*)", shell):
            found[where] = shlex.split(call)
    return found


@pytest.mark.parametrize(("where", "arguments"), _commands().items(), ids=list(_commands()))
def test_every_command_is_one(where, arguments):
    options = _parser().parse_args(arguments)
    assert options.notify_if.name in {path.name for path in BARS}
    for text in arguments:
        if text.startswith("docs/"):
            assert (DOCS.parent / text).is_file(), text


def test_all_three_schedulers_report_and_compare():
    asked = {(where.split()[0].strip(","), arguments[0]) for where, arguments in _commands().items()}
    assert asked == {
        ("crontab", "report"), ("crontab", "compare"), ("nightly.yml", "report"), ("nightly.yml", "compare"),
        ("airflow_dag.py", "compare"),
    }  # fmt: skip


def test_the_crontab_is_one_that_sh_can_read():
    assert len(_cron_lines()) == 2
    for line in _cron_lines():
        *times, command = line.split(" ", 5)
        assert all(re.fullmatch(r"[\d*,/-]+", time) for time in times)
        assert "%" not in command, "cron turns a percent sign into a new line"
        subprocess.run(["sh", "-n", "-c", command], check=True)


def test_the_workflow_reads_as_github_reads_it():
    workflow = _workflow()
    assert workflow[True]["schedule"] == [{"cron": "17 3 * * *"}], "YAML 1.1 reads on as a truth value"
    steps = workflow["jobs"]["report"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    for action in (step["uses"] for step in steps if "uses" in step):
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action)
    for script in (re.sub(r"\$\{\{.*?\}\}", "x", step["run"]) for step in steps if "run" in step):
        subprocess.run(["bash", "-n", "-c", script], check=True)


@pytest.mark.parametrize("path", BARS, ids=lambda path: path.name)
def test_bars_are_valid_and_named(path):
    wanted = bars.read(path)
    assert wanted and all(bar.name for bar in wanted)
    for bar in wanted:
        if "notebook" in bar.where:
            assert (paths.notebooks_dir() / f"{bar.where['notebook']}.ipynb").is_file()


def test_the_dag_names_a_notebook_and_parameters_that_there_are():
    from toolkit.reporting.execute import checked_parameters

    tree = ast.parse(DAG.read_text(encoding="utf-8"))
    compile(tree, str(DAG), "exec")
    call = next(
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "PapermillOperator"
    )  # fmt: skip
    given = {word.arg: word.value for word in call.keywords}
    notebook = next(
        text.value for text in ast.walk(given["input_nb"]) if str(getattr(text, "value", "")).endswith("ipynb")
    )
    values = {
        name.value: getattr(value, "value", "folder")
        for name, value in zip(given["parameters"].keys, given["parameters"].values, strict=True)
    }
    assert checked_parameters(paths.notebooks_dir() / notebook, values)["profile"] == "quick"


def test_the_dag_loads_in_airflow(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    pytest.importorskip("airflow.sdk", reason="airflow 3 is not installed")
    pytest.importorskip("airflow.providers.papermill", reason="airflow's papermill provider is not installed")
    names: dict = {}
    exec(compile(DAG.read_text(encoding="utf-8"), str(DAG), "exec"), names)
    assert names["dag"].task_ids == ["make_folder", "run_notebook", "what_changed"]
    assert names["run_notebook"].downstream_task_ids == {"what_changed"}
