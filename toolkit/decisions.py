"""What a gateway decided: the record of one decision, the books that are kept, and what waits for its reward."""

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from toolkit.cache.lookup import Lookup
from toolkit.errors import ToolkitError
from toolkit.routers.base import Decision

WAITING = 100_000  # decisions whose reward may still come, and sessions whose model is remembered


@dataclass(frozen=True)
class Routed:
    """An answer from the cache, or a decision.

    Attributes:
        source: ``cache``, ``router``, ``lot`` (to explore) or ``session`` (the model of the turns before).
        found: what the cache had, and why; None where there is no cache.
        decision: the model, and the scores it was chosen by (drawn ones, where there is a bandit); None on a hit.
        arm: its column in ``models_`` of the router; -1 on a hit.
        predicted: the router's own quality, float64 (m,), before any draw; None on a hit.
        cost_usd: expected dollars of each model, float64 (m,); None on a hit, and where they are unknown.
        weight: quality given up per dollar in this decision.
        propensity: chance with which this model was chosen, in a session at its beginning; NaN where it was not worked
            out.
        context: what a contextual bandit read, float64 (1, d).
        id: by which its reward, or a judgement of its answer, is told later.
    """

    source: str
    found: Lookup | None
    decision: Decision | None = None
    arm: int = -1
    predicted: np.ndarray | None = None
    cost_usd: np.ndarray | None = None
    weight: float = 0.0
    propensity: float = float("nan")
    context: np.ndarray | None = field(default=None, repr=False)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def moved(self, arm: int, propensity: float) -> "Routed":
        """The same decision for another model: the one that the session began with."""
        model = list(self.decision.scores)[arm]
        cost = None if self.cost_usd is None else float(self.cost_usd[arm])
        decision = replace(self.decision, model=model, expected_cost_usd=cost, reason="the model of this session")
        return replace(self, source="session", decision=decision, arm=arm, propensity=propensity)

    @property
    def hit(self) -> bool:
        """Whether ``found.answer`` is the answer, so that no model is called."""
        return self.found is not None and self.found.hit


@dataclass
class Account:
    """What a gateway has cost and saved since it was opened.

    Attributes:
        requests, hits: decided.
        judged, wrong: hits that somebody judged, and those whose answer was wrong.
        answered: calls whose reward came.
        spent_usd: of these calls.
        harm_usd: of the wrong answers, as they were judged.
        unlogged: lines that could not be written.
    """

    requests: int = 0
    hits: int = 0
    judged: int = 0
    wrong: int = 0
    answered: int = 0
    spent_usd: float = 0.0
    harm_usd: float = 0.0
    unlogged: int = 0

    def judge(self, correct: bool, harm_usd: float) -> None:
        """Book a hit that somebody judged."""
        self.judged += 1
        self.wrong += not correct
        self.harm_usd += 0.0 if correct else harm_usd

    @property
    def saved_usd(self) -> float:
        """Hits times the mean price of a call, less the harm that is expected of them (judged hits stand for all)."""
        price = self.spent_usd / self.answered if self.answered else 0.0
        harm = self.harm_usd / self.judged if self.judged else 0.0
        return self.hits * (price - harm)


class Waiting:
    """Decisions that may still be told a reward, and the models of sessions; the oldest are forgotten.

    Args:
        most: of each.
    """

    def __init__(self, most: int = WAITING):
        self.most = most
        self._decisions: OrderedDict[str, Routed] = OrderedDict()
        self._sessions: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, routed: Routed) -> None:
        """Keep a decision."""
        with self._lock:
            self._decisions[routed.id] = routed
            for kept in (self._decisions, self._sessions):
                if len(kept) > self.most:
                    kept.popitem(last=False)

    def take(self, decision_id: str, hit: bool) -> Routed:
        """A decision, once.

        Raises:
            ToolkitError: none of that kind waits: told already, another kind, or long ago.
        """
        with self._lock:
            found = self._decisions.get(decision_id)
            if found is None or found.hit != hit:
                what = "an answer of the cache" if hit else "a model's answer"
                raise ToolkitError(f"Gateway: the id of {what} that waits was expected; got {decision_id!r}.")
            return self._decisions.pop(decision_id)

    def pin(
        self, session: tuple[str, str], arm: int, propensity: float, active: np.ndarray
    ) -> tuple[int, float] | None:
        """The session's model and the chance it was chosen with; None where it is what is given, from now on.

        Args:
            active: which models may be chosen, bool (m,); one that is out is replaced.
        """
        with self._lock:
            known = self._sessions.get(session)
            if fresh := known is None or not active[known[0]]:
                self._sessions[session] = arm, propensity
            self._sessions.move_to_end(session)
            return None if fresh else known


def record_of(routed: Routed, text: str, tenant: str, session: str | None) -> dict[str, Any]:
    """A decision as a line of a log, from which it can be made again: see ``logs.decide_again``."""
    record = {"decision_id": routed.id, "source": routed.source, "text": text, "tenant": tenant, "session": session}
    if routed.found is not None:
        similarity = routed.found.similarity
        record |= {"cache_rule": routed.found.rule, "cache_similarity": None if np.isnan(similarity) else similarity}
    if routed.decision is not None:
        scores = {name: score if np.isfinite(score) else str(score) for name, score in routed.decision.scores.items()}
        costs = None if routed.cost_usd is None else dict(zip(scores, routed.cost_usd.tolist(), strict=True))
        record |= {
            "model": routed.decision.model,
            "propensity": None if np.isnan(routed.propensity) else routed.propensity,
            "weight": routed.weight if np.isfinite(routed.weight) else str(routed.weight),
            "scores": scores,
            "predicted": dict(zip(scores, routed.predicted.tolist(), strict=True)),
            "expected_cost_usd": costs,
            "reason": routed.decision.reason,
        } | ({"route": routed.decision.route} if routed.decision.route else {})
    return record
