"""Routers on top of an encoder and scikit-learn. What is learned is kept as arrays, so nothing is ever unpickled."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.trees import Trees


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
    """One hidden layer, least squares (scikit-learn's MLPRegressor).

    Training stops by a random tenth of the training prompts, in which a copy of a prompt may stand; with fewer than 50
    prompts nothing is held out and training ends when its own loss stands still.

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
        self.hidden_ = np.hstack([np.vstack([net.coefs_[0], net.intercepts_[0]]) for _, net in learned])
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
