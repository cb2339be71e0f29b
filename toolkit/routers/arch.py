"""Arch-Router: a small language model that reads policies in plain language (Tran et al. 2025, arXiv 2506.16655)."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np
from tqdm import tqdm

from toolkit import hardware
from toolkit.encoders.text import readable
from toolkit.errors import ToolkitError
from toolkit.routers.policies import PolicyRouter, Routes
from toolkit.routes import causal, conversation, dialects
from toolkit.routes.answers import answer_of, route_of
from toolkit.routes.scoring import Scorer, shared
from toolkit.routes.table import OTHER

WAYS = ("generate", "tree", "labels")
LABELS = ascii_uppercase + ascii_lowercase
_PROBES = ([{"role": "user", "content": "a"}], [{"role": "user", "content": "B"}])  # nearly all begin like these


@dataclass(frozen=True, eq=False)
class _Engine:
    """A network made ready for one table of routes.

    Attributes:
        candidates: token ids of each answer, ``other`` last.
        lead: what all candidates begin with.
        ends: tokens that end an answer.
    """

    model: causal.Causal
    scorer: Scorer
    candidates: list[list[int]]
    lead: list[int]
    ends: frozenset[int]


class ArchRouter(PolicyRouter):
    """A causal language model that is asked which route fits the last turn of a conversation.

    ``decide`` says how. ``generate`` lets it write, as published; the answer has no probability. ``tree`` scores all
    route names as answers in one run; ``labels`` calls the routes A, B, C ... in the prompt, and one token decides.
    Keys and values of all that precedes the conversation are made once for a table of routes. Calls of several threads
    share the network.

    Args:
        routes: a ``RouteTable``, its plain values, or the path of a YAML file.
        model: hub name or local folder; its weights are never fetched by themselves.
        decide: generate, tree or labels.
        dialect: ``own``, our wording, or ``gateway``, that of the published router; see ``routes.dialects``.
        template: a prompt of your own with the slots {routes} and {conversation}, or the path of one, instead of a
            dialect; it is kept as text.
        spaced: JSON as Python writes it by itself, which is what the model card's code does; else without blanks.
        default_system: whether the system message stands that the chat template may put in by itself (Qwen's does).
        max_tokens: budget of prompt and conversation, in tokens estimated as the gateway estimates them.
        device: auto, cpu or cuda.
        precision: auto (bf16), fp32, bf16, or int8 (CPU only).
        threshold: of the likeliest route's probability; None = learned in ``calibrate``, 0 until then.

    Raises:
        ToolkitError: a parameter that is none of these; with the first prompt, weights that are not at hand.
    """

    def __init__(
        self,
        routes: Routes,
        model: str = causal.ARCH_ROUTER,
        decide: str = "generate",
        dialect: str = "own",
        template: str = "",
        spaced: bool = False,
        default_system: bool = True,
        max_tokens: int = 2048,
        device: str = "auto",
        precision: str = "auto",
        threshold: float | None = None,
    ):
        if decide not in WAYS:
            raise ToolkitError(f"ArchRouter: decide takes {', '.join(WAYS)}; {decide!r} was given.")
        if not isinstance(max_tokens, int) or max_tokens < 1 or not isinstance(default_system, bool):
            raise ToolkitError(
                f"ArchRouter: max_tokens from 1 and default_system true or false were expected; got {max_tokens!r}, "
                f"{default_system!r}."
            )
        if threshold is not None and decide == "generate":
            raise ToolkitError("ArchRouter: what is generated has no probability to set a threshold to; take tree.")
        causal.check_precision(precision)
        hardware.check_device(device)
        self.model = causal.absolute(model)
        self.decide = decide
        self.dialect = dialect
        self.template = dialects.read_template(template)
        self.spaced = spaced
        self.default_system = default_system
        self.max_tokens = max_tokens
        self.device = device
        self.precision = precision
        self._ready: _Engine | None = None
        self._lock = threading.Lock()
        self._follow(routes, threshold)
        if self.template or dialect != "gateway":  # whose file is fetched when the weights have been found
            self._dialect  # noqa: B018 - refuses what is none
        if decide == "labels" and len(self.table.routes) > len(LABELS):
            raise ToolkitError(
                f"ArchRouter: labels tell {len(LABELS)} routes apart; {len(self.table.routes)} were given. Take tree."
            )

    @cached_property
    def _dialect(self) -> dialects.Dialect:
        return dialects.dialect(self.dialect, self.template)

    def prompt(self, turns: Sequence[dict[str, str]]) -> str:
        """The message that the network is asked with, before its chat template."""
        said = conversation.kept(turns, self.max_tokens, self._dialect.tokens)
        routes = [{"name": name, "description": words} for name, words in self.presented()]
        as_json = conversation.as_json
        return self._dialect.render(as_json(routes, self.spaced), as_json(said, self.spaced))

    def generate(self, prompt: Any) -> str:
        """What the network writes, greedily, whatever ``decide`` says: for a look at its answers."""
        return self._write(self._ids(self.read(prompt)))

    def presented(self) -> list[tuple[str, str]]:
        """Name and description of each route as the prompt has them."""
        pairs = [(route.name, route.description) for route in self.table.routes]
        if self.decide != "labels":
            return pairs
        return [(label, f"{name}: {words}") for label, (name, words) in zip(LABELS, pairs, strict=False)]

    # -- deciding -------------------------------------------------------------------------------------------------

    def _evidence(self, prompts: list[Any]) -> tuple[np.ndarray, list[str]]:
        few = True if len(prompts) <= 20 else None
        rows = [self._one(turns) for turns in tqdm(prompts, desc="routing", disable=few)]
        return np.stack([row for row, _ in rows]), [note for _, note in rows]

    def _one(self, turns: list[dict[str, str]]) -> tuple[np.ndarray, str]:
        engine, ids = self._engine, self._ids(turns)
        if len(ids) + max(map(len, engine.candidates)) > engine.model.longest:
            return self._only(OTHER), f"{len(ids):,} tokens, more than the network reads: the default serves it"
        if self.decide == "tree":
            return engine.scorer.tree(ids, engine.candidates), ""
        if self.decide == "labels":
            nexts = [candidate[len(engine.lead)] for candidate in engine.candidates]
            return engine.scorer.next_token([*ids, *engine.lead], nexts), ""
        answer = self._write(ids)
        try:
            return self._only(route_of(answer, self.table.names)), ""
        except ToolkitError as err:
            return self._only(OTHER), str(err)

    def _only(self, name: str) -> np.ndarray:
        return np.where([one == name for one in self.route_names], 0.0, -np.inf)

    def _write(self, ids: list[int]) -> str:
        engine = self._engine
        most = max(map(len, engine.candidates)) + 8  # for fences, and names that are none
        return engine.model.tokenizer.decode(engine.scorer.greedy(ids, engine.ends, most))

    def _ids(self, turns: Sequence[dict[str, str]]) -> list[int]:
        model = self._engine.model
        return model.ids(model.chat(self.prompt(turns), self.default_system))

    # -- making ready ---------------------------------------------------------------------------------------------

    @property
    def _engine(self) -> _Engine:
        if self._ready is None:
            with self._lock:
                self._ready = self._ready or self._made()
        return self._ready

    def _made(self) -> _Engine:
        device = hardware.resolve_device(self.device)
        model = causal.load(self.model, device, causal.resolve_precision(self.precision, device))
        names = [name for name, _ in self.presented()]
        candidates = [model.ids(readable(answer_of(name))) for name in (*names, OTHER)]
        lead = shared(candidates)
        nexts = {tuple(candidate[len(lead) : len(lead) + 1]) for candidate in candidates}
        if self.decide == "labels" and (len(nexts) < len(candidates) or () in nexts):
            raise ToolkitError(f"{self.model}: its tokenizer does not tell the labels apart by one token; take tree.")
        probes = [model.ids(model.chat(self.prompt(turns), self.default_system)) for turns in _PROBES]
        stops = model.network.generation_config.eos_token_id if model.network.generation_config else None
        stops = [stops] if isinstance(stops, int) else list(stops or [])
        ends = frozenset(token for token in (*stops, model.tokenizer.eos_token_id) if token is not None)
        if self.decide == "generate" and not ends:
            raise ToolkitError(f"{self.model}: a token that ends an answer was expected, and there is none; take tree.")
        return _Engine(model, Scorer(model.network, shared(probes)), candidates, lead, ends)
