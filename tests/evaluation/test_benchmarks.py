"""Every benchmark's measures against its own published figures, brute force and closed forms."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import make_outcomes
from toolkit import compare_on_cost
from toolkit.errors import ToolkitError
from toolkit.evaluation import arena, frontier, overview, statistics
from toolkit.evaluation.perturbations import PERTURBATIONS
from toolkit.evaluation.protocol import cross_predict
from toolkit.evaluation.sensitivity import price_sensitivity
from toolkit.routers import ROUTERS, baselines

ARENA = [  # accuracy %, dollars per 1,000 queries, published score; inputs are rounded
    (79.69, 0.27, 77.63), (79.76, 0.70, 76.21), (75.54, 1.00, 72.08), (66.88, 0.15, 66.89),
    (73.96, 10.02, 64.32), (61.62, 4.83, 57.56), (47.04, 0.27, 48.07), (32.01, 0.07, 33.75),
]  # fmt: skip


def test_arena_score_on_the_published_leaderboard():
    accuracy, cost, published = np.array(ARENA).T
    np.testing.assert_allclose(100 * arena.score(accuracy / 100, cost), published, atol=0.05)


def test_arena_score_at_its_edges():
    assert arena.score(np.array(1.0), np.array(0.0)) == pytest.approx(1)
    assert arena.score(np.array(1.0), np.array(1e9)) == 0
    assert arena.score(np.array(0.0), np.array(1.0)) == 0


@pytest.mark.parametrize(("task", "code", "paper"), [("arc_challenge", 0.9027, 0.9211), ("mbpp", 0.6621, 0.6655)])
def test_zero_router_of_routerbench(upstream, task, code, paper):
    outcomes = upstream(f"routerbench/{task}")
    chain = frontier.zero_router(outcomes)
    cost, quality = np.nanmean(outcomes.cost_usd, axis=0), outcomes.mean_quality()
    assert frontier.aiq(cost[chain], quality[chain], cost.max()) == pytest.approx(code, abs=5e-5)
    assert frontier.aiq(cost[chain], quality[chain], cost.max(), cost.min()) == pytest.approx(paper, abs=5e-5)
    rows = overview.measure(outcomes, bootstraps=5).set_index("metric")
    assert rows.loc["zero_aiq", "value"] == pytest.approx(code, abs=5e-5)
    points = overview.front(outcomes)
    assert set(points.loc[points["on_hull"], "system"]) == {outcomes.names[column] for column in chain}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=25))
@settings(deadline=None)
def test_the_hull_bounds_every_point_and_every_mixture(points):
    cost, quality = (np.array(axis, dtype=float) for axis in zip(*points, strict=True))
    chain = frontier.hull(cost, quality)
    assert cost[chain[0]] == cost.min() and quality[chain[-1]] == quality.max()
    assert (np.diff(cost[chain]) > 0).all() and (np.diff(quality[chain]) > 0).all()
    slopes = np.diff(quality[chain]) / np.diff(cost[chain])
    assert (np.diff(slopes) < 1e-12).all(), "concave"
    reached = np.interp(cost, cost[chain], quality[chain])
    assert (quality <= reached + 1e-9).all()


def test_aiq_by_hand():
    """From (1, .5) to (3, .9), flat to 5: (2 x .7 + 2 x .9) / 5, and / (5 - 1) in the paper's form."""
    cost, quality = np.array([1.0, 3.0]), np.array([0.5, 0.9])
    assert frontier.aiq(cost, quality, 5.0) == pytest.approx(3.2 / 5)
    assert frontier.aiq(cost, quality, 5.0, 1.0) == pytest.approx(3.2 / 4)
    with pytest.raises(ToolkitError, match="finite"):
        frontier.hull(np.array([1.0, np.nan]), np.array([1.0, 1.0]))


def test_luck_on_a_curve_earns_no_aiq():
    """Fifty points of pure noise around the zero router: in-sample hulls gain, judged hulls do not."""
    rng = np.random.default_rng(0)
    judged, naive = [], []
    groups = np.arange(200)
    for trial in range(60):
        strong = rng.random((50, 200)) < np.linspace(0, 1, 50)[:, None]
        quality = (rng.random(200) < np.where(strong, 0.7, 0.5)).astype(float)
        cost = np.where(strong, 2.0, 1.0)
        counts = statistics.bootstrap_counts(groups, 1)
        curves = {"noise": (cost, quality)}
        judged.append(frontier.judged_aiq(curves, counts, groups, 2.0, halvings=5, seed=trial)["noise"][0])
        chain = frontier.hull(cost.mean(axis=1), quality.mean(axis=1))
        naive.append(frontier.aiq(cost.mean(axis=1)[chain], quality.mean(axis=1)[chain], 2.0))
    truth = frontier.aiq(np.array([1.0, 2.0]), np.array([0.5, 0.7]), 2.0)
    assert np.mean(naive) > truth + 0.005
    assert truth - 0.03 < np.mean(judged) < np.mean(naive) - 0.005
    assert np.mean(judged) < truth + 2 * np.std(judged) / 60**0.5


