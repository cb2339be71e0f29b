"""Comparisons: RouteLLM's figures on RouteLLM's data, and the paired, honest rest."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.leaderboard import apgr_without_suspect, compare_on_cost, compare_pair
from toolkit.evaluation.metrics import METRICS
from toolkit.evaluation.protocol import Predictions, cross_predict
from toolkit.routers import ROUTERS, baselines
from toolkit.routers.base import Router
from toolkit.routers.local import KNearestNeighbours


def _value(rows: pd.DataFrame, system: str, metric: str) -> pd.Series:
    found = rows[(rows["system"] == system) & (rows["metric"] == metric)]
    assert len(found) == 1, (system, metric)
    return found.iloc[0]


@pytest.mark.parametrize(
    ("name", "apgr", "low", "high", "atol"),
    [
        ("mmlu", 0.583, 0.569, 0.601, 0.005),
        ("gsm8k", 0.598, 0.550, 0.639, 0.012),
        ("mt_bench", 0.556, 0.439, 0.667, 0.025),
    ],
)
def test_prompt_length_on_routellms_data(upstream, name, apgr, low, high, atol):
    """The length baseline beats the published BERT row on MMLU and all but one published row on GSM8K."""
    pair = upstream(f"routellm/{name}").pair()
    predictions = cross_predict(pair, {"prompt-length": ROUTERS["prompt-length"]()})
    row = _value(compare_pair(predictions, 2000).measurements, "prompt-length", "apgr")
    assert row["value"] == pytest.approx(apgr, abs=0.005)
    assert row["ci_low"] == pytest.approx(low, abs=atol)
    assert row["ci_high"] == pytest.approx(high, abs=atol)


def test_forms_of_apgr_on_mmlu(upstream):
    """.583 over deciles, .633 as a mean of ten, .565 without the artefact: the form must be named."""
    pair = upstream("routellm/mmlu").pair()
    router = {"prompt-length": ROUTERS["prompt-length"]()}
    rows = compare_pair(cross_predict(pair, router), 20).measurements
    assert _value(rows, "prompt-length", "apgr_mean_of_ten")["value"] == pytest.approx(0.633, abs=0.002)
    without = apgr_without_suspect(pair, router, folds=5, bootstraps=20)
    assert _value(without, "prompt-length", "apgr_without_suspect")["value"] == pytest.approx(0.565, abs=0.002)


def test_subject_mean_on_mmlu(upstream):
    pair = upstream("routellm/mmlu").pair()
    rows = compare_pair(cross_predict(pair, {"domain-mean": ROUTERS["domain-mean"]()}), 20).measurements
    row = _value(rows, "domain-mean", "apgr")
    assert row["value"] == pytest.approx(0.676, abs=0.005)
    assert row["sees"] == "domain"


@pytest.fixture(scope="module")
def pair_view(synthetic):
    pair = synthetic.pair()
    predictions = cross_predict(pair, baselines(pair), folds=3)
    return predictions, compare_pair(predictions, 300)


@pytest.fixture(scope="module")
def cost_view(synthetic):
    predictions = cross_predict(synthetic, baselines(synthetic), folds=3, costs=True)
    return predictions, compare_on_cost(predictions, 300)


def test_a_pair_runs_from_all_weak_to_all_strong(pair_view):
    predictions, comparison = pair_view
    ends = predictions.outcomes.mean_quality()
    for _, part in comparison.curves.groupby("system"):
        if len(part) == 1:
            assert part["operating_point"].iloc[0] == "rule"
            continue
        assert part["share_strong"].iloc[[0, -1]].tolist() == [0, 1]
        np.testing.assert_allclose(part["quality"].iloc[[0, -1]], ends)
        assert (part["quality_low"] <= part["quality"]).all() and (part["quality"] <= part["quality_high"]).all()


def test_every_row_can_be_recomputed_from_the_choices(cost_view):
    comparison = cost_view[1]
    kept = comparison.choices[comparison.choices["operating_point"].isin(["quality-first", "rule"])]
    means = kept.groupby("system", observed=True)[["quality", "cost_usd"]].mean()
    for system, row in means.iterrows():
        assert _value(comparison.measurements, system, "quality")["value"] == pytest.approx(row["quality"], abs=1e-6)
        cost = _value(comparison.measurements, system, "cost_usd_per_1k")["value"]
        assert cost == pytest.approx(1000 * row["cost_usd"])
    assert "text" not in comparison.choices.columns


def test_only_expected_cost_decides(cost_view):
    """Other actual costs change what is paid, and no decision."""
    predictions, comparison = cost_view
    dearer = predictions.outcomes.reprice(predictions.outcomes.models * [7.0, 0.1])
    again = compare_on_cost(type(predictions)(**{**vars(predictions), "outcomes": dearer}), 2)
    pd.testing.assert_series_equal(again.choices["model"], comparison.choices["model"])
    assert not np.allclose(again.choices["cost_usd"], comparison.choices["cost_usd"])


@pytest.mark.parametrize(("view", "gain"), [("pair_view", "apgr_gain"), ("cost_view", "quality_gain")])
def test_every_other_router_stands_against_the_best_trivial_baseline(request, view, gain):
    predictions, comparison = request.getfixturevalue(view)
    rows = comparison.measurements
    metric = gain.removesuffix("_gain")
    values = rows[rows["metric"] == metric].set_index("system")["value"]
    trivial = [name for name in values.index if predictions.routers[name].trivial]
    assert comparison.opponent == values[trivial].idxmax()
    gains = rows[rows["metric"] == gain].set_index("system")
    judged = {name for name in values.index if not predictions.routers[name].uses_outcomes} - {comparison.opponent}
    assert set(gains.index) == judged
    for name, row in gains.iterrows():
        assert row["value"] == pytest.approx(values[name] - values[comparison.opponent], abs=1e-9)
        assert row["opponent"] == comparison.opponent
        assert np.isfinite(row["p_holm"]) != predictions.routers[name].trivial


def test_paired_intervals_are_tighter_than_independent_ones(pair_view):
    rows = pair_view[1].measurements
    width = lambda row: row["ci_high"] - row["ci_low"]  # noqa: E731
    apart = np.hypot(
        width(_value(rows, "knn-lexical", "quality_at_half")), width(_value(rows, "prompt-length", "quality_at_half"))
    )
    assert width(_value(rows, "knn-lexical", "quality_at_half_gain")) < 0.8 * apart


def test_references_bound_and_baselines_know_nothing(cost_view):
    rows = cost_view[1].measurements
    quality = rows[rows["metric"] == "quality"].set_index("system")["value"]
    assert quality.idxmax() == "hindsight-oracle"
    assert _value(rows, "hindsight-oracle", "gap_closed")["value"] == pytest.approx(1)
    assert _value(rows, "qwen-max", "gain_over_share_matched")["value"] == pytest.approx(0, abs=1e-9)
    random = _value(rows, "random", "gain_over_share_matched")
    assert random["ci_low"] < 0 < random["ci_high"]
    knows = _value(rows, "knn-lexical", "gain_over_share_matched")
    assert knows["ci_low"] > 0


def test_measurements_are_tidy(pair_view, cost_view):
    for _, comparison in (pair_view, cost_view):
        rows = comparison.measurements
        assert not rows.duplicated(["system", "metric"]).any()
        assert set(rows["metric"]) <= set(METRICS)
        assert (rows["unit"] == rows["metric"].map(lambda name: METRICS[name].unit)).all()
        assert rows["sees"].notna().all()
        inside = rows.dropna(subset=["ci_low"])
        assert (inside["ci_low"] <= inside["ci_high"]).all()


def test_what_cannot_be_compared_is_refused(synthetic):
    worse = synthetic.pair("qwen-max", "qwen-flash")
    router = {"random": ROUTERS["random"]()}
    with pytest.raises(ToolkitError, match="needs a strong model that is better"):
        compare_pair(cross_predict(worse, router), 2)
    with pytest.raises(ToolkitError, match="a pair has two models; 3 were given"):
        compare_pair(cross_predict(synthetic, router), 2)
    free = make_outcomes(np.random.default_rng(0).random((30, 2)))
    with pytest.raises(ToolkitError, match="cost on every judged prompt"):
        compare_on_cost(cross_predict(free, router), 2)


def _predicted(outcomes, **scores: np.ndarray) -> Predictions:
    """Predictions made by hand on a pair: the score is the strong model's, 1 - score the weak one's."""
    return Predictions(
        outcomes=outcomes,
        split="cv5",
        routers={name: KNearestNeighbours() if name.startswith("learned") else ROUTERS["random"]() for name in scores},
        quality={name: np.stack([1 - score, score], axis=1) for name, score in scores.items()},
        expected_cost=np.tile([1.0, 2.0], (len(outcomes), 1)),
    )


@pytest.fixture(scope="module")
def noisy_pair():
    rng = np.random.default_rng(11)
    return make_outcomes((rng.random((400, 2)) < [0.5, 0.7]).astype(float), np.tile([1.0, 2.0], (400, 1)))


def test_p_values_are_adjusted_over_the_learned_routers(noisy_pair):
    rng = np.random.default_rng(12)
    difference = noisy_pair.quality[:, 1] - noisy_pair.quality[:, 0]
    scores = {f"learned-{k}": 0.5 + 0.1 * k * difference + 0.2 * rng.normal(size=400) for k in range(4)}
    predictions = _predicted(noisy_pair, random=rng.random(400), **scores)
    comparison = compare_on_cost(predictions, 50)
    rows = comparison.measurements[comparison.measurements["metric"] == "quality_gain"].set_index("system")
    realised = {
        name: part.sort_values("row")["quality"].to_numpy()
        for name, part in comparison.choices[comparison.choices["operating_point"] == "quality-first"].groupby(
            "system", observed=True
        )
    }
    raw = [statistics.mcnemar(realised[name], realised["random"]) for name in scores]
    np.testing.assert_allclose(rows.loc[list(scores), "p_holm"], statistics.holm(raw))
    assert (rows.loc[list(scores), "p_holm"] > raw).any()


def test_repeated_prompts_add_no_certainty(noisy_pair):
    score = np.random.default_rng(13).random(400)
    once = _predicted(noisy_pair, random=score)
    texts = noisy_pair.texts * 4
    repeated = make_outcomes(np.tile(noisy_pair.quality, (4, 1)), np.tile(noisy_pair.cost_usd, (4, 1)), texts)
    four = _predicted(repeated, random=np.tile(score, 4))
    for compare, metric in ((compare_pair, "apgr"), (compare_on_cost, "quality")):
        widths = []
        for predictions in (once, four):
            row = _value(compare(predictions, 400).measurements, "random", metric)
            widths.append(row["ci_high"] - row["ci_low"])
        assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_ties_earn_no_credit(noisy_pair):
    """Two score levels that know nothing: at half of the calls they are worth the mixture of the two models."""
    score = np.where(np.random.default_rng(14).random(400) < 0.9, 0.9, 0.1)
    rows = compare_pair(_predicted(noisy_pair, learned=score, random=score), 20).measurements
    half = _value(rows, "learned", "quality_at_half")["value"]
    assert half == pytest.approx(noisy_pair.quality.mean(), abs=0.03)


def test_equal_predictions_go_to_the_cheaper_model(noisy_pair):
    even = np.full(400, 0.5)
    for outcomes, cheap in ((noisy_pair, 1.0), (noisy_pair.subset(models=["m1", "m0"]), 1.0)):
        predictions = _predicted(outcomes, random=even)
        expected = outcomes.cost_usd.mean(axis=0)
        predictions = Predictions(**{**vars(predictions), "expected_cost": np.tile(expected, (400, 1))})
        assert (
            _value(compare_on_cost(predictions, 5).measurements, "random", "cost_usd_per_1k")["value"] == 1000 * cheap
        )


def test_spending_alone_is_no_gain():
    """Weak always wrong, strong always right: a coin gains nothing over its own shares, in any replicate."""
    outcomes = make_outcomes(np.tile([0.0, 1.0], (300, 1)), np.tile([1.0, 2.0], (300, 1)))
    coin = np.random.default_rng(15).random(300)
    row = _value(
        compare_on_cost(_predicted(outcomes, random=coin), 200).measurements, "random", "gain_over_share_matched"
    )
    assert [row["value"], row["ci_low"], row["ci_high"]] == pytest.approx([0, 0, 0], abs=1e-6)


def test_an_uncertain_gap_is_said():
    rng = np.random.default_rng(16)
    outcomes = make_outcomes((rng.random((300, 2)) < [0.60, 0.61]).astype(float))
    if outcomes.mean_quality()[0] >= outcomes.mean_quality()[1]:
        outcomes = outcomes.subset(models=["m1", "m0"])
    rows = compare_pair(_predicted(outcomes, random=rng.random(300)), 200).measurements
    assert rows["note"].str.startswith("the gap between the two models may be zero").all()
    assert np.isnan(_value(rows, "random", "apgr")["ci_low"])


class Memory(Router):
    """Predicts 1 for the strong model where it was fitted on a suspect text."""

    seen: ClassVar[list[set[str]]] = []

    def _fit(self, train):
        self.seen.append(set(train.texts))

    def _predict(self, texts, metadata):
        return np.tile([0.4, 0.6], (len(texts), 1))


def test_suspect_rows_are_left_out_of_fitting_too(noisy_pair):
    suspect = np.arange(400) < 40
    marked = make_outcomes(noisy_pair.quality, suspect=suspect)
    Memory.seen.clear()
    rows = apgr_without_suspect(marked, {"memory": Memory()}, folds=4, bootstraps=5)
    assert rows["n"].unique().tolist() == [360]
    assert len(Memory.seen) == 4
    assert set().union(*Memory.seen).isdisjoint(marked.texts[:40])


def test_names_of_models_and_baselines_do_not_collide():
    outcomes = make_outcomes(np.random.default_rng(17).random((30, 3)))
    renamed = type(outcomes)("named", outcomes.prompts, outcomes.models.rename({"m0": "random"}), outcomes.quality)
    routers = baselines(renamed)
    assert {"random", "random (model)", "m1", "m2"} <= set(routers)
    swapped = baselines(make_outcomes(np.tile([1.0, 0.0], (30, 1))))
    assert swapped["always-weak"].model == "m1" and swapped["always-strong"].model == "m0"
