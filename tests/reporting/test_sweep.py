"""A sweep runs what is left, whatever ended the one before, and leaves whole cells or none."""

import hashlib
import json
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import fsspec
import nbformat
import pandas as pd
import pytest

from tests.reporting.test_execute import write_notebook
from tests.reporting.test_grid import PARAMETERS, load_once  # noqa: F401 - a fixture
from toolkit.errors import ToolkitError
from toolkit.reporting import execute, execution, reading, sweep, tables
from toolkit.reporting.sweep.target import Target

MEASURE = """
import pathlib, time
import pandas as pd
from toolkit.reporting import tables
with open({log!r}, "a") as log:
    log.write(f"{{share}}-{{seed}} ")
assert share < 1 or pathlib.Path({log!r}).with_name("mended").exists(), "a share of one"
row = {{"notebook": "00_one", "dataset": "d", "system": "s", "metric": "quality", "value": share, "ci_low": share,
       "ci_high": share, "unit": "quality", "n": 1, "seed": seed, "device": device, "params": '{{"folds":3}}'}}
tables.write(pathlib.Path(out), tables.MEASUREMENTS, pd.DataFrame([row]).assign(split="", note=""))
"""
CLOCK = """
import time
with open({log!r}, "a") as log:
    log.write(f"in{{seed}} "), log.flush(), time.sleep(0.2), log.write(f"out{{seed}} ")
"""


@pytest.fixture
def desk(tmp_path):
    """A folder with a notebook that logs its executions and fails where share is 1 and nothing is mended."""
    (tmp_path / "notebooks").mkdir()
    write_notebook(
        tmp_path / "notebooks" / "00_one.ipynb", MEASURE.format(log=str(tmp_path / "log")), PARAMETERS, runs="once"
    )
    (tmp_path / "log").touch()
    return tmp_path


@pytest.fixture
def instant(monkeypatch):
    """Notebooks run as plain code in this process: kernels have tests of their own, and a driver has many cells."""

    def run(self, job):
        if self.stopped:
            return execute.Result(0.0, "stopped before it began")
        notebook = nbformat.read(job.source, as_version=4)
        nbformat.write(notebook, job.target)
        space = {}
        try:
            exec(notebook.cells[0].source, space)
            exec(notebook.cells[1].source, space | job.parameters)
        except Exception as err:
            return execute.Result(0.1, f"{type(err).__name__}: {err}", traceback.format_exc())
        return execute.Result(0.1)

    monkeypatch.setattr(execute.Workers, "run", run)


def _sweep(desk: Path, grid: str, out: str | None = None, **options) -> sweep.Sweep:
    (desk / "grid.yml").write_text(f"notebooks: ['0']\n{grid}")
    quiet = {"tell": lambda *a, **k: None} | options
    return sweep.run(desk / "grid.yml", out or str(desk / "out"), notebooks=desk / "notebooks", **quiet)


def _log(desk: Path) -> list[str]:
    return sorted((desk / "log").read_text().split())


def _assert_whole(made: sweep.Sweep) -> None:
    """Every done cell has its manifest, and every file the hash that the manifest gives."""
    target = Target.at(made.target)
    for folder in made.table.loc[made.table["status"] == "done", "folder"]:
        manifest = json.loads(target.read(f"{folder}/manifest.json"))
        assert manifest["status"] == "complete" and manifest["cell"][:8] == folder[-8:]
        assert {*tables.COLUMNS, "notebook.html", "notebook.ipynb", "config.json"} <= set(manifest["files"])
        for name, digest in manifest["files"].items():
            assert hashlib.sha256(target.read(f"{folder}/{name}")).hexdigest() == digest, name


