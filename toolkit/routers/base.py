"""What a router is: text in, predicted quality per model out.

A router predicts; the policy (toolkit/policy.py) decides. A two-model win probability is the case m = 2. Routers that
only name a model, without scores, expose ``choose`` and are drawn as points.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.parameters import Parameterised
from toolkit.prompt import Prompt, as_text


@dataclass(frozen=True)
class Decision:
    """Where a prompt goes, and why.

    Attributes:
        model: the chosen one.
        scores: predicted quality by model; of a router without scores, 1 for its choice and 0 for the others.
        expected_cost_usd: dollars the call is expected to cost; None where training data had no costs.
        reason: one sentence.
        route: the policy that it follows (``routes.RouteTable``), or ``other``; empty of a router without policies.
        route_scores: probability of each route and of ``other``; None of a router without policies.
    """

    model: str
    scores: dict[str, float]
    expected_cost_usd: float | None
    reason: str
    route: str = ""
    route_scores: dict[str, float] | None = None


class Router(Parameterised):
    """Base of all routers.

    Parameters are the keyword arguments of ``__init__``, kept under their own names; ``params``, ``clone`` and
    ``repr`` derive from them. Subclasses implement ``_fit`` and either ``_predict`` (scores) or ``_choose`` (a bare
    decision).

    Attributes:
        uses_metadata: sees domain and language of a prompt as well as its text; tables print it.
        uses_answers: sees what a first model wrote, and decides about a second call (``routers.cascade``).
        uses_outcomes: sees the outcome it is judged by (hindsight references); never a candidate for use.
        sees: what it reads, in a word, for tables.
        trivial: needs no labels beyond which model is stronger; the best of these is every router's opponent.
        by_chance: draws lots; an opponent only where nothing else is better than chance, since one draw may be lucky.
        models_: model names in column order, after ``fit``.
        cost_table_: what ``policy.ExpectedCost`` learned in ``fit``; None where costs are unknown.
    """

    uses_metadata: ClassVar[bool] = False
    uses_answers: ClassVar[bool] = False
    uses_outcomes: ClassVar[bool] = False
    sees: ClassVar[str] = "text"
    trivial: ClassVar[bool] = False
    by_chance: ClassVar[bool] = False

    models_: list[str]
    cost_table_: np.ndarray | None = None

    # -- fitting and predicting ---------------------------------------------------------------------------------

    @property
    def has_scores(self) -> bool:
        """Whether ``predict`` is offered; else only ``choose``."""
        return type(self)._predict is not Router._predict

    def fit(self, train: Outcomes) -> "Router":
        """Learn from outcomes; returns itself.

        Raises:
            ToolkitError: a model has no outcome at all.
        """
        if (unseen := np.isnan(train.quality).all(axis=0)).any():
            name = train.names[unseen.argmax()]
            raise ToolkitError(f"{train.name}: model {name} has no outcome in a fitting part; leave it out.")
        self.models_ = list(train.names)
        self._fit(train)
        priced = train.cost_source != "none" and np.isfinite(train.cost_usd).any(axis=0).all()
        self.cost_table_ = policy.ExpectedCost().fit(train).table if priced else None
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

    def read(self, prompt: Prompt) -> Prompt:
        """What it takes from a prompt: its text; a router that follows a conversation takes the turns."""
        return as_text(prompt)

    def predict_one(self, prompt: Prompt) -> tuple[np.ndarray, str]:
        """What a gateway asks: scores (1, m) of one prompt, and the policy it falls under, if there are policies."""
        return self.predict([prompt]), ""

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        """What an evaluation calls: ``predict`` on the texts, and the metadata only where the flag allows it; (n, m).

        A router without scores gives 1 to its choice and 0 to the others.
        """
        metadata = test.prompts[["domain", "language"]] if self.uses_metadata else None
        if self.has_scores:
            return self.predict(test.texts, metadata)
        return np.eye(len(test.names))[self.choose(test.texts, metadata)]

    def route(self, prompt: Prompt, weight: float = 0.0) -> Decision:
        """Decide about one prompt.

        Args:
            prompt: a text, or the messages of a conversation.
            weight: predicted quality given up per dollar; 0 takes the best, ``inf`` the cheapest (``policy.choose``).

        Raises:
            ToolkitError: not fitted, neither text nor messages, metadata needed, a weight that is no number, or one
                without known costs.
        """
        if self.uses_metadata:
            raise ToolkitError(f"{type(self).__name__} reads the {self.sees} of a prompt, and route has only its text.")
        policy.check_weight(weight, self.cost_table_ is not None)
        scores = self.predict([prompt])[0] if self.has_scores else np.eye(len(self.models_))[self.choose([prompt])[0]]
        return self._decision(prompt, scores, weight)

    def _decision(self, prompt: Prompt, scores: np.ndarray, weight: float) -> Decision:
        expected = None if self.cost_table_ is None else policy.ExpectedCost(self.cost_table_)
        cost = None if expected is None else expected.predict([as_text(prompt)])[0]
        charged = np.zeros(len(scores)) if cost is None else cost
        column = int(policy.choose(scores[None], charged[None], weight)[0])
        return Decision(
            model=self.models_[column],
            scores={name: float(score) for name, score in zip(self.models_, scores, strict=True)},
            expected_cost_usd=None if cost is None else float(cost[column]),
            reason=self._reason(scores, column, weight, cost),
        )

    def _reason(self, scores: np.ndarray, column: int, weight: float, cost: np.ndarray | None) -> str:
        name = type(self).__name__
        if not self.has_scores:
            return f"the rule of {name}"
        others = np.delete(np.arange(len(scores)), column)
        rival = others[scores[others].argmax()] if others.size else column
        mine, theirs = (f"{scores[one]:.3f}" + (f" for ${cost[one]:.2g}" if weight else "") for one in (column, rival))
        against = f"predicted quality {mine} against {theirs} of {self.models_[rival]}"
        return f"{against} ({name}" + (f", {weight:g} of quality per dollar)" if weight else ")")

    def _checked(self, prompts: Sequence[Prompt], metadata: pd.DataFrame | None) -> tuple[list[Prompt], Any]:
        if not hasattr(self, "models_"):
            raise ToolkitError(f"{type(self).__name__} is not fitted; call fit(outcomes) first.")
        if isinstance(prompts, str):
            raise ToolkitError("A list of prompts was expected, not one string; put it in a list.")
        if self.uses_metadata and metadata is None:
            raise ToolkitError(f"{type(self).__name__} uses metadata; pass a frame with domain and language.")
        return [self.read(prompt) for prompt in prompts], metadata if self.uses_metadata else None

    # -- what a saved router is made of (see routers/persistence.py) ----------------------------------------------

    def kept(self) -> "Router":
        """The fitted router that is saved: itself, or the one inside, where this one only chose or fed it."""
        return self

    def save_parts(self, folder: Path) -> None:
        """Write what is too large or too nested for ``state`` into the router's folder."""

    def restore_parts(self, folder: Path, known: Iterable[type["Router"]]) -> None:
        """Read what ``save_parts`` wrote, called after ``restore``; ``known`` are the caller's own classes."""

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
