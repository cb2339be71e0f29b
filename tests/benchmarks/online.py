"""Bars of learning online: priors, llmrouter, the pacer, drift, speed.

``python -m tests.benchmarks.online [NAME ...]``; no name runs all. ``prior`` and ``drift`` make their data, ``labels``
reads upstream files. Run ``speed`` on an idle machine.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.benchmarks import harness
from toolkit import datasets, encoders, policy
from toolkit.bandits.base import Bandit
from toolkit.bandits.counting import BetaThompson, GaussianThompson
from toolkit.bandits.features import Components
from toolkit.bandits.linear import LinearThompson, LinUCB
from toolkit.bandits.pacing import BudgetPacer
from toolkit.evaluation import online_study, regret
from toolkit.evaluation.online_study import router as router_of
from toolkit.evaluation.replay import Phase, degraded, orders, replay
from toolkit.hardware import one_blas_thread
from toolkit.outcomes import Outcomes

SEEDS, WEIGHT = 20, 20.0
ENCODER = "minilm+lexical+surface"


def _parts(data: Outcomes, labels: int, seed: int = 0) -> tuple[Outcomes, Outcomes]:
    """Labelled prompts and the others, none of whose texts is labelled."""
    train, rest = data.split(1 - labels / len(data), seed)
    return train, rest


def _line(name: str, values: np.ndarray, bar: str) -> None:
    row = regret.over_seeds(name, "utility", values)
    harness.line(name, row["value"], row["ci_low"], row["ci_high"], bar)


def prior() -> None:
    """40 models, 10,000 rounds, 20 seeds: a router as the prior against no context, and against a cold start."""
    train, test = _parts(datasets.load("synthetic?models=40&prompts=11000"), 1000)
    charge = policy.ExpectedCost().fit(train).predict(test.texts)
    phase, order = Phase(test, charge), orders(len(test), 10_000, SEEDS)
    router = router_of(ENCODER).fit(train)
    factors = router.context(router.fitted.predict(test.texts))
    embed = encoders.get(ENCODER).encode
    cold = Components(64).fit(embed(train.texts)).transform(embed(test.texts)) / 65**0.5
    d, believed = cold.shape[1], online_study.cold_prior(65)
    wide = online_study.cold_prior(65, slope_sd=0.1)
    # Each rival as its paper has it, and better informed: with the same noise and a mean of one half.
    rivals = {
        "context_free_gaussian": (GaussianThompson(test.names, 0.15, streams=SEEDS), None),
        "context_free_gaussian_sharp": (GaussianThompson(test.names, 0.15, 0.25, streams=SEEDS), None),
        "context_free_beta": (BetaThompson(test.names, streams=SEEDS), None),
        "cold_linucb_1": (LinUCB(test.names, d, 1.0, streams=SEEDS), cold),
        "cold_linucb_0.5": (LinUCB(test.names, d, 0.5, streams=SEEDS), cold),
        "cold_linucb_informed": (LinUCB(test.names, d, 0.5, streams=SEEDS, **believed), cold),
        "cold_linucb_informed_wide": (LinUCB(test.names, d, 0.5, streams=SEEDS, **wide), cold),
        "cold_thompson_informed": (LinearThompson(test.names, d, 0.5, streams=SEEDS, **believed), cold),
    }
    mine = _lost(router.bandit(SEEDS), phase, order, factors)
    _line("regret_thompson_with_prior", mine, "-")
    for name, (bandit, context) in rivals.items():
        lost = _lost(bandit, phase, order, context)
        _line(f"regret_{name}", lost, "-")
        _line(f"regret_over_{name}", mine / lost, "-" if name == "cold_thompson_informed" else "<=0.5")


def _lost(bandit: Bandit, phase: Phase, order: np.ndarray, context: np.ndarray | None) -> np.ndarray:
    played = replay(bandit, phase, order, WEIGHT, context)
    return (regret.bayes(played, WEIGHT) - regret.utilities(played, WEIGHT)).mean(axis=0)


def labels() -> None:
    """llmrouter/default: 1,000 labelled queries as the prior, and none."""
    data = datasets.load("llmrouter/default")
    gains: dict[str, list[float]] = {"warm": [], "cold": []}
    embed = encoders.get("minilm+lexical").encode
    for seed in range(SEEDS):
        train, test = _parts(data, 1000, seed)
        router = router_of("minilm+lexical", seed=seed).fit(train)
        order = orders(len(test), len(test), 1, seed)
        free = Components(16).fit(embed(train.texts))
        bandits = {
            "warm": (router.bandit(), router.context(router.fitted.predict(test.texts))),
            "cold": (
                LinearThompson(test.names, 17, seed=seed, **online_study.cold_prior(17)),
                free.transform(embed(test.texts)) / 17**0.5,
            ),
        }  # fmt: skip
        for name, (bandit, context) in bandits.items():
            played = replay(bandit, Phase(test, np.zeros(len(test.names))), order, 0.0, context)
            late = slice(-(len(order) // 3), None)
            best = test.quality[order[late, 0]].mean(axis=0).max()
            gains[name].append(100 * float(played.reward[late].mean() - best))
    _line("warm_points_over_best_single", np.array(gains["warm"]), ">=1.5")
    _line("cold_points_over_best_single", np.array(gains["cold"]), ">=-0.5")


def pacer() -> None:
    """20 seeds, 10,000 rounds, three budgets: spending, and quality against the best mixture of two models at it."""
    train, test = _parts(datasets.load("synthetic?models=40&prompts=11000"), 1000)
    charge = policy.ExpectedCost().fit(train).predict(test.texts)
    router, order = router_of(ENCODER).fit(train), orders(len(test), 10_000, SEEDS)
    context = router.context(router.fitted.predict(test.texts))
    for usd_per_1k in (0.15, 0.3, 0.6):
        paced = BudgetPacer(usd_per_1k * 10, 10_000, streams=SEEDS)
        played = replay(router.bandit(SEEDS), Phase(test, charge), order, context=context, pacer=paced)
        spent = played.cost_usd.sum(axis=0) / paced.budget_usd
        harness.line(f"pacer_{usd_per_1k}_spent_over_budget", spent.mean(), spent.min(), spent.max(), "0.99..1.01")
        gained = regret.utilities(played, 0.0).mean(axis=0) - regret.best_mixture(played)
        _line(f"pacer_{usd_per_1k}_quality_over_best_mixture", gained, ">=0")
        harness.line(f"pacer_{usd_per_1k}_least_of_the_seeds", gained.min(), np.nan, np.nan, ">=0")


def drift() -> None:
    """20 models; after 3,000 rounds the one that is chosen most loses half of its quality."""
    train, test = _parts(datasets.load("synthetic?models=20&prompts=7000"), 1000)
    charge = policy.ExpectedCost().fit(train).predict(test.texts)
    order, later = orders(len(test), 6000, SEEDS), slice(4000, 5000)
    router = router_of(ENCODER, memory=2000.0).fit(train)
    context = router.context(router.fitted.predict(test.texts))
    first = replay(router.bandit(SEEDS), Phase(test, charge), order[:1000], WEIGHT, context)
    liked = test.names[int(np.bincount(first.arms.ravel()).argmax())]
    worse = Phase(degraded(test, liked, 0.5), charge, 3000)
    played = replay(router.bandit(SEEDS), (Phase(test, charge), worse), order, WEIGHT, context)
    knows = router_of(ENCODER).fit(degraded(train, liked, 0.5))  # its labels are of the changed world
    informed = replay(knows.bandit(SEEDS), replace(worse, start=0), order, WEIGHT,
                      knows.context(knows.fitted.predict(test.texts)))  # fmt: skip
    gained = regret.utilities(played, WEIGHT)
    others = {
        "best_fixed_arm": (regret.best_fixed(played, WEIGHT), ">=0.95"),
        "learner_that_knew": (regret.utilities(informed, WEIGHT), ">=0.95"),
        "bayes_optimal": (regret.bayes(played, WEIGHT), ">=0.95"),
    }
    for name, (best, bar) in others.items():
        _line(f"drift_over_{name}", gained[later].mean(axis=0) / best[later].mean(axis=0), bar)
    before = slice(2000, 3000)
    share = gained[before].mean(axis=0) / regret.bayes(played, WEIGHT)[before].mean(axis=0)
    _line("before_the_change_over_bayes_optimal", share, "-")


def speed() -> None:
    """Rounds a second of one stream, 40 arms, deciding and learning; MABWiser on the same stream in turns."""
    rng = np.random.default_rng(0)
    rewards = rng.random(4000)

    def rate(bandit: Bandit, rounds: int) -> float:
        contexts = rng.normal(size=(rounds, getattr(bandit, "dimension", 1))) / 8
        start = time.perf_counter()
        for context, reward in zip(contexts, rewards, strict=False):
            arm = bandit.scores(context)[0].argmax()
            bandit.update(arm, reward, context)
        return rounds / (time.perf_counter() - start)

    def theirs(rounds: int) -> float:
        from mabwiser.mab import MAB, LearningPolicy

        arms, contexts = list(range(40)), rng.normal(size=(rounds, 64)) / 8
        mab = MAB(arms, LearningPolicy.LinUCB(alpha=1.0))
        mab.fit(arms, rewards[:40], rng.normal(size=(40, 64)))
        start = time.perf_counter()
        for context, reward in zip(contexts, rewards, strict=False):
            mab.partial_fit([mab.predict([context])], [reward], [context])
        return rounds / (time.perf_counter() - start)

    for name, make, rounds, bar in (
        ("beta_thompson", lambda: BetaThompson(40), 4000, ">=20000"),
        ("linucb_64", lambda: LinUCB(40, 64), 2000, ">=1000"),
        ("linucb_384", lambda: LinUCB(40, 384), 500, ">=250"),
    ):
        harness.spread(f"{name}_rounds_per_s", np.array([rate(make(), rounds) for _ in range(5)]), bar)
    ratios = np.array([rate(LinUCB(40, 64), 500) / theirs(500) for _ in range(5)])
    harness.spread("linucb_64_over_mabwiser", ratios, ">=5")


BARS: dict[str, Callable[[], None]] = {"prior": prior, "labels": labels, "pacer": pacer, "drift": drift, "speed": speed}
NEEDS = {"labels": "llmrouter/default"}


def main(names: list[str]) -> None:
    """The named bars, or all."""
    if unknown := set(names) - set(BARS):
        sys.exit(f"no bar {', '.join(sorted(unknown))}; there are {', '.join(BARS)}")
    for name in names or BARS:
        start = time.perf_counter()
        with one_blas_thread:
            BARS[name]()
        harness.tell(f"{name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
