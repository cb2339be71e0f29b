"""Training of the bilinear form, in torch; prediction needs none of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

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
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the matrices are tiny: threads would only wait for each other, a hundredfold when busy
    try:
        return _train(vectors, quality, fought, options)
    finally:
        torch.set_num_threads(threads)


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
    projection = ((torch.rand((width, text.shape[1]), generator=draw) * 2 - 1) / text.shape[1] ** 0.5).requires_grad_()
    output = ((torch.rand(width, generator=draw) * 2 - 1) / width**0.5).requires_grad_()
    bias = torch.zeros(models, requires_grad=fought is None)
    learned = [factors, projection, output, bias]

    if fought is None:
        row = torch.arange(len(text))
        target = torch.as_tensor(quality, dtype=torch.float32)
    else:
        row, first, second = (torch.as_tensor(part) for part in (fought.row, fought.first, fought.second))
        target = torch.as_tensor(fought.score, dtype=torch.float32)

    def loss(chosen: torch.Tensor, noise: float) -> torch.Tensor:
        prompt = text[row[chosen]]
        if noise:
            prompt = prompt + noise * torch.randn(prompt.shape, generator=draw)
        delta = (prompt @ projection.T * output) @ normalize(factors, dim=1).T + bias
        goal = target[chosen]
        if fought is None:
            seen = ~torch.isnan(goal)
            return cross_entropy(delta[seen], goal[seen])
        place = torch.arange(len(chosen))
        return cross_entropy(delta[place, first[chosen]] - delta[place, second[chosen]], goal)

    training, validation = _split(row, draw)
    optimizer = torch.optim.Adam(
        [part for part in learned if part.requires_grad],
        lr=options["learning_rate"],
        weight_decay=options["weight_decay"],
    )
    best, kept, waited = float("inf"), None, 0
    for _ in range(options["epochs"]):
        for chosen in training[torch.randperm(len(training), generator=draw)].split(options["batch"]):
            optimizer.zero_grad()
            loss(chosen, options["noise"]).backward()
            optimizer.step()
        with torch.no_grad():
            judged = float(loss(validation, 0.0))
        if judged < best:
            best, kept, waited = judged, [part.detach().clone() for part in learned], 0
        elif (waited := waited + 1) >= options["patience"]:
            break
    return tuple(part.numpy() for part in (kept or [part.detach() for part in learned]))


def _split(row: Any, draw: Any) -> tuple[Any, Any]:
    """Indices of training and validation items; all items of a prompt on one side, a twentieth of the prompts apart."""
    import torch

    prompts = row.unique()
    held = prompts[torch.randperm(len(prompts), generator=draw)][: max(1, len(prompts) // 20)]
    apart = torch.isin(row, held)
    everything = torch.arange(len(row))
    return (everything[~apart], everything[apart]) if len(prompts) > 1 else (everything, everything)
