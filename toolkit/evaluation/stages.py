"""The decision of a gateway taken apart: the same steps, with the clock between them."""

import time
from collections.abc import Sequence

import numpy as np

from toolkit.cache.scope import Scope
from toolkit.decisions import Routed
from toolkit.errors import ToolkitError
from toolkit.gateway import Gateway
from toolkit.hardware import one_blas_thread
from toolkit.prompt import Prompt

STAGES = ("tokenise", "encode", "lookup", "head", "draw")


def stage_seconds(gateway: Gateway, prompts: Sequence[Prompt], scope: Scope | None = None) -> dict[str, np.ndarray]:
    """Seconds of each of ``STAGES`` for each prompt, float64 (n,).

    Both tiers of the cache count as lookup. A prompt that hits has no later stages and is refused.

    Raises:
        ToolkitError: the encoder does not tell tokenising from encoding, or a prompt is answered by the cache.
    """
    if not hasattr(gateway.encoder, "tokenise"):
        raise ToolkitError(
            "stage_seconds: an encoder with tokenise and forward was expected: encoders.fresh('minilm-int8') or "
            "another precision of it."
        )
    taken = np.diff([staged(gateway, prompt, scope)[1] for prompt in prompts], axis=1)
    exactly, tokenise, encode, lookup, head, draw = taken.T
    return dict(zip(STAGES, (tokenise, encode, exactly + lookup, head, draw), strict=True))


def staged(gateway: Gateway, prompt: Prompt, scope: Scope | None) -> tuple[Routed, list[float]]:
    """As ``Gateway.route``, with the clock before each step and at the end.

    Raises:
        ToolkitError: the prompt is answered from the cache.
    """
    clock = [time.perf_counter()]
    text, key, found = gateway.ask_exactly(prompt, scope)
    clock.append(time.perf_counter())
    tokens = gateway.encoder.tokenise([text])
    clock.append(time.perf_counter())
    vector = gateway.encoder.forward(tokens)
    clock.append(time.perf_counter())
    with one_blas_thread:
        found = found or gateway.ask_similar(text, key, vector)
        if found and found.hit:
            raise ToolkitError(f"stage_seconds: prompts that are not cached were expected; {found.matched!r} is.")
        clock.append(time.perf_counter())
        predicted, route = gateway.predict(prompt, vector)
    clock.append(time.perf_counter())
    routed = gateway.choose(text, predicted, vector, found, route)
    return routed, [*clock, time.perf_counter()]
