"""Ratings from comparisons: the same for every prompt (Elo), or weighted by similarity to it (RouteLLM's SW)."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.pairwise import Battles, battles, bradley_terry, win_cells, win_shares


class EloRating(Router):
    """Bradley-Terry ratings of the models over all training prompts: every prompt gets the same prediction.

    The rating is what Chatbot Arena publishes as Elo, without the scale of 400 / ln 10 and the offset of 1000.
    """

    sees = "nothing"

    def _fit(self, train: Outcomes) -> None:
        self.ratings_ = _global_ratings(battles(train), len(train.names))

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return np.tile(win_shares(self.ratings_[None]), (len(texts), 1))


class SimilarityWeighted(EmbeddingRouter):
    """RouteLLM's similarity-weighted ranking (Ong et al. 2024, arXiv 2406.18665, section 4.2).

    Models are grouped into tiers of similar global rating. For each prompt the Bradley-Terry ratings of the tiers are
    fitted anew, a training battle weighing gamma^(1 + c / max c) with c the cosine between the two prompts. Battles
    within a tier say nothing about tiers and count for none (the released code turns them into losses). Models of one
    tier differ by their global ratings.

    The released code scales by the largest cosine of the *prompt*, the paper by that of the training prompt; this
    follows the code.

    Args:
        encoder: name of the encoder (see ``toolkit.encoders``).
        gamma: weight of a battle at cosine 0, and how often more the nearest one weighs.
        tiers: groups of models, at most.
        seed: of the draw where there are more than 200,000 battles.
    """

    def __init__(self, encoder: str = "minilm", gamma: float = 10.0, tiers: int = 10, seed: int = 0):
        self.encoder = encoder
        self.gamma = gamma
        self.tiers = tiers
        self.seed = seed

    _wins: csr_array | None = None

    def _fit(self, train: Outcomes) -> None:
        fought = battles(train, seed=self.seed)
        if not len(fought):
            raise ToolkitError(
                f"{train.name}: sw learns from two models on the same prompt; no prompt of this fitting part has two."
            )
        ratings = _global_ratings(fought, len(train.names))
        tier = tiers_of(ratings, self.tiers)
        count = int(tier.max()) + 1
        self.tier_ = tier
        self.offset_ = ratings - (np.bincount(tier, ratings) / np.bincount(tier))[tier]
        rows, row = np.unique(fought.row, return_inverse=True)
        self.vectors_ = self._encode([train.texts[index] for index in rows])
        wins = win_cells(Battles(row, tier[fought.first], tier[fought.second], fought.score), count)
        table = csr_array(wins, shape=(len(rows), count * count))
        table.sum_duplicates()
        self.win_weights_, self.win_cells_, self.win_starts_ = table.data, table.indices, table.indptr
        self._wins = None

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        predicted = [self._rate(vectors[start : start + 256]) for start in range(0, len(vectors), 256)]
        return win_shares(np.concatenate(predicted))

    def _rate(self, vectors: np.ndarray) -> np.ndarray:
        """Ratings of the models for each prompt, float64 (n, m)."""
        count = int(self.tier_.max()) + 1
        if self._wins is None:  # the same arrays, so it is not saved
            shape = (len(self.vectors_), count * count)
            self._wins = csr_array((self.win_weights_, self.win_cells_, self.win_starts_), shape=shape)
        cosine = vectors @ self.vectors_.T
        highest = cosine.max(axis=1, keepdims=True)
        scaled = np.divide(cosine, highest, out=np.zeros_like(cosine), where=highest > 0)  # nothing alike: all equal
        weight = np.power(np.float32(self.gamma), 1 + scaled)
        wins = (weight @ self._wins).reshape(len(vectors), count, count)
        return bradley_terry(wins.astype(float))[:, self.tier_] + self.offset_


def tiers_of(ratings: np.ndarray, most: int) -> np.ndarray:
    """Tier of each model, int64 (m,), from 0 (weakest): at most ``most`` groups of least total variance within.

    One-dimensional clustering is solved exactly by dynamic programming over the sorted ratings.
    """
    order = ratings.argsort(kind="stable")
    values = ratings[order]
    size = len(values)
    sums, squares = np.r_[0, values.cumsum()], np.r_[0, (values**2).cumsum()]

    def scatter(start: int, stop: int) -> float:
        total = sums[stop] - sums[start]
        return squares[stop] - squares[start] - total**2 / (stop - start)

    best = np.full((min(most, size) + 1, size + 1), np.inf)
    cut = np.zeros(best.shape, dtype=int)
    best[0, 0] = 0.0
    for groups in range(1, len(best)):
        for stop in range(groups, size + 1):
            costs = [best[groups - 1, start] + scatter(start, stop) for start in range(groups - 1, stop)]
            cut[groups, stop] = groups - 1 + int(np.argmin(costs))
            best[groups, stop] = min(costs)
    tier, stop = np.zeros(size, dtype=int), size
    for groups in range(len(best) - 1, 0, -1):
        start = cut[groups, stop]
        tier[order[start:stop]] = groups - 1
        stop = start
    return tier


def _global_ratings(fought: Battles, models: int) -> np.ndarray:
    values, (_, cells) = win_cells(fought, models)
    return bradley_terry(np.bincount(cells, values, minlength=models * models).reshape(models, models))
