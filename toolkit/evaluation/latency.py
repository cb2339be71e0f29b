"""Latency, measured so that two runs agree: systems take turns, and what is compared is a ratio from one run.

Each round visits every system in turn, in an order of its own, on the same inputs. A visit begins with a call that is
not counted: it pays for the caches that the others emptied. A ratio is taken within a round, where a slow stretch of
the machine hits both sides. Rounds are resampled in blocks of about two seconds; a stretch that outlasts the run is in
no interval, so milliseconds of two runs may lie apart where their ratios do not.
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
        seconds: by system, float64 (rounds, inputs), one row a visit.
        settled: whether every median's interval became as tight as was asked for.
        repeated: systems whose value of an input is the median of several calls: they have no high percentiles.
        block: neighbouring rounds that are resampled together.
    """

    seconds: dict[str, np.ndarray]
    settled: bool
    repeated: frozenset[str] = frozenset()
    block: int = 1

    def percentiles(self, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Tidy rows of ``PERCENTILES``, 95% intervals by bootstrap over rounds; each needs ten calls beyond it."""
        rows = []
        for name, taken in self.seconds.items():
            resampled = _resampled(taken, bootstraps, seed, self.block)
            note = f"{taken.size} inputs in {len(taken)} rounds" + ("" if self.settled else ", budget spent")
            for metric, percent in PERCENTILES.items():
                enough = taken.size * (100 - percent) / 100 >= 10 and name not in self.repeated
                if enough or percent == 50:
                    samples = 1000 * np.percentile(resampled, percent, axis=1)
                    rows.append(measured(name, metric, samples, note) | {"n": taken.size})
        return pd.DataFrame(rows)

    def means(self, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Tidy rows ``mean_ms``: what adds up to the time of many prompts."""
        rows = []
        for name, taken in self.seconds.items():
            samples = 1000 * _resampled(taken, bootstraps, seed, self.block).mean(axis=1)
            rows.append(measured(name, "mean_ms", samples) | {"n": taken.size})
        return pd.DataFrame(rows)

    def speedups(self, baseline: str, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Tidy rows ``speedup`` of every other system: the baseline's median over its own, round by round.

        The estimate is the median over rounds, so a stretch in which the machine is slow touches both sides alike.
        """
        rows = []
        for name, taken in self.seconds.items():
            if name != baseline:
                ratio = np.median(self.seconds[baseline], axis=1) / np.median(taken, axis=1)
                samples = np.median(_resampled(ratio[:, None], bootstraps, seed, self.block), axis=1)
                rows.append(measured(name, "speedup", samples, f"over {baseline}", opponent=baseline))
        return pd.DataFrame([row | {"n": self.seconds[baseline].size} for row in rows])


def interleaved(
    systems: Mapping[str, Call],
    inputs: Sequence[Any],
    budget_s: float = 20.0,
    tight: float = 0.03,
    calls: int = 5,
    least: int = 20,
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
        least: rounds, whatever the budget; from there on every fifth is judged.
        visit_s: seconds; a system that is through sooner takes each input again, up to ten times, and the median
            counts, so that a scheduler's tick weighs no more on it than on a slow one. 0: every call counts as it is.
        seed: of the order of systems and inputs.

    Raises:
        ToolkitError: nothing to call, or to call it with.
    """
    if not systems or len(inputs) <= calls or calls < 1 or least < 2:
        raise ToolkitError("Latency: a system, a call, more inputs than calls and two rounds at least were expected.")
    rng = np.random.default_rng(seed)
    repeats = {}
    for name, call in systems.items():
        repeats[name] = int(np.clip(visit_s / calls / _visit(call, [inputs[0]] * 2, 1)[0], 1, 10))
    taken: dict[str, list[np.ndarray]] = {name: [] for name in systems}
    names, start, rounds, settled = list(systems), time.perf_counter(), 0, False
    with tqdm(desc="timing", unit="round", disable=None) as bar:
        while not settled and (rounds < least or time.perf_counter() - start < budget_s):
            chosen = [inputs[row] for row in rng.permutation(len(inputs))[: calls + 1]]
            for name in rng.permutation(names):
                taken[name].append(_visit(systems[name], chosen, repeats[name]))
            rounds += 1
            bar.update()
            block = _block(rounds, time.perf_counter() - start)
            settled = rounds >= least and rounds % 5 == 0 and _widest(taken, seed, block) <= tight
    again = frozenset(name for name, count in repeats.items() if count > 1)
    return Timings({name: np.array(rows) for name, rows in taken.items()}, settled, again, block)


def _visit(call: Call, inputs: Sequence[Any], repeats: int) -> np.ndarray:
    """Seconds of each input but the first, which is called and not counted; the median of so many rows of calls."""
    call(inputs[0])
    seconds = np.empty((repeats, len(inputs) - 1))
    for row in range(repeats):
        for column, one in enumerate(inputs[1:]):
            start = time.perf_counter()
            call(one)
            seconds[row, column] = time.perf_counter() - start
    return np.median(seconds, axis=0)


def _block(rounds: int, elapsed_s: float, stretch_s: float = 2.0) -> int:
    """Rounds of a stretch, but at least ten blocks in all where there are that many rounds."""
    return max(1, min(round(stretch_s * rounds / max(elapsed_s, 1e-9)), rounds // 10))


def _widest(taken: Mapping[str, list[np.ndarray]], seed: int, block: int) -> float:
    widest = 0.0
    for rows in taken.values():
        medians = np.median(_resampled(np.array(rows), 200, seed, block), axis=1)
        low, high = interval(medians)
        widest = max(widest, float(high - low) / 2 / medians[0])
    return widest


def _resampled(taken: np.ndarray, bootstraps: int, seed: int, block: int = 1) -> np.ndarray:
    """Inputs of resampled rounds, (B + 1, rounds * inputs), the sample itself first.

    Circular block bootstrap (Politis and Romano 1992): blocks of neighbouring rounds, wrapped around at the end.
    """
    rounds = len(taken)
    starts = np.random.default_rng(seed).integers(0, rounds, (bootstraps, -(-rounds // block)))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(bootstraps, -1)[:, :rounds] % rounds
    drawn = np.vstack([np.arange(rounds), drawn])
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
