"""What routers that learn from comparisons share: battles, ratings and the way back to one number per model."""

from dataclasses import dataclass

import numpy as np

from toolkit.outcomes import Outcomes


@dataclass(frozen=True)
class Battles:
    """Two models compared on one prompt, once for each pair that both answered.

    Attributes:
        row: int64 (b,), row of the prompt.
        first, second: int64 (b,), columns of the models, first < second.
        score: float64 (b,), 1 where the first is better, 0 where the second is, .5 for a tie.
    """

    row: np.ndarray
    first: np.ndarray
    second: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def decided(self) -> "Battles":
        """Without ties."""
        return self.subset(self.score != 0.5)

    def subset(self, chosen: np.ndarray) -> "Battles":
        """Chosen battles, by mask (n,) or index (k,)."""
        return Battles(self.row[chosen], self.first[chosen], self.second[chosen], self.score[chosen])


def battles(outcomes: Outcomes, limit: int = 200_000, seed: int = 0) -> Battles:
    """Battles of all observed pairs; where there are more than ``limit``, that many drawn without replacement."""
    first, second = np.triu_indices(len(outcomes.names), k=1)
    gap = outcomes.quality[:, first].astype(float) - outcomes.quality[:, second]
    row, pair = np.nonzero(~np.isnan(gap))
    if len(row) > limit:
        drawn = np.sort(np.random.default_rng(seed).choice(len(row), limit, replace=False))
        row, pair = row[drawn], pair[drawn]
    return Battles(row, first[pair], second[pair], (np.sign(gap[row, pair]) + 1) / 2)


def win_cells(fought: Battles, players: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Weights, and their (row, winner * players + loser): a tie is half a win for each; none within one player."""
    apart = fought.subset(fought.first != fought.second)
    weight = np.concatenate([apart.score, 1 - apart.score]).astype(np.float32)
    row = np.concatenate([apart.row, apart.row])
    cell = np.concatenate([apart.first * players + apart.second, apart.second * players + apart.first])
    won = weight > 0
    return weight[won], (row[won], cell[won])


def win_shares(ratings: np.ndarray) -> np.ndarray:
    """Chance of each model to win against another one, averaged over the others.

    Args:
        ratings: natural log-odds (n, m): model j beats k with probability sigmoid(r_j - r_k).

    Returns:
        float64 (n, m); with two models the probability that each wins, with one model .5.
    """
    from scipy.special import expit

    wins = expit(ratings[:, :, None] - ratings[:, None, :]).sum(axis=2) - 0.5
    others = ratings.shape[1] - 1
    return wins / others if others else np.full(ratings.shape, 0.5)


def bradley_terry(wins: np.ndarray, prior: float = 1e-3, steps: int = 50) -> np.ndarray:
    """Maximum-likelihood ratings, many tables at once (Bradley and Terry 1952), by Newton's method.

    Args:
        wins: (..., t, t), weight of the battles that the row's player won against the column's; a tie is half a win
            for each. The diagonal does not matter.
        prior: weight of one tie between every two players, as a share of the mean weight of a pair: players who never
            lost keep a finite rating.
        steps: of Newton, at most.

    Returns:
        float64 (..., t), natural log-odds with mean 0.
    """
    players = wins.shape[-1]
    if players < 2:
        return np.zeros(wins.shape[:-1])
    games = wins + np.swapaxes(wins, -1, -2)
    off = ~np.eye(players, dtype=bool)
    unit = games[..., off].mean(axis=-1)[..., None, None] * prior / 2 + 1e-12
    wins = np.where(off, wins + unit, 0.0)
    games = wins + np.swapaxes(wins, -1, -2)
    won = wins.sum(axis=-1)
    ratings = np.zeros(wins.shape[:-1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(ratings[..., None, :] - ratings[..., :, None]))
        gradient = won - (games * chance).sum(axis=-1)
        spread = games * chance * (1 - chance)
        curvature = -spread
        curvature[..., np.arange(players), np.arange(players)] = spread.sum(axis=-1)
        # Only differences count, so the common level is tied down at its mean.
        level = spread.mean(axis=(-1, -2))[..., None, None] + 1e-12
        step = np.linalg.solve(curvature + level, gradient[..., None])[..., 0]
        ratings = ratings + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return ratings - ratings.mean(axis=-1, keepdims=True)
