"""A prompt's way to a model: one encoder pass, shared by lookup, router and bandit, then the policy."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit import encoders, policy
from toolkit.bandits.thompson import GaussianThompson
from toolkit.cache.index import Index
from toolkit.errors import ToolkitError
from toolkit.hardware import one_blas_thread
from toolkit.routers.base import Decision, Prompt, as_text
from toolkit.routers.embedding import EmbeddingRouter

STAGES = ("tokenise", "encode", "lookup", "head", "draw")


@dataclass(frozen=True)
class Routed:
    """A decision and what was found on the way.

    Attributes:
        decision: the model, and the scores it was chosen by (drawn ones, where there is a bandit).
        arm: its column in ``models_`` of the router.
        predicted: the router's own quality, float64 (m,), before any draw.
        vector: of the prompt, float32 (d,).
        nearest: id of the most similar entry of the index, None where there is none.
        similarity: its inner product with the prompt.
    """

    decision: Decision
    arm: int
    predicted: np.ndarray
    vector: np.ndarray
    nearest: int | None
    similarity: float


class Gateway:
    """Text in, model out. Any thread may call it.

    Args:
        router: fitted, with a head on an encoder's vectors.
        index: of earlier prompts, by vectors of the same encoder; looked up, never written.
        bandit: one arm per model of the router.
        weight: predicted quality given up per dollar (``policy.choose``).
        encoder: the router's, where it is not to be the shared one of this process (``encoders.get``).

    Raises:
        ToolkitError: the parts do not fit each other, or a weight without known costs.
    """

    def __init__(
        self,
        router: EmbeddingRouter,
        index: Index | None = None,
        bandit: GaussianThompson | None = None,
        weight: float = 0.0,
        encoder: encoders.Encoder | None = None,
    ):
        if not isinstance(router, EmbeddingRouter) or not hasattr(router, "models_"):
            raise ToolkitError(f"Gateway: a fitted router with an encoder was expected; got {router!r}.")
        self.router = router
        self.encoder = encoder or encoders.get(router.encoder)
        if index is not None and index.dimension != self.encoder.dimension:
            raise ToolkitError(
                f"Gateway: an index of dimension {self.encoder.dimension} was expected; got {index.dimension}."
            )
        if bandit is not None and bandit.arms != len(router.models_):
            raise ToolkitError(f"Gateway: a bandit of {len(router.models_)} arms was expected; got {bandit.arms}.")
        if self.encoder.identity != encoders.get(router.encoder).identity:
            raise ToolkitError(
                f"Gateway: vectors of {router.encoder!r} were expected, which the router was fitted on; the encoder "
                f"given is {self.encoder.identity}."
            )
        policy.check_weight(weight, router.cost_table_ is not None)
        self.index = index
        self.bandit = bandit
        self.weight = weight
        self._cost = None if router.cost_table_ is None else policy.ExpectedCost(router.cost_table_)

    def route(self, prompt: Prompt) -> Routed:
        """Decide about one prompt: a text, or the messages of a conversation."""
        text = as_text(prompt)
        return self._decide(text, self.encoder.encode([text]))

    def learn(self, routed: Routed, reward: float) -> None:
        """Tell the bandit what the chosen model's answer was worth, on the scale of the predicted quality.

        Raises:
            ToolkitError: there is no bandit, or the reward is no number.
        """
        if self.bandit is None:
            raise ToolkitError("Gateway.learn: a bandit was expected; this gateway has none.")
        self.bandit.update(routed.arm, reward, float(routed.predicted[routed.arm]))

    def _decide(self, text: str, vector: np.ndarray) -> Routed:
        with one_blas_thread:
            nearest, similarity = self._look_up(vector)
            predicted = self.router.score(vector)
        return self._choose(text, vector, predicted, nearest, similarity)

    def _look_up(self, vector: np.ndarray) -> tuple[int | None, float]:
        if self.index is None:
            return None, float("nan")
        similarity, ids = self.index.search(vector)
        return (int(ids[0, 0]), float(similarity[0, 0])) if ids.size else (None, float("nan"))

    def _choose(
        self, text: str, vector: np.ndarray, predicted: np.ndarray, nearest: int | None, similarity: float
    ) -> Routed:
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
        return Routed(decision, column, predicted[0], vector[0], nearest, similarity)

    def stages(self, prompts: Sequence[Prompt]) -> dict[str, np.ndarray]:
        """Seconds of each of ``STAGES`` for each prompt, float64 (n,): the same decisions, taken apart.

        Raises:
            ToolkitError: the encoder does not tell tokenising from encoding.
        """
        if not hasattr(self.encoder, "tokenise"):
            raise ToolkitError(
                "Gateway.stages: an encoder with tokenise and forward was expected: encoders.fresh('minilm-int8') or "
                "another precision of it."
            )
        taken = np.array([self._staged(prompt)[1] for prompt in prompts])
        return dict(zip(STAGES, np.diff(taken, axis=1).T, strict=True))

    def _staged(self, prompt: Prompt) -> tuple[Routed, list[float]]:
        """As ``route``, with the clock before each stage and at the end."""
        clock, text = [time.perf_counter()], as_text(prompt)
        tokens = self.encoder.tokenise([text])
        clock.append(time.perf_counter())
        vector = self.encoder.forward(tokens)
        clock.append(time.perf_counter())
        with one_blas_thread:
            nearest, similarity = self._look_up(vector)
            clock.append(time.perf_counter())
            predicted = self.router.score(vector)
        clock.append(time.perf_counter())
        routed = self._choose(text, vector, predicted, nearest, similarity)
        return routed, [*clock, time.perf_counter()]
