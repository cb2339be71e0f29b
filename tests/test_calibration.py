"""Maps that make scores mean something, and thresholds whose shares are foretold: known answers and exact laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from toolkit.calibration import CALIBRATORS, Isotonic, Platt, threshold_for_share
from toolkit.errors import ToolkitError

SCORES = arrays(float, st.integers(2, 40), elements=st.floats(-5, 5, width=32))


@given(SCORES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", CALIBRATORS)
def test_a_map_never_turns_an_order_around(name, scores, random):
    quality = np.array([random.choice([0.0, 1.0, 0.25]) for _ in scores])
    mapped = CALIBRATORS[name].fit(scores, quality)(np.sort(np.r_[scores, -9.0, 9.0]))
    assert (np.diff(mapped) >= -1e-12).all()
    assert mapped.min() >= 0 and mapped.max() <= 1


def test_platt_finds_the_line_that_made_the_labels():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=200_000)
    quality = rng.random(scores.size) < 1 / (1 + np.exp(-(1.7 * scores - 0.4)))
    np.testing.assert_allclose(Platt.fit(scores, quality.astype(float)).array, [[1.7, -0.4]], atol=0.03)


def test_platt_takes_graded_quality_as_that_share_of_right_answers():
    rng = np.random.default_rng(1)
    scores, shares = rng.normal(size=300), rng.integers(0, 5, 300) / 4
    many = np.repeat(scores, 4), np.concatenate([np.arange(4) < 4 * share for share in shares]).astype(float)
    # Four answers a prompt weigh the smoothing of the targets differently, a trace on 300 prompts.
    np.testing.assert_allclose(Platt.fit(scores, shares).array, Platt.fit(*many).array, atol=0.02)


def test_platt_keeps_from_certainty_and_does_not_invert():
    assert Platt.fit(np.arange(5.0), np.ones(5))(np.array([9.0]))[0] == pytest.approx(6 / 7, abs=1e-4)  # Platt's target
    upside_down = Platt.fit(np.arange(10.0), (np.arange(10) < 5).astype(float))
    np.testing.assert_allclose(upside_down(np.array([-5.0, 5.0, 20.0])), 0.5, atol=1e-6)


def test_isotonic_pools_what_is_out_of_order():
    mapped = Isotonic.fit(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 0.0, 1.0]))
    np.testing.assert_allclose(mapped(np.array([0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 9.0])), [0, 0, 0.5, 0.5, 0.5, 1, 1])


def test_unobserved_outcomes_are_left_out_and_none_at_all_is_told():
    scores, quality = np.arange(6.0), np.array([0.0, np.nan, 0.0, 1.0, np.nan, 1.0])
    known = ~np.isnan(quality)
    np.testing.assert_array_equal(Platt.fit(scores, quality).array, Platt.fit(scores[known], quality[known]).array)
    with pytest.raises(ToolkitError, match="at least one outcome"):
        Isotonic.fit(scores, np.full(6, np.nan))


@given(SCORES, st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_a_threshold_reaches_the_nearest_share_there_is(scores, share):
    found = threshold_for_share(scores, share)
    assert found.above == (scores > found.threshold).sum() == (scores >= found.threshold).sum()
    possible = [(scores >= level).sum() for level in [*scores, np.inf]]
    assert abs(found.above - share * len(scores)) == min(abs(count - share * len(scores)) for count in possible)


def test_a_threshold_is_routellms_quantile():
    scores = np.random.default_rng(0).random(1000)
    found = threshold_for_share(scores, 0.3)
    assert found.above == 300
    assert np.sort(scores)[699] < found.threshold < np.sort(scores)[700]
    assert abs(found.threshold - np.quantile(scores, 0.7)) < np.diff(np.sort(scores)[699:701])[0]


@pytest.mark.parametrize("law", ["continuous", "two scores", "five scores"])
def test_the_share_on_new_prompts_is_foretold(law):
    """Reference and new prompts drawn from one law: the interval holds as often as it says, ties or not."""
    rng = np.random.default_rng(0)
    draws = {
        "continuous": lambda size: rng.exponential(size=size),
        "two scores": lambda size: (rng.random(size) < 0.2).astype(float),
        "five scores": lambda size: rng.integers(0, 5, size).astype(float),
    }
    inside, shares = 0, []
    for _ in range(4000):
        found = threshold_for_share(draws[law](60), 0.3)
        low, high = found.interval(40, level=0.9)
        new = (draws[law](40) > found.threshold).mean()
        inside += low <= new <= high
        shares.append(new)
    assert inside / 4000 > 0.9 - 4 * np.sqrt(0.09 / 4000)
    if law == "continuous":
        widest = stats.betabinom(40, 18, 43).cdf(40 * high) - stats.betabinom(40, 18, 43).cdf(40 * low - 1)
        assert inside / 4000 < widest + 0.02  # and not for being wide: counts are whole, hence a little more than 90%
        assert np.std(shares) > 1.2 * np.sqrt(0.3 * 0.7 / 40)  # the reference is luck too: a binomial is too narrow


def test_the_ends_of_the_scale():
    none = threshold_for_share([1.0, 2.0], 0.0)
    assert none.above == 0 and none.threshold > 2.0 and none.interval(100)[0] == 0.0
    assert none.interval(100)[1] == stats.betabinom.ppf(0.975, 100, 1, 2) / 100
    assert threshold_for_share([1.0, 2.0], 1.0).reached == 1.0
    assert threshold_for_share([3.0] * 10, 0.4).reached in (0.0, 1.0)
    for scores, share, words in (([], 0.5, "found 0"), ([np.nan], 0.5, "Finite scores"), ([1.0], 1.5, "from 0 to 1")):
        with pytest.raises(ToolkitError, match=words):
            threshold_for_share(scores, share)
    with pytest.raises(ToolkitError, match="a level between 0 and 1"):
        none.interval(0)
