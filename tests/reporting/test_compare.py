"""Two runs side by side: settings first, the change to the digit, latency refused across machines, every format."""

import json

import numpy as np
import pandas as pd
import pytest

from toolkit import cli
from toolkit.errors import ToolkitError
from toolkit.reporting import compare, reading, settings, tables
from toolkit.reporting.run import MANIFEST


def _compared(*folders, **options):
    return compare.compare(*(reading.read(folder) for folder in folders), **options)


def test_a_run_against_its_twin(tiny_run, capsys):
    assert cli.main(["compare", str(tiny_run("a")), str(tiny_run("b"))]) == 0
    shown = capsys.readouterr().out
    assert "Nothing differs in parameters or environment." in shown
    assert "Of 4 paired differences 0 hold (Holm p < .05 over all of them), 4 are 0 on every prompt" in shown
    assert "Mind:" not in shown and "p50" not in shown, "latency is not compared unasked"


def test_a_recommendation_that_differs_is_named(tiny_run):
    folders = [tiny_run("a"), tiny_run("b"), tiny_run("c")]
    chosen = [{"system": "knn", "point": "0.50", "model": None}, {"system": "large", "point": "rule", "model": "large"}]
    for folder, one in zip(folders, (*chosen, None), strict=True):
        (folder / "11_decide").mkdir()
        part = {"dataset": "d", "analysis": "trained_cost", "recommended": one}
        (folder / "11_decide" / "decision.json").write_text(json.dumps({"data": [part]}))
    told = "d: the recommendation differs, knn · 0.50 in A and {} in B (notebook 11 says why)."
    assert told.format("large") in _compared(*folders[:2]).notes
    assert told.format("nobody") in _compared(folders[0], folders[2]).notes
    assert not _compared(folders[0], folders[0]).notes


def test_a_sweeps_folder_is_told_from_a_runs(tmp_path):
    (tmp_path / "sweep.csv").touch()
    with pytest.raises(ToolkitError, match="the folder of a sweep; name one of its cells"):
        reading.read(tmp_path)


def test_settings_that_differ_come_first(tiny_run):
    changes = {
        "seed": 1, "folds": 5, "data": {"d": {"sha256": "9" * 64}, "e": {"sha256": "5" * 64}},
        "notebooks": [{"notebook": "02_compare_quality_and_cost.ipynb", "sha256": "8" * 64}],
        "parameters": {"labels": 500, "out": "elsewhere"}, "code": {"dirty": True},
        "packages": {"torch": "2.14.0"}, "machine": {"gpu": {"name": "H200", "memory_gib": 139.8}},
    }  # fmt: skip
    compared = _compared(tiny_run("a"), tiny_run("b", manifest=changes))
    found = {(row.kind, row.what): (row.in_a, row.in_b) for row in compared.settings.itertuples()}
    assert found == {
        ("parameters", "seed"): ("0", "1"),
        ("parameters", "folds"): ("3", "5"),
        ("parameters", "data d sha256"): ("1" * 64, "9" * 64),
        ("parameters", "data e sha256"): ("–", "5" * 64),
        ("parameters", "notebook 02_compare_quality_and_cost.ipynb"): ("2" * 64, "8" * 64),
        ("parameters", "labels"): ("–", "500"),
        ("environment", "packages torch"): ("2.13.0+cpu", "2.14.0"),
        ("environment", "machine gpu"): ("None", "–"),
        ("environment", "machine gpu name"): ("–", "H200"),
        ("environment", "machine gpu memory_gib"): ("–", "139.8"),
        ("environment", "code dirty"): ("False", "True"),
    }
    assert compared.settings["kind"].is_monotonic_decreasing, "parameters first"
    first = compare.sections(compared)[0].table
    assert first.loc[first["what"] == "data d sha256", ["A", "B"]].to_numpy().tolist() == [["1" * 12, "9" * 12]]
    assert any(note.startswith("d: the data differ (111111111111, 999999999999)") for note in compared.notes)


@pytest.mark.parametrize("ending", compare.FORMATS)
def test_the_change_is_found_and_written(tiny_run, tmp_path, capsys, ending):
    out = tmp_path / f"changes{ending}"
    runs = [str(tiny_run("a")), str(tiny_run("<b>", better=0.25))]
    assert cli.main(["compare", *runs, "--metrics", "apgr,quality", "--out", str(out)]) == 0
    shown, written = capsys.readouterr().out, out.read_text(encoding="utf-8")
    assert "+0.250 *" in shown and "Of 4 paired differences 1 hold" in shown
    if ending == ".csv":
        rows = pd.read_csv(out)
        change = rows[(rows["section"] == "paired") & (rows["system"] == "knn") & (rows["metric"] == "quality_change")]
        assert change["value"].tolist() == [0.25] and change["n"].tolist() == [40]
        assert set(rows["section"]) == {"paired", "unpaired", "coverage"}
    elif ending == ".json":
        told = json.loads(written)
        change = told["paired"][0]
        assert (change["system"], change["value"], change["p_holm"] < 0.01) == ("knn", 0.25, True)
        assert told["b"] == "<b>" and told["summary"] in shown and told["settings"] == []
        assert len(told["unpaired"]) == 3 and told["unpaired"][0]["metric"] == "apgr"
    elif ending == ".md":
        assert "| knn | quality-first | " in written and "+0.250 *" in written
    else:
        assert "&lt;b&gt;" in written and "+0.250 *" in written and "<small>[" in written


