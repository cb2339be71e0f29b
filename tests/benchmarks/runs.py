"""Bars of runs: reports in time, results that repeat, sweeps that scale and survive, claims that rest on something.

``python -m tests.benchmarks.runs [NAME ...] [--cells N]``; no name runs all, which takes an hour.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks import harness
from toolkit import paths
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.evaluation.claims import ledger
from toolkit.evaluation.claims.judgement import BASES, VERDICTS
from toolkit.evaluation.metrics import TIMED
from toolkit.reporting import tables
from toolkit.reporting.run import MANIFEST

CELLS = 24
REAL = ("routellm/mmlu", "routellm/gsm8k", "routerdc/cmmlu")
# What two runs of one seed need not share: time, memory, throughput, what derives from them and verdicts that rest on
# them. An attack on a cache by the time of its answers succeeds as the machine's hour has it.
VARYING = TIMED
VARYING_ATTACKS = {"attack_success": "timing, "}
_TOOLKIT = (sys.executable, "-m", "toolkit")
_KILLED = "tests/reporting/test_sweep_killed.py::test_a_killed_"


def sweep(cells: int = CELLS) -> None:
    """Notebook 02, smoke, one seed a cell, one thread: one after the other, and on a cluster of two workers."""
    from distributed import LocalCluster

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, seeds in (("first", [cells]), ("all", list(range(cells)))):
            (folder / f"{name}.yml").write_text(f"notebooks: ['02']\nseed: {seeds}\n", encoding="utf-8")
        _sweep(folder, "first", "caches")  # what a first run leaves in the caches is there for both arms
        alone, _ = _sweep(folder, "all", "serial")
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            two, _ = _sweep(folder, "all", "cluster", "--scheduler", cluster.scheduler_address)
        done = [len(list((folder / arm).glob(f"*/{MANIFEST}"))) for arm in ("serial", "cluster")]
        same = _repeats(folder / "serial", folder / "cluster", "sweep_on_cluster")
    harness.line("sweep_cells_done_of_both", min(done), min(done), max(done), f">={cells}")
    harness.line("sweep_serial_s", alone, np.nan, np.nan, "-")
    harness.line("sweep_two_workers_s", two, np.nan, np.nan, "-")
    harness.line("sweep_two_workers_over_serial", alone / two, np.nan, np.nan, ">=1.6")
    harness.line("sweep_rows_that_depend_on_the_executor", same, np.nan, np.nan, "<=0")


def _sweep(folder: Path, grid: str, out: str, *options: str) -> tuple[float, float]:
    return harness.run([*_TOOLKIT, "sweep", str(folder / f"{grid}.yml"), "--out", str(folder / out), *options])


def killed() -> None:
    """A worker and drivers killed at work, as the tests do it; 1 where nothing is lost and what is left is finished."""
    for name, test in (("worker", "worker_loses_nothing"), ("driver", "driver_is_gone_on_with")):
        asked = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"{_KILLED}{test}"], capture_output=True, text=True
        )
        if asked.returncode:
            harness.tell(asked.stdout[-4000:])
        harness.line(f"sweep_survives_a_killed_{name}", float(not asked.returncode), np.nan, np.nan, ">=1")


def same(profile: str) -> None:
    """Two reports with one seed: rows of measurements.csv that are not the same bytes, time and memory left out."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = []
        for name in ("first", "second"):
            harness.run([*_TOOLKIT, "report", "--profile", profile, "--out", str(Path(scratch) / name)])
            folders += [path.parent for path in (Path(scratch) / name).glob(f"*/{MANIFEST}")]
        harness.line(f"same_{profile}_rows_that_differ", _repeats(*folders, f"same_{profile}"), np.nan, np.nan, "<=0")


def _repeats(first: Path, second: Path, name: str) -> int:
    """How many rows of two runs are not the same bytes; says how many were compared, and what was left out."""
    (kept, left), (others, left_too) = (_rows(folder / tables.MEASUREMENTS) for folder in (first, second))
    differ = [pair for pair in zip(kept, others, strict=False) if pair[0] != pair[1]]
    for one, other in differ[:5]:
        harness.tell(f"{one.strip()}\n{other.strip()}")
    harness.line(f"{name}_rows_compared", len(kept), np.nan, np.nan, "-")
    told = ", ".join(f"{metric} {count}" for metric, count in sorted(left.items()))
    harness.tell(f"{name}: left out as time or memory, rows by metric: {told or 'none'}")
    return len(differ) + abs(len(kept) - len(others)) + sum(((left - left_too) + (left_too - left)).values())


