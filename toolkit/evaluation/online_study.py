"""Notebook 06's experiments: who plays, in which world, and the tidy rows that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from toolkit import encoders, policy
from toolkit.bandits.adaptive import AdaptiveBeta
from toolkit.bandits.adversarial import EXP3
from toolkit.bandits.base import Bandit
from toolkit.bandits.counting import UCB1, BetaThompson, EpsilonGreedy, GaussianThompson
from toolkit.bandits.features import Components
from toolkit.bandits.linear import LinearThompson, LinUCB, LogisticThompson
from toolkit.bandits.neural import NeuralUCB
from toolkit.bandits.router import ThompsonSamplingRouter
from toolkit.errors import ToolkitError
from toolkit.evaluation import regret
from toolkit.evaluation.replay import Phase, Played, orders, replay
from toolkit.evaluation.selection import CrossValidated
from toolkit.hardware import one_blas_thread
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.classical import LogisticRegression, RidgeRegression
from toolkit.routers.keywords import TIERS, KeywordRules, tiers

PRIOR = "Thompson, router as prior"
EMULATION = "tx402 emulation"
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
_COLD_SD, _COLD_SLOPE = 0.15, 0.02  # believed spread of models' means, and of what a component of the text changes


@dataclass(frozen=True)
class Plan:
    """How much is played: ``labels`` to train on, ``rounds`` of traffic, ``seeds``, ``components`` of a cold start."""

    labels: int
    rounds: int
    seeds: int
    components: int = 16


PLANS = {"smoke": Plan(60, 200, 3, 4), "quick": Plan(500, 1500, 20), "full": Plan(1000, 10_000, 20)}


@dataclass(frozen=True)
class Scene:
    """One world and what is known of it before the first request.

    Attributes:
        train, test: labelled prompts, and those that come as traffic; none in both.
        phase: the traffic's world.
        order: rows, (rounds, seeds).
        prior: the router fitted on the labels, whose factors are ``factors``.
        predicted: its member's quality of the traffic, (n, m).
        classified: the same by the classifier of the emulation.
        cold: components of the embeddings, (n, d).
        kinds: tier of each prompt by keywords, one-hot (n, 4).
    """

    train: Outcomes
    test: Outcomes
    phase: Phase
    order: np.ndarray
    prior: ThompsonSamplingRouter
    predicted: np.ndarray
    factors: np.ndarray
    classified: np.ndarray
    cold: np.ndarray
    kinds: np.ndarray

    @property
    def seeds(self) -> int:
        """Streams."""
        return self.order.shape[1]


def router(encoder: str, **options: float) -> ThompsonSamplingRouter:
    """Ridge regression as the prior, its penalty chosen inside the labelled prompts."""
    members = tuple(RidgeRegression(penalty, encoder) for penalty in PENALTIES)
    return ThompsonSamplingRouter(CrossValidated(members, score="quality", tolerance=0), **options)


def scene(outcomes: Outcomes, plan: Plan, encoder: str, seed: int = 0) -> Scene:
    """Split, fit what is fitted, and draw the traffic.

    Raises:
        ToolkitError: too few prompts for the labels and some traffic.
    """
    data = outcomes.subset(outcomes.complete(outcomes.cost_source != "none"))
    labels = min(plan.labels, len(data) // 2)
    if labels < 10:
        raise ToolkitError(f"{outcomes.name}: at least 20 prompts that all models answered were expected.")
    train, test = data.split(1 - labels / len(data), seed)
    priced = data.cost_source != "none"
    charge = policy.ExpectedCost().fit(train).predict(test.texts) if priced else np.zeros(test.quality.shape)
    with one_blas_thread:  # hundreds of small fits
        prior = router(encoder, seed=seed).fit(train)
    predicted = prior.fitted.predict(test.texts)
    embed = encoders.get(encoder).encode
    # Length about 1, as LinUCB's paper has it.
    cold = Components(plan.components).fit(embed(train.texts)).transform(embed(test.texts))
    return Scene(
        train=train,
        test=test,
        phase=Phase(test, charge),
        order=orders(len(test), plan.rounds, plan.seeds, seed),
        prior=prior,
        predicted=predicted,
        factors=prior.context(predicted),
        classified=LogisticRegression(encoder=encoder).fit(train).predict(test.texts),
        cold=cold / np.sqrt(cold.shape[1]),
        kinds=np.eye(len(TIERS))[tiers(test.texts)],
    )


def usual_weight(one: Scene) -> float:
    """A weight at which money matters: the dearest model must be .1 better than the cheapest to be worth its price."""
    cost = one.phase.charge.mean(axis=0)
    return float(np.round(0.1 / (cost.max() - cost.min()), 2)) if cost.max() > cost.min() else 0.0


def caption(one: Scene, weight: float) -> str:
    """What a figure's note says of its data."""
    name = one.test.name.upper() if one.test.synthetic else one.test.name
    return f"{name} · {len(one.train):,} labels · {one.seeds} seeds · weight {weight:g} · bands: 95% over seeds"


