"""EXP3, which assumes nothing of how rewards come about, not even that they are random."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from toolkit.bandits.base import Bandit, Seen


class EXP3(Bandit):
    """Exponential weights on rewards over their chance to be seen (Auer et al. 2002, SIAM J. Computing 32).

    Rewards that come late are divided by the chance of now, unless ``update`` is told the one of then.

    It learns utility, cost charged, mapped to [0, 1] by whoever rewards it; its scores are log chances with Gumbel
    noise, whose largest is a draw by these chances.

    Args:
        gamma: share of uniform exploration; None takes the paper's for ``horizon`` rounds.
        horizon: rounds that are expected.
    """

    charges: ClassVar[bool] = True
    learns_utility: ClassVar[bool] = True

    def __init__(
        self, arms: int | Sequence[str], gamma: float | None = None, horizon: int = 10_000, streams: int = 1,
        memory: float = math.inf, seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        self._check(horizon >= 1 and (gamma is None or 0 < gamma <= 1),
                    f"a horizon from 1 and a gamma up to 1; got {horizon!r}, {gamma!r}")  # fmt: skip
        self.gamma = gamma
        self.horizon = horizon
        self.gain_ = np.zeros((streams, len(self.arms)))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"gain_": self.gain_}

    def _gamma(self) -> float:
        count = len(self.arms)
        if self.gamma is not None:
            return self.gamma
        return min(1.0, math.sqrt(count * math.log(count) / ((math.e - 1) * self.horizon))) if count > 1 else 1.0

    def chances(self) -> np.ndarray:
        """Chance of each arm, float64 (s, m)."""
        gamma, arms = self._gamma(), self.active.sum()
        logit = np.where(self.active, gamma / arms * self.gain_, -np.inf)
        weight = np.exp(logit - logit.max(axis=1, keepdims=True))
        return (1 - gamma) * weight / weight.sum(axis=1, keepdims=True) + gamma * self.active / arms

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(self.chances()) + self._rng.gumbel(size=(count, *self.gain_.shape))

    def _learn(self, seen: Seen) -> None:
        chance = self.chances()[seen.stream, seen.arm] if seen.chance is None else seen.chance
        if self.memory < math.inf:
            self.gain_[seen.stream] *= self.kept
        self.gain_[seen.stream, seen.arm] += np.where(chance > 0, seen.reward / np.maximum(chance, 1e-12), 0)
