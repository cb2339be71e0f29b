"""Bandits whose reward is linear in a context vector, each arm with weights of its own."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from toolkit.bandits.base import Bandit, Seen


class _Linear(Bandit):
    """Base: reward = x w_a + noise with w_a ~ N(prior_mean, prior_precision^-1), its posterior in closed form.

    What is kept is the covariance, changed by one vector a reward (Sherman and Morrison 1950), so a round costs d^2 an
    arm. Where the bandit forgets, belief decays towards the prior: an arm's precision and its sums are mixed with the
    prior's, exactly when it is updated (d^3), along the context when it is only scored.

    Args of all:
        dimension: d.
        prior_mean: w_a before any reward, (d,) or (m, d).
        prior_precision: (d, d), or (d,) for a diagonal, or one number.
        noise_sd: standard deviation of a reward around its mean.

    Attributes:
        weights_, covariance_: float64 (s, m, d) and (s, m, d, d).
        age_: rounds since an arm was updated, float64 (s, m).
    """

    contextual: ClassVar[bool] = True

    def __init__(
        self, arms: int | Sequence[str], dimension: int, prior_mean: float | np.ndarray = 0.0,
        prior_precision: float | np.ndarray = 1.0, noise_sd: float = 1.0, streams: int = 1, memory: float = math.inf,
        seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        self._check(dimension >= 1 and 0 < noise_sd < math.inf, f"a dimension from 1 and a noise_sd above 0; got "
                    f"{dimension!r}, {noise_sd!r}")  # fmt: skip
        self.dimension = dimension
        self.prior_mean = prior_mean
        self.prior_precision = prior_precision
        self.noise_sd = noise_sd
        self._start, self._precision = self._prior()
        self._prior_covariance = np.linalg.inv(self._precision)
        self.weights_ = np.tile(self._start, (streams, 1, 1))
        self.covariance_ = np.tile(self._prior_covariance, (streams, len(self.arms), 1, 1))
        self.age_ = np.zeros((streams, len(self.arms)))

    def _prior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (m, d) and precision (d, d)."""
        mean, precision = (np.asarray(value, dtype=float) for value in (self.prior_mean, self.prior_precision))
        shape = len(self.arms), self.dimension
        square = precision if precision.ndim == 2 else np.diag(np.broadcast_to(precision, self.dimension))
        self._check(mean.ndim < 2 or mean.shape == shape, f"a prior_mean of shape {shape}; got {mean.shape}")
        fine = square.shape == (self.dimension,) * 2 and np.allclose(square, square.T)
        self._check(fine and bool((np.linalg.eigvalsh(square) > 0).all()),
                    f"a symmetric positive prior_precision of {self.dimension} dimensions")  # fmt: skip
        return np.broadcast_to(mean, shape), square

    @property
    def context_dimension(self) -> int:
        return self.dimension

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"weights_": self.weights_, "covariance_": self.covariance_, "age_": self.age_}

    def add_arm(self, name: str, like: str | None = None) -> int:
        """As ``Bandit.add_arm``; an unknown arm is believed to be like the others, within twice their spread."""
        before, source = len(self.arms), None if like is None else self.column(like)
        column = super().add_arm(name, like)
        if column == before:
            new = self._start.mean(axis=0) if source is None else self._start[source]
            self.prior_mean = self._start = np.vstack([self._start, new])
        return column

    def _fresh(self, key: str, values: np.ndarray) -> np.ndarray:
        if key == "covariance_":  # the prior may hold a thousand labels, and none of them is of this arm
            apart = np.cov(self._start, rowvar=False, bias=True).reshape(self.dimension, self.dimension)
            return np.tile(self._prior_covariance + 4 * apart, (self.streams, 1, 1, 1))
        return values.mean(axis=1, keepdims=True) if key == "weights_" else np.zeros_like(values[:, :1])

    def belief(self, context: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of x w_a, float64 (s, m) both, for contexts (s, d)."""
        mean = np.einsum("smd,sd->sm", self.weights_, context)
        spread = np.matmul(self.covariance_, context[:, None, :, None])[..., 0]
        variance = np.maximum(np.einsum("smd,sd->sm", spread, context), 0)
        return (mean, variance) if self.memory == math.inf else self._faded(mean, variance, context)

    def _faded(self, mean: np.ndarray, variance: np.ndarray, context: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left, variance = self.kept**self.age_, np.maximum(variance, 1e-300)  # of a context of zeros
        start = context @ self._start.T
        first = np.maximum(np.einsum("sd,de,se->s", context, self._prior_covariance, context)[:, None], 1e-300)
        precision = left / variance + (1 - left) / first
        return (left / variance * mean + (1 - left) / first * start) / precision, 1 / precision

    def _learn(self, seen: Seen) -> None:
        at = seen.stream, seen.arm
        if self.memory < math.inf:
            self.age_[seen.stream] += 1
            self._forget(at)
        x = seen.context
        toward = np.matmul(self.covariance_[at], x[..., None])[..., 0]
        variance, mean = np.einsum("kd,kd->k", toward, x), np.einsum("kd,kd->k", self.weights_[at], x)
        offset = np.zeros(len(x)) if seen.predicted is None else seen.predicted
        error, precision = self._surprise(seen.reward, mean, offset)
        step = toward / (1 + precision * variance)[:, None]
        self.weights_[at] += step * error[:, None]
        self.covariance_[at] -= (precision[:, None] * step)[:, :, None] * toward[:, None, :]

    def _surprise(self, reward: np.ndarray, mean: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient of the log likelihood in x w, and the precision that a reward adds, (k,) both."""
        precision = np.full(len(reward), self.noise_sd**-2)
        return (reward - offset - mean) * precision, precision

    def _forget(self, at: tuple[np.ndarray, np.ndarray]) -> None:
        """What an arm believes now, since it was last updated: a mixture of its precision and of the prior's."""
        left = (self.kept ** self.age_[at])[:, None, None]
        old, prior = np.linalg.inv(self.covariance_[at]), self._precision
        precision = left * old + (1 - left) * prior
        total = left * (old @ self.weights_[at][..., None]) + (1 - left) * (prior @ self._start[at[1]][..., None])
        self.covariance_[at] = np.linalg.inv(precision)
        self.weights_[at] = (self.covariance_[at] @ total)[..., 0]
        self.age_[at] = 0


class LinUCB(_Linear):
    """Mean plus ``alpha`` standard deviations of x w_a (Li et al. 2010, arXiv 1003.0146, disjoint models).

    With ``noise_sd`` and ``prior_precision`` 1, the paper's algorithm 1.

    Args:
        alpha: width.
    """

    def __init__(
        self, arms: int | Sequence[str], dimension: int, alpha: float = 1.0, prior_mean: float | np.ndarray = 0.0,
        prior_precision: float | np.ndarray = 1.0, noise_sd: float = 1.0, streams: int = 1, memory: float = math.inf,
        seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, dimension, prior_mean, prior_precision, noise_sd, streams, memory, seed)
        self._check(alpha >= 0, f"an alpha of 0 or more; got {alpha!r}")
        self.alpha = alpha

    def _draws(self, count: int, context: np.ndarray, predicted: np.ndarray | None) -> np.ndarray:
        mean, variance = self.belief(context)
        scores = (0.0 if predicted is None else predicted) + mean + self.alpha * np.sqrt(variance)
        return np.broadcast_to(scores, (count, *scores.shape))


class LinearThompson(_Linear):
    """One draw of x w_a from the posterior of every arm (Agrawal and Goyal 2013, arXiv 1209.3352).

    Arms are independent and each is asked about one x, so a draw of x w_a by its own mean and variance has the law of
    x times a draw of w_a by the covariance's Cholesky factor, without factoring it. It depends on the seed alone, not
    on the order in which a library returns eigenvectors.

    Args:
        spread: standard deviations are scaled by it; below 1 it explores less than is believed.
    """

    def __init__(
        self, arms: int | Sequence[str], dimension: int, spread: float = 1.0, prior_mean: float | np.ndarray = 0.0,
        prior_precision: float | np.ndarray = 1.0, noise_sd: float = 0.5, streams: int = 1, memory: float = math.inf,
        seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, dimension, prior_mean, prior_precision, noise_sd, streams, memory, seed)
        self._check(spread >= 0, f"a spread of 0 or more; got {spread!r}")
        self.spread = spread

    def _drawn(self, count: int, context: np.ndarray) -> np.ndarray:
        mean, variance = self.belief(context)
        return mean + self.spread * np.sqrt(variance) * self._rng.standard_normal((count, *mean.shape))

    def _draws(self, count: int, context: np.ndarray, predicted: np.ndarray | None) -> np.ndarray:
        return (0.0 if predicted is None else predicted) + self._drawn(count, context)


class LogisticThompson(LinearThompson):
    """As ``LinearThompson`` for rewards that are successes: their chance is the logistic function of x w_a.

    The posterior is kept normal by one Newton step a reward, with the curvature where it came (Laplace's method one
    sample at a time: Spiegelhalter and Lauritzen 1990; Chapelle and Li 2011, algorithm 3, with the full covariance). A
    reward between 0 and 1 is that share of a success; a prediction is the chance before anything is learned.
    """

    def __init__(
        self, arms: int | Sequence[str], dimension: int, spread: float = 1.0, prior_mean: float | np.ndarray = 0.0,
        prior_precision: float | np.ndarray = 1.0, streams: int = 1, memory: float = math.inf, seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, dimension, spread, prior_mean, prior_precision, 1.0, streams, memory, seed)

    def _surprise(self, reward: np.ndarray, mean: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chance = _logistic(mean + offset)
        return reward - chance, np.maximum(chance * (1 - chance), 1e-6)

    def _learn(self, seen: Seen) -> None:
        super()._learn(seen if seen.predicted is None else seen._replace(predicted=_logit(seen.predicted)))

    def _draws(self, count: int, context: np.ndarray, predicted: np.ndarray | None) -> np.ndarray:
        return _logistic(self._drawn(count, context) + (0.0 if predicted is None else _logit(predicted)))


def _logistic(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logit, -40, 40)))


def _logit(chance: np.ndarray) -> np.ndarray:
    chance = np.clip(chance, 1e-3, 1 - 1e-3)
    return np.log(chance / (1 - chance))
