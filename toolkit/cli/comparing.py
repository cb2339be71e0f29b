"""The command that sets two runs beside each other: compare."""

import argparse
from pathlib import Path
from typing import Any

from toolkit.reporting import bars


def add(commands: Any) -> None:
    """Its parser."""
    compare = commands.add_parser(
        "compare", help="what changed from run A to run B: settings, then paired differences with intervals"
    )
    compare.add_argument("a", type=Path, metavar="A", help="folder of the earlier run, or of a cell of a sweep")
    compare.add_argument("b", type=Path, metavar="B", help="folder of the later one; changes are B minus A")
    compare.add_argument(
        "--all-points", action="store_true", help="every operating point, not just each system's headline one"
    )
    compare.add_argument(
        "--metrics", type=_names, default=[], metavar="NAME,...",
        help="figures of measurements.csv to set beside each other too, unpaired, such as apgr,cpt50",
    )  # fmt: skip
    compare.add_argument("--latency", action="store_true", help="the same of everything that is time or memory")
    compare.add_argument("--force", action="store_true", help="set these beside each other across different hardware")
    compare.add_argument(
        "--without-manifest", action="store_true",
        help="take folders that papermill or a notebook wrote by themselves; whether they are whole is for you to know",
    )  # fmt: skip
    compare.add_argument("--out", type=Path, metavar="FILE", help="write it all: .csv, .md, .html or .json")
    bars.add_option(compare)
    compare.set_defaults(run=_compare)


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _compare(options: argparse.Namespace) -> int:
    from toolkit.reporting import compare, reading

    wanted = bars.read(options.notify_if)
    if options.out:
        compare.checked_format(options.out)
    a, b = (reading.read(path, finished=not options.without_manifest) for path in (options.a, options.b))
    found = compare.compare(a, b, options.all_points, options.metrics, options.latency, options.force)
    compare.show(found)
    if options.out:
        compare.write(found, options.out)
    if wanted:
        print()
    return bars.report_missed(compare.figures(found, b), wanted)
