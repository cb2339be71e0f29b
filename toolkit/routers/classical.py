"""Routers on top of an encoder and scikit-learn. What is learned is kept as arrays, so nothing is ever unpickled."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.trees import Trees

if TYPE_CHECKING:  # scikit-learn takes a second to import, so only a router that needs it does
    from sklearn.neighbors import NearestNeighbors


class EmbeddingRouter(Router):
    """Base of routers that read a prompt through an encoder; subclasses keep ``encoder`` and have the two hooks."""

    encoder: str

    def _fit(self, train: Outcomes) -> None:
        self._learn(encoders.get(self.encoder).encode(train.texts), train.quality.astype(float))

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        if not texts:
            return np.empty((0, len(self.models_)))
        return np.clip(self._score(encoders.get(self.encoder).encode(texts)), 0, 1)

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        """Learn from float32 (n, d) and float64 (n, m), NaN = unobserved."""
        raise NotImplementedError

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        """Predicted quality (n, m) of n >= 1 vectors."""
        raise NotImplementedError


class KNearestNeighbours(EmbeddingRouter):
    """Quality of each model averaged over the nearest training prompts, weighted by cosine similarity.

    The mandatory learned baseline: LLMRouterBench and "The Routing Plateau" (arXiv 2606.07587) find most published
    routers within its range.

    Args:
        neighbours: how many training prompts are averaged (all, where there are fewer).
        encoder: name of the encoder (see ``toolkit.encoders``).
    """

    def __init__(self, neighbours: int = 40, encoder: str = "minilm"):
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


class RidgeRegression(EmbeddingRouter):
    """Linear least squares from the vector to the quality of each model.

    Args:
        penalty: L2 penalty on the weights, none on the intercept.
        encoder: name of the encoder (see ``toolkit.encoders``).
    """

    def __init__(self, penalty: float = 10.0, encoder: str = "minilm"):
        self.penalty = penalty
        self.encoder = encoder

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        from sklearn.linear_model import Ridge

        self.weights_ = np.empty((quality.shape[1], vectors.shape[1]))
        self.intercept_ = np.empty(quality.shape[1])
        for columns, rows in _observed(quality):
            fitted = Ridge(self.penalty).fit(vectors[rows].astype(float), quality[np.ix_(rows, columns)])
            self.weights_[columns], self.intercept_[columns] = fitted.coef_, fitted.intercept_

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self.weights_.T + self.intercept_


class LogisticRegression(EmbeddingRouter):
    """Chance that each model answers well; a quality between 0 and 1 counts as that share of a right answer.

    Args:
        inverse_penalty: scikit-learn's C.
        encoder: name of the encoder (see ``toolkit.encoders``).
    """

    def __init__(self, inverse_penalty: float = 1.0, encoder: str = "minilm"):
        self.inverse_penalty = inverse_penalty
        self.encoder = encoder

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        from scipy.special import logit
        from sklearn.linear_model import LogisticRegression as Model

        self.weights_ = np.zeros((quality.shape[1], vectors.shape[1]))
        self.intercept_ = np.empty(quality.shape[1])
        for column, values in enumerate(quality.T):
            rows = np.flatnonzero(~np.isnan(values))
            right, wrong = rows[values[rows] > 0], rows[values[rows] < 1]
            share = values[rows].mean()
            if not len(right) or not len(wrong):  # always or never right: a constant, short of certainty
                self.intercept_[column] = logit((share * len(rows) + 0.5) / (len(rows) + 1))
                continue
            label = np.repeat([1, 0], [len(right), len(wrong)])
            weight = np.concatenate([values[right], 1 - values[wrong]])
            fitted = Model(C=self.inverse_penalty, max_iter=1000).fit(
                vectors[np.concatenate([right, wrong])], label, sample_weight=weight
            )
            self.weights_[column], self.intercept_[column] = fitted.coef_[0], fitted.intercept_[0]

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(vectors @ self.weights_.T + self.intercept_)


class MultilayerPerceptron(EmbeddingRouter):
    """One hidden layer, least squares; training stops by a validation part of the training prompts.

    Args:
        width: of the hidden layer.
        penalty: L2.
        encoder: name of the encoder (see ``toolkit.encoders``).
        seed: of weights, batches and the validation part.
    """

    def __init__(self, width: int = 128, penalty: float = 1e-3, encoder: str = "minilm", seed: int = 0):
        self.width = width
        self.penalty = penalty
        self.encoder = encoder
        self.seed = seed

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        from sklearn.neural_network import MLPRegressor

        learned = []
        for columns, rows in _observed(quality):
            goal = quality[np.ix_(rows, columns)]
            net = MLPRegressor(
                hidden_layer_sizes=(self.width,),
                alpha=self.penalty,
                random_state=self.seed,
                early_stopping=len(rows) >= 50,
            ).fit(vectors[rows].astype(float), goal.ravel() if goal.shape[1] == 1 else goal)
            learned.append((columns, net))
        first = [
            np.concatenate([part[0], part[1][None]]) for part in ((n.coefs_[0], n.intercepts_[0]) for _, n in learned)
        ]
        self.hidden_ = np.concatenate(first, axis=1)
        self.output_ = np.zeros((self.hidden_.shape[1], quality.shape[1]))
        self.intercept_ = np.empty(quality.shape[1])
        for number, (columns, net) in enumerate(learned):
            self.output_[number * self.width : (number + 1) * self.width, columns] = net.coefs_[1]
            self.intercept_[columns] = net.intercepts_[1]

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        return np.maximum(vectors @ self.hidden_[:-1] + self.hidden_[-1], 0) @ self.output_ + self.intercept_


class GradientBoosting(EmbeddingRouter):
    """Boosted trees on the vector, one ensemble per model (histogram gradient boosting, least squares).

    Args:
        iterations: trees per model.
        learning_rate: of boosting.
        leaves: of a tree, at most.
        encoder: name of the encoder (see ``toolkit.encoders``).
    """

    def __init__(
        self, iterations: int = 60, learning_rate: float = 0.05, leaves: int = 8, encoder: str = "minilm+surface"
    ):
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.encoder = encoder

    def _learn(self, vectors: np.ndarray, quality: np.ndarray) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        trees, self.start_ = [], np.empty(quality.shape[1])
        for column, values in enumerate(quality.T):
            rows = ~np.isnan(values)
            fitted = HistGradientBoostingRegressor(
                max_iter=self.iterations,
                learning_rate=self.learning_rate,
                max_leaf_nodes=self.leaves,
                early_stopping=False,
                random_state=0,
            ).fit(vectors[rows], values[rows])
            self.start_[column] = np.ravel(fitted._baseline_prediction)[0]
            for (predictor,) in fitted._predictors:
                nodes = predictor.nodes
                value = np.zeros((len(nodes), quality.shape[1]))
                value[:, column] = nodes["value"]
                left = np.where(nodes["is_leaf"], -1, nodes["left"].astype(int))
                trees.append((nodes["feature_idx"], nodes["num_threshold"], left, nodes["right"].astype(int), value))
        self.trees_ = Trees.join(trees)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        return self.trees_.total(vectors) + self.start_

    def state(self) -> dict[str, Any]:
        learned = super().state()
        return learned | learned.pop("trees_").state()

    def restore(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        self.trees_ = Trees.from_state(state)
        super().restore(state)


def _observed(quality: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(columns, rows) that can be learned together: all at once where nothing is unobserved, else model by model."""
    holes = np.isnan(quality)
    if not holes.any():
        yield np.arange(quality.shape[1]), np.arange(len(quality))
        return
    for column in range(quality.shape[1]):
        yield np.array([column]), np.flatnonzero(~holes[:, column])
