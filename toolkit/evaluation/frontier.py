"""RouterBench's view: the non-decreasing convex hull of (cost, quality) points, the area under it, the zero router.

Source: Hu et al. 2024, RouterBench, arXiv 2403.12031, section 3; withmartian/routerbench at commit cc67d10. Mixing two
operating points at random reaches every point between them, so a router is worth its hull. The zero router mixes single
models without looking at the prompt: a router that is not better than it has no value.
"""

from collections.abc import Mapping

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.outcomes import Outcomes


def hull(cost: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Indices of the non-decreasing convex hull, from the cheapest point to the best, int64 (h,).

    Args:
        cost, quality: finite, shape (K,). Of equal points the first one stands.

    Raises:
        ToolkitError: no point, or one that is not finite.
    """
    if cost.size == 0 or not (np.isfinite(cost).all() and np.isfinite(quality).all()):
        raise ToolkitError("A hull needs at least one point, and finite costs and qualities.")
    kept: list[int] = []
    for point in np.lexsort((-quality, cost)):
        if kept and quality[point] <= quality[kept[-1]]:
            continue  # dearer and no better
        while len(kept) > 1 and _slope(cost, quality, kept[-2], kept[-1]) <= _slope(cost, quality, kept[-2], point):
            kept.pop()
        kept.append(int(point))
    return np.array(kept)


def _slope(cost: np.ndarray, quality: np.ndarray, first: int, second: int) -> float:
    return (quality[second] - quality[first]) / (cost[second] - cost[first])


def aiq(cost: np.ndarray, quality: np.ndarray, highest: float, lowest: float | None = None) -> np.ndarray:
    """Average improvement in quality: the area under a chain of points, continued to the right at constant quality.

    Args:
        cost, quality: the chain in the order of its costs, shape (..., h); leading axes are replicates.
        highest: the largest cost of all compared systems; the result depends on it.
        lowest: None for the form of RouterBench's code, area / highest, in which what lies left of the cheapest point
            counts as quality 0; the smallest cost of all compared systems for the form of the paper,
            area / (highest - lowest).

    Returns:
        Shape (...); name the form wherever it is shown (.9027 and .9211 for the zero router on ARC).
    """
    area = np.trapezoid(quality, cost, axis=-1) + quality[..., -1] * (highest - cost[..., -1])
    return area / (highest - (lowest or 0.0))


def zero_router(outcomes: Outcomes) -> np.ndarray:
    """Columns of the single models on the hull of mean cost and mean quality, cheapest first, int64 (h,).

    Means are taken over what is observed.

    Raises:
        ToolkitError: costs are unknown.
    """
    outcomes.require_cost()
    return hull(np.nanmean(outcomes.cost_usd, axis=0), outcomes.mean_quality())


def judged_aiq(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    counts: np.ndarray,
    groups: np.ndarray,
    highest: float,
    halvings: int = 20,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """AIQ (the code's form) whose hull points are chosen on one half of the prompts and judged on the other.

    The best of many noisy points looks better than it is; points that were chosen on other prompts do not. Averaged
    over random halvings, both directions of each, since one halving has its luck. All systems share them.

    Args:
        curves: by name, cost and quality of each operating point on each prompt, shape (K, n) each.
        counts: (B + 1, n) of ``statistics.bootstrap_counts``.
        groups: codes (n,); rows of a group lie in one half.
        highest: the largest mean cost of all compared systems.

    Returns:
        By name, float64 (B + 1,), the estimate first. Intervals made from it hold for these halvings.
    """
    totals = dict.fromkeys(curves, 0.0)
    for rng in np.random.default_rng(seed).spawn(halvings):
        half = (rng.permutation(int(groups.max()) + 1) % 2 == 0)[groups]
        for chosen_on in (half, ~half):
            part = counts[:, ~chosen_on]
            points = {
                name: hull(cost[:, chosen_on].mean(axis=1), quality[:, chosen_on].mean(axis=1))
                for name, (cost, quality) in curves.items()
            }
            stacked = [
                np.concatenate([curves[name][axis][points[name]][:, ~chosen_on] for name in curves]) for axis in (0, 1)
            ]
            costs, qualities = (statistics.resampled_means(part, matrix) for matrix in stacked)
            ends = np.cumsum([len(points[name]) for name in curves])[:-1]
            for name, cost, quality in zip(
                curves, np.split(costs, ends, axis=1), np.split(qualities, ends, axis=1), strict=True
            ):
                totals[name] = totals[name] + aiq(cost, quality, highest)
    return {name: total / (2 * halvings) for name, total in totals.items()}
