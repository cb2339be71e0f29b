"""How a figure is measured and printed, the same for every subject."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import psutil


def line(name: str, value: float, low: float, high: float, bar: str) -> None:
    """Print one figure and whether it keeps its bar.

    Args:
        low, high: a 95% interval, or the range over repeats; NaN where there is none.
        bar: ``<=60``, ``>=0.5``, ``>0`` or ``0.578..0.588``; ``-`` where there is none, the figure standing for itself.
    """
    verdict = "measured" if bar == "-" else "ok" if _keeps(value, bar) else "short"
    print(f"{name} {value:.4g} {low:.4g} {high:.4g} {bar} {verdict}", flush=True)


def _keeps(value: float, bar: str) -> bool:
    if ".." in bar:
        low, high = map(float, bar.split(".."))
        return low <= value <= high
    if bar.startswith(">") and not bar.startswith(">="):
        return value > float(bar[1:])
    limit = float(bar[2:])
    return value <= limit if bar.startswith("<=") else value >= limit


def tell(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def seconds(action: Callable[[], object], repeats: int) -> np.ndarray:
    """Wall seconds of each of ``repeats`` calls, after one that is not counted."""
    action()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return np.array(taken)


def spread(name: str, values: np.ndarray, bar: str) -> None:
    """Print the median with the range over repeats."""
    line(name, float(np.median(values)), float(values.min()), float(values.max()), bar)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Run a command to its end: (wall seconds, peak GB of resident memory over its whole family of processes).

    Raises:
        RuntimeError: it failed.
    """
    start, peak = time.perf_counter(), 0
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, **kept) as process:
        family = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _resident(family))
            time.sleep(0.25)  # to look more often would take a tenth of a core from what is timed
        output = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}:\n{output}")
    return time.perf_counter() - start, peak / 1e9


def notebook(number: str, bar: str) -> None:
    """A report of one notebook, quick: seconds and memory with an empty cache, and again with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"TOOLKIT_CACHE": str(Path(folder) / "cache")}
        for name, limit in (("cold", "-"), ("warm", bar)):
            out = str(Path(folder) / name)
            seconds, peak = run(
                [sys.executable, "-m", "toolkit", "report", "--only", number, "--out", out], environment
            )
            line(f"notebook_{number}_{name}_s", seconds, np.nan, np.nan, limit)
            line(f"notebook_{number}_{name}_peak_gb", peak, np.nan, np.nan, "-")


def main(bars: Mapping[str, Callable[[], None]], names: Sequence[str], lacks: Callable[[str], str]) -> None:
    """The named bars, or all.

    Args:
        lacks: what a bar needs and is not there, said in words; empty where it can run.
    """
    if unknown := set(names) - set(bars):
        sys.exit(f"no bar {', '.join(sorted(unknown))}; there are {', '.join(bars)}")
    for name in names or bars:
        if missing := lacks(name):
            tell(f"{name}: {missing}: left out")
        else:
            bars[name]()


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_info().rss
    except psutil.NoSuchProcess:  # one of them ended while it was counted
        return total
    return total
