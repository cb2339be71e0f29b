"""Who may see what: routers are fitted on some prompts and judged on others."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.policy import ExpectedCost
from toolkit.routers.base import Router

MIN_PROMPTS = 20  # below this an interval says nothing
HOLDOUT = "holdout"  # part of our own drawing that is judged, where a source's own is called test


@dataclass(frozen=True)
class Predictions:
    """What every router said about prompts it was not fitted on.

    Attributes:
        outcomes: the judged rows, all models observed.
        split: ``test`` (upstream part), ``holdout`` (our own) or ``cvK`` (K-fold: every row judged once).
        routers: by name, in the order of the tables.
        quality: predicted quality (n, m) by name; routers without scores give 1 to their choice.
        expected_cost: (n, m) dollars, learned on the fitting rows only; None unless costs were asked for.
        seconds: of fitting and of predicting by name, summed over folds, on the machine that ran them.
        fitted: the fitted routers by name, where there is one fitting part and not folds.
    """

    outcomes: Outcomes
    split: str
    routers: Mapping[str, Router]
    quality: Mapping[str, np.ndarray]
    expected_cost: np.ndarray | None
    seconds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fitted: Mapping[str, Router] = field(default_factory=dict)


def cross_predict(
    outcomes: Outcomes, routers: Mapping[str, Router], folds: int = 5, seed: int = 0, costs: bool = False
) -> Predictions:
    """Predictions on rows that the predicting router never saw.

    Where the source has train and test parts, routers are fitted on the one and judged on the other; training rows
    whose prompt stands in the test part too are left out. Else every row is judged once, by a router fitted on the
    other folds; groups (equal prompts) lie in one fold. Rows with an unobserved outcome help to fit and are not judged.

    Intervals made from the result hold for the fitted routers: they contain the luck of the prompts judged, not that
    of the training draw.

    Args:
        costs: judge only rows on which every model's cost is known as well, and learn expected costs.

    Raises:
        ToolkitError: no row can be judged, costs are needed and unknown, a model has no outcome in a fitting part, or
            a router predicts anything but finite numbers, one per prompt and model.
    """
    if costs:
        outcomes.require_cost()
    parts, split = plan(outcomes, folds, seed)
    shape = outcomes.quality.shape
    quality = {name: np.full(shape, np.nan) for name in routers}
    expected = np.full(shape, np.nan) if costs else None
    seconds = dict.fromkeys(routers, (0.0, 0.0))
    kept: dict[str, Router] = {}
    for train_rows, test_rows in parts:
        train, test = outcomes.subset(train_rows), outcomes.subset(test_rows)
        if expected is not None:
            expected[test_rows] = ExpectedCost().fit(train).predict(test.texts)
        for name, router in routers.items():
            start = perf_counter()
            fitted = router.clone().fit(train)
            between = perf_counter()
            quality[name][test_rows] = _finite(name, fitted.predict_outcomes(test), test)
            spent = between - start, perf_counter() - between
            seconds[name] = tuple(map(sum, zip(seconds[name], spent, strict=True)))
            kept[name] = fitted
    judged = judged_rows(outcomes, costs)
    return Predictions(
        outcomes=_judged(outcomes, judged, split),
        split=split,
        routers=dict(routers),
        quality={name: values[judged] for name, values in quality.items()},
        expected_cost=None if expected is None else expected[judged],
        seconds=seconds,
        fitted=kept if len(parts) == 1 else {},
    )


def holdout(outcomes: Outcomes, labels: int, seed: int = 0) -> Outcomes:
    """The same outcomes with parts of our own drawing: about ``labels`` prompts to fit on, all others to judge.

    Rows of a group lie in one part, so a few more than ``labels`` may be drawn.

    Raises:
        ToolkitError: no prompt would be left for one of the parts.
    """
    sizes = np.bincount(outcomes.groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    drawn = order[: int(np.searchsorted(np.cumsum(sizes[order]), labels)) + 1]
    train = np.isin(outcomes.groups, drawn)
    if labels < 1 or train.all():
        raise ToolkitError(f"{outcomes.name}: {labels} labels of {len(outcomes)} prompts leave an empty part.")
    return replace(outcomes, prompts=outcomes.prompts.assign(split=np.where(train, "train", HOLDOUT)))


def require_comparable(outcomes: Outcomes) -> None:
    """Refuse data on which no comparison can be made, before anything is fitted.

    Raises:
        ToolkitError: fewer than two models, too few judged prompts that all models answered, or no difference in
            quality between the models of the default pair.
    """
    pair = outcomes.pair()
    for compared, costs in ((pair, False), (outcomes, outcomes.cost_source != "none")):
        distinct = len(np.unique(compared.groups[judged_rows(compared, costs)]))
        if distinct < MIN_PROMPTS:
            raise ToolkitError(
                f"{outcomes.name}: at least {MIN_PROMPTS} different prompts with outcomes (and costs, where known) of "
                f"all of {', '.join(compared.names)} were expected; found {distinct} (rows that belong together "
                f"count once): systems are compared on the same prompts."
            )
    judged = pair.subset(judged_rows(pair))
    weak, strong = judged.mean_quality()
    if not weak < strong:
        raise ToolkitError(no_gap(judged))


def judged_rows(outcomes: Outcomes, costs: bool = False) -> np.ndarray:
    """Rows that a comparison judges, bool (n,): complete ones, of the test part where the source has parts."""
    parts = outcomes.prompts["split"].to_numpy()
    judged = _judged_part(parts)
    offered = parts == judged if judged else np.full(len(outcomes), True)
    return offered & outcomes.complete(costs)


def _finite(name: str, predicted: np.ndarray, test: Outcomes) -> np.ndarray:
    odd = ~np.isfinite(predicted) & (predicted != policy.FORBIDDEN)
    if predicted.shape != test.quality.shape or odd.any() or (predicted == policy.FORBIDDEN).all(axis=1).any():
        raise ToolkitError(
            f"router {name}: finite predictions of shape {test.quality.shape} (prompts, models) were expected, or "
            f"policy.FORBIDDEN where a model may not be chosen; found shape {predicted.shape} with {int(odd.sum())} "
            f"that are neither."
        )
    return predicted


def no_gap(pair: Outcomes) -> str:
    """What to tell a user whose strong model is no better than the weak one."""
    weak, strong = pair.mean_quality()
    return (
        f"{pair.name}: a pair needs a strong model that is better than the weak one; {pair.names[1]} has mean quality "
        f"{strong:.4f} and {pair.names[0]} {weak:.4f} on the judged prompts. Choose others (option models=A,B of a "
        f"table)."
    )


def plan(outcomes: Outcomes, folds: int, seed: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """Pairs of (fitting, judged) rows, and the name of the split. No group is in both rows of a pair."""
    parts = outcomes.prompts["split"].to_numpy()
    if judged := _judged_part(parts):
        test = parts == judged
        leaked = np.isin(outcomes.groups, outcomes.groups[test])
        return [((parts == "train") & ~leaked, test)], judged
    count = min(folds, int(outcomes.groups.max()) + 1)
    fold = outcomes.folds(count, seed)
    return [(fold != k, fold == k) for k in range(count)], f"cv{count}"


def two_parts(marked: Outcomes) -> tuple[Outcomes, Outcomes, str]:
    """The fitting part, the judged rows that all models answered, and the name of the split.

    Raises:
        ToolkitError: the data has no such parts (``holdout``, ``frozen.freeze``).
    """
    if not _judged_part(marked.prompts["split"].to_numpy()):
        raise ToolkitError(f"{marked.name}: a fitting and a judged part were expected; cut it by freeze or holdout.")
    ((fitting, judged),), split = plan(marked, 2, 0)
    return marked.subset(fitting), marked.subset(judged).observed(), split


def _judged_part(parts: np.ndarray) -> str:
    """Name of the part that is judged by routers fitted on ``train``; "" where there are no two such parts."""
    return next((name for name in ("test", HOLDOUT) if {"train", name} <= set(parts)), "")


def _judged(outcomes: Outcomes, judged: np.ndarray, split: str) -> Outcomes:
    """The judged rows, and a note on those that are not (the fitting part of an upstream split apart)."""
    if not judged.any():
        raise ToolkitError(
            f"{outcomes.name}: no prompt has an outcome (and a cost, where costs are compared) of all of "
            f"{', '.join(outcomes.names)}; systems are compared on the same prompts, so choose models that share some."
        )
    kept = outcomes.subset(judged)
    parts = np.full(len(outcomes), "") if split.startswith("cv") else outcomes.prompts["split"].to_numpy()
    train = parts == "train"
    notes = []
    if left := int((~judged & ~train).sum()):
        notes.append(f"{left} prompts are not judged: a model's outcome or cost is unknown, or they are in no part.")
    if leaked := int((train & np.isin(outcomes.groups, outcomes.groups[parts == split])).sum()):
        notes.append(f"{leaked} training prompts stand in the test part too and were not fitted on.")
    return replace(kept, notes=(*kept.notes, *notes))
