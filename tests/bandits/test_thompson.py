"""Thompson sampling against the closed form, and against an arm that its prior gets wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toolkit.bandits.thompson import GaussianThompson
from toolkit.errors import ToolkitError


@given(st.lists(st.floats(-2, 2), max_size=30), st.floats(0.05, 2), st.floats(0.05, 2))
def test_the_posterior_is_that_of_a_normal_mean(surplus, prior, noise):
    """Bishop 2006, equations 2.141 and 2.142."""
    bandit = GaussianThompson(2, prior, noise)
    for value in surplus:
        bandit.update(1, 0.3 + value, 0.3)
    count = len(surplus)
    variance = 1 / (1 / prior**2 + count / noise**2)
    mean = count * prior**2 / (count * prior**2 + noise**2) * np.mean(surplus) if count else 0.0
    found = bandit.posterior()
    np.testing.assert_allclose([found[0][1], found[1][1]], [mean, variance**0.5], atol=1e-9)
    np.testing.assert_allclose([found[0][0], found[1][0]], [0, prior])


def test_draws_follow_the_posterior_and_the_seed():
    bandits = [GaussianThompson(2, seed=4) for _ in range(2)]
    for bandit in bandits:
        bandit.update(0, 1.0, 0.4)
    drawn = bandits[0].draw(np.tile([0.4, 0.6], (4000, 1)))
    np.testing.assert_array_equal(drawn, bandits[1].draw(np.tile([0.4, 0.6], (4000, 1))))
    mean, sd = bandits[0].posterior()
    for arm, center in enumerate([0.4, 0.6]):
        assert stats.kstest((drawn[:, arm] - center - mean[arm]) / sd[arm], "norm").pvalue > 1e-3


def test_a_wrong_prediction_is_unlearned():
    rng, bandit = np.random.default_rng(0), GaussianThompson(2, prior_sd=0.3, noise_sd=0.3)
    predicted, truth = np.array([0.8, 0.6]), np.array([0.5, 0.6])
    chosen = []
    for _ in range(600):
        arm = int(bandit.draw(predicted).argmax())
        bandit.update(arm, truth[arm] + 0.3 * rng.normal(), predicted[arm])
        chosen.append(arm)
    assert np.mean(chosen[-200:]) > 0.9 > np.mean(chosen[:20])


def test_mistakes_are_told():
    with pytest.raises(ToolkitError, match="above 0 were expected; got 0"):
        GaussianThompson(0)
    bandit = GaussianThompson(3)
    for arm, reward in ((3, 1.0), (0.5, 1.0), (0, float("nan"))):
        with pytest.raises(ToolkitError, match="an arm from 0 to 2"):
            bandit.update(arm, reward, 0.5)
    assert not bandit.posterior()[0].any()
