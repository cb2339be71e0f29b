"""Base of routers that read a prompt through an encoder: one encoder pass can serve them and whatever else needs it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router


class EmbeddingRouter(Router):
    """A head on an encoder's vectors: subclasses keep ``encoder``, and have ``_score`` and ``_learn`` (or ``_fit``).

    ``score`` is the head alone, for callers who have the vectors already.
    """

    encoder: str

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """Predicted quality, float64 (n, m), of prompts given as the encoder's vectors, float32 (n, d)."""
        return np.clip(self._score(vectors), 0, 1) if len(vectors) else np.empty((0, len(self.models_)))

    def _fit(self, train: Outcomes) -> None:
        self._learn(self._encode(train.texts), train.quality.astype(float))

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return self.score(self._encode(texts)) if texts else np.empty((0, len(self.models_)))

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        return encoders.get(self.encoder).encode(texts)

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        """Learn from float32 (n, d) and float64 (n, m), NaN = unobserved."""
        raise NotImplementedError

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        """Predicted quality (n, m) of n >= 1 vectors."""
        raise NotImplementedError
