"""Routers on top of an encoder and scikit-learn. What is learned is kept as arrays, so nothing is ever unpickled."""

from collections.abc import Iterator

import numpy as np

from toolkit.calibration import Platt
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.trees import TreeRouter, Trees, boosted


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
        lines = [logistic(vectors, values, self.inverse_penalty) for values in quality.T]
        self.weights_ = np.stack([weights for weights, _ in lines])
        self.intercept_ = np.array([intercept for _, intercept in lines])

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(vectors @ self.weights_.T + self.intercept_)


class SupportVectorMachine(EmbeddingRouter):
    """One kernel machine per model, whose margin is mapped to the chance of a right answer (Platt 1999).

    The map is fitted on margins of prompts that the machine did not see. A quality between 0 and 1 counts as that share
    of a right answer. Training time grows with the square of the prompts: seconds for 2,000, minutes for 10,000.

    Args:
        inverse_penalty: scikit-learn's C.
        encoder: name of the encoder (see ``toolkit.encoders``).
        folds: of the margins that the map is fitted on.
    """

    def __init__(self, inverse_penalty: float = 1.0, encoder: str = "minilm", folds: int = 3):
        if folds < 2:
            raise ToolkitError(f"SupportVectorMachine: two folds or more were expected; got {folds}.")
        self.inverse_penalty = inverse_penalty
        self.encoder = encoder
        self.folds = folds

    def _fit(self, train: Outcomes) -> None:
        vectors, fold = self._encode(train.texts).astype(float), train.groups % self.folds
        self.width_ = float(1 / (vectors.shape[1] * (vectors.var() or 1.0)))  # scikit-learn's gamma="scale"
        learned = [self._machine(vectors, values, fold) for values in train.quality.astype(float).T]
        used = np.flatnonzero(np.any([dual != 0 for dual, _, _ in learned], axis=0))
        self.support_ = vectors[used].astype(np.float32)
        self.dual_ = np.stack([dual[used] for dual, _, _ in learned])
        self.intercept_ = np.array([intercept for _, intercept, _ in learned])
        self.maps_ = np.concatenate([line for _, _, line in learned])

    def _machine(
        self, vectors: np.ndarray, values: np.ndarray, fold: np.ndarray
    ) -> tuple[np.ndarray, float, np.ndarray]:
        """Weight of every training prompt (n,), intercept, and Platt's two numbers."""
        margins = np.zeros(len(values))
        for part in np.unique(fold):
            held = fold == part
            dual, intercept = self._solve(vectors[~held], values[~held])
            margins[held] = self._kernel(vectors[held], vectors[~held]) @ dual + intercept
        return *self._solve(vectors, values), Platt.fit(margins, values).array

    def _solve(self, vectors: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
        from sklearn.svm import SVC

        rows, label, weight = as_classes(values)
        dual = np.zeros(len(values))
        if len(np.unique(label)) < 2:  # nothing to tell apart
            return dual, 0.0
        fitted = SVC(C=self.inverse_penalty, gamma=self.width_).fit(vectors[rows], label, sample_weight=weight)
        np.add.at(dual, rows[fitted.support_], fitted.dual_coef_[0])
        return dual, float(fitted.intercept_[0])

    def _kernel(self, vectors: np.ndarray, support: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import rbf_kernel

        if not len(support):  # there was nothing to tell apart
            return np.zeros((len(vectors), 0))
        return rbf_kernel(vectors, support, gamma=self.width_)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        margins = self._kernel(vectors, self.support_) @ self.dual_.T + self.intercept_
        return np.stack([Platt(line)(column) for line, column in zip(self.maps_, margins.T, strict=True)], axis=1)


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


class GradientBoosting(TreeRouter):
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
        grown, self.start_ = [], np.empty(quality.shape[1])
        for column, values in enumerate(quality.T):
            rows, place = ~np.isnan(values), np.eye(quality.shape[1])[column]
            trees, self.start_[column] = boosted(
                vectors[rows], values[rows], self.iterations, self.learning_rate, self.leaves
            )
            grown += [(*tree, value * place) for *tree, value in trees]
        self.trees_ = Trees.join(grown)

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        return self.trees_.total(vectors) + self.start_


def as_classes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Graded quality (n,) as weighted rows of two classes: which rows, 1 (right) or 0, and how much each counts.

    A quality of .3 is the same prompt twice, right with weight .3 and wrong with .7. Unobserved rows are left out.
    """
    right, wrong = np.flatnonzero(values > 0), np.flatnonzero(values < 1)  # neither holds a NaN
    label = np.repeat([1, 0], [len(right), len(wrong)])
    return np.concatenate([right, wrong]), label, np.concatenate([values[right], 1 - values[wrong]])


def logistic(vectors: np.ndarray, values: np.ndarray, inverse_penalty: float) -> tuple[np.ndarray, float]:
    """Weights (d,) and intercept of a logistic regression on graded quality (n,), NaN = unobserved.

    Always or never right gives a constant, short of certainty.
    """
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression as Model

    rows, label, weight = as_classes(values)
    if len(np.unique(label)) < 2:
        seen = values[~np.isnan(values)]
        return np.zeros(vectors.shape[1]), float(logit((seen.sum() + 0.5) / (len(seen) + 1)))
    fitted = Model(C=inverse_penalty, max_iter=1000).fit(vectors[rows], label, sample_weight=weight)
    return fitted.coef_[0], float(fitted.intercept_[0])


def _observed(quality: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(columns, rows) that can be learned together: all at once where nothing is unobserved, else model by model."""
    holes = np.isnan(quality)
    if not holes.any():
        yield np.arange(quality.shape[1]), np.arange(len(quality))
        return
    for column in range(quality.shape[1]):
        yield np.array([column]), np.flatnonzero(~holes[:, column])
