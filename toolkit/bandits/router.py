"""A trained router that goes on learning from the rewards of what it chose: the prior is the router."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.bandits.features import ScoreFactors, labelled_precision
from toolkit.bandits.linear import LinearThompson
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.crossfit import cross_fitted
from toolkit.routers.persistence import load_router, save_router


class ThompsonSamplingRouter(Router):
    """Any router with scores as the prior of linear Thompson sampling on the factors of its scores.

    ``predict`` is what is believed now, without a draw, so it is compared like any other router; ``bandit_`` and
    ``features_`` decide and learn online (``Gateway``, ``evaluation.replay``).

    Args:
        member: the router that is the prior, such as ``BertRouter()``.
        rank: factors of its scores.
        folds: the factors are found on training prompts, each predicted by a router that did not see it; 0 uses the
            fitted router's own predictions of them, for routers that are dear to fit.
        strength: how many labels a training prompt counts for.
        spread: of the draws, see ``LinearThompson``; with dozens of arms a full draw explores too much.
        noise_sd: of a reward.
        memory: rounds, see ``Bandit``.
        seed: of folds and draws.
    """

    def __init__(
        self, member: Router, rank: int = 8, folds: int = 5, strength: float = 1.0, spread: float = 0.5,
        noise_sd: float = 0.45, memory: float = float("inf"), seed: int = 0,
    ):  # fmt: skip
        self.member = member
        self.rank = rank
        self.folds = folds
        self.strength = strength
        self.spread = spread
        self.noise_sd = noise_sd
        self.memory = memory
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        self.fitted = self.member.clone().fit(train)
        predicted = self._unseen(train)
        self.features_ = ScoreFactors(self.rank).fit(predicted)
        self.precision_ = labelled_precision(self.features_.transform(predicted), self.noise_sd / self.strength**0.5)
        self.bandit_ = self.bandit()

    def _unseen(self, train: Outcomes) -> np.ndarray:
        """Predictions (n, m) of the training prompts by routers that did not see them."""
        # Where settings were chosen among the labels, they stay.
        unseen = cross_fitted(self.fitted.kept(), train, self.folds, self.seed)
        return self.fitted.predict_outcomes(train) if unseen is None else unseen

    def bandit(self, streams: int = 1, **options: Any) -> LinearThompson:
        """A bandit that has learned the labels and no reward yet; ``options`` as of ``LinearThompson``."""
        given = {"spread": self.spread, "noise_sd": self.noise_sd, "memory": self.memory, "seed": self.seed} | options
        return LinearThompson(
            self.models_, self.features_.dimension, prior_mean=self.features_.loadings(),
            prior_precision=self.precision_, streams=streams, **given,
        )  # fmt: skip

    def context(self, predicted: np.ndarray) -> np.ndarray:
        """Contexts (n, d) of prompts from the member's predictions (n, m)."""
        return self.features_.transform(predicted)

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        if not texts:
            return np.empty((0, len(self.models_)))
        return np.clip(self.context(self.fitted.predict(texts)) @ self.bandit_.weights_[0].T, 0, 1)

    # -- persistence ------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        bandit = {_saved(name): value for name, value in self.bandit_.state().items()}
        return {**self.features_.state(), "precision_": self.precision_, "arms_": self.bandit_.arms, **bandit}

    def save_parts(self, folder: Path) -> None:
        save_router(self.fitted, folder / "member")

    def restore(self, state: Mapping[str, Any]) -> None:
        self.features_ = ScoreFactors(self.rank).restore(state)
        self.precision_ = np.asarray(state["precision_"])
        self.bandit_ = self.bandit()
        for name in state["arms_"][len(self.models_) :]:  # that came while it served
            self.bandit_.add_arm(name)
        self.bandit_.restore({name: state[_saved(name)] for name in self.bandit_.state()})

    def restore_parts(self, folder: Path, known: Iterable[type[Router]]) -> None:
        self.fitted = load_router(folder / "member", known)


def _saved(name: str) -> str:
    """Name of a part of the bandit's state among the router's own, which end in an underscore."""
    return f"bandit_{name.rstrip('_')}_"
