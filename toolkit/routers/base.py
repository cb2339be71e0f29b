"""What a router is: text in, predicted quality per model out.

A router predicts; the policy (toolkit/policy.py) decides. A two-model win probability is the case m = 2. Routers that
only name a model, without scores, expose ``choose`` and are drawn as points.
"""

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes

Prompt = str | Sequence[Mapping[str, str]]


def as_text(prompt: Prompt) -> str:
    """The text a router reads: the prompt itself, or all user turns of a conversation, one per line.

    Raises:
        ToolkitError: neither a string nor a list of ``{"role", "content"}``.
    """
    if isinstance(prompt, str):
        return prompt
    try:
        return "\n".join(turn["content"] for turn in prompt if turn["role"] == "user")
    except (TypeError, KeyError) as err:
        raise ToolkitError(
            f"A prompt is a string or a list of messages with role and content; {type(prompt).__name__} was given."
        ) from err


class Router:
    """Base of all routers.

    Parameters are the keyword arguments of ``__init__``, kept under their own names; ``params``, ``clone`` and
    ``repr`` derive from them. Subclasses implement ``_fit`` and either ``_predict`` (scores) or ``_choose`` (a bare
    decision).

    Attributes:
        uses_metadata: sees domain and language of a prompt as well as its text; tables print it.
        uses_outcomes: sees the answer it is judged by (hindsight references); never a candidate for use.
        sees: what it reads, in a word, for tables.
        trivial: needs no labels beyond which model is stronger; the best of these is every router's opponent.
        by_chance: draws lots; an opponent only where nothing else is better than chance, since one draw may be lucky.
        models_: model names in column order, after ``fit``.
    """

    uses_metadata: ClassVar[bool] = False
    uses_outcomes: ClassVar[bool] = False
    sees: ClassVar[str] = "text"
    trivial: ClassVar[bool] = False
    by_chance: ClassVar[bool] = False

    models_: list[str]

    # -- parameters ---------------------------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """Constructor arguments by name."""
        names = list(inspect.signature(type(self)).parameters)
        if missing := [name for name in names if not hasattr(self, name)]:
            raise ToolkitError(
                f"{type(self).__name__}: keep the argument {missing[0]!r} of __init__ under its own name."
            )
        return {name: getattr(self, name) for name in names}

    def clone(self) -> "Router":
        """An unfitted router with the same parameters."""
        return type(self)(**copy.deepcopy(self.params))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.params.items())})"

    # -- fitting and predicting ---------------------------------------------------------------------------------

    @property
    def has_scores(self) -> bool:
        """Whether ``predict`` is offered; else only ``choose``."""
        return type(self)._predict is not Router._predict

    def fit(self, train: Outcomes) -> "Router":
        """Learn from outcomes; returns itself."""
        self.models_ = list(train.names)
        self._fit(train)
        return self

    def predict(self, prompts: Sequence[Prompt], metadata: pd.DataFrame | None = None) -> np.ndarray:
        """Predicted quality, float64 (n, m), columns in the order of ``models_``.

        Args:
            prompts: n texts or conversations.
            metadata: ``domain`` and ``language`` of each prompt; required by, and only passed on to, routers with
                ``uses_metadata``.
        """
        return self._predict(*self._checked(prompts, metadata))

    def choose(self, prompts: Sequence[Prompt], metadata: pd.DataFrame | None = None) -> np.ndarray:
        """Chosen column for each prompt, int64 (n,): the router's own decision, costs left aside."""
        checked = self._checked(prompts, metadata)
        return self._predict(*checked).argmax(axis=1) if self.has_scores else self._choose(*checked)

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        """What an evaluation calls: ``predict`` on the texts, and the metadata only where the flag allows it.

        A router without scores gives 1 to its choice and 0 to the others.
        """
        metadata = test.prompts[["domain", "language"]] if self.uses_metadata else None
        if self.has_scores:
            return self.predict(test.texts, metadata)
        return np.eye(len(test.names))[self.choose(test.texts, metadata)]

    def _checked(self, prompts: Sequence[Prompt], metadata: pd.DataFrame | None) -> tuple[list[str], Any]:
        if not hasattr(self, "models_"):
            raise ToolkitError(f"{type(self).__name__} is not fitted; call fit(outcomes) first.")
        if isinstance(prompts, str):
            raise ToolkitError("A list of prompts was expected, not one string; put it in a list.")
        if self.uses_metadata and metadata is None:
            raise ToolkitError(f"{type(self).__name__} uses metadata; pass a frame with domain and language.")
        return [as_text(prompt) for prompt in prompts], metadata if self.uses_metadata else None

    # -- what a saved router is made of (see routers/persistence.py) ----------------------------------------------

    def state(self) -> dict[str, Any]:
        """What ``_fit`` learned: attributes that end in an underscore, arrays or plain values."""
        learned = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "models_"}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in learned.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a saved state; ``models_`` is set already."""
        for name, value in state.items():
            setattr(self, name, value)

    # -- for subclasses -----------------------------------------------------------------------------------------

    def _fit(self, train: Outcomes) -> None:
        """Learn; ``models_`` is set already."""

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} has no scores; use choose")

    def _choose(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        raise ToolkitError(f"{type(self).__name__} must implement _predict (scores) or _choose (a bare decision).")
