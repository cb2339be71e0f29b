"""Notebook 08's experiments: which routers follow policies, what they are asked in each profile, and the tidy rows."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.datasets import intents
from toolkit.datasets.intents import Intents
from toolkit.evaluation import policy_routing
from toolkit.evaluation.metrics import measured
from toolkit.routers.arch import ArchRouter
from toolkit.routers.described import DescriptionRouter
from toolkit.routers.policies import PolicyRouter
from toolkit.routes import causal
from toolkit.routes.table import RouteTable

Maker = Callable[[RouteTable], PolicyRouter]
DESCRIPTIONS, EXAMPLES = ", descriptions", ", examples"
LEXICAL = f"TF-IDF{EXAMPLES}"
WRITTEN, SCORED = "Arch-Router, generated", "Arch-Router, scored"
CHANCE = "random route"


@dataclass(frozen=True)
class Plan:
    """How much is asked.

    Attributes:
        requests: judged of each set, at most, by a generative router; an encoder's takes ten times as many.
        draws: of examples.
        conversations: composed ones of each kind.
        orders: of the routes.
        sizes: among how many of the routes is chosen, as shares of all.
        budget_s: of timing the encoders.
        rounds: of timing the generative router; 0 leaves it out.
        precisions: of the generative router.
        upstream: whether CLINC150 is asked too, where it is at hand.
    """

    requests: int
    draws: int
    conversations: int
    orders: int
    sizes: tuple[float, ...]
    budget_s: float
    rounds: int
    precisions: tuple[str, ...]
    upstream: bool = True


PLANS = {
    "smoke": Plan(10, 1, 10, 1, (0.5, 1.0), 0.0, 0, (), upstream=False),
    "quick": Plan(100, 1, 150, 1, (0.2, 0.5, 1.0), 2.0, 2, ("bf16",)),
    "full": Plan(10_000, 5, 500, 10, (0.1, 0.2, 0.35, 0.5, 0.75, 1.0), 30.0, 20, ("fp32", "bf16", "int8")),
}


@dataclass(frozen=True, eq=False)
class Subject:
    """One set of requests, and how many examples of a route may be learned from.

    Attributes:
        reads: routers that are asked: name -> maker.
        encoder: of those that read through one.
    """

    data: Intents
    examples: int
    reads: Mapping[str, Maker]
    encoder: str

    @property
    def name(self) -> str:
        """For tables."""
        return self.data.name


def families(language: str, encoder: str, model: str, dialect: str, device: str) -> dict[str, Maker]:
    """Routers of policies by name; the generative ones only where their weights are on this machine.

    Args:
        language: en or zh; MiniLM's vocabulary is English, so TF-IDF stands beside it in Chinese.
        encoder: of ``encoders.get``.
        model: hub name or folder of a generative router.
        dialect: of its prompt.
        device: auto, cpu or cuda.
    """
    shown = "MiniLM" if encoder == "minilm" else Path(encoder).name
    found: dict[str, Maker] = {
        shown + words: lambda table: DescriptionRouter(table, encoder) for words in (DESCRIPTIONS, EXAMPLES)
    }
    if language != "en":
        found[LEXICAL] = lambda table: DescriptionRouter(table, "lexical")
    if causal.at_hand(model):
        options = {"model": model, "dialect": dialect, "device": device}
        found[WRITTEN] = lambda table: ArchRouter(table, decide="generate", **options)
        found[SCORED] = lambda table: ArchRouter(table, decide="tree", **options)
    return found


def subjects(plan: Plan, encoder: str, model: str, dialect: str, device: str) -> list[Subject]:
    """Our own traffic in both languages, and CLINC150's intents and domains where they are at hand."""
    spoken = {language: families(language, encoder, model, dialect, device) for language in intents.LANGUAGES}
    found = [Subject(intents.traffic(language), 5, makers, encoder) for language, makers in spoken.items()]
    if plan.upstream and intents.at_hand():
        known = intents.clinc150()
        found += [Subject(data, 10, spoken["en"], encoder) for data in (known, intents.coarse(known))]
    return found


def tables(one: Subject, system: str, seed: int = 0) -> list[RouteTable]:
    """The policies in each wording, with utterances where the router learns from examples."""
    if not system.endswith(EXAMPLES):
        return list(one.data.tables)
    return [one.data.with_examples(one.examples, seed, wording) for wording in range(len(one.data.tables))]


def made(one: Subject, system: str, table: RouteTable) -> PolicyRouter:
    """A router, calibrated on the validation part where it has probabilities."""
    router, (texts, routes) = one.reads[system](table), one.data.part("validation")
    if system == WRITTEN:
        return router
    if system == SCORED:  # a second and more for each
        chosen = np.random.default_rng(0).permutation(len(texts))[:200]
        texts, routes = [texts[row] for row in chosen], [routes[row] for row in chosen]
    evidence = router.evidence(texts)
    if not np.isfinite(evidence).all(axis=1).any():
        return router  # every prompt is longer than the network reads: nothing to calibrate
    return router.calibrate_evidence(evidence, routes, one.data.other_share)


@cache
def usual(one: Subject, system: str, seed: int = 0) -> PolicyRouter:
    """The router of the first wording and the first draw of examples: several experiments ask it."""
    return made(one, system, tables(one, system, seed)[0])


