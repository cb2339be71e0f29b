"""Bars of the data: loading every set, one report over all of them, re-pricing.

``python -m tests.benchmarks.data``; sets that are not at hand are left out, with a line on stderr.
"""

import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd

from tests.benchmarks import harness
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.outcomes import Outcomes

_LOAD = (
    "import sys, time; import toolkit.datasets, toolkit.datasets.catalogue\n"
    "start = time.perf_counter(); toolkit.datasets.load(sys.argv[1]); print(time.perf_counter() - start)"
)


def measure_loading(name: str) -> None:
    """Seconds of a load, and the peak memory of the process that did it, imports included."""
    seconds = [
        float(subprocess.run([sys.executable, "-c", _LOAD, name], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    _, peak = harness.run([sys.executable, "-c", _LOAD, name])
    slug = name.replace("/", "_")
    harness.spread(f"load_{slug}_s", np.array(seconds), "<=10")
    harness.line(f"load_{slug}_peak_gb", peak, np.nan, np.nan, "<=1")


def measure_report(names: list[str]) -> None:
    """Notebook 01 over all sets, profile quick, in one report."""
    chosen = [word for name in names for word in ("--dataset", name)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "toolkit", "report", *chosen, "--only", "01", "--out", folder]
        seconds, peak = harness.run(command)
    harness.line(f"report_01_{len(names)}_sets_s", seconds, np.nan, np.nan, "<=90")
    harness.line(f"report_01_{len(names)}_sets_peak_gb", peak, np.nan, np.nan, "<=2")


def measure_repricing(rows: int = 5000, models: int = 40) -> None:
    """``Outcomes.reprice`` of 5,000 prompts x 40 models."""
    rng = np.random.default_rng(0)
    names = [f"m{number}" for number in range(models)]
    columns = ["input_usd_per_mtok", "output_usd_per_mtok"]
    prices = pd.DataFrame(rng.random((models, 2)), index=names, columns=columns)
    tokens = rng.integers(1, 1000, (2, rows, models)).astype(float)
    outcomes = Outcomes(
        name="made",
        prompts=pd.DataFrame({"prompt_id": np.arange(rows).astype(str), "text": [f"prompt {k}" for k in range(rows)]}),
        models=prices,
        quality=rng.random((rows, models)),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
    )
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        outcomes.reprice(prices * 2)
        taken.append(1000 * (time.perf_counter() - start))
    harness.spread("reprice_5000x40_ms", np.array(taken), "<=50")


def main() -> None:
    """All figures, the quick ones first."""
    measure_repricing()
    at_hand = [name for name, entry in CATALOGUE.items() if entry.at_hand() != "no"]
    if missing := sorted(set(CATALOGUE) - set(at_hand)):
        harness.tell(f"not at hand (set TOOLKIT_DATA_MIRROR), left out: {', '.join(missing)}")
    for name in at_hand:
        measure_loading(name)
    measure_report(at_hand)


if __name__ == "__main__":
    main()
