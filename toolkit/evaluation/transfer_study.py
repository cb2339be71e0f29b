"""The questions of notebook 09, sized by profile: which routers are asked, on how many labels, how often."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from toolkit.calibration import CALIBRATORS
from toolkit.evaluation import newcomer, planning, protocol, reliability, transfer
from toolkit.evaluation.arena import robustness
from toolkit.evaluation.frozen import FrozenSplit
from toolkit.evaluation.leaderboard import Comparison, compare_on_cost
from toolkit.evaluation.metrics import METRICS
from toolkit.evaluation.protocol import Predictions, cross_predict
from toolkit.outcomes import Outcomes
from toolkit.routers import ROUTERS
from toolkit.routers.base import Router
from toolkit.routers.baselines import SingleModel
from toolkit.routers.cascade import Among, SelfCheckCascade, with_cascade

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
JOINED = "judged on the frozen part; bands: 95% bootstrap over its prompts"
FULL = ("ridge", "logistic", "svm", "knn", "cluster", "avengers", "cluster-elo", "sw", "mf", "rorf", "hybrid-llm",
        "routerdc", "graph-free", "boosting", "mlp")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes:
        calibrated, moved, joined, perturbed: names in ``ROUTERS`` for each question.
        labels: to fit on, of each set that a router is moved between.
        draws: of references for thresholds; of labelled prompts of a newcomer.
        shaken: prompts that are perturbed.
    """

    calibrated: tuple[str, ...]
    moved: tuple[str, ...]
    joined: tuple[str, ...]
    perturbed: tuple[str, ...]
    labels: int
    draws: tuple[int, int]
    shaken: int


PLANS = {
    "smoke": Plan(
        ("ridge", "hybrid-llm"), ("prompt-length", "ridge"), ("knn", "graph-free"), ("prompt-length", "ridge"),
        200, (20, 1), 40,
    ),
    "quick": Plan(
        ("ridge", "knn", "hybrid-llm", "cluster-elo"),
        ("prompt-length", "ridge", "knn"),
        ("ridge", "knn", "cluster", "graph-free"),
        ("prompt-length", "knn-lexical", "knn", "cluster", "avengers", "ridge", "hybrid-llm"),
        2_000, (100, 2), 120,
    ),
    "full": Plan(
        FULL, ("prompt-length", "domain-mean", "ridge", "knn", "cluster", "boosting"),
        ("ridge", "knn", "cluster", "avengers", "graph-free", "mf"),
        ("prompt-length", "length-rule", "knn-lexical", *FULL), 5_000, (500, 10), 1_000,
    ),
}  # fmt: skip


def routers(names: tuple[str, ...]) -> dict[str, Router]:
    """Fresh ones, by name."""
    return {name: ROUTERS[name]() for name in names}


