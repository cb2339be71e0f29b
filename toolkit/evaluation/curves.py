"""Measures of a routing curve, vectorised over bootstrap replicates.

A curve is K operating points of one policy: ``share`` of strong calls or ``cost`` against mean ``quality``, in the
order of falling weight (cheapest first). Arrays have shape (..., K); leading axes are replicates. ``weak`` and
``strong`` are mean qualities with shape (...). No measure assumes that quality grows along the curve.
"""

import numpy as np

from toolkit.errors import ToolkitError


def pgr(quality: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """Performance gap recovered: (quality - weak) / (strong - weak).

    Source: Ong et al. 2024 (RouteLLM, arXiv 2406.18665), section 3.2. Same shape as ``quality``. NaN in a replicate
    whose resampled strong model is no better than the weak one: there is nothing to recover.

    Raises:
        ToolkitError: there is no gap to recover.
    """
    gap = np.asarray(strong - weak, dtype=float)
    if np.ndim(gap) == 0 and not gap > 0:
        raise ToolkitError("PGR needs a strong model that is better than the weak one.")
    with np.errstate(divide="ignore", invalid="ignore"):
        return (quality - np.asarray(weak)[..., None]) / np.where(gap > 0, gap, np.nan)[..., None]


def apgr(share: np.ndarray, quality: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """Average PGR as RouteLLM's code has it, the form reported here: area under PGR over the share of strong calls.

    (trapezoid AUC - weak AUC) / (strong AUC - weak AUC). Give the eleven decile points to match published figures;
    on MMLU, prompt length scores .583 over deciles and .586 over all thresholds. Shape (...).
    """
    return np.trapezoid(pgr(quality, weak, strong), share, axis=-1)


def apgr_mean_of_ten(share: np.ndarray, quality: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """Average PGR in the paper's form (section 3.2): the mean of PGR at 10%, 20%, ..., 100% of strong calls.

    About .05 above the trapezoid form (.633 against .583 for length on MMLU): never compare across forms. Between
    operating points quality is interpolated, as randomising between two thresholds achieves. Shape (...).
    """
    recovered = pgr(quality, weak, strong)
    at = np.linspace(0.1, 1.0, 10)
    flat_share, flat = (
        np.broadcast_to(share, recovered.shape).reshape(-1, share.shape[-1]),
        recovered.reshape(-1, share.shape[-1]),
    )
    means = [np.interp(at, x, y).mean() for x, y in zip(flat_share, flat, strict=True)]
    return np.array(means).reshape(recovered.shape[:-1])


def cpt(share: np.ndarray, quality: np.ndarray, weak: np.ndarray, strong: np.ndarray, level: float) -> np.ndarray:
    """Call-performance threshold CPT(level): the smallest share of strong calls whose PGR reaches ``level``.

    Source: Ong et al. 2024, section 3.2. Quality is interpolated between operating points, and the first crossing
    counts, so a curve that dips below the level later is not misread. NaN where the level is never reached.
    Shape (...).
    """
    return _first_reached(share, pgr(quality, weak, strong), np.asarray(level))


def cost_at_quality(cost: np.ndarray, quality: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest mean cost at which the curve, or a mixture of two neighbouring points, has quality >= ``target``.

    Actual cost need not grow along a curve, so every segment is searched. The point is found on the very prompts that
    it is judged on, so the result is a hindsight figure: the luck of a hundred points makes it too small, for a random
    router as for any other. NaN where the target is never reached.
    Shape (...); ``target`` has shape (...).
    """
    target = np.asarray(target)[..., None]
    points = np.where(quality >= target, cost, np.inf)
    if cost.shape[-1] > 1:
        left, right = quality[..., :-1], quality[..., 1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (target - left) / (right - left)
            crossing = cost[..., :-1] + part * (cost[..., 1:] - cost[..., :-1])
        crosses = (left < target) != (right < target)
        points = np.concatenate([points, np.where(crosses, crossing, np.inf)], axis=-1)
    smallest = points.min(axis=-1)
    return np.where(np.isfinite(smallest), smallest, np.nan)


def gap_closed(quality: np.ndarray, best_single: np.ndarray, oracle: np.ndarray) -> np.ndarray:
    """Share of the distance from the best single model to the hindsight oracle that a router covers.

    Negative where the router is worse than the best single model. Any shape.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return (quality - best_single) / (oracle - best_single)


def _first_reached(x: np.ndarray, y: np.ndarray, level: np.ndarray) -> np.ndarray:
    """x at which y first reaches ``level`` along the last axis, linearly interpolated."""
    x = np.broadcast_to(x, y.shape)
    reached = y >= level
    first = reached.argmax(axis=-1)[..., None]
    before = np.maximum(first - 1, 0)
    take = lambda values, at: np.take_along_axis(values, at, axis=-1)[..., 0]  # noqa: E731 - two letters of index code
    x0, x1, y0, y1 = take(x, before), take(x, first), take(y, before), take(y, first)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(y1 > y0, (level - y0) / (y1 - y0), 1.0)
    crossing = np.where(first[..., 0] == 0, x1, x0 + part * (x1 - x0))
    return np.where(reached.any(axis=-1), crossing, np.nan)
