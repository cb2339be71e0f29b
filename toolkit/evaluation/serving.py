"""A router as a process: how soon it first answers, what memory it holds, whether callers get in each other's way."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import ToolkitError

_FIRST = """
import sys
from pathlib import Path
from toolkit import load_router
from toolkit.gateway import Gateway
gateway = Gateway(load_router(sys.argv[1]))
print(gateway.route("What is the capital of France?").decision.model, flush=True)
import psutil
for number in range(200):
    gateway.route(f"Question {number}: what is the capital of France, and why?")
print(psutil.Process().memory_info().rss, flush=True)
"""


def cold_starts(router: Path, repeats: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from the start of a process to its first decision, and bytes it holds after 200 more.

    Args:
        router: folder of a saved router with an encoder; its graph must be on disk already, so ask it once before.

    Returns:
        float64 (repeats,) each.

    Raises:
        ToolkitError: the process failed.
    """
    taken, held = np.empty(repeats), np.empty(repeats)
    for row in range(repeats):
        start = time.perf_counter()
        command = [sys.executable, "-c", _FIRST, str(router)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            answered = process.stdout.readline()
            taken[row] = time.perf_counter() - start
            memory, complaint = process.communicate()
        if process.returncode or not answered:
            raise ToolkitError(
                f"{router}: a router that loads and routes was expected; its process ended with {complaint}"
            )
        held[row] = float(memory)
    return taken, held


def together(call: Callable[[Any], object], inputs: Sequence[Any], callers: int) -> tuple[float, list[object]]:
    """Seconds for ``callers`` threads to have all inputs answered, and the answers in order."""
    with ThreadPoolExecutor(callers) as pool:
        everybody = threading.Barrier(callers)  # an idle thread would be used again before another one is started
        list(pool.map(lambda _: (everybody.wait(), call(inputs[0])), range(callers)))
        start = time.perf_counter()
        answers = list(pool.map(call, inputs))
        return time.perf_counter() - start, answers


class Conditions:
    """What else went on on the machine between the start and ``end``: the noise that a reader should know of."""

    def __init__(self) -> None:
        import psutil

        self._start = time.perf_counter(), psutil.cpu_times(), psutil.Process().num_ctx_switches()
        self.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")

    def end(self) -> dict[str, float]:
        """load_before: processes that wanted a core in the minute before; mhz: clock, NaN where the platform hides it;
        steal_share: of all cores' time, taken by other guests; preempted_per_s: times this process lost its core."""
        import psutil

        elapsed = time.perf_counter() - self._start[0]
        times, switches = psutil.cpu_times(), psutil.Process().num_ctx_switches()
        whole = sum(times) - sum(self._start[1])
        stolen = getattr(times, "steal", 0.0) - getattr(self._start[1], "steal", 0.0)
        clock = psutil.cpu_freq()
        return {
            "load_before": self.load,
            "mhz": clock.current if clock else float("nan"),
            "steal_share": stolen / whole if whole > 0 else 0.0,
            "preempted_per_s": (switches.involuntary - self._start[2].involuntary) / elapsed,
        }
