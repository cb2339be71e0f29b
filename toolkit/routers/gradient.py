"""Training of small heads by Adam with early stopping, in torch; prediction needs none of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def one_thread() -> Iterator[None]:
    """The matrices are tiny: threads would only wait for each other, a hundredfold when the machine is busy."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def uniform(shape: tuple[int, ...], fan_in: int, draw: Any) -> Any:
    """First weights, uniform within 1 / sqrt(fan_in), that learn."""
    import torch

    return ((torch.rand(shape, generator=draw) * 2 - 1) / fan_in**0.5).requires_grad_()


def descend(
    learned: Sequence[Any], loss: Callable[[Any, bool], Any], row: Any, options: Mapping[str, Any], draw: Any
) -> tuple[np.ndarray, ...]:
    """Minimise a mean loss and keep what did best on a twentieth of the prompts, which is held out.

    Args:
        learned: tensors; those that require no gradient are returned as they are.
        loss: (indices of items, in training) to a scalar.
        row: prompt of each item, (items,); all items of a prompt are on one side.
        options: epochs, patience, batch, learning_rate, weight_decay.
        draw: torch's generator, for the validation part and the batches.
    """
    import torch

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
            loss(chosen, True).backward()
            optimizer.step()
        with torch.no_grad():
            judged = float(loss(validation, False))
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
