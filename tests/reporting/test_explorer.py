"""The explorer driven from Python, on a run of real comparisons: every control moves all that is shown."""

from html import escape
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit import compare_on_cost, compare_pair, paths
from toolkit.errors import ToolkitError
from toolkit.evaluation.protocol import cross_predict
from toolkit.outcomes import Outcomes
from toolkit.reporting import execute, page, reading, tables
from toolkit.reporting.notebook import Notebook
from toolkit.reporting.run import MANIFEST, SCHEMA_VERSION, write_json
from toolkit.routers import baselines

UNPRICED = "own <b>.csv"  # a name that a page must not take for its own tags


def write_run(folder: Path, outcomes: Outcomes) -> Path:
    """What notebook 02 leaves of two data sets, the second without costs, put together as a finished run."""
    rng = np.random.default_rng(0)
    own = make_outcomes((rng.random((120, 2)) < [0.4, 0.7]).astype(float))
    parts = [folder / "priced", folder / "unpriced"]
    for part, data, name in zip(parts, (outcomes, own), ("synthetic", UNPRICED), strict=True):
        book = Notebook("02_compare_quality_and_cost", name, "smoke", 0, "cpu", str(part))
        pair = cross_predict(data.pair(), baselines(data.pair()), 3)
        book.keep(compare_pair(pair, 50), pair, "pair")
        if data.cost_source != "none":
            pool = cross_predict(data, baselines(data), 3, costs=True)
            book.keep(compare_on_cost(pool, 50), pool, "cost")
        book.save()
    tables.gather(parts, folder)
    facts = {"synthetic": {"cost_source": outcomes.cost_source, "synthetic": True}, UNPRICED: {"cost_source": "none"}}
    write_json(folder / MANIFEST, {"schema_version": SCHEMA_VERSION, "data": facts})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, synthetic):
    return reading.read(write_run(tmp_path_factory.mktemp("run"), synthetic.sample(400, 0)))


@pytest.fixture
def explorer(run):
    from toolkit.reporting.explorer import Explorer

    return Explorer(run)


def images(widget) -> list:
    """The image widgets inside a widget, curve first."""
    found = [inner for child in getattr(widget, "children", ()) for inner in images(child)]
    return [widget] if type(widget).__name__ == "Image" else found


def pictures(explorer) -> list[bytes]:
    found = [bytes(image.value) for image in images(explorer)]
    assert len(found) == 2 and all(picture.startswith(b"\x89PNG") for picture in found)
    return found


def text(explorer) -> str:
    from ipywidgets import HTML

    return " ".join(child.value for child in explorer.children if isinstance(child, HTML))


def test_it_starts_at_half_of_what_the_best_single_model_spends(explorer):
    single = explorer.view.offer.best_single
    assert explorer.analysis.value == "cost" and explorer.mode.value == "budget"
    assert explorer.budget.value == pytest.approx(500 * single["cost_usd"], rel=0.02)
    assert explorer.routers.value == ("knn-lexical", "prompt-length", "random")
    offered = [name for _, name in explorer.routers.options]
    assert set(offered) == set(explorer.view.offer.systems) and offered[-3:] == explorer.view.offer.curved[:3]
    assert ("hindsight-oracle (sees outcomes)", "hindsight-oracle") in explorer.routers.options
    assert explorer.chosen["cost_usd_per_1k"].max() <= explorer.budget.value * (1 + 1e-9)
    assert list(explorer.view.table.index) == [*explorer.routers.value, f"{single['model']}, best single model"]
    assert explorer.chosen["system"][0] in explorer.view.told and str(single["model"]) in explorer.view.told
    assert explorer.split.sum(axis=1).to_numpy() == pytest.approx(1)


def test_a_budget_moves_point_table_and_both_pictures(explorer):
    before, drawn, told = explorer.chosen, pictures(explorer), text(explorer)
    explorer.budget.value /= 4
    assert (explorer.chosen["quality"] < before["quality"]).all()
    assert (explorer.chosen["cost_usd_per_1k"] <= explorer.budget.value * (1 + 1e-9)).all()
    assert all(old != new for old, new in zip(drawn, pictures(explorer), strict=True))
    assert text(explorer) != told
    explorer.budget.value *= 4
    assert explorer.chosen.equals(before) and pictures(explorer) == drawn, "the same controls show the same"


