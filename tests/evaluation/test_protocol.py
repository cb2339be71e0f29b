"""Who may see what: no router is judged on a prompt that it was fitted on."""

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.evaluation.protocol import cross_predict, require_comparable
from toolkit.routers import ROUTERS
from toolkit.routers.base import Router


class Memoriser(Router):
    """Predicts 1 for every text that it was fitted on."""

    def _fit(self, train):
        self.seen_ = set(train.texts)

    def _predict(self, texts, metadata):
        return np.array([[float(text in self.seen_)] * len(self.models_) for text in texts])


def _repeating(rows: int = 60, **columns):
    rng = np.random.default_rng(0)
    texts = [f"text {number}" for number in rng.integers(0, rows // 2, rows)]
    return make_outcomes((rng.random((rows, 2)) < [0.4, 0.7]).astype(float), texts=texts, **columns)


@pytest.mark.parametrize("folds", [2, 5, 50])
def test_cross_fitting_never_judges_a_seen_prompt(folds):
    outcomes = _repeating()
    predictions = cross_predict(outcomes, {"memoriser": Memoriser()}, folds)
    assert predictions.quality["memoriser"].max() == 0
    assert len(predictions.outcomes) == len(outcomes)
    assert predictions.split == f"cv{min(folds, len(set(outcomes.texts)))}"


def test_an_upstream_split_is_kept_and_its_leaks_are_closed():
    parts = ["train"] * 30 + ["test"] * 20 + ["extra"] * 10
    outcomes = _repeating(split=parts)
    leaked = [text in set(outcomes.texts[30:50]) for text in outcomes.texts[:30]]
    assert any(leaked)
    predictions = cross_predict(outcomes, {"memoriser": Memoriser()})
    assert predictions.split == "test"
    assert predictions.outcomes.texts == outcomes.texts[30:50]
    assert predictions.quality["memoriser"].max() == 0
    assert f"{sum(leaked)} training prompts stand in the test part too" in predictions.outcomes.notes[-1]
    assert predictions.outcomes.notes[-2].startswith("10 prompts are not judged")


def test_incomplete_prompts_are_counted_out_not_lost():
    quality = np.random.default_rng(1).random((40, 2)).round()
    quality[3, 0] = quality[9, 1] = np.nan
    cost = np.ones((40, 2))
    cost[11, 0] = np.nan
    outcomes = make_outcomes(quality, cost)
    router = {"random": ROUTERS["random"]()}
    assert len(cross_predict(outcomes, router).outcomes) == 38
    priced = cross_predict(outcomes, router, costs=True)
    assert len(priced.outcomes) == 37
    assert priced.outcomes.notes[-1].startswith("3 prompts are not judged")
    assert np.isfinite(priced.expected_cost).all()


def test_data_without_a_comparison_is_refused_beforehand():
    alternating = np.where(np.eye(2, dtype=bool)[np.arange(40) % 2], 1.0, np.nan)
    with pytest.raises(ToolkitError, match=r"at least 20 different prompts .* of all of m1, m0 were expected; found 0"):
        require_comparable(make_outcomes(alternating))
    with pytest.raises(ToolkitError, match="no prompt has an outcome"):
        cross_predict(make_outcomes(alternating), {"random": ROUTERS["random"]()})
    with pytest.raises(ToolkitError, match="a pair needs two models"):
        require_comparable(make_outcomes(np.ones((40, 1))))
    with pytest.raises(ToolkitError, match="needs a strong model that is better"):
        require_comparable(make_outcomes(np.ones((40, 2))))
    with pytest.raises(ToolkitError, match="cost_source is 'none'"):
        cross_predict(make_outcomes(np.ones((40, 2))), {}, costs=True)


def test_five_judged_prompts_are_too_few_whatever_the_training_part():
    outcomes = _repeating(split=["train"] * 55 + ["test"] * 5)
    with pytest.raises(ToolkitError, match="at least 20 different prompts"):
        require_comparable(outcomes)


def test_expected_cost_never_sees_the_prompts_it_is_used_on():
    cost = np.ones((60, 2))
    cost[7, 1] = 1e6
    outcomes = make_outcomes(np.random.default_rng(2).random((60, 2)).round(), cost)
    expected = cross_predict(outcomes, {}, folds=6, costs=True).expected_cost
    assert expected[7, 1] == pytest.approx(1)
    assert (expected[:, 1] > 1000).sum() == 50


class Broken(Router):
    """Predicts nothing for long texts."""

    def _predict(self, texts, metadata):
        return np.array([[np.nan if len(text) > 6 else 0.5] * len(self.models_) for text in texts])


def test_predictions_that_are_no_numbers_are_refused():
    with pytest.raises(ToolkitError, match="router broken: finite predictions of shape"):
        cross_predict(_repeating(), {"broken": Broken()})


def test_a_model_missing_from_a_fitting_part_is_named():
    quality = np.random.default_rng(3).random((60, 2)).round()
    quality[1:, 1] = np.nan
    with pytest.raises(ToolkitError, match="model m1 has no outcome in a fitting part"):
        cross_predict(make_outcomes(quality), {"random": ROUTERS["random"]()})
