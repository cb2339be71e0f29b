"""Known answers, and coverage that is counted."""

import numpy as np
import pytest
from scipy import stats

from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics


def test_mcnemar_by_hand():
    """10 wins, 2 losses: 2 * P(Bin(12, 1/2) <= 2) = 158 / 4096."""
    first = np.array([1] * 10 + [0] * 2 + [1] * 30 + [0] * 8)
    second = np.array([0] * 10 + [1] * 2 + [1] * 30 + [0] * 8)
    assert statistics.mcnemar(first, second) == pytest.approx(158 / 4096)
    assert statistics.mcnemar(second, first) == pytest.approx(158 / 4096)
    assert statistics.mcnemar(first, first) == 1.0


def test_permutation_agrees_with_full_enumeration():
    rng = np.random.default_rng(3)
    first, second = rng.random(12), rng.random(12) * 0.7
    exact = stats.permutation_test(
        (first, second), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=np.inf,
        vectorized=True,
    ).pvalue  # fmt: skip
    ours = statistics.paired_permutation(first, second, permutations=40_000)
    assert ours == pytest.approx(exact, abs=0.01)


def test_repeated_prompts_flip_together():
    """Ten copies of one surprise are one surprise."""
    difference = np.r_[np.ones(10), np.zeros(5)]
    alone = statistics.paired_permutation(difference, np.zeros(15))
    together = statistics.paired_permutation(difference, np.zeros(15), np.r_[np.zeros(10, int), np.arange(1, 6)])
    assert alone < 0.01
    assert together == 1.0


def test_holm_by_hand():
    np.testing.assert_allclose(statistics.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(statistics.holm([0.6, 0.9]), [1.0, 1.0])


def test_the_fitting_test_is_chosen():
    binary, graded, groups = np.array([0, 1, 1]), np.array([0.2, 1, 0]), np.arange(3)
    assert statistics.paired_p(binary, 1 - binary, groups)[1] == "McNemar exact"
    assert statistics.paired_p(graded, binary, groups)[1] == "paired permutation"
    assert statistics.paired_p(binary, 1 - binary, np.array([0, 0, 1]))[1] == "paired permutation"


def test_bootstrap_draws_groups_whole():
    groups = np.array([0, 1, 0, 2, 1, 1])
    counts = statistics.bootstrap_counts(groups, 500, seed=1)
    assert counts.shape == (501, 6)
    assert (counts[0] == 1).all()
    for code in range(3):
        assert (counts[:, groups == code] == counts[:, groups == code][:, :1]).all()
    per_group = counts[1:, [0, 1, 3]]
    assert (per_group.sum(axis=1) == 3).all()
    np.testing.assert_allclose(per_group.mean(axis=0), 1, atol=0.12)
    with pytest.raises(ToolkitError, match="At least 1"):
        statistics.bootstrap_counts(groups, 0)


def test_resampled_means_are_weighted_means_at_any_scale():
    rng = np.random.default_rng(0)
    values, counts = rng.random((3, 40)) * 1e-7, statistics.bootstrap_counts(np.arange(40), 20)
    expected = np.stack([np.average(values, axis=1, weights=weights) for weights in counts])
    np.testing.assert_allclose(statistics.resampled_means(counts, values), expected, rtol=1e-5)
    np.testing.assert_array_equal(statistics.resampled_means(counts, values)[0], values.mean(axis=1))
    np.testing.assert_allclose(statistics.resampled_means(counts, values[0]), expected[:, 0], rtol=1e-5)
    assert (statistics.resampled_means(counts, np.zeros(40)) == 0).all()


@pytest.mark.parametrize("repeats", [1, 4])
def test_intervals_cover_what_they_should(repeats):
    """400 samples of 80 prompts, each standing ``repeats`` times: about 95% of the intervals hold the true mean."""
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(400):
        values = np.repeat(rng.random(80) < 0.3, repeats).astype(float)
        counts = statistics.bootstrap_counts(np.repeat(np.arange(80), repeats), 400, seed=trial)
        low, high = statistics.interval(statistics.resampled_means(counts, values))
        covered += low <= 0.3 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_bootstrap_p_is_uniform_under_the_null_and_small_under_an_effect():
    rng = np.random.default_rng(7)
    found = []
    for trial in range(300):
        difference = rng.normal(size=60)
        counts = statistics.bootstrap_counts(np.arange(60), 300, seed=trial)
        found.append(statistics.bootstrap_p(statistics.resampled_means(counts, difference)))
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.09
    assert statistics.bootstrap_p(statistics.resampled_means(counts, rng.normal(2, size=60))) == pytest.approx(2 / 301)


def test_an_interval_is_not_invented_where_the_figure_is_often_missing():
    samples = np.r_[1.0, np.linspace(0, 1, 1000)]
    np.testing.assert_allclose(statistics.interval(samples), [0.025, 0.975], atol=2e-3)
    samples[1:11] = np.nan
    assert np.isfinite(statistics.interval(samples)).all()
    samples[1:27] = np.nan
    assert np.isnan(statistics.interval(samples)).all(), "a bound at infinity is none"
    samples[1:101] = np.nan
    assert np.isnan(statistics.interval(samples)).all()
