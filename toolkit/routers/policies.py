"""Base of routers that follow policies in plain language: which route fits, how probably, and which model serves it.

Both families stand on it, the generative one (``arch``) and the encoder (``described``); one line swaps them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.prompt import Prompt, as_turns
from toolkit.routers import abstention
from toolkit.routers.base import Decision, Router
from toolkit.routes.table import OTHER, RouteTable

Routes = RouteTable | Mapping[str, Any] | str | Path


class PolicyRouter(Router):
    """Base: subclasses call ``_follow`` in ``__init__``, keep ``routes`` and ``threshold``, and have ``_evidence``.

    It needs no fitting. ``fit`` on outcomes checks that the models exist there and learns what calls cost, no more.
    What ``predict`` gives is no quality but a probability: that of the likeliest route of each model, the default's
    counting what fits no route. Where the likeliest route stays below the threshold, the default has 1.

    Attributes:
        table: the routes.
        temperature_: evidence is divided by it; 1 before ``calibrate``.
        other_: what is added to the evidence of ``other``; 0 before ``calibrate``.
        threshold_: of the likeliest route's probability, below which the answer is ``other``.
    """

    sees = "conversation"

    routes: dict[str, Any]
    threshold: float | None
    table: RouteTable
    temperature_: float = 1.0
    other_: float = 0.0
    threshold_: float = 0.0

    def _follow(self, routes: Routes, threshold: float | None) -> None:
        if threshold is not None and not (isinstance(threshold, Real) and 0 <= threshold <= 1):
            raise ToolkitError(f"{type(self).__name__}: a threshold from 0 to 1, or None, was expected; {threshold!r}.")
        self.table = RouteTable.of(routes)
        self.routes, self.threshold = self.table.plain(), threshold
        self.models_ = self.table.models
        if threshold is not None:
            self.threshold_ = threshold

    @property
    def route_names(self) -> list[str]:
        """Names of the routes, and ``other``."""
        return [*self.table.names, OTHER]

    # -- deciding -------------------------------------------------------------------------------------------------

    def read(self, prompt: Prompt) -> list[dict[str, str]]:
        """Role and text of every message."""
        return as_turns(prompt)

    def evidence(self, prompts: Sequence[Prompt]) -> np.ndarray:
        """Log probabilities of ``route_names``, up to a constant, before any calibration, float64 (n, routes + 1)."""
        return self._gathered(self._checked(prompts, None)[0])[0]

    def probabilities(self, prompts: Sequence[Prompt]) -> np.ndarray:
        """Of each of ``route_names``, float64 (n, routes + 1), rows sum to 1; the threshold is left aside.

        Args:
            prompts: n texts or conversations.
        """
        return self._calibrated(self.evidence(prompts))

    def choose_routes(self, prompts: Sequence[Prompt]) -> list[str]:
        """The name of the route of each prompt, or ``other``."""
        return self.settled_names(self.probabilities(prompts))

    def settled_names(self, chances: np.ndarray) -> list[str]:
        """What is chosen by these ``probabilities``, (n, k), the threshold applied."""
        return [self.route_names[at] for at in self._settled(chances).argmax(axis=1)]

    def route(self, prompt: Prompt, weight: float = 0.0) -> Decision:
        """As every router's; the decision names the route too. A weight may take another model than the route's."""
        policy.check_weight(weight, self.cost_table_ is not None)
        given, notes = self._gathered(self._checked([prompt], None)[0])
        chances = self._calibrated(given)
        settled = self._settled(chances)
        decision = self._decision(prompt, self._by_model(settled)[0], weight)
        name, order = self.route_names[settled[0].argmax()], chances[0].argsort(kind="stable")[::-1]
        likeliest = ", ".join(f"{self.route_names[at]} {chances[0, at]:.3f}" for at in order[:2])
        sure = f"{likeliest}" if np.isfinite(given).all() else "no probabilities"
        told = [f"route {name} ({type(self).__name__}: {sure})", notes[0]]
        if decision.model != self.table.model_of(name):
            told.append(f"{weight:g} of probability given up per dollar")
        reason = "; ".join(part for part in told if part)
        scores = dict(zip(self.route_names, chances[0].tolist(), strict=True))
        return replace(decision, reason=reason, route=name, route_scores=scores)

    def predict_one(self, prompt: Prompt) -> tuple[np.ndarray, str]:
        """Scores (1, m) of one prompt, and the route it falls under."""
        settled = self._settled(self.probabilities([prompt]))
        return self._by_model(settled), self.route_names[settled[0].argmax()]

    def _predict(self, prompts: list[Any], metadata: pd.DataFrame | None) -> np.ndarray:
        if not prompts:
            return np.empty((0, len(self.models_)))
        return self._by_model(self._settled(self._calibrated(self._gathered(prompts)[0])))

    def _gathered(self, prompts: list[Any]) -> tuple[np.ndarray, list[str]]:
        """Evidence, and for each prompt what a reader of the decision must know.

        Where there are fewer than two routes, or no word of a user, nothing is asked and ``other`` is the answer.
        """
        few = len(self.table.routes) < 2
        said = [any(turn["role"] == "user" and turn["content"].strip() for turn in turns) for turns in prompts]
        evidence = np.full((len(prompts), len(self.route_names)), -np.inf)
        evidence[:, -1] = 0.0
        nothing = "fewer than two routes: the default serves all" if few else "no user said anything"
        notes = [nothing] * len(prompts)
        if rows := [row for row, has in enumerate(said) if has and not few]:
            evidence[rows], found = self._evidence([prompts[row] for row in rows])
            for row, note in zip(rows, found, strict=True):
                notes[row] = note
        return evidence, notes

    def _evidence(self, prompts: list[Any]) -> tuple[np.ndarray, list[str]]:
        """As ``_gathered``, of at least one prompt and two routes."""
        raise NotImplementedError

    def _calibrated(self, evidence: np.ndarray) -> np.ndarray:
        from scipy.special import softmax

        return softmax(abstention.shifted(evidence, self.other_) / self.temperature_, axis=1)

    def _settled(self, chances: np.ndarray) -> np.ndarray:
        """Probabilities, all of them moved to ``other`` where the likeliest route stays below the threshold."""
        unsure = chances[:, :-1].max(axis=1, initial=0) < self.threshold_
        return np.where(unsure[:, None], np.eye(chances.shape[1])[-1], chances)

    def _by_model(self, chances: np.ndarray) -> np.ndarray:
        serving = [*(route.model for route in self.table.routes), self.table.default]
        mine = np.array(serving)[None] == np.array(self.models_)[:, None]  # (m, routes + 1)
        return np.where(mine, chances[:, None], 0.0).max(axis=2)

    # -- fitting --------------------------------------------------------------------------------------------------

    def fit(self, train: Outcomes) -> Self:
        """Check that the models exist in the outcomes and learn what their calls cost; what is followed are the routes.

        Raises:
            ToolkitError: a route names another model.
        """
        self.table.check_models(train.names, f"the models of {train.name}")
        return super().fit(train.subset(models=self.table.models))

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        """As every router's, (n, m); models that no route names have 0."""
        known = {name: column for column, name in enumerate(self.models_)}
        predicted = np.column_stack([self.predict(test.texts), np.zeros(len(test))])
        return predicted[:, [known.get(name, -1) for name in test.names]]

    def reprice(self, prices: pd.DataFrame) -> Self:
        """Take what calls cost from a price list (``pricing.read_prices``), so that a weight may be used.

        Raises:
            ToolkitError: a model has no price.
        """
        self.cost_table_ = policy.ExpectedCost.from_prices(prices, self.models_).table
        return self

    def calibrate(self, prompts: Sequence[Prompt], routes: Sequence[str], other_share: float | None = None) -> Self:
        """Learn from labelled prompts, held out from whatever is judged: temperature, evidence of ``other``, threshold.

        The first two by penalised likelihood (temperature scaling, Guo et al. 2017, with a bias for ``other``; weak
        normal priors around no change); the threshold, unless it was given, is the lowest that gets most prompts right.
        Without a prompt of ``other`` only the temperature is learned.

        Args:
            prompts: n texts or conversations.
            routes: the name of the route of each, or ``other``.
            other_share: of the traffic to come, how much fits no route, 0 to 1; None = as much as of the prompts.
                Where few of these are of ``other`` and many of the traffic, a threshold would catch too little.

        Raises:
            ToolkitError: an unknown name, a share that is none, or no prompt that the router gives probabilities for.
        """
        prompts = list(prompts)
        return self.calibrate_evidence(self.evidence(prompts), list(routes), other_share)

    def calibrate_evidence(self, given: np.ndarray, routes: Sequence[str], other_share: float | None = None) -> Self:
        """As ``calibrate``, from ``evidence`` (n, k) that is at hand; rows that are not finite are left out.

        Raises:
            ToolkitError: as ``calibrate``; no row is finite.
        """
        names = self.route_names
        odd = [name for name in routes if name not in names]
        if not len(given) or len(given) != len(routes) or odd:
            found = repr(odd[0]) if odd else f"{len(given)} and {len(routes)}"
            wanted = f"prompts and as many names of {', '.join(names)}"
            raise ToolkitError(f"calibrate: {wanted} were expected; got {found}.")
        truth = np.array([names.index(name) for name in routes])
        scored = np.isfinite(given).all(axis=1)  # not those that are longer than a network reads
        if not scored.any():
            raise ToolkitError(
                "calibrate: a router with probabilities was expected; free generation has none, and neither has one "
                "with fewer than two routes."
            )
        given, truth = given[scored], truth[scored]
        weights = abstention.weights_of(truth == len(names) - 1, other_share)
        self.threshold_ = self.threshold or 0.0
        self.temperature_, self.other_ = abstention.temperature_and_bias(given, truth, weights)
        if self.threshold is None and (truth == len(names) - 1).any():
            self.threshold_ = abstention.best_threshold(self._calibrated(given), truth, weights)
        return self
