"""Latency, measured so that two runs agree: systems take turns, and what is compared is a ratio from one run.

Each round visits every system in turn, in an order of its own. A visit is a few calls in a row, of which the first is
not counted: it pays for the caches that the others emptied. Noise of a machine comes in stretches, so rounds are
resampled whole, and a ratio is taken within a round, where a stretch hits both sides.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from toolkit.errors import ToolkitError
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.statistics import interval

PERCENTILES = {"p50_ms": 50, "p90_ms": 90, "p95_ms": 95, "p99_ms": 99}
Call = Callable[[Any], object]


@dataclass(frozen=True)
class Timings:
    """What was measured.

    Attributes:
        seconds: by system, float64 (rounds, calls), one row a visit; a fast system makes more calls.
        settled: whether every median's interval became as tight as was asked for.
    """

    seconds: dict[str, np.ndarray]
    settled: bool

    def percentiles(self, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Tidy rows of ``PERCENTILES``, 95% intervals by bootstrap over rounds; each needs ten calls beyond it."""
        rows = []
        for name, taken in self.seconds.items():
            resampled = _resampled(taken, bootstraps, seed)
            note = f"{taken.size} calls in {len(taken)} rounds" + ("" if self.settled else ", budget spent")
            for metric, percent in PERCENTILES.items():
                if taken.size * (100 - percent) / 100 >= 10 or percent == 50:
                    samples = 1000 * np.percentile(resampled, percent, axis=1)
                    rows.append(measured(name, metric, samples, note) | {"n": taken.size})
        return pd.DataFrame(rows)

    def speedups(self, baseline: str, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Tidy rows ``speedup`` of every other system: the baseline's median over its own, round by round.

        The estimate is the median over rounds, so a stretch in which the machine is slow touches both sides alike.
        """
        rows = []
        for name, taken in self.seconds.items():
            if name != baseline:
                ratio = np.median(self.seconds[baseline], axis=1) / np.median(taken, axis=1)
                samples = np.median(_resampled(ratio[:, None], bootstraps, seed), axis=1)
                rows.append(measured(name, "speedup", samples, f"over {baseline}", opponent=baseline))
        return pd.DataFrame([row | {"n": self.seconds[baseline].size} for row in rows])


def interleaved(
    systems: Mapping[str, Call],
    inputs: Sequence[Any],
    budget_s: float = 20.0,
    tight: float = 0.03,
    calls: int = 5,
    least: int = 10,
    visit_s: float = 0.02,
    seed: int = 0,
) -> Timings:
    """Time systems that take turns, until every median is known well enough or the budget is spent.

    Args:
        systems: name -> what is called with one input. A system on a GPU must wait for it (``synchronised``).
        inputs: drawn from for each round.
        budget_s: seconds, warm-up aside.
        tight: half width of every median's interval, relative to it, at which measuring stops.
        calls: inputs of a visit that count, the same for all systems of a round.
        least: rounds, whatever the budget; the first that can be judged.
        visit_s: seconds; a system that is through sooner takes its inputs again, up to ten times.
        seed: of the order of systems and inputs.

    Raises:
        ToolkitError: nothing to call, or to call it with.
    """
    if not systems or not len(inputs) or calls < 1 or least < 2:
        raise ToolkitError("Latency: a system, an input, a call and two rounds at least were expected.")
    rng = np.random.default_rng(seed)
    repeats = {}
    for name, call in systems.items():
        call(inputs[0])
        repeats[name] = int(np.clip(visit_s / calls / _visit(call, inputs[:1], 1)[0], 1, 10))
    taken: dict[str, list[np.ndarray]] = {name: [] for name in systems}
    names, start, rounds, settled = list(systems), time.perf_counter(), 0, False
    with tqdm(desc="timing", unit="round", disable=None) as bar:
        while not settled and (rounds < least or time.perf_counter() - start < budget_s):
            chosen = [inputs[row] for row in rng.integers(0, len(inputs), calls)]
            for name in rng.permutation(names):
                taken[name].append(_visit(systems[name], chosen, repeats[name]))
            rounds += 1
            bar.update()
            settled = rounds >= least and rounds % 5 == 0 and _widest(taken, seed) <= tight
    return Timings({name: np.array(rows) for name, rows in taken.items()}, settled)


def _visit(call: Call, inputs: Sequence[Any], repeats: int) -> np.ndarray:
    """Seconds of every call but the first: its input is called once more when it is its turn."""
    call(inputs[-1])
    seconds = np.empty(len(inputs) * repeats)
    for row in range(len(seconds)):
        one = inputs[row % len(inputs)]
        start = time.perf_counter()
        call(one)
        seconds[row] = time.perf_counter() - start
    return seconds


def _widest(taken: Mapping[str, list[np.ndarray]], seed: int) -> float:
    widest = 0.0
    for rows in taken.values():
        medians = np.median(_resampled(np.array(rows), 200, seed), axis=1)
        low, high = interval(medians)
        widest = max(widest, float(high - low) / 2 / medians[0])
    return widest


def _resampled(taken: np.ndarray, bootstraps: int, seed: int) -> np.ndarray:
    """Calls of resampled rounds, (B + 1, rounds * calls), the sample itself first."""
    drawn = np.random.default_rng(seed).integers(0, len(taken), (bootstraps, len(taken)))
    drawn = np.vstack([np.arange(len(taken)), drawn])
    return taken[drawn].reshape(len(drawn), -1)


def synchronised(call: Call, device: str) -> Call:
    """The call, returning only when the GPU is done; on the CPU the call itself."""
    if device != "cuda":
        return call
    import torch

    def waiting(one: Any) -> object:
        found = call(one)
        torch.cuda.synchronize()
        return found

    return waiting


def throughput(timings: Timings, batch: int, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Tidy rows ``prompts_per_s`` of calls that took ``batch`` prompts each."""
    rows = []
    for name, taken in timings.seconds.items():
        samples = batch / np.median(_resampled(taken, bootstraps, seed), axis=1)
        rows.append(measured(name, "prompts_per_s", samples, f"batches of {batch}") | {"n": taken.size * batch})
    return pd.DataFrame(rows)


def stages(parts: Mapping[str, np.ndarray], system: str, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Tidy rows ``stage_ms``: median of each stage of a decision, the stage named in the note.

    Args:
        parts: seconds of each stage, (n,) each, n decisions one after the other.
    """
    rows, size = [], max(1, len(next(iter(parts.values()))) // 50)
    for stage, seconds in parts.items():
        blocks = seconds[: len(seconds) // size * size].reshape(-1, size)  # neighbours in time are drawn together
        samples = 1000 * np.median(_resampled(blocks, bootstraps, seed), axis=1)
        rows.append(measured(system, "stage_ms", samples, stage) | {"n": len(seconds)})
    return pd.DataFrame(rows)


def usd_per_million(seconds: np.ndarray, usd_per_hour: float) -> np.ndarray:
    """Dollars for a million decisions one after the other on a machine of that price (RouteLLM's table of overheads).

    Args:
        seconds: of one decision, any shape.
        usd_per_hour: price of the machine that was measured.
    """
    return np.asarray(seconds) * 1e6 / 3600 * usd_per_hour
