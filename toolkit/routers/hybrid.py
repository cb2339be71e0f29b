"""Hybrid LLM: the chance that a smaller model is good enough."""

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.classical import logistic
from toolkit.routers.embedding import EmbeddingRouter


class HybridLLM(EmbeddingRouter):
    """Ding et al. 2024 (ICLR, arXiv 2404.14618): probability that the weak model is at most ``margin`` worse.

    For a pair, the label of a prompt is the share of its samples with quality(weak) >= quality(strong) - margin; rows
    of equal text are samples of one prompt. Margin 0 with one sample each is their deterministic router, with several
    their probabilistic one. Their transformed router takes the margin at which labels differ most between prompts
    (the mean of ``|y_i - y_j|``, section 3.3), for data on which the strong model nearly always wins: ``margin=None``.
    What they tune on top, the threshold on the probability, is the policy's weight. Theirs is a DeBERTa; this is a
    logistic head on an encoder's vectors.

    With more models, the strongest one by mean quality stands against each other one: that one scores its chance to be
    good enough, and the strongest 1 minus the best of these.

    Args:
        margin: quality that may be given up, 0 to 1; None chooses it on the training part.
        inverse_penalty: scikit-learn's C.
        encoder: name of the encoder (see ``toolkit.encoders``).

    Attributes:
        margins_: the margin of each model, in the order of ``models_``; 0 for the strongest.
    """

    def __init__(self, margin: float | None = None, inverse_penalty: float = 1.0, encoder: str = "minilm"):
        if margin is not None and not 0 <= margin <= 1:
            raise ToolkitError(f"HybridLLM: a margin from 0 to 1, or None, was expected; got {margin!r}.")
        self.margin = margin
        self.inverse_penalty = inverse_penalty
        self.encoder = encoder

    def _fit(self, train: Outcomes) -> None:
        vectors, quality = self._encode(train.texts), train.quality.astype(float)
        prompt = pd.factorize(train.prompts["text"])[0]
        self.strongest_ = int(train.mean_quality().argmax())
        self.weights_ = np.zeros((quality.shape[1], vectors.shape[1]))
        self.intercept_, self.margins_ = np.zeros(quality.shape[1]), np.zeros(quality.shape[1])
        for column in self._others:
            gap = np.round(quality[:, self.strongest_] - quality[:, column], 6)  # .8 - .5 of float32 is more than .3
            if np.isnan(gap).all():
                raise ToolkitError(
                    f"{train.name}: hybrid-llm compares models on the same prompts; {train.names[self.strongest_]} and "
                    f"{train.names[column]} share none in this fitting part."
                )
            margin = widest_margin(gap, prompt) if self.margin is None else self.margin
            good = np.where(np.isnan(gap), np.nan, gap <= margin)
            self.margins_[column] = margin
            self.weights_[column], self.intercept_[column] = logistic(vectors, good, self.inverse_penalty)

    @property
    def _others(self) -> list[int]:
        return [column for column in range(len(self.models_)) if column != self.strongest_]

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        enough = expit(vectors @ self.weights_.T + self.intercept_)
        enough[:, self.strongest_] = 1 - enough[:, self._others].max(axis=1) if self._others else 0.5
        return enough


def widest_margin(gap: np.ndarray, prompt: np.ndarray, candidates: int = 101) -> float:
    """The margin t >= 0 at which labels y = P(gap <= t) of prompts differ most: the largest mean of ``|y_i - y_j|``.

    Args:
        gap: quality of the strong minus that of the weak model, (n,), NaN = unobserved.
        prompt: code of each row's prompt, (n,); a prompt's label is the share of its rows.
        candidates: quantiles of the gaps that are tried, beside 0; the smallest of equals is taken.
    """
    known = ~np.isnan(gap)
    gap, prompt = gap[known], pd.factorize(prompt[known])[0]
    rows = np.bincount(prompt)
    tried = np.unique(np.r_[0.0, np.quantile(np.clip(gap, 0, None), np.linspace(0, 1, candidates))])
    spreads = []
    for margin in tried:
        label = np.sort(np.bincount(prompt, gap <= margin) / rows)
        rank = 2 * np.arange(1, len(label) + 1) - len(label) - 1  # sum over pairs of |difference|, from the order alone
        spreads.append(rank @ label)
    return float(tried[int(np.argmax(spreads))])
