"""Any router's scores, mapped so that they mean what they say."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.calibration import CALIBRATORS
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers import persistence
from toolkit.routers.base import Router
from toolkit.routers.crossfit import cross_fitted
from toolkit.routers.ensemble import readers_of_text


class Calibrated(Router):
    """A router whose scores are mapped to expected quality, one rising map per model.

    The maps are fitted on cross-fitted predictions of the training prompts; then the router is fitted on all of them. A
    map keeps each model's order of prompts, and may change which model leads: scores that were no qualities (win
    probabilities, cosines) become comparable with each other and with costs.

    Args:
        member: a router with scores that reads the text only; it is cloned before it is fitted.
        method: ``isotonic`` or ``platt`` (``toolkit.calibration``).
        folds: of the predictions that the maps are fitted on.
        seed: of the folds.

    Raises:
        ToolkitError: an unknown method, fewer than two folds, or a member that has no scores or reads more than text.
    """

    def __init__(self, member: Router, method: str = "isotonic", folds: int = 5, seed: int = 0):
        if method not in CALIBRATORS or folds < 2:
            raise ToolkitError(
                f"Calibrated: method {' or '.join(CALIBRATORS)} and two folds or more; got {method!r}, {folds}."
            )
        (self.member,) = readers_of_text((member,), "Calibrated")
        self.method = method
        self.folds = folds
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        unseen = cross_fitted(self.member, train, self.folds, self.seed)
        if unseen is None:
            raise ToolkitError(
                f"{train.name}: to calibrate, two different prompts or more were expected; use the router without "
                f"calibration."
            )
        self.fit_maps(self.member.clone().fit(train), unseen, train.quality.astype(float))

    def fit_maps(self, fitted: Router, unseen: np.ndarray, quality: np.ndarray) -> "Calibrated":
        """Take up a fitted member, and fit the maps alone; returns itself.

        Args:
            unseen: predictions (n, m) of prompts that the routers behind them were not fitted on (``cross_fitted``).
            quality: what these prompts' answers were worth, (n, m), NaN = unobserved.
        """
        make = CALIBRATORS[self.method]
        arrays = [make.fit(*columns).array for columns in zip(unseen.T, quality.T, strict=True)]
        self.maps_, self.ends_ = np.concatenate(arrays), np.cumsum([len(array) for array in arrays])
        self._fitted, self.models_, self.cost_table_ = fitted, fitted.models_, fitted.cost_table_
        return self

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return self.mapped(self._fitted.predict(texts))

    def mapped(self, predicted: np.ndarray) -> np.ndarray:
        """Expected quality (n, m) of the member's predictions (n, m)."""
        maps = map(CALIBRATORS[self.method], np.split(self.maps_, self.ends_[:-1]))
        return np.stack([one(column) for one, column in zip(maps, predicted.T, strict=True)], axis=1)

    def save_parts(self, folder: Path) -> None:
        persistence.save_router(self._fitted, folder / "member")

    def restore_parts(self, folder: Path, known: Iterable[type[Router]]) -> None:
        self._fitted = persistence.load_router(folder / "member", known)
        if self._fitted.models_ != self.models_:
            raise ToolkitError(f"{folder}: the calibrated router knows other models; save it again.")
