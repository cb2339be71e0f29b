"""Does a router survive a change of data? Fitted on one set, judged on another; and a model that joins late."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from toolkit import datasets
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import MIN_PROMPTS, Predictions, holdout
from toolkit.evaluation.systems import areas, quality_first
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router

ROLES = ("weak", "strong")
_FROM = "\x1f"  # between a router and the set it was fitted on


def siblings(name: str, outcomes: Outcomes, most: int = 4, prompts: int = 5_000, seed: int = 0) -> dict[str, Outcomes]:
    """Sets with the models of one data set: others of its family that are at hand, else its own domains.

    Args:
        name: as ``datasets.load`` takes it.
        outcomes: what it holds.
        most: domains, the largest ones.
        prompts: of each set, at most.
    """
    base = name.partition("?")[0]
    family = base.partition("/")[0] + "/" if base in CATALOGUE and "/" in base else ""
    names = [other for other, entry in CATALOGUE.items() if family and other.startswith(family)]
    found = {other: datasets.load(other) for other in names if CATALOGUE[other].at_hand() != "no"}
    found = {other: data for other, data in found.items() if set(data.names) >= set(outcomes.names)}
    if base in found:  # as it was given, with its options
        del found[base]
        found = {datasets.label(name): outcomes, **found}
    if len(found) < 2:
        sizes = outcomes.prompts["domain"].value_counts()
        chosen = [domain for domain, size in sizes.items() if domain and size >= 2 * MIN_PROMPTS][:most]
        found = {domain: outcomes.subset((outcomes.prompts["domain"] == domain).to_numpy()) for domain in chosen}
    found = {other: data.subset(models=outcomes.names) for other, data in found.items()}
    found = {other: data.subset(rows) for other, data in found.items() if (rows := data.complete()).any()}
    return {other: data.sample(prompts, seed) for other, data in found.items() if len(data) >= 2 * MIN_PROMPTS}


def _shared(train: Outcomes, judged: Outcomes) -> np.ndarray:
    """Rows whose prompt, or named group, stands among the judged ones, bool (n,)."""
    group = train.prompts["group"]
    same = train.prompts["text"].isin(judged.prompts["text"]) | ((group != "") & group.isin(judged.prompts["group"]))
    return same.to_numpy()


def in_roles(pair: Outcomes) -> Outcomes:
    """A pair whose models are called weak and strong, so that a router for one pair can be asked about another.

    Raises:
        ToolkitError: not two models.
    """
    if len(pair.names) != 2:
        raise ToolkitError(f"{pair.name}: roles are those of two models; {len(pair.names)} were given (Outcomes.pair).")
    return replace(pair, models=pair.models.set_axis(list(ROLES)))


def crossed(
    sets: Mapping[str, Outcomes], routers: Mapping[str, Router], labels: int = 2_000, seed: int = 0
) -> dict[str, tuple[Predictions, dict[str, np.ndarray]]]:
    """Every router fitted on every set, asked about every set's judged part.

    A set is cut once: at most ``labels`` prompts, and no more than half, to fit on; the rest is judged by routers from
    everywhere, those of the set itself included, so a column of the matrix compares on the same prompts. Training
    prompts that stand in another set's judged part, or whose group does, are left out there.

    Returns:
        By judged set: predictions, each router's name followed by that of its training set, and the best single model
        of each training set as choices (n,) by set.

    Raises:
        ToolkitError: fewer than two sets, or sets of different models.
    """
    if len(sets) < 2 or len({tuple(data.names) for data in sets.values()}) > 1:
        raise ToolkitError(f"Transfer needs two sets or more of the same models in the same order; got {list(sets)}.")
    parts = {}
    for name, data in sets.items():
        marked = holdout(data, max(1, min(labels, len(data) // 2)), seed)
        train = (marked.prompts["split"] == "train").to_numpy()
        parts[name] = marked.subset(train), marked.subset(~train)
    found = {}
    whole = {source: {name: router.clone().fit(train) for name, router in routers.items()}
             for source, (train, _) in parts.items()}  # fmt: skip
    for target, (_, judged) in parts.items():
        quality, made, single = {}, {}, {}
        for source, (train, _) in parts.items():
            shared = _shared(train, judged)
            fitting = train.subset(~shared)
            single[source] = np.full(len(judged), int(fitting.mean_quality().argmax()))
            for name, router in routers.items():
                fitted = router.clone().fit(fitting) if shared.any() else whole[source][name]
                made[f"{name}{_FROM}{source}"] = router
                quality[f"{name}{_FROM}{source}"] = fitted.predict_outcomes(judged)
        found[target] = Predictions(judged, "holdout", made, quality, None), single
    return found


def matrix(
    sets: Mapping[str, Outcomes],
    routers: Mapping[str, Router],
    labels: int = 2_000,
    bootstraps: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy rows of every router, training set and judged set, with columns ``train`` and ``test``.

    Sets of pairs on which the stronger model does not surely lead are not judged: APGR divides by that lead. Where none
    is left the frame is empty.

    Returns:
        Of pairs ``apgr``, and ``apgr_lost``: what the same router, fitted on the judged set itself, has more (paired).
        Of larger pools ``quality_over_single``: quality of its best predicted model minus that of the model that is
        best on the training set, and ``quality_lost`` likewise.
    """
    found = []
    for target, (predictions, single) in crossed(sets, routers, labels, seed).items():
        outcomes = predictions.outcomes
        counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
        pair = len(outcomes.names) == 2
        if pair and not has_gap(outcomes, counts):
            continue
        values = areas(predictions, counts) if pair else _means(predictions, counts)
        metrics = ("apgr", "apgr_lost") if pair else ("quality_over_single", "quality_lost")
        for key, samples in values.items():
            name, source = key.split(_FROM)
            alone = (
                0 if pair else statistics.resampled_means(counts, outcomes.realised(outcomes.quality, single[source]))
            )
            lost = values[f"{name}{_FROM}{target}"] - samples
            one = [measured(name, metrics[0], samples - alone), measured(name, metrics[1], lost)]
            found.append(pd.DataFrame(one).assign(train=source, test=target, n=len(outcomes)))
    return pd.concat(found, ignore_index=True) if found else nothing()


