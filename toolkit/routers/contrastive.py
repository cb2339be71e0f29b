"""RouterDC: prompts and models in one space, pulled together and pushed apart by two contrastive losses."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.calibration import Platt
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.clusters import grouped
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.gradient import descend, one_thread, uniform

FOLDS = 3  # of the cosines that the map to quality is fitted on


class RouterDC(EmbeddingRouter):
    """Dual contrastive learning (Chen et al. 2024, NeurIPS, arXiv 2409.19886) on an encoder's vectors.

    Similarity is the cosine of a projected prompt and a model's embedding. The sample-LLM loss sets each of the
    prompt's best models against all of its worst; the sample-sample loss sets a prompt of the same group against some
    of other groups. Theirs trains the encoder too (mDeBERTa-v3-base, 86M) and groups by t-SNE and k-means; here the
    encoder is left as it is, and k-means groups its vectors. Their negatives are the bottom K- with a score of at most
    one half; here they are worse than every positive, so that graded scores teach as well, and a pool of two or three
    has one of each. Their choice is the largest cosine; one rising map for all models (Platt's, on cosines of prompts
    that the network did not see) makes a quality of it, which leaves the choice alone.

    Args:
        encoder: name of the encoder (see ``toolkit.encoders``).
        dimension: of the common space.
        positives, negatives: best and worst models of a prompt (K+ and K-), half of the pool at most of each; every
            positive is better than every negative.
        groups: of prompts (N).
        others: prompts of other groups that stand against one of the same (H).
        balance: weight of the sample-sample loss (lambda).
        epochs, patience, batch, learning_rate, weight_decay: of Adam, stopped early on a twentieth of the prompts.
        seed: of weights, groups, batches and the validation part.
    """

    def __init__(
        self,
        encoder: str = "minilm",
        dimension: int = 128,
        positives: int = 3,
        negatives: int = 3,
        groups: int = 5,
        others: int = 3,
        balance: float = 1.0,
        epochs: int = 60,
        patience: int = 5,
        batch: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-5,
        seed: int = 0,
    ):
        if min(dimension, positives, negatives, groups, others, epochs, batch) < 1:
            raise ToolkitError("RouterDC: dimension, positives, negatives, groups, others, epochs, batch from 1.")
        self.encoder = encoder
        self.dimension = dimension
        self.positives = positives
        self.negatives = negatives
        self.groups = groups
        self.others = others
        self.balance = balance
        self.epochs = epochs
        self.patience = patience
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        vectors, quality, fold = self._encode(train.texts), train.quality.astype(float), train.groups % FOLDS
        near = np.full(quality.shape, np.nan)
        with one_thread():
            for part in np.unique(fold) if len(np.unique(fold)) > 1 else ():
                held = fold == part
                near[held] = similarity(vectors[held], *_train(vectors[~held], quality[~held], self.params))
            self.models_factors_, self.projection_ = _train(vectors, quality, self.params)
        if np.isnan(near).any():  # one prompt: nothing to hold out
            near = similarity(vectors, self.models_factors_, self.projection_)
        ((slope, offset),) = Platt.fit(near.ravel(), quality.ravel()).array
        self.map_ = np.array([[max(slope, 1e-3), offset]])  # where cosines say nothing of quality they still choose

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        return Platt(self.map_)(similarity(vectors, self.models_factors_, self.projection_))


def similarity(vectors: np.ndarray, models: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Cosine (n, m) of each prompt (n, d), projected (k, d), and each model (m, k)."""
    return _unit(vectors @ projection.T) @ _unit(models).T


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def best_and_worst(quality: np.ndarray, positives: int, negatives: int) -> tuple[np.ndarray, np.ndarray]:
    """Which models pull a prompt and which ones push it, bool (n, m) each; NaN is neither.

    The worst ``negatives`` that are worse than the best one, and the best ``positives`` that are better than all of
    these, half of the pool at most of each. A prompt on which all models are alike teaches nothing about models.
    """
    known, half = ~np.isnan(quality), max(1, quality.shape[1] // 2)
    filled = np.where(known, quality, -np.inf)
    upwards = np.argsort(np.argsort(np.where(known, quality, np.inf), axis=1, kind="stable"), axis=1)
    downwards = np.argsort(np.argsort(-filled, axis=1, kind="stable"), axis=1)
    worst = known & (upwards < min(negatives, half)) & (filled < filled.max(axis=1, keepdims=True))
    bound = np.where(worst, filled, -np.inf).max(axis=1, keepdims=True)
    return known & (downwards < min(positives, half)) & (filled > np.maximum(bound, 0)), worst


def _train(vectors: np.ndarray, quality: np.ndarray, options: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Model embeddings (m, k) and projection (k, d)."""
    import torch
    from torch.nn.functional import normalize

    draw = torch.Generator().manual_seed(options["seed"])
    text = torch.as_tensor(vectors)
    member, _ = grouped(vectors, min(options["groups"], len(vectors)), options["seed"])
    group = torch.as_tensor(member.argmax(axis=0))
    pull, push = map(torch.as_tensor, best_and_worst(quality, options["positives"], options["negatives"]))
    factors = torch.randn((quality.shape[1], options["dimension"]), generator=draw).requires_grad_()
    projection = uniform((options["dimension"], text.shape[1]), text.shape[1], draw)
    lonely = torch.finfo(torch.float32).min  # stands for what does not take part, whose exponential is nothing

    def against(good: torch.Tensor, bad: torch.Tensor, taking_part: torch.Tensor) -> torch.Tensor:
        """Sum of -log(e^good / (e^good + sum e^bad)) over what takes part, mean over prompts.

        ``good`` and ``taking_part`` have shape (b, p), ``bad`` (b, q).
        """
        total = torch.logaddexp(good, bad.logsumexp(dim=1, keepdim=True))
        return ((total - good) * taking_part).sum() / taking_part.any(dim=1).sum().clamp(min=1)

    def loss(chosen: torch.Tensor, training: bool) -> torch.Tensor:
        prompt = normalize(text[chosen] @ projection.T, dim=1)
        near = prompt @ normalize(factors, dim=1).T
        kept, worst = pull[chosen], push[chosen]
        taking_part = kept & worst.any(dim=1, keepdim=True)
        models = against(near, near.masked_fill(~worst, lonely), taking_part)
        if not training:  # early stopping looks at what routing is about
            return models
        alike = group[chosen][:, None] == group[chosen]
        own = alike & ~torch.eye(len(chosen), dtype=torch.bool)
        mates, strangers = _drawn(own, 1, draw), _drawn(~alike, options["others"], draw)
        both = prompt @ prompt.T
        fine = mates & strangers.any(dim=1, keepdim=True)
        return models + options["balance"] * against(both, both.masked_fill(~strangers, lonely), fine)

    return descend([factors, projection], loss, torch.arange(len(text)), options, draw)


def _drawn(allowed: Any, count: int, draw: Any) -> Any:
    """At most so many of the allowed ones of each row, at random: bool, the same shape."""
    import torch

    luck = torch.rand(allowed.shape, generator=draw).masked_fill(~allowed, -1.0)
    best = luck.topk(min(count, allowed.shape[1]), dim=1).indices
    return torch.zeros_like(allowed).scatter_(1, best, True) & allowed
