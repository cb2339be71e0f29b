"""Routers that ask which kind of prompt it is: k-means on vectors, and what each model did in a cluster."""

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.hardware import one_openmp_thread
from toolkit.outcomes import Outcomes
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.pairwise import battles, bradley_terry, win_cells, win_shares


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
        centres, means = [], []
        self.sizes_ = sorted({min(size, len(vectors)) for size in self.clusters})
        for size in self.sizes_:
            member, found = grouped(vectors, size, self.seed)
            means.append(cluster_means(member, quality, self.shrinkage))
            centres.append(found)
        self.centres_, self.means_ = np.concatenate(centres), np.concatenate(means)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        near, starts = nearness(vectors, self.centres_), np.cumsum([0, *self.sizes_])
        nearest = [start + near[:, start : start + size].argmax(axis=1) for start, size in zip(starts, self.sizes_)]  # noqa: B905
        return np.mean([self.means_[index] for index in nearest], axis=0)


class Avengers(EmbeddingRouter):
    """Each model's mean quality in the clusters nearest to a prompt (Zhang et al. 2025, arXiv 2505.19797).

    Many fine clusters, a few of which are read: 60 and 4 in the authors' later work, which weighs quality against cost
    by a constant (Avengers-Pro, arXiv 2508.12631); here that is the policy's weight. Their voting among several answers
    of the chosen models is a way to use models, not to route, and no part of this.

    Args:
        clusters: of k-means (as many as there are prompts, where there are fewer).
        nearest: clusters that are averaged.
        encoder: name of the encoder (see ``toolkit.encoders``).
        shrinkage: prompts' worth of weight on the overall mean; a cluster of few prompts says little.
        seed: of k-means.
    """

    def __init__(
        self, clusters: int = 60, nearest: int = 4, encoder: str = "minilm", shrinkage: float = 1.0, seed: int = 0
    ):
        _check("Avengers", clusters, nearest)
        self.clusters = clusters
        self.nearest = nearest
        self.encoder = encoder
        self.shrinkage = shrinkage
        self.seed = seed

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        member, self.centres_ = grouped(vectors, min(self.clusters, len(vectors)), self.seed)
        self.means_ = cluster_means(member, quality, self.shrinkage)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        count = min(self.nearest, len(self.centres_))
        chosen = np.argpartition(-nearness(vectors, self.centres_), count - 1, axis=1)[:, :count]
        return self.means_[np.sort(chosen, axis=1)].mean(axis=1)


class ClusterElo(EmbeddingRouter):
    """Bradley-Terry ratings of the models within a prompt's cluster, drawn towards the ratings over all prompts.

    Args:
        clusters: of k-means (as many as there are prompts, where there are fewer).
        encoder: name of the encoder (see ``toolkit.encoders``).
        shrinkage: battles between every two models, fought as over all prompts, that stand in each cluster beforehand.
        seed: of k-means, and of the draw where there are more than 200,000 battles.
    """

    def __init__(self, clusters: int = 8, encoder: str = "minilm", shrinkage: float = 20.0, seed: int = 0):
        _check("ClusterElo", clusters)
        self.clusters = clusters
        self.encoder = encoder
        self.shrinkage = shrinkage
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        fought, models = battles(train, seed=self.seed), len(train.names)
        vectors = self._encode(train.texts)
        member, self.centres_ = grouped(vectors, min(self.clusters, len(vectors)), self.seed)
        values, (rows, cells) = win_cells(fought, models)
        place = member.argmax(axis=0)[rows] * models**2 + cells
        wins = np.bincount(place, values, minlength=len(member) * models**2).reshape(len(member), models, models)
        overall = wins.sum(axis=0, dtype=float)  # where no two models met, the counts are integers
        games = overall + overall.T
        shares = np.divide(overall, games, out=np.full_like(overall, 0.5), where=games > 0)
        self.ratings_ = bradley_terry(wins + self.shrinkage * shares)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        return win_shares(self.ratings_)[nearness(vectors, self.centres_).argmax(axis=1)]


def grouped(vectors: np.ndarray, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """k-means: membership (clusters, n) of zeros and ones, and the centres (clusters, d)."""
    from sklearn.cluster import KMeans

    with one_openmp_thread():
        found = KMeans(clusters, n_init=1, random_state=seed).fit(vectors)
    return np.eye(clusters)[found.labels_].T, found.cluster_centers_


def nearness(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, clusters), largest where the Euclidean distance is least."""
    return vectors @ centres.T - (centres**2).sum(axis=1) / 2


def cluster_means(member: np.ndarray, quality: np.ndarray, shrinkage: float) -> np.ndarray:
    """Mean quality (clusters, m) of each model, NaN left out.

    Args:
        member: (clusters, n), how much each prompt belongs to each.
        shrinkage: prompts' worth of weight on the overall mean.
    """
    observed, overall = ~np.isnan(quality), np.nanmean(quality, axis=0)
    total, mass = member @ np.where(observed, quality, 0) + shrinkage * overall, member @ observed + shrinkage
    return np.where(mass > 0, total / np.where(mass > 0, mass, 1), overall)


def _check(name: str, clusters: int, nearest: int = 1) -> None:
    if clusters < 1 or nearest < 1:
        raise ToolkitError(f"{name}: one cluster or more was expected; got {clusters}, and {nearest} to be read.")