def targets(predictions: Predictions, plan: Plan, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Thresholds for shares of strong calls, from half of the judged prompts, held against the other half.

    Args:
        predictions: of a pair, by routers that were fitted elsewhere.

    Returns:
        Tidy rows at a wanted share of 30%, and every draw with ``system`` and ``wanted``.
    """
    groups, reference = predictions.outcomes.groups, len(predictions.outcomes) // 2
    rows, drawn = [], []
    for name in plan.calibrated:
        lead = np.diff(predictions.quality[name], axis=1)[:, 0]
        draws = reliability.shares_met(lead, groups, SHARES, reference, plan.draws[0], seed)
        drawn.append(draws.assign(system=name))
        rows.append(reliability.share_rows(draws, name, 0.3, reference))
    return pd.concat(rows, ignore_index=True), pd.concat(drawn, ignore_index=True)


def moved(sets: Mapping[str, Outcomes], plan: Plan, bootstraps: int, seed: int = 0, pool: bool = False) -> pd.DataFrame:
    """``transfer.matrix`` of the plan's routers; empty without two sets, and without a pool where one is wanted."""
    if len(sets) < 2 or (pool and len(next(iter(sets.values())).names) < 3):
        return transfer.nothing()
    return transfer.matrix(sets, routers(plan.moved), plan.labels, bootstraps, seed)


def homes(*moved: pd.DataFrame) -> pd.DataFrame | str:
    """``transfer.summary`` of a pair's and of a pool's matrix side by side; a dash where nothing was moved."""
    tables = {METRICS[transfer.main_metric(one)].label: transfer.summary(one) for one in moved if len(one)}
    return pd.concat(tables, axis=1).rename_axis(index=None, columns=(None, None)).fillna("–") if tables else "–"


def joined(outcomes: Outcomes, cut: FrozenSplit, plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """``newcomer.joining`` of the plan's routers on a frozen cut, which counts; empty where the pool has two models."""
    if len(outcomes.names) < 3:
        return pd.DataFrame(columns=["system", "metric", "value", "labels"])
    asked = routers(plan.joined)
    cut.look(asked, "notebook 09, a newcomer")
    marked = cut_alike(outcomes, cut)
    return newcomer.joining(marked, asked, draws=plan.draws[1], bootstraps=bootstraps, seed=seed)


def flips(outcomes: Outcomes, plan: Plan, folds: int, bootstraps: int, seed: int = 0) -> tuple[pd.DataFrame, str]:
    """Rows of ``arena.robustness``, which routers change their mind least, and the name of the judged split."""
    split = protocol.plan(outcomes, folds, seed)[1]
    return robustness(outcomes, routers(plan.perturbed), folds, bootstraps, seed, plan.shaken), split


def cut_alike(outcomes: Outcomes, cut: FrozenSplit) -> Outcomes:
    """A pool of models with the parts of a frozen pair: the same prompts to fit on, the same to judge."""
    judged = outcomes.prompts["prompt_id"].isin(cut.outcomes.prompts.query("split != 'train'")["prompt_id"])
    return replace(outcomes, prompts=outcomes.prompts.assign(split=np.where(judged, protocol.HOLDOUT, "train")))


def assumed(outcomes: Outcomes, judge: str) -> str:
    """What the money in ``shown`` rests on."""
    return (
        f"Costs of answers: {outcomes.cost_source}. Grading: {judge} at its list price, one call an answer, "
        f"{planning.RUBRIC_TOKENS} tokens of instructions and {planning.VERDICT_TOKENS} written (assumed)."
    )


def cascade(pair: Outcomes, folds: int, bootstraps: int, seed: int = 0) -> tuple[Comparison, Predictions] | None:
    """A self-checking cascade against routers that decide before any answer; None without answers or costs."""
    if pair.answers is None or pair.cost_source == "none":
        return None
    both = with_cascade(pair)
    direct = {name: Among(ROUTERS[name]()) for name in ("random", "prompt-length", "ridge", "knn")}
    singles = {"always-weak": SingleModel(both.names[0]), "always-strong": SingleModel(both.names[1])}
    systems = {**singles, **direct, "cascade, self-check": SelfCheckCascade()}
    predictions = cross_predict(both, systems, folds, seed, costs=True)
    return compare_on_cost(predictions, bootstraps, seed), predictions


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The advice for human eyes."""
    wanted = {
        "quality": "quality ±", "difference": "difference ±", "apgr": "APGR ±", "apgr_difference": "APGR difference ±",
        "smallest_gain": "gain found 4 times in 5",
    }  # fmt: skip
    told = pd.DataFrame({"judged prompts": table["prompts"].map("{:,}".format)})
    for column, heading in wanted.items():
        if column in table:
            told[heading] = table[column].map("{:.3f}".format)
    told["answers, USD"] = table["answers_usd"].map(lambda usd: f"{usd:,.2f}" if np.isfinite(usd) else "unknown")
    told["judging, USD"] = table["judging_usd"].map("{:,.2f}".format)
    return told.set_index("judged prompts").rename_axis(None)


def note(outcomes: Outcomes, text: str) -> str:
    """What must stand under a figure that judges parts of its own."""
    return " · ".join([outcomes.name, *(["SYNTHETIC outcomes"] if outcomes.synthetic else []), text])


def moved_note(outcomes: Outcomes, plan: Plan, rows: pd.DataFrame) -> str:
    """The same of a transfer: how many prompts, and which sets were not judged."""
    text = f"at most {plan.labels:,} prompts of a set fitted on and no more than half; {rows['n'].min():,} to "
    text += f"{rows['n'].max():,} judged"
    left = [name for name in dict.fromkeys(rows["train"]) if name not in set(rows["test"])]
    return note(outcomes, f"{text}; no sure lead to judge by: {', '.join(left)}" if left else text)


def conclusion(errors: pd.DataFrame, shares: pd.DataFrame, moved: pd.DataFrame) -> str:
    """Three sentences: calibration, target share, transfer."""
    ece = errors[errors["metric"] == "ece"].set_index("system")["value"]
    raw = [name for name in ece.index if ", " not in name]
    worst = max(raw, key=lambda name: ece[name])
    after = {kind: max(ece[f"{name}, {kind}"] for name in raw) for kind in CALIBRATORS}
    off = shares[shares["metric"] == "share_off"].set_index("system")["ci_high"]
    told = [
        f"The scores of {worst} are off by {ece[worst]:.3f} as they are; the worst router of all is off by "
        f"{after['isotonic']:.3f} after an isotonic map and {after['platt']:.3f} after Platt's.",
        f"A wanted 30% of strong calls is met within {100 * off.min():.1f} points in 95 draws of 100 by "
        f"{off.idxmin()}, and within {100 * off.max():.1f} by {off.idxmax()}.",
    ]
    if len(moved):
        means = transfer.summary(moved)
        pairs = [f"{name} {row['at home']:.3f} and {row['elsewhere']:.3f}" for name, row in means.iterrows()]
        told.append(
            f"{METRICS[transfer.main_metric(moved)].label} at home and elsewhere, means over sets: {'; '.join(pairs)}."
        )
    return " ".join(told)