@pytest.mark.parametrize("place", ["file", "memory"])
def test_a_second_call_runs_what_is_left(desk, instant, place):
    out = f"file://{desk}/out" if place == "file" else f"memory://{desk.name}"
    made = _sweep(desk, "seed: [0, 1]\nshare: 0.25", out)
    assert made.complete and _log(desk) == ["0.25-0", "0.25-1"]
    _assert_whole(made)
    again = _sweep(desk, "seed: [0, 1, 2]\nshare: 0.25", out, workers=2)
    assert _log(desk) == ["0.25-0", "0.25-1", "0.25-2"]
    assert again.table["folder"].tolist()[:2] == made.table["folder"].tolist()
    assert list(again.table) == ["folder", "status", "notebook", "seed", "share", "seconds", "error"]
    files, root = fsspec.core.url_to_fs(out)
    told = pd.read_csv(BytesIO(files.cat_file(f"{root}/sweep.csv")), keep_default_na=False)
    assert told["status"].tolist() == ["done"] * 3 and told["error"].tolist() == [""] * 3
    rows = pd.read_csv(BytesIO(files.cat_file(f"{root}/measurements.csv")))
    assert list(rows) == tables.COLUMNS[tables.MEASUREMENTS] and rows["seed"].tolist() == [0, 1, 2]
    params = json.loads(rows["params"][2])
    assert params == {"folds": 3, "cell": again.table["folder"][2], "grid": {"seed": 2, "share": 0.25}}
    assert not [name for name in files.find(root) if name.endswith(".part") or "failed" in name]


def test_a_cell_is_read_as_a_run_is(desk, instant):
    made = _sweep(desk, "seed: 5\nshare: 0.25")
    run = reading.read(Path(made.target) / made.table["folder"][0])
    assert run.measurements["value"].tolist() == [0.25] and run.choices.empty and run.curves.empty
    assert run.manifest["seed"] == 5 and run.manifest["profile"] == "smoke" and run.manifest["device"] == "cpu"
    assert run.manifest["parameters"]["share"] == 0.25 and "out" not in run.manifest["parameters"]
    assert run.manifest["data"]["synthetic"]["prompts"] == 3000
    assert run.manifest["notebooks"][0]["folder"] == "." and run.manifest["packages"]["numpy"]


def test_a_failure_stops_nothing_and_waits_for_a_retry(desk, instant):
    grid = "share: [1, 0.5]\nseed: [0, 1]"
    made = _sweep(desk, grid)
    assert made.table["status"].tolist() == ["failed", "failed", "done", "done"] and not made.complete
    folder = desk / "out" / made.table["folder"][0]
    failure = json.loads((folder / "failed.json").read_text())
    assert failure["error"] == made.table["error"][0] == "AssertionError: a share of one"
    assert failure["attempts"] == 1 and "Traceback" in failure["traceback"] and failure["when"]
    html = (folder / "notebook.html").read_text()
    assert "a share of one" in html and not (folder / "manifest.json").exists()
    assert "--retry-failed" in html and "../index.html" not in html, "a sweep has no front page"
    assert len(made.measurements) == 2
    told = []
    left_alone = _sweep(desk, grid, tell=told.append)
    assert left_alone.table.equals(made.table) and len(_log(desk)) == 4
    assert told == ["4 cells: 2 done and 2 failed before (left alone without --retry-failed); 0 to run"]
    _sweep(desk, grid, retry_failed=True)
    assert json.loads((folder / "failed.json").read_text())["attempts"] == 2 and len(_log(desk)) == 6
    (desk / "mended").touch()
    mended = _sweep(desk, grid, retry_failed=True)
    assert mended.complete and not (folder / "failed.json").exists()
    _assert_whole(mended)


def test_a_changed_notebook_is_a_new_cell(desk, instant):
    first = _sweep(desk, "share: 0.5")
    path = desk / "notebooks" / "00_one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += "\n'one more line'"
    nbformat.write(notebook, path)
    second = _sweep(desk, "share: 0.5")
    assert len(_log(desk)) == 2 and second.table["folder"][0] != first.table["folder"][0]
    assert (desk / "out" / first.table["folder"][0] / "manifest.json").exists(), "what was done stays"


def test_what_times_something_runs_last_and_alone(desk, instant):
    clock = CLOCK.format(log=str(desk / "log"))
    write_notebook(desk / "notebooks" / "00_one.ipynb", clock, PARAMETERS, alone=True)
    write_notebook(desk / "notebooks" / "01_two.ipynb", clock.replace("{seed}", "*"), PARAMETERS)
    made = _sweep(desk, "seed: [0, 1]", workers=3)
    assert made.complete
    order = (desk / "log").read_text().split()
    assert order[4:] == ["in0", "out0", "in1", "out1"] and set(order[:4]) == {"in*", "out*"}


