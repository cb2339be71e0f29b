"""LiteLLM's adaptive router, from what is known of it: a Beta for each type of request and model."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from toolkit.bandits.base import Bandit, Seen


class AdaptiveBeta(Bandit):
    """Beta Thompson sampling by type of request; the score is .7 of a draw and .3 of how cheap the model is.

    A peer to compare with: prior mass 10, a + b at most 200, weights .7 and .3, and the cost of a model is one number.

    Args:
        cost_usd: mean dollars of a call of each model, (m,).
        types: number of types; the context is one-hot, (s, types).
        prior: a + b before any reward.
        most: largest a + b.
        share: of quality in the score.
    """

    contextual: ClassVar[bool] = True
    charges: ClassVar[bool] = True

    def __init__(
        self, arms: int | Sequence[str], cost_usd: Sequence[float], types: int = 4, prior: float = 10.0,
        most: float = 200.0, share: float = 0.7, streams: int = 1, memory: float = math.inf, seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        cost = np.asarray(cost_usd, dtype=float)
        self._check(cost.shape == (len(self.arms),) and bool((cost >= 0).all()), "a cost of 0 or more for each arm")
        self._check(types >= 1 and 0 < prior < most and 0 <= share <= 1, "types from 1, prior below most, a share")
        self.cost_usd = cost
        self.types, self.prior, self.most, self.share = types, prior, most, share
        self.right_ = np.full((streams, len(self.arms), types), prior / 2)
        self.wrong_ = np.full((streams, len(self.arms), types), prior / 2)

    @property
    def context_dimension(self) -> int:
        return self.types

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"right_": self.right_, "wrong_": self.wrong_}

    def _fresh(self, key: str, values: np.ndarray) -> np.ndarray:
        return np.full_like(values[:, :1], self.prior / 2)

    def add_arm(self, name: str, like: str | None = None) -> int:
        """As ``Bandit.add_arm``; it costs what ``like`` costs, else the mean of all."""
        before, source = len(self.arms), None if like is None else self.column(like)
        column = super().add_arm(name, like)
        if column == before:
            self.cost_usd = np.append(self.cost_usd, self.cost_usd.mean() if source is None else self.cost_usd[source])
        return column

    def _draws(self, count: int, context: np.ndarray, predicted: np.ndarray | None) -> np.ndarray:
        kind = context.argmax(axis=1)
        rows = np.arange(self.streams)
        drawn = self._rng.beta(self.right_[rows, :, kind], self.wrong_[rows, :, kind], (count, *self.right_.shape[:2]))
        cheap = 1 - self.cost_usd / max(float(self.cost_usd.max()), 1e-300)
        return self.share * drawn + (1 - self.share) * cheap

    def _learn(self, seen: Seen) -> None:
        at = seen.stream, seen.arm, seen.context.argmax(axis=1)
        if self.memory < math.inf:
            for values in (self.right_, self.wrong_):
                values[seen.stream] = self.prior / 2 + self.kept * (values[seen.stream] - self.prior / 2)
        self.right_[at] += seen.reward
        self.wrong_[at] += 1 - seen.reward
        over = np.maximum((self.right_[at] + self.wrong_[at]) / self.most, 1)
        self.right_[at] /= over
        self.wrong_[at] /= over