def _means(predictions: Predictions, counts: np.ndarray) -> dict[str, np.ndarray]:
    return {name: statistics.resampled_means(counts, quality_first(predictions, name)) for name in predictions.quality}


def nothing() -> pd.DataFrame:
    """A matrix of no rows."""
    return pd.DataFrame(
        columns=["system", "metric", "value", "ci_low", "ci_high", "unit", "n", "note", "train", "test"]
    )


def has_gap(pair: Outcomes, counts: np.ndarray) -> bool:
    """Whether the 95% interval of the strong model's lead lies above 0; counts (B + 1, n) as of a bootstrap."""
    weak, strong = statistics.resampled_means(counts, pair.quality.T).T
    return bool(statistics.interval(strong - weak)[0] > 0)


def main_metric(rows: pd.DataFrame) -> str:
    """What a matrix is read by: ``apgr`` of a pair, ``quality_over_single`` of a pool."""
    return "apgr" if (rows["metric"] == "apgr").any() else "quality_over_single"


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over sets of what a router has at home and elsewhere, one row a router; intervals are not for such means.

    Of ``apgr`` in a pair's matrix, of ``quality_over_single`` in a pool's; empty of an empty one.
    """
    if rows.empty:
        return pd.DataFrame(columns=["at home", "elsewhere"])
    kept = rows[rows["metric"] == main_metric(rows)].assign(home=lambda frame: frame["train"] == frame["test"])
    means = kept.groupby(["system", "home"], sort=False)["value"].mean().unstack()
    return means.rename(columns={True: "at home", False: "elsewhere"})[["at home", "elsewhere"]].round(3)


def without_labels(outcomes: Outcomes, model: str, rows: Sequence[int] | np.ndarray) -> Outcomes:
    """The same outcomes, of one model only those in the given rows, positions (k,)."""
    quality = outcomes.quality.copy()
    hidden = np.setdiff1d(np.arange(len(outcomes)), rows)
    quality[hidden, outcomes.column(model)] = np.nan
    return replace(outcomes, quality=quality)