@pytest.mark.parametrize("place", ["file", "memory"])
def test_two_drivers_leave_whole_cells(desk, instant, place, monkeypatch):
    """Both execute the same cells at the same time, each with a file that the other one's does not equal."""
    meet, real = threading.Barrier(2, timeout=60), execute.Workers.run

    def together(self, job):
        result = real(self, job)
        for number in range(20):
            (Path(job.target).parent / f"{number}.txt").write_text(f"{time.perf_counter()} " * 1000)
        meet.wait()
        return result

    monkeypatch.setattr(execute.Workers, "run", together)
    out = f"file://{desk}/out" if place == "file" else f"memory://{desk.name}-2"
    (desk / "grid.yml").write_text("notebooks: ['0']\nseed: [0, 1, 2]")
    options = {"notebooks": desk / "notebooks", "tell": lambda *a, **k: None}
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: sweep.run(desk / "grid.yml", out, **options), range(2)))
    assert all(one.complete for one in made) and len(_log(desk)) == 6
    _assert_whole(made[0])


def test_an_interrupt_leaves_what_is_done_and_no_failure(desk, instant):
    def interrupt(text):
        if text.startswith("[1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _sweep(desk, "seed: [0, 1, 2]", tell=interrupt)
    assert not list((desk / "out").rglob("failed.json"))
    made = _sweep(desk, "seed: [0, 1, 2]")
    assert made.complete and _log(desk) == ["0.5-0", "0.5-1", "0.5-2"]


def test_nothing_runs_under_a_name_that_promises_other_sources(desk, instant, monkeypatch):
    real, asked = execution.environment(), []

    def change():
        asked.append(1)
        return real if len(asked) == 1 else real | {"packages": real["packages"] | {"numpy": "1.0"}}

    with monkeypatch.context() as patched:
        patched.setattr(execution, "environment", change)
        made = _sweep(desk, "seed: 0")
    assert made.table["status"][0] == "pending" and "1.0 was found" in made.table["error"][0] and not _log(desk)
    assert not list((desk / "out").rglob("failed.json"))
    assert _sweep(desk, "seed: 0").complete


def test_a_target_that_cannot_be_used(desk):
    (desk / "file").touch()
    with pytest.raises(ToolkitError, match="a folder that can be read and written was expected"):
        _sweep(desk, "seed: 0", str(desk / "file" / "out"))
    with pytest.raises(ToolkitError, match="a path or URL that fsspec can open"):
        _sweep(desk, "seed: 0", "nosuch://bucket")
    assert not _log(desk)


def test_the_command(desk):
    """As a user types it, with real kernels: the statuses 0, 1, 2 and 3, and a dry run that leaves nothing."""
    code = (
        "import pathlib, sys; from toolkit import cli, paths\n"
        "paths.notebooks_dir = lambda: pathlib.Path(sys.argv[1])\n"
        "sys.exit(cli.main(sys.argv[2:]))"
    )
    (desk / "grid.yml").write_text("notebooks: ['00']\nshare: [0.5, 1]")
    (desk / "bars.yml").write_text("- metric: quality\n  at_least: 0.9")

    def call(*options):
        command = [sys.executable, "-c", code, str(desk / "notebooks"), "sweep", "grid.yml", "--out", "out", *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=desk)

    dry = call("--dry-run")
    assert dry.returncode == 0 and dry.stdout.count("pending") == 2 and not (desk / "out").exists()
    first = call("--workers", "2", "--notify-if", "bars.yml")
    assert first.returncode == 3, first.stderr
    assert (
        "(share=1): FAILED after" in first.stdout and "1 of 1 bars missed" in first.stdout and "[2/2]" in first.stdout
    )
    assert first.stdout.splitlines()[-1] == str(desk / "out") and "--retry-failed" in first.stderr
    assert call().returncode == 1, "what failed before is a failure still"
    (desk / "mended").touch()
    last = call("--retry-failed")
    assert last.returncode == 0 and _log(desk) == ["0.5-0", "1.0-0", "1.0-0"], last.stderr
    (desk / "grid.yml").write_text("notebooks: ['00']\ntypo: 1")
    wrong = call()
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1
    assert wrong.stderr.startswith("error: grid.yml, typo: ")
