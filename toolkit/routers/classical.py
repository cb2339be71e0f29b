"""Routers on top of an encoder and scikit-learn."""

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from toolkit import encoders
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router


class KNearestNeighbours(Router):
    """Quality of each model averaged over the nearest training prompts, weighted by cosine similarity.

    The mandatory learned baseline: LLMRouterBench and "The Routing Plateau" (arXiv 2606.07587) find most published
    routers within its range.

    Args:
        neighbours: how many training prompts are averaged (all, where there are fewer).
        encoder: name of the encoder (see ``toolkit.encoders``).
    """

    def __init__(self, neighbours: int = 40, encoder: str = "lexical"):
        self.neighbours = neighbours
        self.encoder = encoder

    def _fit(self, train: Outcomes) -> None:
        self.encoder_ = encoders.get(self.encoder)
        observed = ~np.isnan(train.quality)
        self.quality_ = np.where(observed, train.quality, 0).astype(np.float32)
        self.observed_ = observed.astype(np.float32)
        self.overall_ = train.mean_quality()
        vectors = self.encoder_.encode(train.texts)
        self.index_ = NearestNeighbors(
            n_neighbors=min(self.neighbours, len(vectors)), metric="cosine", algorithm="brute"
        )
        self.index_.fit(vectors)

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        if not texts:
            return np.empty((0, len(self.models_)))
        distance, nearest = self.index_.kneighbors(self.encoder_.encode(texts))
        weight = np.clip(1 - distance, 1e-6, None)[:, :, None]
        total = (weight * self.quality_[nearest]).sum(axis=1)
        mass = (weight * self.observed_[nearest]).sum(axis=1)
        # One neighbour's worth of the overall mean keeps a thin or unobserved neighbourhood from shouting.
        prior = weight.mean(axis=1)
        return (total + prior * self.overall_) / (mass + prior)
