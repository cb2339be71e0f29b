"""RouterArena's view: one score from accuracy and cost, how often the cheapest right model was found, robustness.

Source: Lu et al. 2025, RouterArena, arXiv 2510.00202; RouteWorks/RouterArena at commit 4714a9a.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.perturbations import PERTURBATIONS
from toolkit.evaluation.protocol import plan
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router

BETA = 0.1
CHEAPEST_USD_PER_1K = 0.0044
DEAREST_USD_PER_1K = 200.0


def score(accuracy: np.ndarray, cost_usd_per_1k: np.ndarray) -> np.ndarray:
    """RouterArena's score, 0 to 1: the weighted harmonic mean of accuracy and cheapness, any shape.

    (1 + b) A C / (b A + C) with b = .1 and C = log2(200 / c) / log2(200 / .0044), c clamped to that range. Accuracy
    weighs ten times as much as cheapness.
    """
    cost = np.clip(cost_usd_per_1k, CHEAPEST_USD_PER_1K, DEAREST_USD_PER_1K)
    cheapness = np.log2(DEAREST_USD_PER_1K / cost) / np.log2(DEAREST_USD_PER_1K / CHEAPEST_USD_PER_1K)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (1 + BETA) * accuracy * cheapness / (BETA * accuracy + cheapness)
    return np.where((accuracy == 0) | (cheapness == 0), 0.0, value)


def optimality(outcomes: Outcomes, choices: np.ndarray) -> dict[str, np.ndarray]:
    """How near a router's choices are to the optimal model: the cheapest one whose answer is as good as any.

    Queries that no model answers (quality 0 everywhere) are left out, as upstream does.

    Args:
        outcomes: every quality and cost known.
        choices: columns, int (n,).

    Returns:
        Per query, NaN where left out: ``opt_sel``, 1 where the optimal model was chosen; ``opt_cost``, its cost over
        the chosen model's, capped at 1; ``opt_acc``, quality reached over the best reachable, shape (n,) each.
    """
    best = outcomes.oracle()
    reachable, reached = outcomes.realised(outcomes.quality, best), outcomes.realised(outcomes.quality, choices)
    cheapest, paid = outcomes.realised(outcomes.cost_usd, best), outcomes.realised(outcomes.cost_usd, choices)
    solvable = reachable > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(paid > cheapest, cheapest / paid, 1.0)
        share = reached / reachable
    values = {"opt_sel": (choices == best).astype(float), "opt_cost": ratio, "opt_acc": share.astype(float)}
    return {name: np.where(solvable, value, np.nan) for name, value in values.items()}


def stability(router: Router, outcomes: Outcomes, seed: int = 0) -> Mapping[str, np.ndarray]:
    """Where a fitted router's choice survives a change of the prompt that does not change its meaning.

    Args:
        router: fitted on other prompts.
        outcomes: prompts to perturb; their outcomes are not looked at.
        seed: of the perturbations.

    Returns:
        By kind of perturbation, float (n,): 1 where the choice stays. RouterArena's robustness is the mean.
    """
    if router.uses_outcomes:
        raise ToolkitError("Robustness is asked of routers that read prompts; a reference that sees outcomes has none.")
    metadata = outcomes.prompts[["domain", "language"]] if router.uses_metadata else None
    before = router.choose(outcomes.texts, metadata)
    rngs = np.random.default_rng(seed).spawn(len(PERTURBATIONS))
    kept = {}
    for (name, perturb), rng in zip(PERTURBATIONS.items(), rngs, strict=True):
        changed = [perturb(text, rng) for text in outcomes.texts]
        kept[name] = (router.choose(changed, metadata) == before).astype(float)
    return kept


def robustness(
    outcomes: Outcomes,
    routers: Mapping[str, Router],
    folds: int = 5,
    bootstraps: int = 1000,
    seed: int = 0,
    most: int = 300,
) -> pd.DataFrame:
    """Stability of every router that reads text, fitted on the first part of the protocol's plan, as tidy rows.

    Args:
        most: at most so many prompts of the judged part are perturbed.

    Returns:
        Rows of ``robustness`` and ``robustness_KIND``: system, metric, value, interval, unit, n, note, sees.
    """
    (fitting, judged), *_ = plan(outcomes, folds, seed)[0]
    train, test = outcomes.subset(fitting), outcomes.subset(judged).sample(most, seed)
    counts = statistics.bootstrap_counts(test.groups, bootstraps, seed)
    rows = []
    for name, router in routers.items():
        if router.uses_outcomes or router.sees == "nothing":
            continue
        kept = stability(router.clone().fit(train), test, seed)
        samples = {kind: statistics.resampled_means(counts, values) for kind, values in kept.items()}
        rows.append(measured(name, "robustness", np.mean(list(samples.values()), axis=0), sees=router.sees))
        rows += [measured(name, f"robustness_{kind}", means, sees=router.sees) for kind, means in samples.items()]
    return pd.DataFrame(rows).assign(n=len(test))
