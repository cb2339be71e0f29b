"""The one policy, held against brute force."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit import policy


@st.composite
def problems(draw) -> tuple[np.ndarray, np.ndarray]:
    """Predicted quality and expected cost, (n, m) each, with many ties."""
    shape = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    quality = draw(arrays(float, shape, elements=st.integers(0, 8).map(lambda k: k / 8)))
    cost = draw(arrays(float, shape, elements=st.integers(0, 6).map(lambda k: k / 2)))
    return quality, cost


@given(problems(), st.floats(-20, 20))
def test_choice_maximises_quality_minus_weighted_cost(problem, weight):
    quality, cost = problem
    chosen = policy.choose(quality, cost, weight)
    for row, column in enumerate(chosen):
        values = [q - weight * c for q, c in zip(quality[row], cost[row], strict=True)]
        assert values[column] == max(values)


@given(problems())
@settings(deadline=None)
def test_breakpoints_are_exactly_where_choices_change(problem):
    quality, cost = problem
    weights, savings = policy.breakpoints(quality, cost)
    assert (savings > 0).all()
    spent = lambda weight: cost[np.arange(len(cost)), policy.choose(quality, cost, weight)].sum()  # noqa: E731
    np.testing.assert_allclose(savings.sum(), spent(-np.inf) - spent(np.inf))
    for edge in np.unique(weights):
        jump = savings[weights == edge].sum()
        np.testing.assert_allclose(spent(edge - 1e-7) - spent(edge + 1e-7), jump, atol=1e-9)
    grid = np.setdiff1d(np.linspace(-40, 40, 1601), weights)
    apart = grid[:-1][np.searchsorted(np.sort(weights), grid[:-1]) == np.searchsorted(np.sort(weights), grid[1:])]
    for weight in apart[:: max(1, len(apart) // 20)]:
        assert spent(weight) == spent(weight + 1e-9)


@given(problems(), st.integers(3, 40))
@settings(deadline=None)
def test_a_curve_runs_from_cheapest_to_dearest_without_turning_back(problem, count):
    quality, cost = problem
    weights = policy.operating_weights(quality, cost, count)
    assert len(weights) == count
    spent = cost[np.arange(len(cost)), policy.sweep(quality, cost, weights)].sum(axis=1)
    assert (np.diff(spent) >= -1e-12).all()
    np.testing.assert_allclose([spent[0], spent[-1]], [cost.min(axis=1).sum(), cost.max(axis=1).sum()])


@given(arrays(float, st.integers(2, 60), elements=st.integers(0, 30).map(lambda k: k / 30)))
@settings(deadline=None)
def test_on_a_pair_the_weight_is_a_threshold_on_the_score(score):
    """Every operating point is "strong iff score >= t", at the smallest reachable share that is large enough."""
    quality = np.stack([1 - score, score], axis=1)
    unit = np.array([0.0, 1.0])
    choices = policy.sweep(quality, unit, policy.operating_weights(quality, unit, 11))
    reachable = np.array([(score >= t).mean() for t in [*np.unique(score), np.inf]])
    for decile, chosen in enumerate(choices):
        strong = chosen == 1
        if strong.any() and not strong.all():
            assert score[strong].min() > score[~strong].max()
        wanted = reachable[reachable >= decile / 10 - 1e-9].min()
        np.testing.assert_allclose(strong.mean(), wanted)


def test_infinite_weights_break_ties_by_quality():
    quality, cost = np.array([[0.2, 0.9, 0.5]]), np.array([[1.0, 1.0, 3.0]])
    assert policy.choose(quality, cost, np.inf).tolist() == [1]
    assert policy.choose(quality, cost, -np.inf).tolist() == [2]
    assert policy.choose(quality, cost, 0.0).tolist() == [1]
