"""The router of nearest neighbours: what happened to the training prompts that are most like this one."""

from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.routers.embedding import EmbeddingRouter

if TYPE_CHECKING:  # scikit-learn takes a second to import, so only a router that needs it does
    from sklearn.neighbors import NearestNeighbors


class KNearestNeighbours(EmbeddingRouter):
    """Quality of each model averaged over the nearest training prompts, weighted by cosine similarity.

    The mandatory learned baseline: LLMRouterBench and "The Routing Plateau" (arXiv 2606.07587) find most published
    routers within its range.

    Args:
        neighbours: how many training prompts are averaged (all, where there are fewer).
        encoder: name of the encoder (see ``toolkit.encoders``).
    """

    def __init__(self, neighbours: int = 40, encoder: str = "minilm"):
        if neighbours < 1:
            raise ToolkitError(f"KNearestNeighbours: at least one neighbour was expected; got {neighbours}.")
        self.neighbours = neighbours
        self.encoder = encoder

    _index: "NearestNeighbors | None" = None

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        observed = ~np.isnan(quality)
        self.quality_ = np.where(observed, quality, 0).astype(np.float32)
        self.observed_ = observed.astype(np.float32)
        self.overall_ = np.nanmean(quality, axis=0)
        self.vectors_ = vectors
        self._index = None

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        if self._index is None:  # derived from the vectors, so it is not saved
            from sklearn.neighbors import NearestNeighbors

            count = min(self.neighbours, len(self.vectors_))
            self._index = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(self.vectors_)
        distance, nearest = self._index.kneighbors(vectors)
        weight = np.clip(1 - distance, 1e-6, None)[:, :, None]
        total = (weight * self.quality_[nearest]).sum(axis=1)
        mass = (weight * self.observed_[nearest]).sum(axis=1)
        # One neighbour's worth of the overall mean keeps a thin or unobserved neighbourhood from shouting.
        prior = weight.mean(axis=1)
        return (total + prior * self.overall_) / (mass + prior)
