"""Training of the bilinear form of a model's and a prompt's embedding, in torch; prediction needs none of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.routers.gradient import descend, one_thread, uniform
from toolkit.routers.pairwise import Battles


def train_bilinear(
    vectors: np.ndarray, quality: np.ndarray, fought: Battles | None, options: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit model factors (m, k), projection (k, d), output (k,) and bias (m,) by Adam with early stopping.

    Args:
        vectors: prompts, float32 (n, d).
        quality: float (n, m), NaN = unobserved; the target where there are no battles.
        fought: decided battles, or None to learn qualities.
        options: parameters of ``MatrixFactorization``.
    """
    with one_thread():
        return _train(vectors, quality, fought, options)


def _train(
    vectors: np.ndarray, quality: np.ndarray, fought: Battles | None, options: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
    from torch.nn.functional import normalize

    draw = torch.Generator().manual_seed(options["seed"])
    width, models = options["dimension"], quality.shape[1]
    text = torch.as_tensor(vectors)
    factors = torch.randn((models, width), generator=draw).requires_grad_()
    projection = uniform((width, text.shape[1]), text.shape[1], draw)
    output = uniform((width,), width, draw)
    bias = torch.zeros(models, requires_grad=fought is None)

    if fought is None:
        row = torch.arange(len(text))
        target = torch.as_tensor(quality, dtype=torch.float32)
    else:
        row, first, second = (torch.as_tensor(part) for part in (fought.row, fought.first, fought.second))
        target = torch.as_tensor(fought.score, dtype=torch.float32)

    def loss(chosen: torch.Tensor, training: bool) -> torch.Tensor:
        prompt = text[row[chosen]]
        if training and options["noise"]:
            prompt = prompt + options["noise"] * torch.randn(prompt.shape, generator=draw)
        delta = (prompt @ projection.T * output) @ normalize(factors, dim=1).T + bias
        goal = target[chosen]
        if fought is None:
            seen = ~torch.isnan(goal)
            return cross_entropy(delta[seen], goal[seen])
        place = torch.arange(len(chosen))
        return cross_entropy(delta[place, first[chosen]] - delta[place, second[chosen]], goal)

    return descend([factors, projection, output, bias], loss, row, options, draw)
