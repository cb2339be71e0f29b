"""RouterArena's view: one score from accuracy and cost, how often the cheapest right model was found, robustness.

Source: Lu et al. 2025, RouterArena, arXiv 2510.00202; RouteWorks/RouterArena at commit 4714a9a.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.perturbations import PERTURBATIONS
from toolkit.evaluation.protocol import plan
from toolkit.outcomes import Outcomes
from toolkit.policy import ExpectedCost
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


def optimality(outcomes: Outcomes, choices: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How near a router's choices are to the optimal model: the cheapest one whose answer is as good as any.

    Queries that no model answers (quality 0 everywhere) are left out, as upstream does.

    Args:
        outcomes: every quality and cost known.
        choices: columns, int (n,).

    Returns:
        By measure, two arrays (n,) whose sums are divided: ``opt_sel``, an optimal model was chosen, over solvable
        queries; ``opt_cost``, the optimal model's cost over the chosen one's, at most 1, over solvable queries;
        ``opt_acc``, quality reached over the best that can be reached.
    """
    best = outcomes.oracle()
    reachable, reached = (outcomes.realised(outcomes.quality, picked).astype(float) for picked in (best, choices))
    cheapest, paid = (outcomes.realised(outcomes.cost_usd, picked) for picked in (best, choices))
    solvable = (reachable > 0).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(paid > cheapest, cheapest / paid, 1.0)
    optimal = (reached == reachable) & (paid <= cheapest)
    return {
        "opt_sel": (optimal * solvable, solvable),
        "opt_cost": (ratio * solvable, solvable),
        "opt_acc": (reached * solvable, reachable),
    }


def stability(
    router: Router, train: Outcomes, test: Outcomes, seed: int = 0, weight: float | None = None
) -> Mapping[str, np.ndarray]:
    """Where a fitted router's decision survives a change of the prompt that does not change its meaning.

    A router with scores decides by the policy, at the weight that spends half of the way from the cheapest to the
    dearest decisions on the unchanged prompts: at quality first many routers name one model for all prompts, and
    nothing could move them.

    Args:
        router: fitted on ``train``.
        train: the fitting part, from which expected costs are learned (the model's rank where costs are unknown).
        test: prompts to perturb; their outcomes are not looked at.
        seed: of the perturbations.
        weight: of cost, instead of that of half the spending.

    Returns:
        By kind of perturbation, float (n,): 1 where the decision stays. RouterArena's robustness is the mean.

    Raises:
        ToolkitError: a reference that sees outcomes reads no prompt.
    """
    if router.uses_outcomes:
        raise ToolkitError("Robustness is asked of routers that read prompts; a reference that sees outcomes has none.")
    metadata = test.prompts[["domain", "language"]] if router.uses_metadata else None
    rank = train.mean_quality().argsort(kind="stable").argsort(kind="stable").astype(float)
    priced = train.cost_source != "none"
    charge = ExpectedCost().fit(train).predict if priced else lambda texts: np.tile(rank, (len(texts), 1))

    def decide(texts: list[str], at: float | None) -> np.ndarray:
        if not router.has_scores:
            return router.choose(texts, metadata)
        return policy.choose(router.predict(texts, metadata), charge(texts), at)

    if router.has_scores and weight is None:
        weight = policy.operating_weights(router.predict(test.texts, metadata), charge(test.texts), 3)[1]
    before = decide(test.texts, weight)
    kept = {}
    for (name, perturb), rng in zip(
        PERTURBATIONS.items(), np.random.default_rng(seed).spawn(len(PERTURBATIONS)), strict=True
    ):
        kept[name] = (decide([perturb(text, rng) for text in test.texts], weight) == before).astype(float)
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
        kept = stability(router.clone().fit(train), train, test, seed)
        samples = {kind: statistics.resampled_means(counts, values) for kind, values in kept.items()}
        rows.append(measured(name, "robustness", np.mean(list(samples.values()), axis=0), sees=router.sees))
        rows += [measured(name, f"robustness_{kind}", means, sees=router.sees) for kind, means in samples.items()]
    return pd.DataFrame(rows).assign(n=len(test))
