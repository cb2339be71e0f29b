"""Every benchmark's measures of the same systems: RouterBench's AIQ, RouterArena's scores, LLMRouterBench's gains."""

from collections.abc import Mapping

import numpy as np

from toolkit.evaluation import arena, frontier, statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.systems import DECILES, POINTS, System
from toolkit.outcomes import Outcomes

ZERO_ROUTER = "zero-router"
_AIQ_STEP = 5  # every fifth of the drawn points is enough for a hull


def rows(outcomes: Outcomes, systems: Mapping[str, System], counts: np.ndarray, seed: int = 0) -> list[dict]:
    """Tidy rows of all systems that were operated on cost.

    Args:
        outcomes: the judged prompts, complete.
        systems: by name, with costs.
        counts: (B + 1, n) of ``statistics.bootstrap_counts``.
        seed: of the halves on which hull points are chosen and judged.
    """
    return [
        *_aiq(outcomes, systems, counts, seed),
        *_gains(outcomes, systems, counts),
        *_arena(outcomes, systems, counts),
        *_distances(systems),
    ]


def _aiq(outcomes: Outcomes, systems: Mapping[str, System], counts: np.ndarray, seed: int) -> list[dict]:
    """AIQ of every curve and of the zero router, and the paired difference."""
    operated, highest = hull_points(outcomes, systems)
    if int(outcomes.groups.max()) < 1 or not highest > 0:
        return []
    curves = {ZERO_ROUTER: (outcomes.cost_usd.T, outcomes.quality.T), **operated}
    samples = frontier.judged_aiq(curves, counts, outcomes.groups, highest, seed=seed)
    zero = samples.pop(ZERO_ROUTER)
    found = [measured(ZERO_ROUTER, "aiq", zero, sees="nothing")]
    for name, values in samples.items():
        found.append(measured(name, "aiq", values))
        found.append(measured(name, "aiq_over_zero", values - zero, opponent=ZERO_ROUTER))
    return found


def hull_points(
    outcomes: Outcomes, systems: Mapping[str, System]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], float]:
    """What ``frontier.judged_aiq`` takes: cost and quality (K, n) of each curve, and the highest mean cost of all."""
    highest = max([outcomes.cost_usd.mean(axis=0).max(), *(system.cost[0].max() for system in systems.values())])
    operated = {}
    for name, system in systems.items():
        if system.is_curve:
            choices = system.choices[:POINTS:_AIQ_STEP]
            operated[name] = tuple(outcomes.realised(part, choices) for part in (outcomes.cost_usd, outcomes.quality))
    return operated, float(highest)


def _gains(outcomes: Outcomes, systems: Mapping[str, System], counts: np.ndarray) -> list[dict]:
    """LLMRouterBench's three: over a uniformly random model, over the best single model, short of the oracle."""
    models = statistics.resampled_means(counts, outcomes.quality.T)
    best = models[:, int(models[0].argmax())]
    oracle = statistics.resampled_means(counts, outcomes.quality.max(axis=1))
    found = []
    for name, system in systems.items():
        quality = system.quality[:, system.headline]
        found.append(measured(name, "gain_over_random", quality - models.mean(axis=1)))
        found.append(measured(name, "gain_over_best_single", quality - best))
        found.append(measured(name, "gap_to_oracle", oracle - quality))
        if system.is_curve:  # the best of many points in hindsight, so an interval would be an illusion
            found.append(measured(name, "perf_gain", system.quality[:1].max(axis=1) - best[:1]))
    return found


def _arena(outcomes: Outcomes, systems: Mapping[str, System], counts: np.ndarray) -> list[dict]:
    found = []
    for name, system in systems.items():
        quality, cost = system.quality[:, system.headline], 1000 * system.cost[:, system.headline]
        found.append(measured(name, "arena_score", arena.score(quality, cost)))
        sums = arena.optimality(outcomes, system.choices[system.headline])
        for metric, (part, whole) in sums.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                total, base = statistics.resampled_means(counts, np.stack([part, whole])).T
                found.append(measured(name, metric, total / base))
    return found


def _distances(systems: Mapping[str, System]) -> list[dict]:
    """Mean distance of a system's points to the front of all usable systems, both axes scaled to their range."""
    points = {
        name: np.stack([system.cost[0], system.quality[0]], axis=1)[DECILES if system.is_curve else slice(None)]
        for name, system in systems.items()
    }
    if all(system.router.uses_outcomes for system in systems.values()):
        return []
    usable = np.concatenate([points[name] for name, system in systems.items() if not system.router.uses_outcomes])
    span = np.ptp(usable, axis=0)
    scale = np.where(span > 0, span, 1.0)
    order = np.lexsort((-usable[:, 1], usable[:, 0]))
    ranked = usable[order]
    front = ranked[ranked[:, 1] > np.r_[-np.inf, np.maximum.accumulate(ranked[:, 1])[:-1]]] / scale
    found = []
    for name, system in systems.items():
        if not system.router.uses_outcomes:
            apart = np.linalg.norm(points[name][:, None] / scale - front, axis=2).min(axis=1)
            found.append(measured(name, "pareto_distance", apart.mean(keepdims=True)))
    return found
