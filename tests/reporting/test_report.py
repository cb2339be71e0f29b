"""The whole way: data in, tables, figures and pages out; failures are told, resumed and never sold as results."""

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl

import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.reporting.test_execute import write_notebook
from toolkit import datasets, hardware, paths
from toolkit.errors import ToolkitError
from toolkit.reporting import page, report, tables
from toolkit.reporting.run import RunFolder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A smoke report on the user's own table, with names that are hard to print."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "prompt_id": number, "prompt": f"秘密 SECRET-{number} " + "word " * (number * 7 % 300), "model": model,
            "quality": float(rng.random() < chance), "cost_usd": price, "domain": "数学" if number % 2 else "a$b$",
        }
        for number in range(80)
        for model, chance, price in (("<b>小</b>", 0.4, 0.0), ("mid_x^2", 0.6, 0.001), ("big", 0.8, 0.004))
    ]  # fmt: skip
    table = tmp_path_factory.mktemp("own") / "own table.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    told = []
    made = report.make(
        [str(table)], device="cpu", profile="smoke", out=table.parent, tell=lambda *a, **k: told.append(a[0])
    )
    assert not made.failures, made.failures
    return made.index.parent, told


def test_the_folder_holds_everything(finished):
    folder, told = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "00_quickstart", "01_explore_data--own-table.csv", "02_compare_quality_and_cost--own-table.csv", "config.json",
        "03_train_and_compare_routers--own-table.csv", "04_measure_latency", "10_audit_claims", "11_decide",
        "12_explore_tradeoffs", "05_trust_the_cache", "06_learn_online",
        "07_learn_from_logs", "08_route_by_policy", "09_transfer_and_calibrate--own-table.csv",
        ".lock", "index.html", "manifest.json", *tables.COLUMNS,
    }  # fmt: skip
    for part in (path for path in folder.iterdir() if path.is_dir()):
        executed = nbformat.read(part / "notebook.ipynb", as_version=4)
        assert any(cell.get("outputs") for cell in executed.cells)
        html = (part / "notebook.html").read_text(encoding="utf-8")
        assert "cross_predict(" not in html, "the page must show no code"
        stems = [{path.stem for path in (part / "figures").glob(f"*.{kind}")} for kind in ("png", "svg")]
        assert stems[0] == stems[1] != set()
    assert told[-1].endswith(" s")
    page = (folder / "09_transfer_and_calibrate--own-table.csv" / "notebook.html").read_text(encoding="utf-8")
    assert "\nThis set has no answers, or no costs.\n" in page or ">This set has no answers, or no costs." in page


def test_the_manifest_vouches_for_every_file(finished):
    folder, _ = finished
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "complete" and manifest["schema_version"] == 1
    listed = manifest["files"]
    present = {
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and p.name not in ("manifest.json", ".lock")
    }
    assert set(listed) == present
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert manifest["packages"]["torch"] and manifest["machine"]["cores"] >= 1
    assert manifest["data"]["own table.csv"]["cost_source"] == "measured"


def test_the_tables_are_complete_and_hold_no_text(finished):
    folder, _ = finished
    read = {name: tables.read(folder / name) for name in tables.COLUMNS}
    rows = read[tables.MEASUREMENTS]
    assert set(rows["dataset"]) == {"own table.csv"} and rows["n"].notna().all()
    assert {"apgr", "cpt50", "cpt80", "quality", "cost_usd_per_1k", "oracle"} <= set(rows["metric"])
    assert all(json.loads(text)["bootstraps"] == 200 for text in rows["params"])
    choices = read[tables.CHOICES]
    assert set(choices["analysis"]) == {"pair", "cost", "trained", "trained_cost", "acceptance"}
    assert choices.loc[choices["analysis"] != "acceptance", "prompt"].nunique() == 80
    for path in (folder / name for name in tables.COLUMNS):
        assert b"SECRET" not in path.read_bytes()
    assert "SECRET" not in (folder / "index.html").read_text(encoding="utf-8")


