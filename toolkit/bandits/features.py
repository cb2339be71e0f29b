"""What a contextual bandit reads of a prompt: few numbers, so that few rewards teach it."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from toolkit.errors import ToolkitError


class ScoreFactors:
    """A constant, and the leading factors of what a router predicts for all models.

    Models that are good at the same prompts move together, so the predictions for 40 models lie near a few dimensions:
    the principal components of the (n, m) scores, each scaled to standard deviation 1. Every model's own loadings are
    then the weights it starts with, and what it is told is learned in r + 1 numbers instead of one for each dimension
    of an embedding. It works for any router with scores, text reader or BERT.

    Args:
        rank: factors r, at most m.
    """

    def __init__(self, rank: int = 8):
        if not isinstance(rank, int) or rank < 1:
            raise ToolkitError(f"ScoreFactors: a rank of 1 or more was expected; got {rank!r}.")
        self.rank = rank

    def fit(self, predicted: np.ndarray) -> Self:
        """Find the factors; returns itself.

        Args:
            predicted: (n, m), of prompts that the router was not fitted on: on its own it may only repeat its labels.

        Raises:
            ToolkitError: other than finite predictions of two prompts or more.
        """
        predicted = np.asarray(predicted, dtype=float)
        if predicted.ndim != 2 or len(predicted) < 2 or not np.isfinite(predicted).all():
            raise ToolkitError(f"ScoreFactors: finite predictions (n, m) were expected; got {predicted.shape}.")
        self.mean_ = predicted.mean(axis=0)
        _, values, axes = np.linalg.svd(predicted - self.mean_, full_matrices=False)
        kept = min(self.rank, int((values > 1e-9 * max(values[0], 1e-9)).sum()) or 1)
        scale = np.maximum(values[:kept] / np.sqrt(len(predicted)), 1e-9)
        self.axes_, self.scale_ = axes[:kept], scale
        return self

    @property
    def dimension(self) -> int:
        """r + 1."""
        return len(self.axes_) + 1

    def transform(self, predicted: np.ndarray) -> np.ndarray:
        """Predictions (n, m) to contexts (n, r + 1), the first of which is 1."""
        factors = (np.asarray(predicted, dtype=float) - self.mean_) @ self.axes_.T / self.scale_
        return np.column_stack([np.ones(len(factors)), factors])

    def loadings(self) -> np.ndarray:
        """Weights (m, r + 1) that give the predictions back, as far as the factors hold them."""
        return np.column_stack([self.mean_, self.axes_.T * self.scale_])

    def state(self) -> dict[str, np.ndarray]:
        """What was found: mean (m,), axes (k, m) and scale (k,) of the k factors."""
        return {"mean_": self.mean_, "axes_": self.axes_, "scale_": self.scale_}

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Take it up again; returns itself."""
        self.mean_, self.axes_, self.scale_ = (np.asarray(state[name], dtype=float) for name in self.state_names)
        return self

    state_names = ("mean_", "axes_", "scale_")


class Components(ScoreFactors):
    """A constant, and the leading principal components of embeddings: for a start without a router or a label.

    Args:
        rank: components r.
    """

    def loadings(self) -> np.ndarray:
        """There are none.

        Raises:
            ToolkitError: always: they would be (m, k), and nothing is known of any model.
        """
        raise ToolkitError("Components: embeddings say nothing of models, so there are no weights to start from.")


def labelled_precision(context: np.ndarray, noise_sd: float, prior: float = 1.0) -> np.ndarray:
    """Precision (d, d) of a linear model's weights after as many labels as contexts (n, d), on top of ``prior``."""
    return context.T @ context / noise_sd**2 + prior * np.eye(context.shape[1])