def judged(
    one: Subject, plan: Plan, system: str, seed: int = 0, among: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Requests of the test part, drawn by lot where there are more than the plan asks for.

    Args:
        among: only requests of these routes.
    """
    texts, routes = one.data.part("test")
    rows = np.flatnonzero([not among or route in among for route in routes])
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[: most(plan, system)])
    return [texts[row] for row in rows], [routes[row] for row in rows]


def most(plan: Plan, system: str) -> int:
    """How many requests of a set a router is asked at most."""
    return plan.requests * (1 if system in (WRITTEN, SCORED) else 10)


def requests(one: Subject, plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Tidy rows of every router on single requests. Of several draws of examples, the first has the interval."""
    rows = [_chance(one)]
    for system in one.reads:
        texts, routes = judged(one, plan, system, seed)
        spare = len(one.data.part("train")[0]) > one.examples * len(one.data.tables[0].routes)
        draws = plan.draws if system.endswith(EXAMPLES) and spare else 1
        found = []
        for draw in range(draws):
            router = usual(one, system, seed + draw)
            found.append(policy_routing.requests(router, texts, routes, system, bootstraps if not draw else 1, seed))
        rows.append(found[0] if draws == 1 else _over_draws(found))
    return pd.concat(rows, ignore_index=True)


def _over_draws(found: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean over draws of examples; the first one's interval is moved with it."""
    first, mean = found[0], np.mean([rows["value"] for rows in found], axis=0)
    moved = {edge: (first[edge] + mean - first["value"]).clip(0, 1) for edge in ("ci_low", "ci_high")}
    return first.assign(value=mean, **moved, note=f"mean of {len(found)} draws of examples")


def _chance(one: Subject) -> pd.DataFrame:
    count = len(one.data.tables[0].routes)
    row = measured(CHANCE, "closed_accuracy", np.array([1 / count]), f"{count} routes")
    return pd.DataFrame([row | {"n": int((one.data.parts == "test").sum())}])


def agreement(one: Subject, plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """How often scored candidates choose what free generation writes; empty without the weights."""
    if SCORED not in one.reads:
        return pd.DataFrame()
    texts, _ = judged(one, plan, SCORED, seed)
    table = one.data.tables[0]
    written = np.array(one.reads[WRITTEN](table).choose_routes(texts))
    scored = np.array(one.reads[SCORED](table).choose_routes(texts))
    return policy_routing.share(scored == written, SCORED, "route_agreement", f"with {WRITTEN}", bootstraps, seed)


def sensitivity(one: Subject, plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Tidy rows ``route_flips`` of every router, no calibration: what changes is the choice itself."""
    rows = []
    for system, make in one.reads.items():
        texts, _ = judged(one, plan, system, seed)
        words = tables(one, system, seed)
        rows.append(policy_routing.flips(make, words, texts, system, bootstraps, plan.orders, seed))
    return pd.concat(rows, ignore_index=True)


def growth(one: Subject, plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Rows ``closed_accuracy`` with a column ``routes``: choosing among more and more of them."""
    rows, rng = [], np.random.default_rng(seed)
    order = rng.permutation(len(one.data.tables[0].routes)).tolist()
    for size in sizes(one, plan):
        for system, make in one.reads.items():
            table = tables(one, system, seed)[0].ordered(sorted(order[:size]))
            pairs = judged(one, plan, system, seed, among=table.names)
            router = make(table)
            right = policy_routing.requests(router, *pairs, system, bootstraps, seed)
            rows.append(right[right["metric"] == "closed_accuracy"].assign(routes=size))
    return pd.concat(rows, ignore_index=True)


def sizes(one: Subject, plan: Plan) -> list[int]:
    """Numbers of routes of the plan's shares, two at least."""
    count = len(one.data.tables[0].routes)
    return sorted({max(2, round(share * count)) for share in plan.sizes})


def making_ready(one: Subject, plan: Plan, seed: int = 0) -> pd.DataFrame:
    """Rows ``ready_s`` of encoders: policies and examples encoded anew, the head fitted."""
    rows, encoder = [], encoders.fresh(one.encoder)
    encoder.encode(["the first call makes the graph"])
    for size in [size for size in sizes(one, plan) if size <= 30]:
        for system in _read_by_encoder(one):
            router = one.reads[system](tables(one, system, seed)[0].ordered(range(size)))
            router.route("Hello")  # what is encoded is remembered from here on
            start = time.perf_counter()
            encoder.encode(router.texts())
            router.clone().route("Hello")
            taken = np.array([time.perf_counter() - start])
            rows.append(
                measured(f"{system}, {size} routes", "ready_s", taken, f"{len(router.texts())} texts") | {"n": 1}
            )
    return pd.DataFrame(rows)


def richest(found: Sequence[Subject]) -> Subject:
    """What is looked at closely: CLINC150's intents where they are at hand, else our own English traffic."""
    return next((one for one in found if one.name == "clinc150"), found[0])


def _read_by_encoder(one: Subject) -> list[str]:
    """Both routers of the subject's encoder."""
    return [name for name in one.reads if name.endswith((DESCRIPTIONS, EXAMPLES)) and name != LEXICAL]


def timed(one: Subject) -> dict[str, PolicyRouter]:
    """The encoder's routers, ready to be timed."""
    return {system: usual(one, system) for system in _read_by_encoder(one)}
