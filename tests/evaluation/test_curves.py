"""Curve measures against closed forms, brute force and an independent reading of RouteLLM's procedure."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.errors import ToolkitError
from toolkit.evaluation import curves

SHARE = np.linspace(0, 1, 11)
WEAK, STRONG = np.array(0.4), np.array(0.8)


def _quality(recovered: np.ndarray) -> np.ndarray:
    return WEAK + (STRONG - WEAK) * np.asarray(recovered)


@pytest.mark.parametrize(
    ("recovered", "trapezoid", "mean_of_ten"),
    [
        (SHARE, 0.5, 0.55),  # random
        (np.minimum(1, 5 * SHARE), 0.9, 0.95),  # all of the gap with a fifth of the calls
        (SHARE**2, 0.335, 0.385),
        (np.ones(11), 1.0, 1.0),
        (1 - SHARE, 0.5, 0.45),  # strong exactly where it hurts
    ],
)
def test_both_forms_of_apgr(recovered, trapezoid, mean_of_ten):
    quality = _quality(recovered)
    assert curves.apgr(SHARE, quality, WEAK, STRONG) == pytest.approx(trapezoid)
    assert curves.apgr_mean_of_ten(SHARE, quality, WEAK, STRONG) == pytest.approx(mean_of_ten)


@pytest.mark.parametrize(
    ("recovered", "level", "share"),
    [
        (SHARE, 0.5, 0.5),
        (SHARE, 0.83, 0.83),
        (np.minimum(1, 5 * SHARE), 0.8, 0.16),
        ([0, 0.6, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], 0.5, 0.1 / 1.2),  # dips again: the first crossing counts
        ([0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.45, 0.45, 0.45, 0.45, 1], 0.5, 0.9 + 0.1 * 0.05 / 0.55),
        (np.full(11, 0.3), 0.5, np.nan),
        (np.full(11, 0.7), 0.5, 0.0),
    ],
)
def test_cpt_without_a_monotone_curve(recovered, level, share):
    found = curves.cpt(SHARE, _quality(recovered), WEAK, STRONG, level)
    np.testing.assert_allclose(found, share, equal_nan=True)


@given(arrays(float, 11, elements=st.floats(0, 1)), st.floats(0.05, 0.95))
def test_cpt_is_the_first_share_that_recovers_enough(recovered, level):
    assume(np.abs(recovered - level).min() > 1e-6)  # a point on the level itself may round to either side
    found = curves.cpt(SHARE, _quality(recovered), WEAK, STRONG, level)
    grid = np.linspace(0, 1, 20_001)
    reached = np.interp(grid, SHARE, recovered) >= level - 1e-9
    expected = grid[reached.argmax()] if reached.any() else np.nan
    np.testing.assert_allclose(found, expected, atol=1e-4, equal_nan=True)


_EIGHTHS = st.integers(0, 8).map(lambda k: k / 8)


@given(
    arrays(float, (3, 9), elements=_EIGHTHS),
    arrays(float, (3, 9), elements=st.floats(0.1, 5)),
    st.integers(1, 15).map(lambda k: k / 16),
)
@settings(max_examples=60)
def test_cost_at_quality_is_the_cheapest_point_or_mixture(quality, cost, target):
    found = curves.cost_at_quality(cost, quality, np.full(3, target))
    mix = np.linspace(0, 1, 2001)[:, None]
    for row in range(3):
        q = (quality[row, :-1] * (1 - mix) + quality[row, 1:] * mix).ravel()
        c = (cost[row, :-1] * (1 - mix) + cost[row, 1:] * mix).ravel()
        good = q >= target - 1e-12
        if np.isnan(found[row]):
            assert quality[row].max() < target
        else:
            assert found[row] <= (c[good].min() if good.any() else np.inf) + 1e-9
            assert found[row] >= c[q >= target - 1e-3].min() - 0.02


@given(st.integers(0, 10_000), st.integers(30, 300))
@settings(max_examples=30, deadline=None)
def test_deciles_agree_with_pandas_quantile_cuts(seed, rows):
    """RouteLLM cuts the scores with qcut and calls "strong iff score >= edge"; without ties both give one APGR."""
    from toolkit import policy

    rows -= rows % 10
    rng = np.random.default_rng(seed)
    score, quality = rng.permutation(rows) / rows, rng.random((rows, 2)) * [0.8, 1.0]
    weak, strong = quality.mean(axis=0)
    assume(weak < strong)
    _, edges = pd.qcut(score, 10, retbins=True)
    chosen = np.stack([score >= edge for edge in [np.inf, *edges[-2::-1]]])
    theirs = np.trapezoid(
        (np.where(chosen, quality[:, 1], quality[:, 0]).mean(axis=1) - weak) / (strong - weak), chosen.mean(axis=1)
    )
    predicted, unit = np.stack([1 - score, score], axis=1), np.array([0.0, 1.0])
    choices = policy.sweep(predicted, unit, policy.operating_weights(predicted, unit, 11))
    ours = curves.apgr(choices.mean(axis=1), quality[np.arange(rows), choices].mean(axis=1), weak, strong)
    assert ours == pytest.approx(theirs)


def test_replicates_are_vectorised():
    rng = np.random.default_rng(0)
    quality, weak, strong = rng.random((5, 11)), rng.random(5) * 0.3, 0.5 + rng.random(5) * 0.3
    for measure in (curves.apgr, curves.apgr_mean_of_ten, lambda *a: curves.cpt(*a, 0.5)):
        together = measure(SHARE, quality, weak, strong)
        apart = [measure(SHARE, quality[k], weak[k], strong[k]) for k in range(5)]
        np.testing.assert_allclose(together, apart, equal_nan=True)


def test_equal_models_have_no_gap():
    with pytest.raises(ToolkitError, match="better than the weak one"):
        curves.pgr(SHARE, WEAK, WEAK)


def test_gap_closed():
    np.testing.assert_allclose(curves.gap_closed(np.array([0.5, 0.7, 0.9]), 0.6, 0.8), [-0.5, 0.5, 1.5])
