"""README and docs/ hold what they say: code runs, commands parse, links lead somewhere, names exist."""

import re
import shlex
from functools import cache
from pathlib import Path
from pydoc import locate

import pytest

from tests import refresh_metrics
from toolkit.cli import _parser
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.reporting.sweep import grid

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted(path for path in (ROOT / "docs").rglob("*.md") if not {"_build", "api"} & set(path.parts))
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md", *DOCS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def _blocks(page: Path, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(page.read_text(encoding="utf-8")) if name == language]


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


SLOW = {"training.md", "transfer.md"}  # they choose among routers


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=[pytest.mark.slow] if page.name in SLOW else [])
        for page in PAGES
        if _blocks(page, "python") and page.name != "README.zh.md"  # whose code is README.md's, see below
    ],
)
def test_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for yaml in _blocks(page, "yaml")[:1]:
        (tmp_path / "routes.yml").write_text(yaml, encoding="utf-8")
    names: dict = {"__name__": "page"}
    for code in _blocks(page, "python"):
        for name in (name for name in CATALOGUE if CATALOGUE[name].at_hand() == "no"):
            code = code.replace(f'"{name}"', '"synthetic"')
        exec(compile(code, str(page), "exec"), names)


def test_the_guides_grid_is_one(tmp_path):
    (tmp_path / "grid.yml").write_text(_blocks(ROOT / "docs" / "guide" / "runs.md", "yaml")[0], encoding="utf-8")
    assert len(grid.read(tmp_path / "grid.yml")) == 12


@by_page
def test_links_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if target.startswith(("http", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists() and file.is_relative_to(ROOT), target
        if anchor:
            assert anchor in _anchors(file), target


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, hyphens for spaces."""
    heads = re.findall(r"^#+ (.+)$", _prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@by_page
def test_names_in_code_marks_exist(page):
    for name in re.findall(r"`(toolkit(?:\.\w+)+)", _prose(page)):
        assert locate(name) is not None, name
    for name in re.findall(r"`((?:toolkit|tests|data|notebooks|reports)/[\w./]+)`", _prose(page)):
        assert (ROOT / name).exists(), name


@by_page
def test_commands_that_are_shown_parse(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    lines = [line for code in _blocks(page, "sh") for line in code.splitlines()]
    for line in [*lines, *re.findall(r"`([^`\n]+)`", _prose(page))]:
        words = shlex.split(line, comments=True) if re.match(r"(\S+/)?(python -m toolkit |make )", line) else []
        if words[:1] == ["make"]:
            assert {word for word in words[1:] if "=" not in word} <= targets, line
        elif words and "..." not in words:
            assert _parser().parse_known_args(words[3:])[1] == [], line


def test_the_metrics_page_is_what_the_metrics_say():
    assert refresh_metrics.PAGE.read_text(encoding="utf-8") == refresh_metrics.page(), (
        "docs/metrics.md is old; write it by: python -m tests.refresh_metrics"
    )


def test_both_readmes_have_the_same_parts():
    english, chinese = (ROOT / "README.md", ROOT / "README.zh.md")
    for pattern in (r"^(#+) ", r"^(\|)", r"(<!-- .*? -->)"):
        both = [re.findall(pattern, page.read_text(encoding="utf-8"), re.M) for page in (english, chinese)]
        assert both[0] == both[1], pattern
    links = [re.findall(r"\]\(([^)\s]+)\)", _prose(page)) for page in (english, chinese)]
    assert links[0][1:] == links[1][1:], "the first one leads to the other language"
    code = [
        [_bare(block) for _, block in FENCE.findall(page.read_text(encoding="utf-8"))] for page in (english, chinese)
    ]
    assert code[0] == code[1]


def _bare(code: str) -> list[str]:
    """Lines without comments and docstrings, the only words in a block."""
    return [re.sub(r"\s*#.*|\"\"\".*\"\"\"", "", line).rstrip() for line in code.splitlines()]


def test_the_readme_stays_short():
    for name in ("README.md", "README.zh.md"):
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.slow
def test_pages_and_reference_build_without_a_warning(tmp_path):
    """The same call as ``make docs``; every module has a page, since the pages are made from the modules."""
    build_main = pytest.importorskip("sphinx.cmd.build", reason="the extra docs is not installed").build_main
    pytest.importorskip("myst_parser", reason="the extra docs is not installed")
    assert build_main(["-q", "-W", "--keep-going", "-n", "-E", str(ROOT / "docs"), str(tmp_path)]) == 0
    for module in (ROOT / "toolkit").rglob("*.py"):
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        assert (tmp_path / "api" / f"{name}.html").is_file() or name == "toolkit.__main__", name
