"""The command line. Every mistake a user can make ends in one sentence on stderr and exit status 2."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.cli import asking, claiming, comparing, deciding, sweeping
from toolkit.errors import ToolkitError
from toolkit.reporting import bars


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run.

    Returns:
        The exit status: 0 done, 1 a finding or a failed notebook, 2 a mistake to mend, 3 a bar of ``--notify-if``
        missed, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except ToolkitError as err:
        print(f"error: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where this one stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads has had enough, as head has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as the shell calls it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolkit",
        description="Which router should send which prompt to which model, and how do we know?",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="check versions, CPU, memory, GPU and data mirror")
    doctor.set_defaults(run=_doctor)

    data = commands.add_parser("data", help="list the data sets: rows, models, licence, size, at hand or not")
    data.set_defaults(run=_data)

    routers = commands.add_parser("routers", help="list the routers: what they go by, source, needs, costs")
    routers.add_argument(
        "--time", action="store_true", help="fit and time those that need labels alone, on 500 embedded prompts"
    )
    routers.set_defaults(run=_routers)

    _add_report(commands)
    asking.add(commands)
    claiming.add(commands)
    comparing.add(commands)
    deciding.add(commands)
    sweeping.add(commands)
    return parser


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="run the notebooks and make the report; prints the path of index.html last"
    )
    report.add_argument(
        "--dataset", action="append", metavar="NAME",
        help="a name of `python -m toolkit data` or the path of a CSV, JSONL or Parquet table; repeatable "
        "(default: synthetic); options behind a question mark: 'synthetic?models=40'",
    )  # fmt: skip
    report.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    report.add_argument("--profile", default="quick", help="smoke, quick or full (default: %(default)s)")
    report.add_argument("--seed", type=int, default=0, help="of folds and resampling (default: %(default)s)")
    report.add_argument("--out", type=Path, metavar="DIR", help="folder of runs (default: reports/)")
    bars.add_option(report)
    report.set_defaults(run=_report)
    report.add_argument(
        "--only", action="append", metavar="NN", help="only the notebooks whose names start so; repeatable"
    )


def _doctor(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from toolkit.doctor import examine

    table = Table(box=None, pad_edge=False, show_header=False)
    findings = []
    for finding in examine():
        findings.append(finding)
        mark = "[green]OK[/]" if finding.ok else "[bold red]FAIL[/]"
        table.add_row(mark, finding.subject, finding.found + (f"\n→ {finding.remedy}" if finding.remedy else ""))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0 if all(finding.ok for finding in findings) else 1


def _data(options: argparse.Namespace) -> int:
    from toolkit.datasets.catalogue import table
    from toolkit.reporting.terminal import show

    show(table())
    return 0


def _routers(options: argparse.Namespace) -> int:
    from toolkit.reporting.terminal import show
    from toolkit.routers import catalogue

    frame = catalogue.table()
    if options.time:
        from toolkit.evaluation.learning import catalogue_times

        frame = frame.merge(catalogue_times(), on="name", how="left")
        frame["fit_s"], frame["predict_ms"] = (
            frame[name].map("{:.2f}".format).replace("nan", "–") for name in ("fit_s", "predict_ms")
        )
    for kind, part in frame.groupby("kind", sort=False):
        print(f"\n{catalogue.KINDS[kind]}")
        idle = [name for name in ("kind", "class") if name == "kind" or kind != catalogue.OTHER]
        show(part.drop(columns=idle))
    if options.time:
        print("\nfit_s: on 500 prompts. predict_ms: per prompt of one batch, vectors at hand; one alone takes longer.")
    print(f"\nLLMRouter's: its name for the same kind of router ({catalogue.LLMROUTER}, single-round list).")
    return 0


def _report(options: argparse.Namespace) -> int:
    from toolkit.reporting.execute import spare_start_up

    spare_start_up()
    from toolkit.reporting import reading, report

    wanted = bars.read(options.notify_if)  # a file that is wrong is told before anything runs
    made = report.make(
        names=options.dataset or ["synthetic"],
        device=options.device,
        profile=options.profile,
        seed=options.seed,
        out=options.out,
        only=options.only or [],
        tell=partial(print, flush=True),
    )
    status = 0
    if made.failures:
        print(f"{len(made.failures)} part(s) failed; the same command goes on where this one stopped.", file=sys.stderr)
        status = 1  # bars are for whole results
    elif wanted:
        status = bars.report_missed(reading.read(made.index).measurements, wanted)
    print(made.index)
    return status