def test_halving_luck_is_averaged_out(upstream):
    """One halving of MBPP moves the zero router by points, twenty by tenths of a point."""
    outcomes = upstream("routerbench/mbpp")
    counts = statistics.bootstrap_counts(outcomes.groups, 1)
    curves = {"zero": (outcomes.cost_usd.T, outcomes.quality.T)}
    highest = outcomes.cost_usd.mean(axis=0).max()
    values = {
        count: [
            frontier.judged_aiq(curves, counts, outcomes.groups, highest, count, seed)["zero"][0] for seed in range(8)
        ]
        for count in (1, 20)
    }
    assert np.std(values[20]) < 0.004 < np.std(values[1])


def test_optimality_by_hand():
    quality = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0], [0.5, 1, 0]], dtype=float)
    cost = np.array([[1.0, 2.0, 4.0]] * 4)
    found = arena.optimality(make_outcomes(quality, cost), np.array([1, 1, 0, 0]))
    ratio = {name: part.sum() / whole.sum() for name, (part, whole) in found.items()}
    assert ratio["opt_sel"] == pytest.approx(1 / 3)
    assert ratio["opt_cost"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert ratio["opt_acc"] == pytest.approx(2.5 / 3)


def test_equally_good_and_cheap_is_optimal():
    free = make_outcomes(np.ones((4, 2)), np.zeros((4, 2)))
    part, whole = arena.optimality(free, np.array([0, 1, 0, 1]))["opt_sel"]
    assert part.sum() == whole.sum() == 4


@pytest.fixture(scope="module")
def compared(synthetic):
    part = synthetic.sample(900)
    predictions = cross_predict(part, baselines(part), folds=3, costs=True)
    return predictions, compare_on_cost(predictions, 200)


def test_gains_and_gaps_add_up(compared):
    predictions, comparison = compared
    outcomes = predictions.outcomes
    value = comparison.measurements.pivot(index="system", columns="metric", values="value")
    models = outcomes.mean_quality()
    routers = value.dropna(subset=["quality"])
    np.testing.assert_allclose(routers["gain_over_random"], routers["quality"] - models.mean(), atol=1e-7)
    np.testing.assert_allclose(routers["gain_over_best_single"], routers["quality"] - models.max(), atol=1e-7)
    np.testing.assert_allclose(
        routers["gap_to_oracle"], outcomes.quality.max(axis=1).mean() - routers["quality"], atol=1e-7
    )
    assert value.loc["cheapest", "opt_cost"] > 0.99
    assert value.loc["hindsight-oracle", "opt_acc"] == pytest.approx(1)
    assert value.loc["qwen-flash", "pareto_distance"] == 0, "the cheapest point is on every front"
    assert value["pareto_distance"].min() >= 0 and np.isnan(value.loc["hindsight-oracle", "pareto_distance"])
    assert value.loc["zero-router", "aiq"] < value.loc["bayes-optimal", "aiq"] < value.loc["hindsight-oracle", "aiq"]
    assert value.loc["random", "aiq_over_zero"] < 0.01


@pytest.mark.parametrize("kind", PERTURBATIONS)
@pytest.mark.parametrize(
    "text", ["Summarise the following report in two lines.", "请把这段话翻译成英语。", "", "7", "a b"]
)
def test_perturbations_are_seeded_and_small(kind, text):
    changed = PERTURBATIONS[kind](text, np.random.default_rng(3))
    assert changed == PERTURBATIONS[kind](text, np.random.default_rng(3))
    if kind == "typos":
        assert sorted(changed) == sorted(text) and sum(a != b for a, b in zip(text, changed, strict=True)) <= 4
        assert changed != text or len(text) < 4
    elif kind == "case":
        assert changed.lower() == text.lower()
    elif kind == "spacing":
        assert changed.split() == text.split()
    else:
        assert text in changed and changed != text


def test_robustness_tells_what_a_router_reads(synthetic):
    part = synthetic.sample(400)
    routers = {
        name: ROUTERS[name]() for name in ("prompt-length", "length-rule", "domain-mean", "knn-lexical", "random")
    }
    rows = arena.robustness(part, routers, folds=3, bootstraps=50, most=120).set_index(["system", "metric"])["value"]
    assert set(rows.index.get_level_values(0)) == set(routers) - {"random"}
    assert rows["domain-mean", "robustness"] > 0.98, "what it reads is not changed, only the tokens that are paid for"
    assert rows["length-rule", "robustness_case"] == 1 and rows["length-rule", "robustness_typos"] == 1
    assert rows["prompt-length", "robustness_typos"] == 1, "two swapped letters are as long"
    assert rows["prompt-length", "robustness_paraphrase"] < 1, "a frame makes a prompt longer"
    assert 0.5 < rows["knn-lexical", "robustness"] < 1
    assert rows["knn-lexical", "robustness_spacing"] == 1
    kinds = [rows["knn-lexical", f"robustness_{kind}"] for kind in PERTURBATIONS]
    assert rows["knn-lexical", "robustness"] == pytest.approx(np.mean(kinds))


def test_price_sensitivity_is_the_winner_at_every_ratio(compared):
    predictions, comparison = compared
    fair = [name for name, router in predictions.routers.items() if not router.uses_outcomes]
    table = price_sensitivity(comparison.choices, "qwen-max", 0.01, predictions.outcomes.groups, fair, bootstraps=50)
    assert table["ratio_from"].iloc[0] == 0 and np.isinf(table["ratio_to"].iloc[-1])
    assert (table["ratio_to"].iloc[:-1].to_numpy() == table["ratio_from"].iloc[1:].to_numpy()).all()
    assert table["support"].between(0, 1).all() and len(table) >= 3
    choices = comparison.choices[comparison.choices["system"].isin(fair)]
    choices = choices.assign(own=choices["cost_usd"].where(choices["model"] == "qwen-max", 0.0))
    means = choices.groupby(["system", "operating_point"], observed=True)[["quality", "cost_usd", "own"]].mean()
    for row in table.itertuples():
        ratio = row.ratio_from + 1 if np.isinf(row.ratio_to) else (row.ratio_from + row.ratio_to) / 2
        worth = 0.01 * means["quality"] - (means["cost_usd"] - means["own"] + ratio * means["own"])
        assert means.loc[worth.idxmax(), "quality"] == pytest.approx(row.quality, abs=1e-6)
        assert 1000 * means.loc[worth.idxmax(), "cost_usd"] == pytest.approx(row.cost_usd_per_1k)


def test_repricing_in_the_table_and_in_the_outcomes_agree(compared, synthetic):
    """The winner at ratio 3 is the winner after re-pricing by 3, choices kept."""
    predictions, comparison = compared
    outcomes = predictions.outcomes
    factor = pd.Series([1.0, 1.0, 3.0], index=outcomes.names)
    dearer = outcomes.reprice(outcomes.models.mul(factor, axis=0))
    np.testing.assert_allclose(dearer.cost_usd[:, 2], 3 * outcomes.cost_usd[:, 2])
    single = list(outcomes.names)
    table = price_sensitivity(comparison.choices, "qwen-max", 0.02, outcomes.groups, single, bootstraps=5)
    row = table[(table["ratio_from"] <= 3) & (table["ratio_to"] > 3)].iloc[0]
    worth = 0.02 * outcomes.mean_quality() - dearer.cost_usd.mean(axis=0)
    assert row["winner"] == outcomes.names[int(worth.argmax())]


def test_sensitivity_refuses_what_it_cannot_answer(compared):
    predictions, comparison = compared
    groups = predictions.outcomes.groups
    with pytest.raises(ToolkitError, match="No model 'gpt-9' in these choices; there are qwen-flash"):
        price_sensitivity(comparison.choices, "gpt-9", 0.01, groups)
    with pytest.raises(ToolkitError, match="value_usd > 0"):
        price_sensitivity(comparison.choices, "qwen-max", 0.0, groups)
    with pytest.raises(ToolkitError, match="No system 'nobody' in these choices"):
        price_sensitivity(comparison.choices, "qwen-max", 0.01, groups, ["nobody"])
    with pytest.raises(ToolkitError, match="groups of the 900 judged prompts were expected; 5 codes"):
        price_sensitivity(comparison.choices, "qwen-max", 0.01, groups[:5])


def test_support_is_the_systems_not_the_points(compared):
    """Neighbouring deciles of one curve win in turn; that is no doubt about the system."""
    predictions, comparison = compared
    two = ["bayes-optimal", "random"]
    table = price_sensitivity(comparison.choices, "qwen-max", 0.01, predictions.outcomes.groups, two, bootstraps=50)
    assert table["winner"].str.startswith("bayes-optimal").iloc[:3].all()
    assert table["support"].iloc[:3].min() > 0.95


def test_sensitivity_from_a_runs_own_table(compared):
    predictions, comparison = compared
    groups = predictions.outcomes.groups
    saved = comparison.choices.assign(prompt=comparison.choices["row"].map("p{}".format))
    saved = saved.assign(group=groups[comparison.choices["row"]]).drop(columns="row")
    fair = ["knn-lexical", "qwen-flash", "qwen-max"]
    pd.testing.assert_frame_equal(
        price_sensitivity(saved, "qwen-max", 0.01, systems=fair, bootstraps=20),
        price_sensitivity(comparison.choices, "qwen-max", 0.01, pd.factorize(groups)[0], fair, bootstraps=20),
    )


def test_references_alone_can_be_compared(synthetic):
    part = synthetic.sample(100)
    predictions = cross_predict(part, {"hindsight-oracle": ROUTERS["hindsight-oracle"]()}, costs=True)
    assert compare_on_cost(predictions, 5).opponent == ""
