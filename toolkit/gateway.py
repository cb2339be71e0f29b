"""A prompt's way to an answer or a model: the cache, then one encoder pass shared by lookup, router and bandit.

With a classifier as router, a bandit and a cost weight this is the architecture that tx402 is said to have, so that it
can be measured like everything else.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit import encoders, policy
from toolkit.assembly import check_context, check_models, check_told, checked_draws, checked_weight, shared_encoder
from toolkit.bandits.base import Bandit
from toolkit.bandits.persistence import save_bandit
from toolkit.bandits.router import ThompsonSamplingRouter
from toolkit.cache.lookup import Lookup
from toolkit.cache.scope import Key, Scope, key_of
from toolkit.cache.semantic import SemanticCache
from toolkit.decisions import Account, Routed, Waiting, record_of
from toolkit.errors import ToolkitError
from toolkit.hardware import one_blas_thread
from toolkit.logs import DecisionLog
from toolkit.prompt import Prompt, as_text, is_plain
from toolkit.routers.base import Decision, Router
from toolkit.routers.embedding import EmbeddingRouter


class Gateway:
    """Prompt in; an answer that is cached, or a model, out. Any thread may call it.

    Args:
        router: fitted, with scores. A ``ThompsonSamplingRouter`` brings its bandit with it.
        cache: asked first; with the encoder of a router that has one.
        bandit: arms named as the router's models, one stream. A contextual one reads the encoder's vector.
        weight: predicted quality given up per dollar (``policy.choose``).
        encoder: the router's, where one that is loaded already is to be used.
        prices: dollars per million tokens (``pricing.read_prices``), instead of the costs the router was fitted with.
        log: of decisions and rewards. Each decision then draws ``draws`` times and takes one of them; the share that
            agrees is its chance, given these draws. A model favoured with chance p is in none of them with chance
            (1 - p)^draws, and a log holds too little of it by as much; ``explore`` mends that. A log that cannot be
            written stops no traffic: ``account.unlogged`` counts.
        draws: see ``log``.
        explore: share of decisions that take any model by lot, part of the chances that are logged.
        seed: of which draw is taken.

    Attributes:
        account: requests, hits, dollars spent and saved, and the harm of wrong hits (``decisions.Account``).

    Raises:
        ToolkitError: the parts do not fit each other, or a weight without known costs.
    """

    def __init__(
        self,
        router: Router,
        cache: SemanticCache | None = None,
        bandit: Bandit | None = None,
        weight: float = 0.0,
        encoder: encoders.Encoder | None = None,
        prices: pd.DataFrame | None = None,
        log: DecisionLog | None = None,
        draws: int = 100,
        explore: float = 0.0,
        seed: int = 0,
    ):
        learns = isinstance(router, ThompsonSamplingRouter) and hasattr(router, "models_")
        self._factors = router.features_ if learns and bandit is None else None
        self.router = router.fitted if learns else router
        self.bandit = router.bandit_ if self._factors else bandit
        self.cache, self.log, self.explore = cache, log, explore
        self._draws = checked_draws(draws, explore) if log else 1
        check_models(self.router, self.bandit)
        self.encoder = shared_encoder(self.router, cache, encoder)
        if self._factors is None:
            check_context(self.bandit, self.encoder)
        table = self.router.cost_table_
        self._cost = None if table is None else policy.ExpectedCost(table)
        if prices is not None:
            self.reprice(prices)
        self.weight = weight
        self.account = Account()
        self._waiting = Waiting()
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()

    @property
    def weight(self) -> float:
        """Quality given up per dollar; set it (``gateway.weight = pacer.weight``) to pace a budget."""
        return self._weight

    @weight.setter
    def weight(self, weight: float) -> None:
        self._weight = checked_weight(weight, self._cost is not None, self.bandit)

    def reprice(self, prices: pd.DataFrame) -> None:
        """Charge other prices from now on; nothing that was learned is lost, since quality is learned without them.

        Raises:
            ToolkitError: a model has no price.
        """
        self._cost = policy.ExpectedCost.from_prices(prices, self.router.models_)

    # -- deciding, step by step (``evaluation.stages`` takes the time of each) ------------------------------------

    def route(self, prompt: Prompt, scope: Scope | None = None, session: str | None = None) -> Routed:
        """Decide about one prompt: a text, or the messages of a conversation.

        A cache that cannot be read counts as a miss, and ``found`` says so (rule ``failed``).

        Args:
            scope: whose answers may be given; needed where there is a cache. Its model is the name that clients ask
                for, since which model answers is decided here.
            session: of a conversation; its first decision holds for its later turns.

        Raises:
            ToolkitError: a cache without a scope, or no prompt.
        """
        if not isinstance(session, str | None):
            raise ToolkitError(f"Gateway: the name of a session was expected; got {session!r}.")
        text, key, found = self.ask_exactly(prompt, scope)
        routed = Routed("cache", found) if found else self._decide(prompt, text, key)
        if session is not None and routed.decision:
            routed = self._pinned(routed, (scope.fingerprint if scope else "", session))
        self._waiting.add(routed)
        with self._lock:
            self.account.requests += 1
            self.account.hits += routed.hit
        if self.log:
            self._tell(record_of(routed, text, scope.tenant if scope else "", session))
        return routed

    def _tell(self, record: dict[str, Any]) -> None:
        try:
            if self.log:
                self.log.append(record)
        except ToolkitError:
            with self._lock:
                self.account.unlogged += 1

    def ask_exactly(self, prompt: Prompt, scope: Scope | None) -> tuple[str, Key | None, Lookup | None]:
        """What the router reads, the cache's key, and an answer to the very same words."""
        text = as_text(prompt)
        if self.cache is None or not is_plain(prompt):  # an image or a tool call is no part of a key
            return text, None, None
        key = key_of(prompt, scope, self.cache.encoder.identity)
        try:
            return text, key, self.cache.get_exact(key)
        except ToolkitError:  # the second tier will say so: a cache that cannot be read must not stop the traffic
            return text, key, None

    def _decide(self, prompt: Prompt, text: str, key: Key | None) -> Routed:
        vector = None if self.encoder is None else self.encoder.encode([text])
        with one_blas_thread:
            found = self.ask_similar(text, key, vector)
            if found and found.hit:
                return Routed("cache", found)
            predicted, route = self.predict(prompt, vector)
        return self.choose(text, predicted, vector, found, route)

    def ask_similar(self, text: str, key: Key | None, vector: np.ndarray | None) -> Lookup | None:
        """The cache's second tier, by the vector (1, d); it reads the last turn where the router reads them all."""
        if key is None:
            return None
        vector = vector if key.text == text else self.cache.encoder.encode([key.text])
        try:
            return self.cache.get_similar(key, vector)
        except ToolkitError as err:
            return Lookup(False, None, "failed", str(err), key, vector=vector)

    def predict(self, prompt: Prompt, vector: np.ndarray | None) -> tuple[np.ndarray, str]:
        """Predicted quality (1, m) of a head on the vector, or of a router that reads by itself, and its route."""
        shared = isinstance(self.router, EmbeddingRouter)
        return (self.router.score(vector), "") if shared else self.router.predict_one(prompt)

    def choose(
        self, text: str, predicted: np.ndarray, vector: np.ndarray | None, found: Lookup | None, route: str = ""
    ) -> Routed:
        """The bandit's draw and the policy, of predictions (1, m); ToolkitError where router and bandit disagree."""
        models, cost = self.router.models_, None if self._cost is None else self._cost.predict([text])
        context, drawn, taken = None, predicted, 0
        if self.bandit is not None:
            if len(self.bandit.arms) != len(models):
                raise ToolkitError(f"Gateway: the router knows {', '.join(models)}; the bandit has {self.bandit.arms}.")
            if self.bandit.contextual:
                context = self._factors.transform(predicted) if self._factors else vector
            with self._lock:
                drawn = self.bandit.draws(self._draws, context, self._prior(predicted))[:, 0]
                taken, lot = int(self._rng.integers(len(drawn))), self._rng.random()
        weight = 0.0 if self.bandit is not None and self.bandit.charges else self.weight
        columns = policy.choose(drawn, np.zeros(predicted.shape) if cost is None else cost, weight)
        source, column, how = "router", int(columns[taken]), "predicted" if self.bandit is None else "drawn"
        what = f"route {route}, its probability" if route else f"{how} quality"
        reason = f"{what} {drawn[taken, column]:.3f}, {weight:g} of it given up per dollar"
        if self.bandit is not None and lot < self.explore:
            with self._lock:
                column = int(self._rng.choice(np.flatnonzero(self.bandit.active)))
            source, reason = "lot", "by lot, to explore"
        decision = Decision(
            model=models[column],
            scores=dict(zip(models, drawn[taken].tolist(), strict=True)),
            expected_cost_usd=None if cost is None else float(cost[0, column]),
            reason=reason,
            route=route,
        )
        return Routed(
            source=source,
            found=found,
            decision=decision,
            arm=column,
            predicted=predicted[0],
            cost_usd=None if cost is None else cost[0],
            weight=weight,
            propensity=self._chance(columns, column),
            context=context,
        )

    def _chance(self, columns: np.ndarray, column: int) -> float:
        """Of a model, given the draws; NaN where there was but one."""
        if self.bandit is None:
            return 1.0
        drawn, even = float((columns == column).mean()), self.explore / int(self.bandit.active.sum())
        return (1 - self.explore) * drawn + even if len(columns) > 1 else float("nan")

    def _pinned(self, routed: Routed, session: tuple[str, str]) -> Routed:
        """The session's model instead, with the chance by which it was chosen when the session began."""
        active = np.ones(len(self.router.models_), bool) if self.bandit is None else self.bandit.active
        known = self._waiting.pin(session, routed.arm, routed.propensity, active)
        return routed.moved(*known) if known else routed

    def _prior(self, predicted: np.ndarray) -> np.ndarray | None:
        """Predictions, unless the bandit's weights hold them already."""
        return None if self._factors or self.bandit.learns_utility else predicted

    # -- learning -------------------------------------------------------------------------------------------------

    def remember(self, prompt: Prompt, answer: Any, scope: Scope, routed: Routed, **options: Any) -> None:
        """Put a model's answer into the cache, without encoding the prompt again.

        Args:
            routed: of this prompt and scope.
            options: tags and ttl_s, as of ``SemanticCache.put``.

        Raises:
            ToolkitError: there is no cache, or see ``SemanticCache.put``.
        """
        if self.cache is None or routed.found is None:
            raise ToolkitError("Gateway.remember: a cache, and a prompt of text alone, were expected; one is missing.")
        if routed.found.key != key_of(prompt, scope, self.cache.encoder.identity):
            raise ToolkitError("Gateway.remember: what was routed for this very prompt and scope was expected.")
        self.cache.put(prompt, answer, scope, vector=routed.found.vector, **options)

    def update(self, decision_id: str, reward: float, cost_usd: float | None = None) -> None:
        """Tell what a model's answer was worth, on the scale of the predicted quality: once, whenever it is known.

        Args:
            reward: 0 to 1.
            cost_usd: what the call really cost; default what was expected.

        Raises:
            ToolkitError: no model's answer of that name waits (told already, a hit, or long ago), or another reward.
        """
        check_told(reward, cost_usd)
        routed = self._waiting.take(decision_id, hit=False)
        with self._lock:
            if self.bandit is not None:
                told, chance = float(reward), None if np.isnan(routed.propensity) else routed.propensity
                if self.bandit.learns_utility and routed.cost_usd is not None:
                    told = policy.unit_utility(told, routed.cost_usd[routed.arm], self.weight, routed.cost_usd.max())
                self.bandit.update(routed.arm, told, routed.context, self._prior(routed.predicted), chance=chance)
            expected = routed.decision.expected_cost_usd or 0.0
            self.account.answered += 1
            self.account.spent_usd += expected if cost_usd is None else cost_usd
        paid = None if cost_usd is None else float(cost_usd)
        self._tell({"decision_id": decision_id, "reward": float(reward), "cost_usd": paid})

    def save_bandit(self, path: str | Path) -> Path:
        """Write the bandit as it is at one moment (``bandits.persistence``); ToolkitError where there is none."""
        if self.bandit is None:
            raise ToolkitError("Gateway.save_bandit: a bandit was expected; this gateway has none.")
        with self._lock:
            return save_bandit(self.bandit, path)

    def judge(self, decision_id: str, correct: bool, harm_usd: float = 0.0) -> None:
        """Tell whether an answer of the cache was right: policies that learn, and the account, need it.

        Args:
            harm_usd: what the answer cost, if it was wrong.

        Raises:
            ToolkitError: no hit of that name waits.
        """
        routed = self._waiting.take(decision_id, hit=True)
        with self._lock:
            self.account.judge(correct, harm_usd)
        self.cache.observe(routed.found, correct)
        self._tell({"decision_id": decision_id, "cache_correct": bool(correct)})
