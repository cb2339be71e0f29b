"""A prompt's way to an answer or a model: the cache, then one encoder pass shared by lookup, router and bandit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit import encoders, policy
from toolkit.bandits.thompson import GaussianThompson
from toolkit.cache.lookup import Lookup
from toolkit.cache.scope import Key, Scope, key_of
from toolkit.cache.semantic import SemanticCache
from toolkit.errors import ToolkitError
from toolkit.hardware import one_blas_thread
from toolkit.prompt import Prompt, as_text
from toolkit.routers.base import Decision
from toolkit.routers.embedding import EmbeddingRouter

STAGES = ("tokenise", "encode", "lookup", "head", "draw")


@dataclass(frozen=True)
class Routed:
    """An answer from the cache, or a decision.

    Attributes:
        found: what the cache had, and why; None where there is no cache.
        decision: the model, and the scores it was chosen by (drawn ones, where there is a bandit); None on a hit.
        arm: its column in ``models_`` of the router; -1 on a hit.
        predicted: the router's own quality, float64 (m,), before any draw; None on a hit.
    """

    found: Lookup | None
    decision: Decision | None = None
    arm: int = -1
    predicted: np.ndarray | None = None

    @property
    def hit(self) -> bool:
        """Whether ``found.answer`` is the answer, so that no model is called."""
        return self.found is not None and self.found.hit


class Gateway:
    """Prompt in; an answer that is cached, or a model, out. Any thread may call it.

    Args:
        router: fitted, with a head on an encoder's vectors.
        cache: with the same encoder; asked first.
        bandit: one arm per model of the router.
        weight: predicted quality given up per dollar (``policy.choose``).
        encoder: the router's, where one that is loaded already is to be used.

    Raises:
        ToolkitError: the parts do not fit each other, or a weight without known costs.
    """

    def __init__(
        self,
        router: EmbeddingRouter,
        cache: SemanticCache | None = None,
        bandit: GaussianThompson | None = None,
        weight: float = 0.0,
        encoder: encoders.Encoder | None = None,
    ):
        if not isinstance(router, EmbeddingRouter) or not hasattr(router, "models_"):
            raise ToolkitError(f"Gateway: a fitted router with an encoder was expected; got {router!r}.")
        self.router = router
        # Without a memory, which would tell by its speed what others asked.
        self.encoder = encoder or encoders.fresh(router.encoder)
        if bandit is not None and bandit.arms != len(router.models_):
            raise ToolkitError(f"Gateway: a bandit of {len(router.models_)} arms was expected; got {bandit.arms}.")
        expected = encoders.get(router.encoder).identity
        held = self.encoder if cache is None else cache.encoder
        for part, used in (("encoder", self.encoder), ("cache's encoder", held)):
            if used.identity != expected:
                raise ToolkitError(
                    f"Gateway: vectors of {router.encoder!r} were expected, which the router was fitted on; the {part} "
                    f"given is {used.identity}."
                )
        policy.check_weight(weight, router.cost_table_ is not None)
        self.cache = cache
        self.bandit = bandit
        self.weight = weight
        self._cost = None if router.cost_table_ is None else policy.ExpectedCost(router.cost_table_)

    def route(self, prompt: Prompt, scope: Scope | None = None) -> Routed:
        """Decide about one prompt: a text, or the messages of a conversation.

        Args:
            scope: whose answers may be given; needed where there is a cache. Its model is the name that clients ask
                for, since which model answers is decided here.

        A cache that cannot be read counts as a miss, and ``found`` says so (rule ``failed``).

        Raises:
            ToolkitError: a cache without a scope, or no prompt.
        """
        text, key, found = self._ask_exactly(prompt, scope)
        return Routed(found) if found else self._decide(text, key, self.encoder.encode([text]))

    def remember(self, prompt: Prompt, answer: Any, scope: Scope, routed: Routed, **options: Any) -> None:
        """Put a model's answer into the cache, without encoding the prompt again.

        Args:
            routed: of this prompt and scope.
            options: tags and ttl_s, as of ``SemanticCache.put``.

        Raises:
            ToolkitError: there is no cache, or see ``SemanticCache.put``.
        """
        if self.cache is None or routed.found is None:
            raise ToolkitError("Gateway.remember: a cache was expected; this gateway has none.")
        if routed.found.key != key_of(prompt, scope, self.encoder.identity):
            raise ToolkitError("Gateway.remember: what was routed for this very prompt and scope was expected.")
        self.cache.put(prompt, answer, scope, vector=routed.found.vector, **options)

    def learn(self, routed: Routed, reward: float) -> None:
        """Tell the bandit what the chosen model's answer was worth, on the scale of the predicted quality.

        Raises:
            ToolkitError: there is no bandit, the answer came from the cache, or the reward is no number.
        """
        if self.bandit is None or routed.decision is None:
            raise ToolkitError("Gateway.learn: a bandit and a decision were expected; one of them is missing.")
        self.bandit.update(routed.arm, reward, float(routed.predicted[routed.arm]))

    def _ask_exactly(self, prompt: Prompt, scope: Scope | None) -> tuple[str, Key | None, Lookup | None]:
        """What the router reads, the cache's key, and an answer to the very same words."""
        text = as_text(prompt)
        if self.cache is None:
            return text, None, None
        key = key_of(prompt, scope, self.encoder.identity)
        try:
            return text, key, self.cache.get_exact(key)
        except ToolkitError:  # the second tier will say so: a cache that cannot be read must not stop the traffic
            return text, key, None

    def _decide(self, text: str, key: Key | None, vector: np.ndarray) -> Routed:
        with one_blas_thread:
            found = self._ask(text, key, vector)
            if found and found.hit:
                return Routed(found)
            predicted = self.router.score(vector)
        return self._choose(text, predicted, found)

    def _ask(self, text: str, key: Key | None, vector: np.ndarray) -> Lookup | None:
        """The cache reads the last turn of a conversation where the router reads them all."""
        if key is None:
            return None
        vector = vector if key.text == text else self.encoder.encode([key.text])
        try:
            return self.cache.get_similar(key, vector)
        except ToolkitError as err:
            return Lookup(False, None, "failed", str(err), key, vector=vector)

    def _choose(self, text: str, predicted: np.ndarray, found: Lookup | None) -> Routed:
        scores = predicted if self.bandit is None else self.bandit.draw(predicted)
        cost = None if self._cost is None else self._cost.predict([text])
        column = int(policy.choose(scores, np.zeros(scores.shape) if cost is None else cost, self.weight)[0])
        models = self.router.models_
        how = "predicted" if self.bandit is None else "drawn"
        decision = Decision(
            model=models[column],
            scores=dict(zip(models, scores[0].tolist(), strict=True)),
            expected_cost_usd=None if cost is None else float(cost[0, column]),
            reason=f"{how} quality {scores[0, column]:.3f}, {self.weight:g} of it given up per dollar",
        )
        return Routed(found, decision, column, predicted[0])

    def stages(self, prompts: Sequence[Prompt], scope: Scope | None = None) -> dict[str, np.ndarray]:
        """Seconds of each of ``STAGES`` for each prompt, float64 (n,): the same decisions, taken apart.

        Both tiers of the cache count as lookup. A prompt that hits has no later stages and is refused.

        Raises:
            ToolkitError: the encoder does not tell tokenising from encoding, or a prompt is answered by the cache.
        """
        if not hasattr(self.encoder, "tokenise"):
            raise ToolkitError(
                "Gateway.stages: an encoder with tokenise and forward was expected: encoders.fresh('minilm-int8') or "
                "another precision of it."
            )
        taken = np.diff([self._staged(prompt, scope)[1] for prompt in prompts], axis=1)
        exactly, tokenise, encode, lookup, head, draw = taken.T
        return dict(zip(STAGES, (tokenise, encode, exactly + lookup, head, draw), strict=True))

    def _staged(self, prompt: Prompt, scope: Scope | None) -> tuple[Routed, list[float]]:
        """As ``route``, with the clock before each step and at the end."""
        clock = [time.perf_counter()]
        text, key, found = self._ask_exactly(prompt, scope)
        clock.append(time.perf_counter())
        tokens = self.encoder.tokenise([text])
        clock.append(time.perf_counter())
        vector = self.encoder.forward(tokens)
        clock.append(time.perf_counter())
        with one_blas_thread:
            found = found or self._ask(text, key, vector)
            if found and found.hit:
                raise ToolkitError(f"Gateway.stages: prompts that are not cached were expected; {found.matched!r} is.")
            clock.append(time.perf_counter())
            predicted = self.router.score(vector)
        clock.append(time.perf_counter())
        routed = self._choose(text, predicted, found)
        return routed, [*clock, time.perf_counter()]