def test_the_front_page_prints_names_as_they_are(finished):
    html = (finished[0] / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;小&lt;/b&gt;" in html and "<b>小" not in html
    assert "Only some notebooks ran" not in html
    for block in ("Routers trained here, on two models", "Routers trained here: quality against cost"):
        assert "<tr><th>ridge</th>" in html.split(f"<h3>{block}</h3>")[1].split("<h3>")[0]
    assert "Actual cost (measured), USD per 1,000 prompts" in next(finished[0].rglob("cost.svg")).read_text(
        encoding="utf-8"
    )
    for image in html.split('<img src="')[1:]:
        assert (finished[0] / image.split('"')[0]).is_file()
    assert (finished[0].parent / "index.html").read_text(encoding="utf-8").count(finished[0].name) >= 1


def test_synthetic_is_said_on_every_page_and_figure(tmp_path):
    notebooks = tmp_path / "notebooks"
    shutil.copytree(paths.notebooks_dir(), notebooks, ignore=shutil.ignore_patterns("02_*", ".*"))
    made = report.make(
        ["synthetic?prompts=300"], "cpu", "smoke", out=tmp_path, tell=lambda *a, **k: None, notebooks=notebooks
    )
    assert not made.failures, made.failures
    assert '<span class="tag loud">synthetic</span>' in made.index.read_text(encoding="utf-8")
    figures = list(made.index.parent.rglob("*.svg"))
    assert len(figures) == 36
    for figure in figures:
        assert "SYNTHETIC" in figure.read_text(encoding="utf-8"), figure.name


@pytest.fixture
def fragile(tmp_path):
    """Two notebooks: one that counts its runs, one that fails until a file is there."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    parameters = (
        'dataset: str = ""  # d\nprofile: str = ""  # p\nseed: int = 0  # s\ndevice: str = ""  # c\nout: str = ""  # o'
    )
    count = "import pathlib\nwith (pathlib.Path(out).parents[1] / 'log').open('a') as log:\n    log.write('x')"
    write_notebook(folder / "00_count_runs.ipynb", count, parameters)
    check = "import pathlib\nassert (pathlib.Path(out).parents[1] / 'mended').exists(), 'the thing is missing'"
    write_notebook(folder / "01_need_file.ipynb", check, parameters)
    return tmp_path


def _make(root):
    return report.make(["synthetic?prompts=200"], "cpu", "smoke", out=root / "reports", tell=lambda *a, **k: None,
                       notebooks=root / "notebooks")  # fmt: skip


def test_a_failure_leaves_a_page_and_no_result_and_is_resumed(fragile):
    first = _make(fragile)
    run = first.index.parent
    assert list(first.failures) == ["01_need_file"]
    assert not (run / "manifest.json").exists()
    assert "the thing is missing" in (run / "01_need_file" / "notebook.html").read_text(encoding="utf-8")
    assert "This run is not finished" in first.index.read_text(encoding="utf-8")
    assert "not finished" in (run.parent / "index.html").read_text(encoding="utf-8")
    (fragile / "reports" / "mended").touch()
    second = _make(fragile)
    assert second.index == first.index and not second.failures
    assert (run / "manifest.json").exists()
    assert (fragile / "reports" / "log").read_text() == "x", "what was done is not done again"
    third = _make(fragile)
    assert third.index != first.index, "a finished run is never written to again"


_TEXTS = [f'{name}: str = ""  # text' for name in ("dataset", "profile", "device", "out")]
PARAMETERS = "\n".join([*_TEXTS, "seed: int = 0  # whole"])
WRITE = """
import pathlib
from toolkit.reporting.notebook import Notebook
book = Notebook("01_write_rows", dataset, profile, seed, device, out)
if (pathlib.Path(run or out).parents[1] / "mended").exists():
    row = {"system": "a", "metric": "quality", "value": .5, "ci_low": .4, "ci_high": .6, "unit": "quality", "n": 9}
    import pandas as pd
    book.measure(pd.DataFrame([row | {"note": ""}]))
book.save()
assert (pathlib.Path(run or out).parents[1] / "mended").exists(), "the thing is missing"
"""
READ = """
import pathlib
from toolkit.reporting.notebook import Notebook
book = Notebook("00_read_rows", dataset, profile, seed, device, out)
found = book.read(run).measurements
with (pathlib.Path(out).parents[1] / "seen").open("a") as log:
    print(len(found), file=log)
book.lead(f"There are {len(found)} <rows>.", "notebook.html", "none")
book.save()
"""


def test_who_reads_the_tables_comes_last_and_again_when_they_change(tmp_path):
    (tmp_path / "notebooks").mkdir()
    wants_run = PARAMETERS + '\nrun: str = ""  # folder'
    write_notebook(tmp_path / "notebooks" / "00_read_rows.ipynb", READ, wants_run, reads_run=True)
    write_notebook(tmp_path / "notebooks" / "01_write_rows.ipynb", WRITE, wants_run)
    first = _make(tmp_path)
    assert list(first.failures) == ["01_write_rows"]
    (tmp_path / "reports" / "mended").touch()
    second = _make(tmp_path)
    assert second.index == first.index and not second.failures
    assert (tmp_path / "reports" / "seen").read_text().split() == ["0", "1"]
    assert "There are 1 &lt;rows&gt;." in second.index.read_text(encoding="utf-8")


def test_who_read_other_tables_never_looks_done(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    wants_run = PARAMETERS + '\nrun: str = ""  # folder'
    write_notebook(tmp_path / "notebooks" / "00_read_rows.ipynb", READ, wants_run, reads_run=True)
    write_notebook(tmp_path / "notebooks" / "01_write_rows.ipynb", WRITE, wants_run)
    _make(tmp_path)
    (tmp_path / "reports" / "mended").touch()

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:  # after the other notebooks, before those that read
        patched.setattr(report, "_gather", killed)
        with pytest.raises(KeyboardInterrupt):
            _make(tmp_path)
    third = _make(tmp_path)
    assert not third.failures and (tmp_path / "reports" / "seen").read_text().split() == ["0", "1"]


def test_two_processes_never_share_a_run(tmp_path):
    first = RunFolder.open(tmp_path, "slug", {"seed": 0})
    other = RunFolder.open(tmp_path, "slug", {"seed": 0})
    assert first.path != other.path
    first.release()
    again = RunFolder.open(tmp_path, "slug", {"seed": 0})
    assert again.path == first.path and again.resumed
    different = RunFolder.open(tmp_path, "slug", {"seed": 1})
    assert not different.resumed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["nope"]}, "No data set 'nope'"),
        ({"names": []}, "at least one data set"),
        ({"profile": "slow"}, "No profile 'slow'; there are smoke, quick, full"),
        ({"device": "tpu"}, "device takes auto, cpu, cuda; 'tpu' was given"),
        ({"seed": -1}, "--seed takes a whole number from 0"),
    ],
)
def test_a_bad_request_leaves_no_folder(tmp_path, changes, message):
    with pytest.raises(ToolkitError, match=message):
        report.make(**{"names": ["synthetic"], "device": "cpu", "out": tmp_path / "reports"} | changes)
    assert not (tmp_path / "reports").exists()


def test_no_two_data_sets_share_a_folder():
    labels = ["数据一.csv", "数据二.csv", "Own.csv", "own.csv", "routellm/mmlu", "a b.csv"]
    named = page.slugs(labels)
    assert len(set(named.values())) == len(labels)
    assert named["routellm/mmlu"] == "routellm-mmlu" and named["a b.csv"] == "a-b.csv"


def test_relative_paths_are_made_absolute_in_options_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("own table.csv", "my prices.csv"):
        (tmp_path / name).touch()
    absolute = datasets.absolute("own table.csv?prices=my prices.csv")
    base, _, query = absolute.partition("?")
    assert base == str(tmp_path / "own table.csv")
    assert dict(parse_qsl(query)) == {"prices": str(tmp_path / "my prices.csv")}
    assert datasets.absolute("synthetic?models=4&prompts=50") == "synthetic?models=4&prompts=50"


def test_two_tables_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        rows = datasets.load("synthetic", prompts=30)
        pd.DataFrame({"prompt_id": rows.prompts["prompt_id"], "prompt": rows.texts, "model": "m", "quality": 1}).to_csv(
            tmp_path / folder / "own.csv", index=False
        )
    with pytest.raises(ToolkitError, match=r"Two tables are called own\.csv"):
        report.make([str(tmp_path / folder / "own.csv") for folder in ("a", "b")], "cpu", out=tmp_path)


CLOCK = """
import pathlib, time
log = (pathlib.Path(out).parents[1] / "log").open("a")
print("in", time.monotonic(), file=log, flush=True); time.sleep(2); print("out", time.monotonic(), file=log)
"""


@pytest.mark.parametrize(("alone", "most"), [(False, 2), (True, 1)])
def test_notebooks_run_side_by_side_unless_they_time_something(tmp_path, alone, most, monkeypatch):
    monkeypatch.setattr(hardware, "usable_cores", lambda: 2)
    (tmp_path / "notebooks").mkdir()
    for number in (0, 1):
        write_notebook(tmp_path / "notebooks" / f"0{number}_wait.ipynb", CLOCK, PARAMETERS, alone=alone)
    made = _make(tmp_path)
    assert not made.failures, made.failures
    running = peak = 0
    for line in sorted(
        (tmp_path / "reports" / "log").read_text().splitlines(), key=lambda line: float(line.split()[1])
    ):
        running += 1 if line.startswith("in") else -1
        peak = max(peak, running)
    assert peak == most


def test_only_some_notebooks(fragile):
    quiet = {"device": "cpu", "profile": "smoke", "tell": lambda *a, **k: None, "notebooks": fragile / "notebooks"}
    made = report.make(["synthetic?prompts=200"], out=fragile / "reports", only=["00"], **quiet)
    assert [path.name for path in made.index.parent.iterdir() if path.is_dir()] == ["00_count_runs"]
    assert not made.failures
    assert "Only some notebooks ran, and none that decides" in made.index.read_text(encoding="utf-8")
    with pytest.raises(ToolkitError, match="--only 07: no notebook starts so; there are 00_count_runs, 01_need_file"):
        report.make(["synthetic?prompts=200"], out=fragile / "reports", only=["07"], **quiet)
    with pytest.raises(ToolkitError, match="nothing was given"):
        report.make(["synthetic?prompts=200"], out=fragile / "reports", only=[""], **quiet)


def test_a_part_that_fails_outside_its_notebook_fails_alone(fragile, monkeypatch):
    (fragile / "reports").mkdir()
    (fragile / "reports" / "mended").touch()
    real = report.execute.checked_parameters

    def refuse(source, given):
        if source.name.startswith("01"):
            raise ToolkitError("no such parameter")
        return real(source, given)

    monkeypatch.setattr(report.execute, "checked_parameters", refuse)
    made = _make(fragile)
    assert made.failures == {"01_need_file": "ToolkitError: no such parameter"}
    assert "no such parameter" in (made.index.parent / "01_need_file" / "notebook.html").read_text(encoding="utf-8")
    assert (fragile / "reports" / "log").read_text() == "x"


def test_two_reports_write_the_list_of_runs_at_once(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: page.write_runs(tmp_path), range(200)))
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_race_for_a_port_is_run_again(fragile, monkeypatch):
    (fragile / "reports").mkdir()
    (fragile / "reports" / "mended").touch()
    real, raced = report.execute.Workers.run, []

    def race_once(self, job):
        if "00_count" in job.source and not raced:
            raced.append(job.source)
            return report.execute.Result(0.1, "the worker died with status 1", "zmq: Address already in use")
        return real(self, job)

    monkeypatch.setattr(report.execute.Workers, "run", race_once)
    made = _make(fragile)
    assert raced and not made.failures, made.failures
