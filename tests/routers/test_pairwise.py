"""Ratings and tiers against known answers and independent solutions."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from tests.conftest import make_outcomes
from toolkit import encoders
from toolkit.routers.pairwise import battles, bradley_terry, win_shares
from toolkit.routers.similarity import EloRating, SimilarityWeighted, tiers_of


def test_battles_are_all_observed_pairs():
    fought = battles(make_outcomes([[1, 0, np.nan], [0.5, 0.5, 1]]))
    assert list(zip(fought.row, fought.first, fought.second, fought.score, strict=True)) == [
        (0, 0, 1, 1.0), (1, 0, 1, 0.5), (1, 0, 2, 0.0), (1, 1, 2, 0.0),
    ]  # fmt: skip
    assert len(battles(make_outcomes(np.random.default_rng(0).random((50, 4))), limit=100)) == 100


def test_three_wins_to_one_are_the_logarithm_of_three():
    ratings = bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]), prior=0)
    assert ratings[0] - ratings[1] == pytest.approx(np.log(3), abs=1e-8)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.integers(0, 1000))
@settings(deadline=None)
def test_ratings_come_back_from_the_wins_they_imply(true, seed):
    true = np.array(true) - np.mean(true)
    games = np.random.default_rng(seed).uniform(1, 50, (len(true), len(true)))
    games += games.T
    found = bradley_terry(games * expit(true[:, None] - true), prior=0)
    np.testing.assert_allclose(found, true, atol=1e-6)


def test_who_never_lost_has_a_finite_rating():
    ratings = bradley_terry(np.array([[0.0, 5, 5], [0, 0, 3], [0, 2, 0]]))
    assert np.isfinite(ratings).all() and ratings.argmax() == 0


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.integers(1, 4))
def test_win_shares_are_chances(ratings, rows):
    shares = win_shares(np.tile(ratings, (rows, 1)))
    assert shares.shape == (rows, len(ratings)) and (shares >= 0).all() and (shares <= 1).all()
    assert shares.mean() == pytest.approx(0.5)
    assert (np.diff(shares[0][np.argsort(ratings, kind="stable")]) >= -1e-12).all()


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=8), st.integers(1, 4))
def test_tiers_are_the_best_of_all_cuts(values, most):
    """Exhaustive search over the cuts of the sorted ratings finds no smaller variance within tiers."""
    ratings = np.array(values, dtype=float)
    within = lambda tier: sum(((part := ratings[tier == k]) - part.mean()) @ (part - part.mean()) for k in set(tier))  # noqa: E731
    tier = tiers_of(ratings, most)
    assert len(set(tier)) == min(most, len(values)) and set(tier) == set(range(max(tier) + 1))
    order, best = ratings.argsort(kind="stable"), np.inf
    for cuts in combinations(range(1, len(values)), len(set(tier)) - 1):
        other = np.empty(len(values), dtype=int)
        other[order] = np.searchsorted(cuts, np.arange(len(values)), side="right")
        best = min(best, within(other))
    assert within(tier) == pytest.approx(best, abs=1e-9)
    assert (np.diff(tier[order]) >= 0).all()


def test_elo_is_the_log_odds_of_the_wins():
    router = EloRating().fit(make_outcomes([[1, 0]] * 6 + [[0, 1]] * 2 + [[1, 1]] * 4))
    np.testing.assert_allclose(router.predict(["any", "prompt"]), [[8 / 12, 4 / 12]] * 2, atol=1e-3)


def test_similarity_weighted_ratings_are_a_weighted_logistic_regression(synthetic):
    """For one prompt, scikit-learn's regression on the same rows and weights gives the same chance to win."""
    pair = synthetic.pair().sample(300)
    router = SimilarityWeighted("lexical").fit(pair)
    text = synthetic.texts[-1]
    cosine = encoders.get("lexical").encode([text]) @ encoders.get("lexical").encode(pair.texts).T
    weight = 10 * 10 ** (cosine[0] / cosine.max())
    score = (np.sign(pair.quality[:, 1] - pair.quality[:, 0]) + 1) / 2
    rows = np.concatenate([np.ones(len(pair)), np.ones(len(pair))])[:, None]  # +1 for the strong, -1 for the weak
    label = np.r_[np.ones(len(pair)), np.zeros(len(pair))]
    weights = np.r_[weight * score, weight * (1 - score)]
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(rows, label, sample_weight=weights)
    assert router.predict([text])[0, 1] == pytest.approx(expit(fitted.coef_[0, 0]), abs=1e-3)
    sharper = SimilarityWeighted("lexical", gamma=1000.0).fit(pair).predict([text])[0, 1]
    assert abs(sharper - router.predict([text])[0, 1]) > 1e-3


def test_battles_within_a_tier_say_nothing_about_tiers():
    """Two like models and a strong one in two tiers: prompts that only the like ones answered move nothing."""
    rng = np.random.default_rng(0)
    quality = np.full((400, 3), np.nan)
    quality[:200, 0], quality[200:, 1] = rng.random((2, 200)) < 0.3
    quality[:, 2] = rng.random(400) < 0.9
    level = np.tile([[1.0, 0.0, np.nan], [0.0, 1.0, np.nan]], (50, 1))
    texts = [f"prompt number {row}" for row in range(400)]
    without = SimilarityWeighted("lexical", tiers=2).fit(make_outcomes(quality, texts=texts))
    further = make_outcomes(np.concatenate([quality, level]), texts=[*texts, *(f"离题 {row}" for row in range(100))])
    within = SimilarityWeighted("lexical", tiers=2).fit(further)
    assert within.tier_.tolist() == without.tier_.tolist() == [0, 0, 1]
    vector = encoders.get("lexical").encode(["prompt number 7"])
    np.testing.assert_allclose(within._rate(vector)[:, [0, 2]] - within.offset_[[0, 2]],
                               without._rate(vector)[:, [0, 2]] - without.offset_[[0, 2]], atol=1e-6)  # fmt: skip
