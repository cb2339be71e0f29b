"""Bars: what they match, which row is the worst, what a mistake in the file says, and exit status 3."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.reporting.test_execute import write_notebook
from toolkit import cli, paths
from toolkit.errors import ToolkitError
from toolkit.reporting import bars

FRAME = pd.DataFrame(
    [
        ("d", "knn", "pair", "apgr", 0.60, 0.55, 0.65, {"labels": 50}),
        ("d", "knn", "pair", "apgr", 0.70, 0.66, 0.74, {"labels": 500}),
        ("e", "mf", "pair", "apgr", 0.52, 0.40, 0.64, {"flag": True}),
        ("e", "mf", "pair", "cpt50", np.nan, np.nan, np.nan, {}),
    ],
    columns=["dataset", "system", "analysis", "metric", "value", "ci_low", "ci_high", "params"],
    index=[7, 7, 7, 7],
).assign(unit="", notebook="02", split="cv5")
FRAME["params"] = FRAME["params"].map(json.dumps)


def _bars(tmp_path, text):
    (tmp_path / "bars.yml").write_text(text, encoding="utf-8")
    return bars.read(tmp_path / "bars.yml")


@pytest.mark.parametrize(
    ("bar", "worst", "rows", "state"),
    [
        ("metric: apgr, at_least: 0.52", 0.52, 3, "ok"),
        ("metric: apgr, at_least: 0.5201", 0.52, 3, "missed"),
        ("metric: apgr, at_most: 0.65", 0.70, 3, "missed"),
        ("metric: apgr, system: knn, of: ci_low, at_least: 0.55", 0.55, 2, "ok"),
        ("metric: apgr, params: {labels: 500}, of: ci_high, at_most: 0.74", 0.74, 1, "ok"),
        ("metric: apgr, params: {flag: true}, at_least: 0", 0.52, 1, "ok"),
        ("metric: apgr, params: {flag: 1}, at_least: 0", np.nan, 0, "missed: no row matches"),
        ("metric: apgr, dataset: e, notebook: '02', split: cv5, analysis: pair, at_least: 0", 0.52, 1, "ok"),
        ("metric: apgr, dataset: absent, at_least: 0", np.nan, 0, "missed: no row matches"),
        ("metric: cpt50, at_most: 1", np.nan, 1, "missed: value is not known"),
    ],
)
def test_the_worst_matching_row_decides(tmp_path, bar, worst, rows, state):
    found = bars.missed(FRAME, _bars(tmp_path, f"- {{{bar}}}")).iloc[0]
    assert found["worst"] == pytest.approx(worst, nan_ok=True)
    assert (found["rows"], found["state"]) == (rows, state)


def test_a_frame_without_what_a_bar_names_misses_it(tmp_path, capsys):
    wanted = _bars(
        tmp_path, "- {metric: apgr, split: cv5, at_least: 0, name: quality kept}\n- {metric: apgr, at_least: 0}"
    )
    assert bars.report_missed(FRAME.drop(columns="split"), wanted) == 3
    shown = capsys.readouterr().out
    assert "quality kept" in shown and "no row matches" in shown and "0.520 [0.400, 0.640]" in shown
    assert shown.splitlines()[-1] == "1 of 2 bars missed"
    assert bars.report_missed(FRAME, wanted[1:]) == 0 == bars.report_missed(FRAME, [])
    assert bars.read(None) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metric: apgr", "a YAML list of bars was expected, each '- metric: ...'; found dict"),
        ("", "found an empty file"),
        ("- [", "a YAML list of bars was expected"),
        ("- apgr", "bar 1: a mapping with metric and at_least or at_most was expected; found 'apgr'"),
        (
            "- {metric: apgr, at_least: 0}\n- {metric: apgrr, at_least: 0}",
            "bar 2: .*'apgrr' is none; did you mean apgr",
        ),
        ("- {at_least: 0}", "bar 1: a metric was expected; None is none"),
        ("- {metric: apgr}", "found neither"),
        ("- {metric: apgr, at_least: 0, at_most: 1}", "found both"),
        ("- {metric: apgr, at_least: high}", "at_least takes a number; 'high' was given"),
        ("- {metric: apgr, at_most: true}", "at_most takes a number; True was given"),
        ("- {metric: apgr, at_most: .inf}", "at_most takes a number; inf was given"),
        ("- {metric: apgr, at_least: 0, of: mean}", "of takes value, ci_low, ci_high; 'mean' was given"),
        ("- {metric: apgr, at_least: 0, sytem: knn}", "no field 'sytem'; there are metric, at_least"),
        ("- {metric: apgr, at_least: 0, dataset: 5}", "dataset takes text; 5 was given"),
        ("- {metric: apgr, at_least: 0, params: [labels]}", "params takes names and values"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, text, message):
    with pytest.raises(ToolkitError, match=message) as caught:
        _bars(tmp_path, text)
    assert "bars.yml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ToolkitError, match=r"absent\.yml: a YAML list of bars was expected"):
        bars.read(tmp_path / "absent.yml")


@pytest.fixture
def one_notebook(tmp_path, monkeypatch):
    """A folder of notebooks in which one writes one figure, and a report of it with its arguments."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    source = (
        "import pandas as pd\n"
        "from toolkit.reporting.notebook import Notebook\n"
        "book = Notebook('00_one', dataset, profile, seed, device, out)\n"
        "book.measure(pd.DataFrame([{'system': 'knn', 'metric': 'apgr', 'value': 0.6, 'ci_low': 0.5, 'ci_high': 0.7,\n"
        "                            'unit': 'PGR', 'n': 9, 'note': ''}]))\n"
        "book.save()"
    )
    parameters = (
        "dataset: str = 'synthetic'  # data\nprofile: str = 'smoke'  # profile\nseed: int = 0  # seed\n"
        "device: str = 'cpu'  # device\nout: str = ''  # folder"
    )
    write_notebook(notebooks / "00_one.ipynb", source, parameters)
    monkeypatch.setattr(paths, "notebooks_dir", lambda: notebooks)
    return ["report", "--profile", "smoke", "--device", "cpu", "--out", str(tmp_path / "runs")]


def test_a_report_ends_with_status_3_where_a_bar_is_missed(tmp_path, one_notebook, capsys):
    for limit, status in ((0.55, 0), (0.65, 3)):
        (tmp_path / "bars.yml").write_text(f"- {{metric: apgr, system: knn, at_least: {limit}}}")
        assert cli.main([*one_notebook, "--notify-if", str(tmp_path / "bars.yml")]) == status
        assert capsys.readouterr().out.splitlines()[-1].endswith("index.html")


def test_a_bad_file_of_bars_stops_a_report_before_it_begins(tmp_path, one_notebook, capsys):
    (tmp_path / "bars.yml").write_text("- {metric: nonsense, at_least: 1}")
    assert cli.main([*one_notebook, "--notify-if", str(tmp_path / "bars.yml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