def cold_prior(dimension: int, mean_sd: float = _COLD_SD, slope_sd: float = _COLD_SLOPE) -> dict[str, Any]:
    """What a linear bandit may believe of models before any label, on contexts of ``Components`` over sqrt(d).

    Args:
        mean_sd: spread of models' mean quality around .5.
        slope_sd: of what one standard deviation of a component changes in it.
    """
    # The constant of such a context is 1 / sqrt(d), as its other numbers are shortened.
    sure = np.r_[mean_sd**-2, np.full(dimension - 1, slope_sd**-2)] / dimension
    return {"prior_mean": np.eye(1, dimension)[0] * dimension**0.5 / 2, "prior_precision": sure, "noise_sd": 0.45}


def learners(one: Scene, seed: int = 0) -> dict[str, tuple[Bandit, np.ndarray | None, np.ndarray | None]]:
    """Every bandit, with the context (n, d) and the predictions (n, m) that it is given."""
    names, d, each = one.test.names, one.cold.shape[1], {"streams": one.seeds, "seed": seed}
    cold = cold_prior(d)
    free: dict[str, Bandit] = {
        "Beta Thompson": BetaThompson(names, **each),
        "UCB1": UCB1(names, 0.5, **each),
        "epsilon-greedy": EpsilonGreedy(names, 0.1, **each),
        "EXP3": EXP3(names, horizon=len(one.order), **each),
    }
    contextual: dict[str, Bandit] = {
        "LinUCB, cold": LinUCB(names, d, **cold, **each),
        "linear Thompson, cold": LinearThompson(names, d, **cold, **each),
        "logistic Thompson, cold": LogisticThompson(names, d, prior_precision=4.0, **each),
        "NeuralUCB, cold": NeuralUCB(names, d, hidden=16, **each),
    }
    found = {name: (bandit, None, None) for name, bandit in free.items()}
    found |= {name: (bandit, one.cold, None) for name, bandit in contextual.items()}
    cost = one.phase.charge.mean(axis=0)
    found["LiteLLM-style, by type"] = (AdaptiveBeta(names, cost, **each), one.kinds, None)
    found[EMULATION] = (GaussianThompson(names, **each), None, one.classified)
    found[PRIOR] = (one.prior.bandit(**each), one.factors, None)
    return found


def fixed(one: Scene, weight: float) -> dict[str, np.ndarray]:
    """Choices (n,) of those who do not learn, made from the labels alone."""
    rows, train = len(one.test), one.train
    worth = train.mean_quality() - weight * one.phase.charge.mean(axis=0)
    rules: dict[str, Router] = {"keyword rules": KeywordRules()}
    return {
        "best single, by the labels": np.full(rows, int(worth.argmax())),
        "router, not learning": policy.choose(one.predicted, one.phase.charge, weight),
        "classifier, not learning": policy.choose(one.classified, one.phase.charge, weight),
        **{name: rule.fit(train).choose(one.test.texts) for name, rule in rules.items()},
    }


