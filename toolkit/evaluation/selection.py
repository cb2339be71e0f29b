"""Which router, with which settings? Decided by cross-validation inside the training part, never by test prompts."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import benchmarks, frontier
from toolkit.evaluation.protocol import Predictions, cross_predict
from toolkit.evaluation.systems import areas, operate, quality_first
from toolkit.outcomes import Outcomes
from toolkit.routers import EVERY_VIEW
from toolkit.routers.base import Router
from toolkit.routers.baselines import PromptLength
from toolkit.routers.classical import GradientBoosting, LogisticRegression, RidgeRegression
from toolkit.routers.clusters import ClusterMeans
from toolkit.routers.ensemble import Ensemble, readers_of_text
from toolkit.routers.local import KNearestNeighbours

SCORES = ("apgr", "quality", "aiq")
HELD_OUT = ("prompts", "domains")


def candidates(encoder: str = EVERY_VIEW) -> tuple[Router, ...]:
    """What is worth trying on any data, from coarse means to local ones: few, since the best of many is luck."""
    coarse = ClusterMeans(encoder=encoder)
    fine = ClusterMeans((8, 12, 20, 30), encoder)
    linear = RidgeRegression(30.0, encoder)
    near = tuple(KNearestNeighbours(count, encoder) for count in (40, 80, 160))
    return (
        coarse,
        linear,
        RidgeRegression(100.0, encoder),
        KNearestNeighbours(320, encoder),
        Ensemble((coarse, linear)),
        Ensemble(near),
        Ensemble((*near, linear)),
        Ensemble((*near, fine)),
    )


def travellers() -> tuple[Router, ...]:
    """What is worth trying where other data is to be routed than was labelled: what a prompt looks like comes first.

    A subject's mean quality says nothing of subjects that nobody labelled; length, figures and options may.
    """
    form = GradientBoosting(encoder="surface")
    return (
        PromptLength(),
        RidgeRegression(1.0, "surface"),
        LogisticRegression(1.0, "surface"),
        KNearestNeighbours(160, "surface"),
        ClusterMeans(encoder="surface"),
        form,
        Ensemble((PromptLength(), form)),
        GradientBoosting(),
        RidgeRegression(30.0, EVERY_VIEW),
        KNearestNeighbours(80, EVERY_VIEW),
        ClusterMeans(encoder=EVERY_VIEW),
    )


class CrossValidated(Router):
    """The candidate that does best on held-out parts of the training prompts, fitted on all of them.

    Args:
        members: candidates; routers with scores that read the text only, the simplest first.
        score: ``apgr`` of two models (the bare area under quality, where the stronger one does not lead on these
            prompts), ``quality`` of the best predicted model, or ``aiq`` (needs costs).
        folds: of the inner cross-validation.
        tolerance: standard errors of the paired difference to the best candidate within which a simpler one is
            preferred (Breiman et al. 1984); 0 takes the best. Needs ``score="quality"``.
        keep: the best so many are averaged: on little data the first of many owes its place to luck.
        held_out: ``prompts`` at random, or whole ``domains``: what does well on domains that it never saw is more
            likely to survive a change of data (leave-one-domain-out; Gulrajani and Lopez-Paz 2021, arXiv 2007.01434).
        seed: of the folds.

    Attributes:
        chosen: the fitted winner, or the ensemble of the best.
        scores_: inner score of every candidate, in the order of ``members``.
    """

    def __init__(
        self,
        members: tuple[Router, ...],
        score: str = "quality",
        folds: int = 5,
        tolerance: float = 0.0,
        keep: int = 1,
        held_out: str = "prompts",
        seed: int = 0,
    ):
        if score not in SCORES:
            raise ToolkitError(f"CrossValidated: score {', '.join(SCORES)} was expected; got {score!r}.")
        if tolerance and score != "quality":
            raise ToolkitError("CrossValidated: a tolerance needs score='quality', whose standard error is known.")
        if not 1 <= keep <= len(members) or (keep > 1 and tolerance):
            raise ToolkitError(f"CrossValidated: keep from 1 to {len(members)}, or 1 with a tolerance; got {keep}.")
        self.members = readers_of_text(members, "CrossValidated")
        self.score = score
        self.folds = folds
        self.tolerance = tolerance
        if held_out not in HELD_OUT:
            raise ToolkitError(f"CrossValidated: held_out {' or '.join(HELD_OUT)} was expected; got {held_out!r}.")
        self.keep = keep
        self.held_out = held_out
        self.seed = seed

    chosen: Router

    def _fit(self, train: Outcomes) -> None:
        if self.score == "apgr" and len(train.names) != 2:
            raise ToolkitError(
                f"{train.name}: score 'apgr' compares two models; found {len(train.names)}. Use Outcomes.pair, or "
                f"score 'quality'."
            )
        # The source's own parts play no role here: all that is given is the training part.
        unsplit = replace(train, prompts=train.prompts.assign(split=""))
        if self.held_out == "domains":
            if train.prompts["domain"].nunique() < 2:
                raise ToolkitError(f"{train.name}: to hold out domains, two or more were expected; hold out prompts.")
            together = unsplit.prompts.assign(group=unsplit.prompts["domain"])
            unsplit = replace(unsplit, prompts=together)
            if int(unsplit.groups.max()) < 1:
                raise ToolkitError(f"{train.name}: prompts of several domains link them all; hold out prompts.")
        named = {str(number): member for number, member in enumerate(self.members)}
        inner = cross_predict(unsplit, named, self.folds, self.seed, costs=self.score == "aiq")
        self.scores_ = list(_SCORERS[self.score](inner).values())
        ranked = np.argsort(-np.array(self.scores_), kind="stable")
        if self.tolerance:
            ranked = [self._simplest(inner, int(ranked[0]))]
        best = tuple(self.members[number].clone() for number in ranked[: self.keep])
        self.chosen = (best[0] if len(best) == 1 else Ensemble(best)).fit(train)

    def _simplest(self, inner: Predictions, best: int) -> int:
        realised = [quality_first(inner, str(number)) for number in range(best + 1)]
        for number, values in enumerate(realised):
            gap = realised[best] - values
            if gap.mean() <= self.tolerance * gap.std() / np.sqrt(len(gap)):
                return number
        return best

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return self.chosen.predict(texts)

    def kept(self) -> Router:
        return self.chosen.kept()


def _quality(predictions: Predictions) -> Mapping[str, float]:
    return {name: float(quality_first(predictions, name).mean()) for name in predictions.routers}


def _apgr(predictions: Predictions) -> Mapping[str, float]:
    outcomes = predictions.outcomes
    weak, strong = outcomes.mean_quality()
    found = areas(predictions, np.ones((1, len(outcomes)), dtype=np.uint16), gap=bool(strong > weak))
    return {name: float(samples[0]) for name, samples in found.items()}


def _aiq(predictions: Predictions) -> Mapping[str, float]:
    outcomes = predictions.outcomes
    counts = np.ones((1, len(outcomes)), dtype=np.uint16)
    systems = operate(predictions, predictions.expected_cost, counts)
    operated, highest = benchmarks.hull_points(outcomes, systems)
    return {
        name: float(area[0]) for name, area in frontier.judged_aiq(operated, counts, outcomes.groups, highest).items()
    }


_SCORERS = {"quality": _quality, "apgr": _apgr, "aiq": _aiq}
