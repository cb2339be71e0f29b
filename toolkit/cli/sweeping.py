"""``sweep``: many notebooks with many parameters, and what is left of them."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.reporting import bars

_SHOWN = 100  # characters of an error; sweep.csv has it all


def add(commands: Any) -> None:
    """Its parser."""
    sweep = commands.add_parser("sweep", help="run notebooks over a grid of parameters; goes on where it stopped")
    sweep.add_argument("grid", type=Path, help="YAML: notebooks, and parameters with one value or a list of values")
    sweep.add_argument(
        "--out", metavar="DIR",
        help="folder of the cells, a path or any fsspec URL, such as s3://bucket/sweep (default: reports/sweeps/GRID)",
    )  # fmt: skip
    where = sweep.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, default=1, metavar="N", help="notebooks at a time on this machine (default: %(default)s)"
    )
    where.add_argument(
        "--scheduler", default="", metavar="URL", help="an existing dask cluster instead, such as tcp://host:8786"
    )
    sweep.add_argument(
        "--threads", type=int, default=1, metavar="N",
        help="that numeric libraries of one notebook are given, wherever it runs (default: %(default)s)",
    )  # fmt: skip
    sweep.add_argument("--retry-failed", action="store_true", help="run cells again that failed in an earlier call")
    sweep.add_argument("--dry-run", action="store_true", help="print how the cells stand; nothing is run or written")
    bars.add_option(sweep)
    sweep.set_defaults(run=_sweep)


def _sweep(options: argparse.Namespace) -> int:
    from toolkit.reporting.execute import spare_start_up

    spare_start_up()
    from toolkit.reporting import sweep, tables, terminal

    wanted = bars.read(options.notify_if)
    made = sweep.run(
        path=options.grid,
        out=options.out,
        workers=options.workers,
        scheduler=options.scheduler,
        threads=options.threads,
        retry_failed=options.retry_failed,
        dry_run=options.dry_run,
        tell=partial(print, flush=True),
    )
    seconds = made.table["seconds"].map("{:.1f}".format).replace("nan", "–")
    terminal.show(made.table.drop(columns="notebook").assign(seconds=seconds, error=made.table["error"].str[:_SHOWN]))
    if options.dry_run:
        return 0
    if not made.complete:
        hint = "the same command goes on, --retry-failed with those that failed"
        print(f"not all cells are done; {hint}.", file=sys.stderr)
    status = 0 if made.complete else 1
    status = max(status, bars.report_missed(tables.unfold(made.measurements), wanted))
    print(made.target)
    return status