def _rows(path: Path) -> tuple[list[str], Counter[str]]:
    """Lines that must repeat, and how many there are of each metric that need not."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = list(csv.DictReader(lines))
    kept, left = [], Counter()
    for line, row in zip(lines[1:], rows, strict=True):
        attack = VARYING_ATTACKS.get(row["metric"])
        timed = row["metric"] in VARYING or json.loads(row["params"]).get("timed")
        if timed or (attack and row["system"].startswith(attack)):
            left[row["metric"]] += 1
        else:
            kept.append(line)
    return kept, left


def report(name: str, datasets: tuple[str, ...], bar: str) -> None:
    """All notebooks, quick, as ``make report`` calls them after an installation: no vectors in the cache."""
    asked = [option for dataset in datasets for option in ("--dataset", dataset)]
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"TOOLKIT_CACHE": str(Path(scratch) / "cache")}
        if (mirror := paths.mirror_dir() or paths.cache_dir()).is_dir():
            environment["TOOLKIT_DATA_MIRROR"] = str(mirror)
        seconds, peak = harness.run([*_TOOLKIT, "report", *asked, "--out", str(Path(scratch) / "runs")], environment)
    harness.line(f"{name}_s", seconds, np.nan, np.nan, bar)
    harness.line(f"{name}_peak_gb", peak, np.nan, np.nan, "-")


def claims() -> None:
    """Claims without a verdict, or with one that rests on nothing: judged anew, and as the committed runs have them."""
    from toolkit.reporting import audited, reading

    for folder in _examples():
        committed = folder / "10_audit_claims" / "claims.csv"
        kept = pd.read_csv(committed) if committed.is_file() else pd.DataFrame(columns=["id", *_JUDGED])
        for name, found in (("judged", audited.of_run(reading.read(folder))), ("committed", kept)):
            harness.line(f"claims_{folder.name}_{name}", len(found), np.nan, np.nan, "-")
            unsound = len(_unsound(found))
            harness.line(f"claims_{folder.name}_{name}_without_verdict_or_evidence", unsound, np.nan, np.nan, "<=0")


_JUDGED = ("verdict", "basis", "evidence")


def _unsound(found: pd.DataFrame) -> set[str]:
    """Ids of the ledger that are not judged, or on nothing, and ids that the ledger has not."""
    sound = found["verdict"].isin(VERDICTS) & found["basis"].isin(BASES)
    sound &= found["evidence"].fillna("").astype(str).str.strip() != ""
    return set(ledger()["id"]) ^ set(found.loc[sound, "id"]) | set(found.loc[~sound, "id"])


def _examples() -> list[Path]:
    return sorted(path.parent for path in paths.example_dir().glob(f"*/{MANIFEST}"))


_CLUSTERED = ("sweep", "killed")


def lacks(name: str) -> str:
    """What a bar needs and is not there."""
    if name in _CLUSTERED and find_spec("distributed") is None:
        return "dask is not installed (pip install 'llm-routing-toolkit[cluster]')"
    if name == "claims" and not _examples():
        return "there is no committed run"
    missing = [one for one in REAL if CATALOGUE[one].at_hand() == "no"] if name == "report_real" else []
    return f"{', '.join(missing)} is not at hand (set TOOLKIT_DATA_MIRROR)" if missing else ""


def _bars(cells: int) -> dict[str, Callable[[], None]]:
    return {
        "sweep": partial(sweep, cells),
        "killed": killed,
        "same": partial(same, "smoke"),
        "same_quick": partial(same, "quick"),
        "report": partial(report, "report_synthetic", ("synthetic",), "<=420"),
        "report_real": partial(report, "report_real", REAL, "<=1200"),
        "claims": claims,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_bars(CELLS)))
    parser.add_argument("--cells", type=int, default=CELLS, help="of the sweep (default: %(default)s)")
    options = parser.parse_args()
    harness.main(_bars(options.cells), options.names, lacks)
