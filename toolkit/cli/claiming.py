"""The command that holds the survey's claims against a run: claims."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Its parser."""
    claims = commands.add_parser("claims", help="the survey's figures, each with a verdict by a run's measurements")
    claims.add_argument(
        "folder", nargs="?", type=Path, metavar="RUN", help="folder of a run (default: the committed example)"
    )
    claims.add_argument("--section", metavar="S", help="of the survey only: summary, 1.1, 1.2, 2, 3.1, 4 or 5.1")
    claims.set_defaults(run=_claims)


def _claims(options: argparse.Namespace) -> int:
    from toolkit import paths
    from toolkit.errors import ToolkitError
    from toolkit.evaluation.claims import SECTIONS, audit
    from toolkit.reporting import audited, reading
    from toolkit.reporting.terminal import show

    if options.section and options.section not in SECTIONS:
        raise ToolkitError(f"--section takes one of {', '.join(SECTIONS)}; {options.section!r} was given.")
    run = reading.read(options.folder or paths.example_dir() / "synthetic")
    found = audited.of_run(run)
    for section, part in found.groupby("section", sort=False):
        if options.section in (None, section):
            print(f"\nsection {section}")
            show(part[["verdict", "claim", "why", "basis"]])
    print()
    print(audit.conclusion(found if options.section is None else found[found["section"] == options.section]))
    return 0
