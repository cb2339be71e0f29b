"""Learning from comparisons: two models answer, somebody says which answer is better."""

from collections.abc import Sequence

import numpy as np

from toolkit.bandits.base import Bandit, Seen


class DuelingThompson(Bandit):
    """Double Thompson sampling (Wu and Liu 2016, arXiv 1604.07101): the arm that beats most others, against its rival.

    Chances that arm i beats arm j are believed Beta(wins + 1, losses + 1). The first arm of a duel has the most
    victories in one draw among the arms that may still have the most; the second is the one most likely to beat it in
    another draw, among those that it is not known to beat.

    ``pair`` and ``compare`` are its round; as a bandit among others its scores are drawn victories, and a lone reward
    teaches nothing.

    Args:
        alpha: of the confidence bounds.
    """

    def __init__(self, arms: int | Sequence[str], alpha: float = 0.6, streams: int = 1, seed: int = 0):
        super().__init__(arms, streams, seed=seed)
        self._check(alpha > 0, f"an alpha above 0; got {alpha!r}")
        self.alpha = alpha
        self.wins_ = np.zeros((streams, len(self.arms), len(self.arms)))  # of the first over the second

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"wins_": self.wins_}

    def add_arm(self, name: str, like: str | None = None) -> int:
        """As ``Bandit.add_arm``; ``like`` is not offered, since a duel has two sides."""
        self._check(like is None, f"no arm to start from; got {like!r}")
        before = len(self.arms)
        if name in self.arms:
            return super().add_arm(name)
        self.wins_ = np.pad(self.wins_, ((0, 0), (0, 1), (0, 1)))
        self.arms, self.active = [*self.arms, name], np.append(self.active, True)
        return before

    def pair(self, stream: int = 0) -> tuple[int, int]:
        """Two columns: the arms of the next duel, equal where no rival is left."""
        self._check(0 <= stream < self.streams, f"a stream below {self.streams}; got {stream!r}")
        wins, count = self.wins_[stream], len(self.arms)
        total = wins + wins.T
        with np.errstate(divide="ignore", invalid="ignore"):
            width = np.sqrt(self.alpha * np.log(max(total.sum() / 2, 1)) / total)
            rate = np.where(total > 0, wins / total, 0.5)
        upper, lower = (np.where(total > 0, rate + sign * width, 0.5 + 0.5 * sign) for sign in (1, -1))
        rivals = self.active[:, None] & self.active[None, :] & ~np.eye(count, dtype=bool)
        may_win = np.where(self.active, ((upper >= 0.5) & rivals).sum(axis=1), -1)
        victories = self._victories(wins, rivals)
        first = self._best(np.where(may_win == may_win.max(), victories, -1.0))
        chance = self._rng.beta(wins[:, first] + 1, wins[first] + 1)
        open_ = self.active & (lower[:, first] <= 0.5)
        chance[first], open_[first] = 0.5, True
        return first, self._best(np.where(open_, chance, -1.0))

    def compare(self, winner: int, loser: int, stream: int = 0) -> None:
        """Learn who won a duel; a draw of two equal answers is told twice, once each way, or left out."""
        self._check(0 <= stream < self.streams, f"a stream below {self.streams}; got {stream!r}")
        inside = all(isinstance(arm, int | np.integer) and 0 <= arm < len(self.arms) for arm in (winner, loser))
        self._check(inside and winner != loser, f"two different arms below {len(self.arms)}; got {winner!r}, {loser!r}")
        self.wins_[stream, winner, loser] += 1

    def _victories(self, wins: np.ndarray, rivals: np.ndarray) -> np.ndarray:
        """How many others each arm beats in one draw of all chances, (m,)."""
        drawn = np.triu(self._rng.beta(wins + 1, wins.T + 1), 1)
        drawn = drawn + np.tril(1 - drawn.T, -1)
        return ((drawn > 0.5) & rivals).sum(axis=1).astype(float)

    def _best(self, values: np.ndarray) -> int:
        return int(self._rng.choice(np.flatnonzero(values == values.max())))

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        rivals = self.active[:, None] & self.active[None, :] & ~np.eye(len(self.arms), dtype=bool)
        most = max(1, rivals.shape[0] - 1)
        return np.array([[self._victories(wins, rivals) / most for wins in self.wins_] for _ in range(count)])

    def _learn(self, seen: Seen) -> None:
        """A reward without a rival says nothing of who is better."""
