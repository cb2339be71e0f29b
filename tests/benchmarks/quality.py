"""Bars of the learned routers: what text alone is worth against prompt length, subject means and single models.

``python -m tests.benchmarks.quality [NAME ...]``; no name runs all. Five seeds. The router and its settings are chosen
by cross-validation inside the training part (``toolkit.evaluation.selection``); how that selects (candidates, folds,
how many are averaged, the tolerance) is fixed by hand here. Data sets that are not at hand are left out, with a line on
stderr. A figure without a bar ends in ``- measured``.
"""

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.benchmarks import harness
from toolkit import datasets
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.evaluation import statistics, systems
from toolkit.evaluation.leaderboard import compare_on_cost
from toolkit.evaluation.protocol import Predictions, cross_predict, holdout, plan
from toolkit.evaluation.selection import CrossValidated, candidates
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.baselines import DomainMean, PromptLength

SEEDS = range(5)
BOOTSTRAPS = 1000
ROUTERDC = ("mmlu", "gsm8k", "cmmlu", "arc_challenge", "humaneval")


def systems_of(score: str, seed: int) -> dict[str, Router]:
    """The selected router, and what it is held against."""
    chosen = CrossValidated(candidates(), score, folds=5, keep=3, seed=seed)
    return {"selected": chosen, "length": PromptLength(), "subject": DomainMean()}


def areas(parts: list[tuple[Predictions, np.ndarray]], counts: np.ndarray) -> dict[str, np.ndarray]:
    """APGR (B + 1,) of each system, averaged over seeds; ``parts`` are predictions and the rows they judge.

    All seeds share the bootstrap counts over the whole data set, so the interval holds the luck of the prompts once.
    """
    found: dict[str, list[np.ndarray]] = {}
    for predictions, rows in parts:
        for name, area in systems.areas(predictions, counts[:, rows]).items():
            found.setdefault(name, []).append(area)
    return {name: np.mean(values, axis=0) for name, values in found.items()}


def report(name: str, samples: np.ndarray, bar: str) -> None:
    """The estimate with its bootstrap interval; a bar on the lower bound is put beside the lower bound."""
    low, high = (float(bound) for bound in statistics.interval(samples))
    if bar.startswith("low"):
        harness.line(f"{name}_low", low, low, high, bar.removeprefix("low"))
    else:
        harness.line(name, float(samples[0]), low, high, bar)


def judged_split(pair: Outcomes, labels: int, seed: int) -> tuple[Predictions, np.ndarray]:
    """Fitted on ``labels`` prompts, judged on all others."""
    marked = holdout(pair, labels, seed)
    predictions = cross_predict(marked, systems_of("apgr", seed))
    return predictions, np.flatnonzero(marked.prompts["split"] != "train")


def mmlu(labels: int, bar: str) -> None:
    """APGR from few labels, with and without the subject that the source mislabelled."""
    pair = datasets.load("routellm/mmlu").pair()
    clean = pair.subset((pair.prompts["domain"] != "high_school_mathematics").to_numpy())
    for data, ending in ((pair, ""), (clean, "_without_hsm")):
        counts = statistics.bootstrap_counts(data.groups, BOOTSTRAPS)
        found = areas([judged_split(data, labels, seed) for seed in SEEDS], counts)
        name = f"mmlu_{labels}{ending}"
        report(f"{name}_apgr", found["selected"], bar if not ending else "-")
        for other in ("length", "subject"):
            report(f"{name}_{other}_apgr", found[other], "-")
            report(f"{name}_over_{other}", found["selected"] - found[other], "low>0" if ending else "-")


def gsm8k_cv() -> None:
    """APGR by 5-fold cross-fitting, a new partition for each seed."""
    pair = datasets.load("routellm/gsm8k").pair()
    counts = statistics.bootstrap_counts(pair.groups, BOOTSTRAPS)
    routers = lambda seed: {name: router for name, router in systems_of("apgr", seed).items() if name != "subject"}  # noqa: E731
    parts = [(cross_predict(pair, routers(seed), 5, seed), np.arange(len(pair))) for seed in SEEDS]
    found = areas(parts, counts)
    report("gsm8k_cv_apgr", found["selected"], ">=0.63")
    report("gsm8k_cv_length_apgr", found["length"], "-")
    report("gsm8k_cv_over_length", found["selected"] - found["length"], "-")


