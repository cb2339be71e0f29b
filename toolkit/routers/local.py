"""Routers that average what happened to like prompts: the nearest ones, or those of the same cluster."""

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


class ClusterMeans(EmbeddingRouter):
    """Mean quality of a prompt's cluster, averaged over several clusterings from coarse to fine.

    With few labels per model a neighbourhood is noise and a cluster is not: the coarse levels find the kind of task,
    the fine ones say a little more.

    Args:
        clusters: number of clusters of each k-means.
        encoder: name of the encoder (see ``toolkit.encoders``).
        shrinkage: prompts' worth of weight on the overall mean.
        seed: of k-means.
    """

    def __init__(
        self,
        clusters: tuple[int, ...] = (4, 5, 6, 8, 10, 15),
        encoder: str = "minilm",
        shrinkage: float = 5.0,
        seed: int = 0,
    ):
        if not clusters or min(clusters) < 1:
            raise ToolkitError(f"ClusterMeans: sizes of one cluster or more were expected; got {clusters}.")
        self.clusters = clusters
        self.encoder = encoder
        self.shrinkage = shrinkage
        self.seed = seed

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        from sklearn.cluster import KMeans

        observed = ~np.isnan(quality)
        filled, overall = np.where(observed, quality, 0), np.nanmean(quality, axis=0)
        centres, means = [], []
        self.sizes_ = sorted({min(size, len(vectors)) for size in self.clusters})
        for size in self.sizes_:
            found = KMeans(size, n_init=1, random_state=self.seed).fit(vectors)
            member = np.eye(size)[found.labels_].T
            total = member @ filled + self.shrinkage * overall
            means.append(total / (member @ observed + self.shrinkage))
            centres.append(found.cluster_centers_)
        self.centres_, self.means_ = np.concatenate(centres), np.concatenate(means)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        near = vectors @ self.centres_.T - (self.centres_**2).sum(axis=1) / 2  # largest where the distance is least
        starts = np.cumsum([0, *self.sizes_])
        nearest = [start + near[:, start : start + size].argmax(axis=1) for start, size in zip(starts, self.sizes_)]  # noqa: B905
        return np.mean([self.means_[index] for index in nearest], axis=0)
