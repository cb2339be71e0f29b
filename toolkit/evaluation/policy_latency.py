"""What a decision by policies takes: an encoder's by the clock, a generative router's on the exact architecture.

Networks have random weights where the real ones are not at hand; they take as long. A decision of seconds needs no
warm-up of its own, so that each call counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psutil

from toolkit.evaluation import architectures
from toolkit.evaluation.latency import Timings, interleaved, synchronised
from toolkit.evaluation.latency_study import prices
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.policy_study import Plan
from toolkit.routers.policies import PolicyRouter
from toolkit.routes.scoring import Scorer

PREFIX, QUERY, ROUTES, ANSWER = 300, 20, 10, 8  # tokens of policies and of a query; routes; tokens of an answer
NEEDS_GB = {"fp32": 9.0, "bf16": 5.0, "int8": 7.0}  # while it is made
WAYS = ("generated, whole prompt", "generated, kept beginning", "scored tree", "scored labels")
VOCABULARY = 150_000  # token ids are drawn below
QUICK = (WAYS[0], *WAYS[2:])  # what a few rounds take
RANDOM = "random weights of the exact shape"
CAPTION = (
    f"encoders: SYNTHETIC traffic; 1.5B: {RANDOM},\n{PREFIX} tokens of policies, {QUERY} of a query, {ROUTES} routes"
)


def encoders(routers: Mapping[str, PolicyRouter], texts: Sequence[str], plan: Plan, seed: int = 0) -> Timings:
    """Whole decisions of routers that read through an encoder, in turns."""
    calls = {name: one.route for name, one in routers.items()}
    return interleaved(calls, list(texts), plan.budget_s, least=10 if plan.budget_s else 2, calls=3, seed=seed)


@dataclass(frozen=True, eq=False)
class Bench:
    """The exact architecture behind a beginning, and what is asked of it.

    Attributes:
        calls: each of ``WAYS``, taking the token ids of a prompt.
        inputs: prompts that begin alike.
        ready_s: seconds in which keys and values of the beginning were made.
    """

    calls: Mapping[str, Callable[[Sequence[int]], object]]
    inputs: list[list[int]]
    ready_s: float


def bench(precision: str, device: str, inputs: int, query: int = QUERY, seed: int = 0) -> Bench:
    """A generative router of random weights and random prompts.

    Ten routes share the beginning of an answer and differ in three tokens; labels differ in one.
    """
    network = architectures.causal(precision, device, seed).network
    rng = np.random.default_rng(seed)

    def drawn(tokens: int) -> list[int]:
        return rng.integers(0, VOCABULARY, tokens).tolist()

    beginning, lead = drawn(PREFIX), drawn(4)
    scorer = Scorer(network, beginning)
    start = time.perf_counter()
    synchronised(lambda _: scorer.warm(), device)(None)
    ready_s = time.perf_counter() - start
    candidates = [[*lead, *drawn(3), 7] for _ in range(ROUTES)]
    calls = {
        WAYS[0]: lambda ids: architectures.written(network, ids, ANSWER),
        WAYS[1]: lambda ids: scorer.greedy(ids, (), ANSWER),
        WAYS[2]: lambda ids: scorer.tree(ids, candidates),
        WAYS[3]: lambda ids: scorer.next_token(ids, range(ROUTES)),
    }
    calls = {name: synchronised(call, device) for name, call in calls.items()}
    return Bench(calls, [[*beginning, *drawn(query)] for _ in range(inputs)], ready_s)


def in_rounds(one: Bench, rounds: int, ways: Sequence[str] = WAYS, sparing: bool = False, seed: int = 0) -> Timings:
    """Every way on one input a round, in an order of its own; the scored ones run once before, uncounted.

    Args:
        sparing: what takes seconds is called in every second round only; there are no ratios then.
    """
    rng, names = np.random.default_rng(seed), list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in WAYS[2:]:
        one.calls[name](one.inputs[-1])
    for number, ids in enumerate(one.inputs[:rounds]):
        asked = [name for name in names if name in WAYS[2:]] if sparing and number % 2 else names
        for name in rng.permutation(asked):
            start = time.perf_counter()
            one.calls[name](ids)
            seconds[name].append(time.perf_counter() - start)
    return Timings({name: np.array(taken)[:, None] for name, taken in seconds.items()}, settled=False)


def enough_memory(precision: str) -> bool:
    """Whether a network of this precision can be made beside what runs."""
    return psutil.virtual_memory().available > 1e9 * NEEDS_GB[precision]


def rows(plan: Plan, device: str, bootstraps: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tidy medians, means and ``ready_s`` of every precision and way; empty where nothing is timed."""
    parts: tuple[list[pd.DataFrame], ...] = ([], [], [])
    for precision in plan.precisions if plan.rounds else ():
        if (precision == "int8" and device != "cpu") or not enough_memory(precision):
            continue
        one = bench(precision, device, plan.rounds + 1, seed=seed)
        words = f"{device.upper()} {precision}"
        few = plan.rounds <= 4
        timings = in_rounds(one, plan.rounds, QUICK if few else WAYS, sparing=few, seed=seed)
        timings = Timings({f"1.5B {name}, {words}": taken for name, taken in timings.seconds.items()}, timings.settled)
        found = timings.percentiles(bootstraps)
        counted = [f"{len(taken)} calls, {RANDOM}" for taken in timings.seconds.values()]
        parts[0].append(found[found["metric"] == "p50_ms"].assign(note=counted))
        parts[1].append(timings.means(bootstraps).assign(note=RANDOM))
        row = measured(f"1.5B, {words}, {ROUTES} routes", "ready_s", np.array([one.ready_s]), f"{PREFIX} tokens")
        parts[2].append(pd.DataFrame([row | {"n": 1}]))
        del one  # gigabytes, before the next is made
    empty = pd.DataFrame(columns=["system", "metric", "value", "ci_low", "ci_high", "unit", "note", "n"])
    medians, means, ready = (pd.concat(found, ignore_index=True) if found else empty for found in parts)
    return medians, means, ready


def medians(timings: Timings, generated: pd.DataFrame, bootstraps: int) -> pd.DataFrame:
    """Rows ``p50_ms`` of both families, with a column ``path`` as ``figures.latencies`` takes it."""
    found = timings.percentiles(bootstraps)
    found = found[found["metric"] == "p50_ms"].assign(path="fast")
    plain = generated["system"].str.contains(WAYS[0], regex=False)
    theirs = generated.assign(path=np.where(plain, "plain", "fast")) if len(generated) else generated
    return pd.concat([found, theirs], ignore_index=True)


def dollars(timings: Timings, means: pd.DataFrame, usd_per_hour: float, bootstraps: int) -> pd.DataFrame:
    """Rows ``usd_per_million`` of both families."""
    found = prices(pd.concat([timings.means(bootstraps), means], ignore_index=True), usd_per_hour, sooner_ms=1.0)
    return found[found["metric"] == "usd_per_million"].reset_index(drop=True)