def played(one: Scene, choices: np.ndarray, weight: float) -> Played:
    """What choices that were made beforehand, a column for each prompt (n,), do to the traffic."""
    data, arms = one.test, choices[one.order]
    return Played(one.order, arms, data.quality[one.order, arms].astype(float), data.cost_usd[one.order, arms],
                  np.full(one.order.shape, weight), (one.phase,))  # fmt: skip


def play(one: Scene, weight: float, names: Sequence[str] = (), seed: int = 0) -> dict[str, Played]:
    """All of them, or the named ones, on the same traffic."""
    runs = {}
    for name, (bandit, context, predicted) in learners(one, seed).items():
        if not names or name in names:
            runs[name] = replay(bandit, one.phase, one.order, weight, context, predicted)
    return runs | {
        name: played(one, choices, weight) for name, choices in fixed(one, weight).items() if not names or name in names
    }


def curves(runs: Mapping[str, Played], weight: float, points: int = 60) -> pd.DataFrame:
    """Cumulative regret: system, round, value, ci_low, ci_high over seeds."""
    parts = []
    for name, run in runs.items():
        total = np.cumsum(regret.bayes(run, weight) - regret.utilities(run, weight), axis=0)
        at = np.unique(np.linspace(0, len(total) - 1, points).astype(int))
        rows = pd.DataFrame([regret.over_seeds(name, "regret_per_round", total[step]) for step in at])
        parts.append(rows.assign(round=at + 1)[["system", "round", "value", "ci_low", "ci_high"]])
    return pd.concat(parts, ignore_index=True)


def front(one: Scene, weights: Sequence[float], names: Sequence[str]) -> pd.DataFrame:
    """Quality and dollars of 1,000 calls at each weight: system, weight, quality, cost_usd_per_1k, utility."""
    rows = []
    for weight in weights:
        for name, run in play(one, weight, names).items():
            gained = regret.utilities(run, weight).mean()
            rows.append((name, weight, run.reward.mean(), 1000 * run.cost_usd.mean(), gained))
    return pd.DataFrame(rows, columns=["system", "weight", "quality", "cost_usd_per_1k", "utility"])


def accuracy(one: Scene, runs: Mapping[str, Played], late: float = 1 / 3) -> pd.DataFrame:
    """Accuracy told three ways, over the last share of the rounds: intervals over seeds.

    ``class_accuracy``: the choice is the label that a classifier is trained on, the cheapest model among the best.
    ``best_model_hits``: no model would have answered better. ``quality_retained``: over the best single model's.
    """
    data, oracle, rows = one.test, one.test.oracle(), []
    best = data.quality.max(axis=1)
    for name, run in runs.items():
        span = slice(round((1 - late) * len(run.rows)), None)
        prompts, arms = run.rows[span], run.arms[span]
        single = np.stack([data.quality[column].mean(axis=0).max() for column in prompts.T])
        values = {
            "class_accuracy": (arms == oracle[prompts]).mean(axis=0),
            "best_model_hits": (run.reward[span] >= best[prompts]).mean(axis=0),
            "quality_retained": run.reward[span].mean(axis=0) / single,
        }
        rows += [regret.over_seeds(name, metric, each) for metric, each in values.items()]
    return pd.DataFrame(rows)


def conclusion(rows: pd.DataFrame, weight: float) -> str:
    """What was found, in three lines."""
    value = rows.pivot(index="system", columns="metric", values="value")
    order = value["regret_per_round"].sort_values()
    cold = [name for name in order.index if "cold" in name or name in ("Beta Thompson", "UCB1")]
    return (
        f"At weight {weight:g} the least regret has {order.index[0]}: {order.iloc[0]:.4f} a round.\n"
        f"A router as the prior: {order[PRIOR]:.4f}; the best start without labels, {cold[0]}: {order[cold[0]]:.4f}.\n"
        f"The {EMULATION}: {order[EMULATION]:.4f}; its classifier, not learning: "
        f"{order['classifier, not learning']:.4f}."
    )