def routerdc() -> None:
    """One router for five sets, against the best-on-train single model of each."""
    pooled = pool([datasets.load(f"routerdc/{name}") for name in ROUTERDC])
    # The plan leaves out training prompts that stand in the test part.
    ((train_rows, test_rows),), _ = plan(pooled, folds=5, seed=0)
    train, test = pooled.subset(train_rows), pooled.subset(test_rows)
    best = {
        name: int(train.subset((train.prompts["domain"] == name).to_numpy()).mean_quality().argmax())
        for name in ROUTERDC
    }
    single = test.realised(test.quality, test.prompts["domain"].map(best).to_numpy()).astype(float)
    realised = []
    for seed in SEEDS:
        router = CrossValidated(candidates(), "quality", folds=5, tolerance=1.0, seed=seed).fit(train)
        harness.tell(f"routerdc seed {seed}: {router.chosen!r}")
        realised.append(test.realised(test.quality, router.predict(test.texts).argmax(axis=1)).astype(float))
    routed = np.mean(realised, axis=0)
    four = (test.prompts["domain"] != "humaneval").to_numpy()
    counts = statistics.bootstrap_counts(pd.factorize(test.groups[four])[0], BOOTSTRAPS)
    report(
        "routerdc_over_best_single_points",
        100 * statistics.resampled_means(counts, (routed - single)[four]),
        "low>=-0.5",
    )
    for name in ROUTERDC:
        rows = (test.prompts["domain"] == name).to_numpy()
        harness.line(f"routerdc_{name}", 100 * routed[rows].mean(), np.nan, np.nan, "-")
    means = [
        [values[(test.prompts["domain"] == name).to_numpy()].mean() for name in ROUTERDC] for values in (routed, single)
    ]
    harness.line("routerdc_five_set_mean", 100 * np.mean(means[0]), np.nan, np.nan, "-")
    harness.line("routerdc_best_single_mean", 100 * np.mean(means[1]), np.nan, np.nan, "-")


def pool(sets: list[Outcomes]) -> Outcomes:
    """Several sets of the same models as one; the domain says which set a prompt is from."""
    sets = [data.subset(models=sets[0].names) for data in sets]
    prompts = [
        data.prompts.assign(
            domain=name,
            prompt_id=name + "/" + data.prompts["prompt_id"],
            group=data.prompts["group"].where(data.prompts["group"] == "", name + "/" + data.prompts["group"]),
        )
        for name, data in zip(ROUTERDC, sets, strict=True)
    ]
    return Outcomes("routerdc", pd.concat(prompts), sets[0].models, np.concatenate([data.quality for data in sets]))


def routerbench() -> None:
    """AIQ over the zero router, 5-fold."""
    for name, bar in (("arc_challenge", "low>0"), ("mbpp", "-"), ("winogrande", "-")):
        data = datasets.load(f"routerbench/{name}")
        gains = []
        for seed in SEEDS:
            routers = {"selected": CrossValidated(candidates(), "aiq", folds=3, seed=seed)}
            rows = compare_on_cost(cross_predict(data, routers, 5, seed, costs=True), BOOTSTRAPS, seed).measurements
            gains.append(rows[rows["metric"] == "aiq_over_zero"].iloc[0][["value", "ci_low", "ci_high"]].astype(float))
        value, low, high = np.mean(gains, axis=0)
        shown = low if bar.startswith("low") else value
        harness.line(f"routerbench_{name}_aiq_over_zero", shown, low, high, bar.removeprefix("low"))


BARS: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "mmlu_1500": (lambda: mmlu(1500, ">=0.65"), ("routellm/mmlu",)),
    "mmlu_7000": (lambda: mmlu(7000, ">=0.675"), ("routellm/mmlu",)),
    "gsm8k_cv": (gsm8k_cv, ("routellm/gsm8k",)),
    "routerdc": (routerdc, tuple(f"routerdc/{name}" for name in ROUTERDC)),
    "routerbench": (routerbench, ("routerbench/arc_challenge", "routerbench/mbpp", "routerbench/winogrande")),
}


def main(names: list[str]) -> None:
    """The named bars, or all."""
    if unknown := set(names) - set(BARS):
        sys.exit(f"no bar {', '.join(sorted(unknown))}; there are {', '.join(BARS)}")
    for name in names or BARS:
        measure, needed = BARS[name]
        if all(CATALOGUE[source].at_hand() != "no" for source in needed):
            measure()
        else:
            harness.tell(f"{name}: {', '.join(needed)} not at hand (set TOOLKIT_DATA_MIRROR): left out")


if __name__ == "__main__":
    main(sys.argv[1:])
