"""Known answers of the baselines."""

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.pricing import token_counts
from toolkit.routers.baselines import (
    DomainMean,
    PromptLength,
    RandomScore,
    ShareMatchedRandom,
    SingleModel,
    TokenLengthRule,
)
from toolkit.routers.local import KNearestNeighbours

COST = np.array([[1.0, 5.0, 2.0]] * 3)
POOL = make_outcomes([[0, 1, 1], [0, 1, 0], [0, 0, 0]], COST, domain=["a", "a", "b"])


@pytest.mark.parametrize(("model", "column"), [("strongest", 1), ("weakest", 0), ("cheapest", 0), ("m2", 2)])
def test_single_model(model, column):
    assert SingleModel(model).fit(POOL).choose(["x", "y"]).tolist() == [column, column]


def test_the_seeds_length_rule_has_three_tiers_by_price():
    rule = TokenLengthRule().fit(POOL)
    texts = ["a" * 396, "a" * 400, "a" * 1996, "a" * 2000, "字" * 99, "字" * 100, "字" * 500]
    assert token_counts(texts).tolist() == [99, 100, 499, 500, 99, 100, 500]
    assert rule.choose(texts).tolist() == [0, 2, 2, 1, 0, 2, 1]
    pair = TokenLengthRule().fit(POOL.pair("m0", "m1"))
    assert pair.choose(texts).tolist() == [0, 1, 1, 1, 0, 1, 1]


def test_prompt_length_orders_by_characters_and_prefers_the_stronger(synthetic):
    pair = synthetic.pair()
    win = np.diff(PromptLength().fit(pair).predict(pair.texts), axis=1)[:, 0]
    characters = np.array([len(text) for text in pair.texts])
    order = np.argsort(characters, kind="stable")
    assert (np.diff(win[order])[np.diff(characters[order]) > 0] > 0).all()
    with pytest.raises(ToolkitError, match="scale > 0"):
        PromptLength(scale=0)


def test_random_scores_are_uniform_and_seeded(synthetic):
    pair = synthetic.pair()
    texts = [f"text {number}" for number in range(20_000)]
    score = RandomScore(seed=1).fit(pair).predict(texts)[:, 1]
    assert np.abs(np.histogram(score, 10, (0, 1))[0] / 2000 - 1).max() < 0.1
    assert abs(np.corrcoef(score, RandomScore(seed=2).fit(pair).predict(texts)[:, 1])[0, 1]) < 0.03


def test_share_matched_random_spends_the_same_and_knows_nothing(synthetic):
    matched = ShareMatchedRandom(TokenLengthRule()).fit(synthetic)
    wanted = np.bincount(TokenLengthRule().fit(synthetic).choose(synthetic.texts), minlength=3) / len(synthetic)
    fresh = matched.choose([f"text {number}" for number in range(20_000)])
    np.testing.assert_allclose(np.bincount(fresh, minlength=3) / 20_000, wanted, atol=0.015)


def test_domain_mean_shrinks_to_the_overall_mean():
    router = DomainMean(shrinkage=2.0).fit(POOL)
    overall = POOL.mean_quality()
    metadata = POOL.prompts[["domain", "language"]].iloc[[0, 2]]
    metadata = metadata.assign(domain=["a", "unseen"])
    expected = (np.array([0, 2, 1]) + 2 * overall) / (2 + 2)
    np.testing.assert_allclose(router.predict(["x", "y"], metadata), [expected, overall])


def test_nearest_neighbours_average_what_is_observed():
    """With two neighbours of the same text, the prediction is their mean drawn towards the overall mean."""
    train = make_outcomes([[1, 0], [1, np.nan], [0, 1]], texts=["red apple", "red apple", "blue sky"])
    predicted = KNearestNeighbours(2, "lexical").fit(train).predict(["red apple"])[0]
    overall = np.array([2 / 3, 1 / 2])
    np.testing.assert_allclose(predicted, [(2 + overall[0]) / 3, (0 + overall[1]) / 2], atol=1e-6)
