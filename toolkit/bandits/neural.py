"""NeuralUCB: a small network reads the context, and its gradients say what it does not know yet."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from toolkit.bandits.base import Bandit, Seen


class NeuralUCB(Bandit):
    """A hidden layer that all arms share, one output an arm, and a bound from the gradients (Zhou et al. 2020, arXiv
    1911.04462, algorithm 1, with the diagonal of Z as in its section 7).

    The context is an embedding that something else made. After each reward the network takes one step of Adam on a
    batch of what it remembers.

    Args:
        dimension: d of a context.
        hidden: width h of the layer.
        alpha: of the bound.
        penalty: lambda, what Z starts from, and weight decay.
        rate: of Adam.
        batch: rewards of a step.
        remembered: rewards kept, the latest ones.

    Attributes:
        inner_, outer_: weights (s, d + 1, h) and (s, m, h + 1).
        inner_z_, outer_z_: the diagonal of Z of each.
    """

    contextual: ClassVar[bool] = True
    _shared: ClassVar[tuple[str, ...]] = ("inner_", "inner_z_", "moments_", "taught_", "memory_")

    def __init__(
        self, arms: int | Sequence[str], dimension: int, hidden: int = 32, alpha: float = 0.1, penalty: float = 1.0,
        rate: float = 0.003, batch: int = 32, remembered: int = 2000, streams: int = 1, memory: float = math.inf,
        seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        self._check(min(dimension, hidden, batch) >= 1 and batch <= remembered, "dimension, hidden and batch from 1")
        self._check(alpha >= 0 and penalty > 0 and rate > 0, "an alpha of 0 or more, a penalty and a rate above 0")
        self.dimension, self.hidden, self.alpha, self.penalty = dimension, hidden, alpha, penalty
        self.rate, self.batch, self.remembered = rate, batch, remembered
        rng = np.random.default_rng(seed)  # every stream starts from the same network
        inner = rng.normal(0, math.sqrt(2 / dimension), (dimension + 1, hidden))
        inner[-1] = 0
        self.inner_ = np.tile(inner, (streams, 1, 1))
        self.outer_ = np.zeros((streams, len(self.arms), hidden + 1))
        self.inner_z_ = np.full(self.inner_.shape, float(penalty))
        self.outer_z_ = np.full(self.outer_.shape, float(penalty))
        self.moments_ = np.zeros((2, *self.inner_.shape))
        self.outer_moments_ = np.zeros((streams, len(self.arms), 2, hidden + 1))
        self.memory_ = np.full((streams, remembered, dimension + 3), np.nan)  # context, 1, arm, reward
        self.taught_ = np.zeros(streams, dtype=np.int64)

    @property
    def context_dimension(self) -> int:
        return self.dimension

    def _arrays(self) -> dict[str, np.ndarray]:
        names = ("inner_", "outer_", "inner_z_", "outer_z_", "moments_", "outer_moments_", "memory_", "taught_")
        return {name: getattr(self, name) for name in names}

    def _fresh(self, key: str, values: np.ndarray) -> np.ndarray:
        return np.full_like(values[:, :1], self.penalty if key == "outer_z_" else 0.0)

    def _hidden(self, x: np.ndarray) -> np.ndarray:
        """(s, h) of contexts with a 1 appended, (s, d + 1)."""
        return np.maximum(np.einsum("sd,sdh->sh", x, self.inner_), 0)

    def _draws(self, count: int, context: np.ndarray, predicted: np.ndarray | None) -> np.ndarray:
        x = np.column_stack([context, np.ones(len(context))])
        h = self._hidden(x)
        features = np.column_stack([h, np.ones(len(h))])
        mean = np.einsum("smh,sh->sm", self.outer_, features)
        own = np.einsum("sh,smh->sm", features**2, 1 / self.outer_z_)
        through = np.einsum("sd,sdh->sh", x**2, 1 / self.inner_z_) * (h > 0)
        width = np.sqrt(self.penalty * (own + np.einsum("smh,sh->sm", self.outer_[..., :-1] ** 2, through)))
        scores = (0.0 if predicted is None else predicted) + mean + self.alpha * width
        return np.broadcast_to(scores, (count, *scores.shape))

    def _learn(self, seen: Seen) -> None:
        stream, x = seen.stream, np.column_stack([seen.context, np.ones(len(seen.context))])
        h = np.maximum(np.einsum("kd,kdh->kh", x, self.inner_[stream]), 0)
        through = self.outer_[stream, seen.arm, :-1] * (h > 0)
        if self.memory < math.inf:
            for z in (self.inner_z_, self.outer_z_):
                z[stream] = self.kept * z[stream] + (1 - self.kept) * self.penalty
        self.inner_z_[stream] += (x[:, :, None] * through[:, None, :]) ** 2
        self.outer_z_[stream, seen.arm] += np.column_stack([h, np.ones(len(h))]) ** 2
        target = seen.reward - (0.0 if seen.predicted is None else seen.predicted)
        self.memory_[stream, self.taught_[stream] % self.remembered] = np.column_stack([x, seen.arm, target])
        self.taught_[stream] += 1
        self._step(stream)

    def _step(self, stream: np.ndarray) -> None:
        """One step of Adam (Kingma and Ba 2015) on the squared error of a batch of each stream."""
        known = np.minimum(self.taught_[stream], self.remembered)
        drawn = (self._rng.random((len(stream), self.batch)) * known[:, None]).astype(np.int64)
        rows = self.memory_[stream[:, None], drawn]
        x, arm, target = rows[..., : self.dimension + 1], rows[..., -2].astype(np.int64), rows[..., -1]
        h = np.maximum(np.matmul(x, self.inner_[stream]), 0)
        features = np.concatenate([h, np.ones((*h.shape[:2], 1))], axis=2)
        weights = self.outer_[stream[:, None], arm]
        error = (np.einsum("kbh,kbh->kb", features, weights) - target) / self.batch
        inner = np.matmul(x.transpose(0, 2, 1), error[..., None] * weights[..., :-1] * (h > 0))
        outer = np.zeros((len(stream), *self.outer_.shape[1:]))
        np.add.at(outer, (np.arange(len(stream))[:, None], arm), error[..., None] * features)
        decay = 1e-3 * self.penalty / self.remembered
        inner_moments = self.moments_[:, stream].swapaxes(0, 1)
        self.inner_[stream] -= self._adam(inner + decay * self.inner_[stream], inner_moments, stream)
        self.moments_[:, stream] = inner_moments.swapaxes(0, 1)
        outer_moments = self.outer_moments_[stream].swapaxes(1, 2)
        self.outer_[stream] -= self._adam(outer + decay * self.outer_[stream], outer_moments, stream)
        self.outer_moments_[stream] = outer_moments.swapaxes(1, 2)

    def _adam(self, gradient: np.ndarray, moments: np.ndarray, stream: np.ndarray) -> np.ndarray:
        """The step; ``moments`` (k, 2, ...) are changed."""
        moments[:, 0] += 0.1 * (gradient - moments[:, 0])
        moments[:, 1] += 0.001 * (gradient**2 - moments[:, 1])
        age = self.taught_[stream].reshape(-1, *[1] * (gradient.ndim - 1))
        first, second = moments[:, 0] / (1 - 0.9**age), moments[:, 1] / (1 - 0.999**age)
        return self.rate * first / (np.sqrt(second) + 1e-8)
