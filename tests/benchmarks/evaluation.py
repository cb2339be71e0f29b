"""Bars of the evaluation: the report's time and memory, the package's import, the bootstrap, the conformance figures.

``python -m tests.benchmarks.evaluation``; figures on real data need TOOLKIT_DATA_MIRROR or cached files and are left
out, with a line on stderr, where there are none.
"""

import subprocess
import sys
import tempfile

import numpy as np

from tests.benchmarks import harness
from toolkit import datasets
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.evaluation.leaderboard import compare_pair
from toolkit.evaluation.protocol import Predictions, cross_predict
from toolkit.outcomes import Outcomes
from toolkit.routers import ROUTERS

REAL = ("routellm/mmlu", "routellm/gsm8k")


def measure_import() -> None:
    """Time of ``import toolkit`` above a bare interpreter's, and whether torch came with it."""
    start = lambda code: harness.seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), 9)  # noqa: E731
    harness.spread("import_toolkit_s", start("import toolkit") - np.median(start("pass")), "<=0.3")
    code = "import sys, toolkit; print(int('torch' in sys.modules))"
    loaded = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    harness.line("import_toolkit_loads_torch", loaded, np.nan, np.nan, "<=0")


def measure_bootstrap(pair: Outcomes) -> None:
    """Curves, APGR, CPT50 and CPT80 with 1,000 paired bootstraps for 8 routers; fitting is not counted."""
    rng = np.random.default_rng(0)
    lengths = np.array([len(text) for text in pair.texts], dtype=float)
    names = [f"router-{number}" for number in range(8)]
    score = {name: lengths / lengths.max() + rng.normal(0, 0.05 * k, len(pair)) for k, name in enumerate(names)}
    predictions = Predictions(
        outcomes=pair,
        split="cv5",
        routers={name: ROUTERS["prompt-length"]() for name in names},
        quality={name: np.stack([-win, win], axis=1) for name, win in score.items()},
        expected_cost=None,
    )
    harness.spread("bootstrap_8_routers_mmlu_s", harness.seconds(lambda: compare_pair(predictions, 1000), 5), "<=5")


def measure_length_baseline(pair: Outcomes, bar: str) -> None:
    """APGR of prompt length, trapezoid over deciles."""
    predictions = cross_predict(pair, {"prompt-length": ROUTERS["prompt-length"]()})
    rows = compare_pair(predictions, 2000).measurements
    row = rows[rows["metric"] == "apgr"].iloc[0]
    name = pair.name.removeprefix("routellm/")
    harness.line(f"length_apgr_{name}", row["value"], row["ci_low"], row["ci_high"], bar)


def measure_report(name: str, sets: tuple[str, ...], limit_s: str, repeats: int = 3) -> None:
    """Notebooks 00 to 02 by the command, in a new folder each time, as installed."""
    chosen = [word for dataset in sets for word in ("--dataset", dataset)]
    chosen += ["--only", "00", "--only", "01", "--only", "02"]
    taken = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            taken.append(harness.run([sys.executable, "-m", "toolkit", "report", *chosen, "--out", folder]))
    wall, peak = np.array(taken).T
    harness.spread(f"{name}_s", wall, limit_s)
    harness.spread(f"{name}_peak_gb", peak, "<=2")


def main() -> None:
    """All figures, the quick ones first."""
    measure_import()
    at_hand = all(CATALOGUE[name].at_hand() != "no" for name in REAL)
    if at_hand:
        mmlu, gsm8k = (datasets.load(name).pair() for name in REAL)
        measure_bootstrap(mmlu)
        measure_length_baseline(mmlu, "0.578..0.588")
        measure_length_baseline(gsm8k, "0.593..0.603")
        measure_report("report_mmlu_gsm8k", REAL, "<=120")
    else:
        harness.tell("routellm is not at hand (set TOOLKIT_DATA_MIRROR): its figures are left out")
    measure_report("report_default", (), "<=60")


if __name__ == "__main__":
    main()
