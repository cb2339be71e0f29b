"""Learners under pressure: a budget instead of a weight, and worlds that change half way."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from toolkit.bandits.pacing import BudgetPacer
from toolkit.bandits.router import ThompsonSamplingRouter
from toolkit.evaluation import regret
from toolkit.evaluation.online_study import PRIOR, Scene
from toolkit.evaluation.replay import Phase, degraded, replay
from toolkit.hardware import one_blas_thread


def budgets(one: Scene, shares: Sequence[float] = (0.1, 0.3, 0.6), seed: int = 0) -> pd.DataFrame:
    """Budgets between all calls to the cheapest model and all to the dearest, paced: what was spent and what it bought.

    ``quality_over_mixture`` is against the best lottery of two models at the same spending, which hindsight picks.
    """
    if one.test.cost_source == "none":
        return pd.DataFrame()
    cost, rows, rounds = one.train.cost_usd.mean(axis=0), [], len(one.order)
    for share in shares:
        budget = rounds * float(cost.min() + share * (cost.max() - cost.min()))
        pacer = BudgetPacer(budget, rounds, streams=one.seeds)
        bandit = one.prior.bandit(streams=one.seeds, seed=seed)
        run = replay(bandit, one.phase, one.order, context=one.factors, pacer=pacer)
        name, note = f"{share:.0%} of the way to the dearest", f"{1000 * budget / rounds:.3g} USD per 1,000"
        spent = run.cost_usd.sum(axis=0) / budget
        gained = regret.utilities(run, 0.0).mean(axis=0) - regret.best_mixture(run)
        rows.append(regret.over_seeds(name, "spent_over_budget", spent, note))
        rows.append(regret.over_seeds(name, "quality_over_mixture", gained, note))
    return pd.DataFrame(rows)


def changes(one: Scene, weight: float) -> dict[str, tuple[Phase, Phase]]:
    """Worlds that change half way: the favourite gets worse, or prices turn around."""
    half, data = len(one.order) // 2, one.test
    worth = one.phase.utility(weight).mean(axis=0)
    liked = data.names[int(worth.argmax())]
    turned = one.phase.charge.min(axis=1, keepdims=True) + one.phase.charge.max(axis=1, keepdims=True)
    return {
        f"{liked} loses half of its quality": (
            one.phase,
            replace(one.phase, outcomes=degraded(data, liked, 0.5), start=half),
        ),
        "the dear become cheap": (one.phase, replace(one.phase, charge=turned - one.phase.charge, start=half)),
    }


def joining(
    one: Scene, weight: float
) -> dict[str, tuple[tuple[Phase, Phase], ThompsonSamplingRouter, np.ndarray]]:  # fmt: skip
    """The best model comes half way, and no label was ever of it: the prior is fitted on the others alone.

    By name: the two phases, the learner, and the context (n, d) of every prompt.
    """
    liked = one.test.names[int(one.phase.utility(weight).mean(axis=0).argmax())]
    names = [name for name in one.test.names if name != liked]
    with one_blas_thread:
        prior = one.prior.clone().fit(one.train.subset(models=names))
    columns = [one.test.column(name) for name in (*names, liked)]
    charge = np.broadcast_to(one.phase.charge, one.test.quality.shape)[:, columns]
    later = Phase(one.test.subset(models=[*names, liked]), charge, len(one.order) // 2)
    context = prior.context(prior.fitted.predict(one.test.texts))
    return {f"{liked} joins": ((replace(later, start=0, out=(liked,)), later), prior, context)}


def drifting(one: Scene, weight: float, memory: float, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tidy rows of recovery after each change, and utility as a share of the best policy's along the rounds."""
    rows, paths, window = [], [], max(20, len(one.order) // 20)
    worlds = {change: (phases, one.prior, one.factors) for change, phases in changes(one, weight).items()}
    if len(one.test.names) > 2:
        worlds |= joining(one, weight)
    for change, (phases, prior, context) in worlds.items():
        for name, kept in ((PRIOR, np.inf), (f"{PRIOR}, forgetting", memory)):
            bandit = prior.bandit(streams=one.seeds, memory=kept, seed=seed)
            for joins in phases[0].out:
                bandit.add_arm(joins)
            run = replay(bandit, phases, one.order, weight, context)
            gained, best = regret.utilities(run, weight), regret.bayes(run, weight)
            share = (gained[-len(gained) // 4 :].mean(axis=0)) / best[-len(best) // 4 :].mean(axis=0)
            system, note = f"{name}: {change}", f"weight {weight:g}"
            rows.append(regret.over_seeds(system, "utility_kept", share, note))
            rows.append(regret.over_seeds(system, "rounds_to_recover", regret.recovery(run, weight), note))
            smooth = regret.moving(gained, window).mean(axis=1) / regret.moving(best, window).mean(axis=1)
            at = np.arange(0, len(smooth), max(1, len(smooth) // 100))
            paths.append(pd.DataFrame({"system": name, "change": change, "round": at + window, "value": smooth[at]}))
    return pd.DataFrame(rows), pd.concat(paths, ignore_index=True)