def test_all_points_and_systems_of_one_run(tiny_run):
    changed = tables.read(tiny_run("a") / tables.CHOICES)
    changed["system"] = changed["system"].replace({"large": "newcomer"})
    compared = _compared(tiny_run("b"), tiny_run("c", choices=changed), all_points=True)
    assert set(compared.paired["operating_point"]) == {"0.50", "quality-first"}
    last = compare.sections(compared)[-1]
    assert last.table.to_dict("records") == [
        {"run": "A", "dataset": "d", "analysis": "cost", "systems": "large"},
        {"run": "B", "dataset": "d", "analysis": "cost", "systems": "newcomer"},
    ]


def test_what_is_left_out_is_told(tiny_run):
    whole = tables.read(tiny_run("a") / tables.CHOICES)
    fewer = whole[whole["prompt"] != whole["prompt"].iloc[0]].copy()
    fewer.loc[fewer.index[:2], "cost_usd"] = np.nan
    compared = _compared(tiny_run("b"), tiny_run("c", choices=fewer))
    assert compared.notes == (
        "d, cost: 2 pairs without a known USD/1k are left out.",
        "d, cost: 40 prompts in A, 39 in B, 39 in both, which alone are compared.",
    )
    unknown = whole.assign(quality=np.nan, cost_usd=np.nan)
    nothing = _compared(tiny_run("d", choices=unknown), tiny_run("e", choices=unknown))
    assert nothing.paired.empty and nothing.summary.startswith("Nothing to pair")


def test_a_notebook_that_judged_no_router(tiny_run, capsys):
    run = tiny_run("a")
    (run / tables.CHOICES).unlink()
    assert cli.main(["compare", str(run), str(tiny_run("b"))]) == 0
    assert "Nothing to pair" in capsys.readouterr().out


@pytest.mark.parametrize("asked", [["--latency"], ["--metrics", "apgr,p50_ms"]])
def test_latency_of_two_machines_is_refused_without_force(tiny_run, capsys, asked):
    command = ["compare", str(tiny_run("a")), str(tiny_run("b", manifest={"machine": {"cores": 4}})), *asked]
    assert cli.main(command) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1 and "differ in cores (2, 4)" in told.err and "--force" in told.err
    assert not told.out
    assert cli.main([*command, "--force"]) == 0
    shown = capsys.readouterr().out
    assert "Mind: Time and memory come from different hardware: cores (2, 4)." in shown
    assert "3.00 [2.95, 3.05]" in shown


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"machine": {"memory_gib": 23.4}}, []),
        ({"machine": {"platform": "Linux-6.11.0-9-generic-x86_64-with-glibc2.39"}}, []),
        ({"machine": {"python": "3.12.1"}}, []),
        ({"machine": {"memory_gib": 31.3}}, ["memory_gib (23.5, 31.3)"]),
        ({"machine": {"cpu": "Xeon"}}, ["cpu (EPYC, Xeon)"]),
        ({"machine": {"gpu": {"name": "H200", "count": 1}}}, ["gpu (none, H200, 1)"]),
        ({"device": "cuda"}, ["device (cpu, cuda)"]),
        ({"machine": {"platform": "macOS-15.1-arm64-arm-64bit"}}, ["platform (Linux 6 x86_64, macOS 15 arm64)"]),
        ({"machine": None}, ["that one of them does not say what machine it ran on"]),
    ],
)
def test_what_makes_another_machine(tiny_run, change, differing):
    ours, theirs = reading.read(tiny_run("a")), reading.read(tiny_run("b", manifest=change))
    assert settings.other_hardware(ours, theirs) == differing


def test_bars_on_changes_and_on_the_later_run(tiny_run, tmp_path, capsys):
    runs = [str(tiny_run("a", better=0.1)), str(tiny_run("b"))]
    (tmp_path / "changes.yml").write_text(
        "- {metric: quality_change, system: knn, params: {operating_point: quality-first}, of: ci_low,\n"
        "   at_least: -0.02}\n"
        "- {metric: apgr, system: knn, at_least: 0.5}\n"
    )
    assert cli.main(["compare", *runs, "--notify-if", str(tmp_path / "changes.yml")]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 2 bars missed"
    assert cli.main(["compare", *reversed(runs), "--notify-if", str(tmp_path / "changes.yml")]) == 0


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (["a", "absent"], "absent: the folder of a run was expected"),
        (["a", "unfinished"], "this run is not finished"),
        (["a", "b", "--metrics", "apgrr"], "--metrics apgrr: no such metric"),
        (["a", "b", "--out", "changes.txt"], "a file ending in .csv, .md, .html, .json was expected"),
        (["a", "b", "--out", "absent/changes.md"], "in a folder that is there"),
        (["a", "b", "--notify-if", "absent.yml"], "absent.yml: a YAML list of bars was expected"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(tiny_run, tmp_path, monkeypatch, capsys, mistake, message):
    tiny_run("a"), tiny_run("b"), tiny_run("unfinished", manifest=None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", *mistake]) == 2
    told = capsys.readouterr()
    assert message in told.err and told.err.count("\n") == 1 and not told.out


def test_folders_without_a_manifest_on_request(tiny_run, capsys):
    """What papermill wrote by itself; the rows say how it was made."""
    run = tiny_run("b", better=0.25, manifest=None)
    assert cli.main(["compare", str(tiny_run("a", manifest=None)), str(run), "--without-manifest"]) == 0
    shown = capsys.readouterr().out
    assert "+0.250" in shown and "Mind: Without a manifest" in shown
    with pytest.raises(ToolkitError, match=MANIFEST):
        reading.read(run)
    seen = settings.differing(reading.read(tiny_run("c", manifest={"profile": "quick"})), reading.read(run, False))
    assert seen.to_dict("records") == [{"kind": "parameters", "what": "profile", "in_a": "quick", "in_b": "smoke"}]