def test_a_weight_moves_them_too_and_quality_first_is_weight_zero(explorer, run):
    explorer.mode.value = "weight"
    explorer.weight.value = 10**explorer.weight.max
    cheapest = explorer.chosen
    assert (cheapest["weight"] == np.inf).all()
    explorer.weight.value = 10**explorer.weight.min
    assert (explorer.chosen["cost_usd_per_1k"] > cheapest["cost_usd_per_1k"]).all()
    explorer.mode.value = "quality"
    measured = run.measurements[(run.measurements["analysis"] == "cost") & (run.measurements["metric"] == "quality")]
    published = measured.set_index("system")["value"].loc[explorer.chosen["system"]]
    assert explorer.chosen["quality"].to_numpy() == pytest.approx(published.to_numpy())
    assert explorer.chosen["split_exact"].all(), "quality first is a kept point"


def test_volume_turns_into_dollars_and_redraws_nothing(explorer):
    drawn, before = pictures(explorer), explorer.chosen
    explorer.requests.value *= 10
    assert explorer.chosen["usd_per_month"].to_numpy() == pytest.approx(10 * before["usd_per_month"].to_numpy())
    assert pictures(explorer) == drawn


@pytest.mark.parametrize("analysis", ["cost", "pair"])
def test_any_routers_can_be_chosen_and_none(explorer, analysis):
    explorer.analysis.value = analysis
    for names in (("length-rule",), ("hindsight-oracle",), tuple(explorer.view.offer.systems), ()):
        explorer.routers.value = names
        assert explorer.chosen["system"].tolist() == list(names)
        assert len(explorer.split) == explorer.chosen["quality"].notna().sum()
    assert explorer.view.told == "No router is chosen."


def test_moves_on_two_threads_are_all_shown(explorer):
    other = Thread(target=setattr, args=(explorer.analysis, "value", "pair"))

    def meanwhile(_):  # what JupyterLab does: the next message arrives while this one is drawn
        if other.ident is None:
            other.start()
            other.join(0.5)

    images(explorer)[0].observe(meanwhile, names="value")
    explorer.budget.value /= 2
    other.join()
    assert explorer.view.offer.analysis == "pair" and "strong calls" in explorer.view.table


def test_without_costs_calls_are_shown(explorer):
    explorer.dataset.value = UNPRICED
    assert [name for _, name in explorer.analysis.options] == ["pair"]
    assert (explorer.budget.min, explorer.budget.max) == (0, 1)
    columns = ["quality", "of the best single model", "strong calls", "operating point"]
    assert list(explorer.view.table.columns) == columns
    assert "Within 50.0% of strong calls" in explorer.view.told and "USD" not in text(explorer)
    explorer.budget.value = 0.2
    assert (explorer.chosen["share_strong"] <= 0.2).all()
    explorer.dataset.value = "synthetic"
    assert [name for _, name in explorer.analysis.options] == ["cost", "pair"] and explorer.analysis.value == "pair"


def test_a_budget_below_every_point_says_so(explorer):
    explorer.routers.value = ("qwen-max",)
    explorer.budget.value = 10**explorer.budget.min
    assert explorer.split.empty and explorer.view.table.loc["qwen-max", "quality"] == "not within the budget"
    assert "none of these routers can be had" in explorer.view.told


def test_names_are_text(run):
    from toolkit.reporting.explorer import Explorer

    explorer = Explorer(run, dataset=UNPRICED)
    assert explorer.dataset.value == UNPRICED
    assert "<b>.csv" not in text(explorer)


def test_on_a_page_stands_what_the_controls_start_with(run, explorer, tmp_path):
    source, target = paths.notebooks_dir() / "12_explore_tradeoffs.ipynb", tmp_path / "notebook.ipynb"
    given = execute.checked_parameters(source, {"run": str(run.path), "out": str(tmp_path)})
    done = execute.run(execute.Job(str(source), str(target), given))
    assert not done.error, done.traceback
    html = page.write_notebook(tmp_path, target.name, "12", done).read_text(encoding="utf-8")
    assert escape(explorer.view.told, quote=False) in html and "make lab" in html
    assert all(text in html for text in explorer.view.table["quality"])
    assert html.count("data:image/png") == 2 == len(list((tmp_path / "figures").glob("*.png")))
    assert "<script" not in html and "widget" not in html and "http" not in html, "a page needs nothing from elsewhere"


def test_a_run_without_curves_is_refused(tmp_path):
    from toolkit.reporting.explorer import Explorer

    tables.gather([], tmp_path)
    with pytest.raises(ToolkitError, match="found no curve"):
        Explorer(tmp_path)
