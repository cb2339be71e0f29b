"""The command that decides: decide."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Its parser."""
    decide = commands.add_parser(
        "decide", help="which router under which constraints, from a run's tables: JSON, HTML, Markdown and PDF"
    )
    decide.add_argument("folder", type=Path, metavar="RUN", help="folder of a finished run")
    decide.add_argument("--language", default="en", help="of the report: en or zh (default: %(default)s)")
    decide.add_argument(
        "--latency-budget-ms", type=float, default=5.0, metavar="MS",
        help="most that routing may add to a request (default: %(default)s)",
    )  # fmt: skip
    decide.add_argument(
        "--quality-floor", type=float, default=0.95, metavar="SHARE",
        help="least share of the reference's quality (default: %(default)s)",
    )  # fmt: skip
    decide.add_argument(
        "--monthly-requests", type=int, default=1_000_000, metavar="N", help="volume for dollars (default: %(default)s)"
    )
    decide.add_argument("--gpu", action="store_true", help="the router will run beside a GPU")
    decide.add_argument(
        "--error-usd", type=float, default=0.01, metavar="USD",
        help="price of a lost unit of quality, beside the calls (default: %(default)s)",
    )  # fmt: skip
    decide.add_argument(
        "--reference", default="", metavar="MODEL", help="what quality and cost are relative to (default: the best one)"
    )
    decide.add_argument(
        "--today", default="length-rule", metavar="SYSTEM[@POINT]",
        help="the system in use, and its operating point where it has several (default: %(default)s)",
    )  # fmt: skip
    decide.add_argument(
        "--by-estimate", action="store_true", help="let the estimate alone reach the floor, and not its lower bound"
    )
    decide.add_argument("--out", type=Path, metavar="DIR", help="folder of the files (default: decision-RUN-LANGUAGE)")
    decide.set_defaults(run=_decide)


def _decide(options: argparse.Namespace) -> int:
    from toolkit.errors import ToolkitError
    from toolkit.evaluation.decision import Constraints
    from toolkit.reporting import decision, reading
    from toolkit.reporting.decision.language import Wording

    Wording(options.language)  # what is wrong with the request is told before anything is read
    wanted = Constraints(
        options.latency_budget_ms, options.quality_floor, options.monthly_requests, options.gpu, options.error_usd,
        options.reference, options.today, not options.by_estimate,
    )  # fmt: skip
    run = reading.read(options.folder)
    out = options.out or Path(f"decision-{run.path.resolve().name}-{options.language}")
    if out.resolve().is_relative_to(run.path.resolve()):
        raise ToolkitError(f"--out {out}: a folder outside the run was expected, which is never written to again.")
    found = decision.decided(run, wanted, run.manifest["bootstraps"], run.manifest["seed"])
    written = decision.write(found, out, options.language)
    print(decision.lead(found, options.language))
    for kind in ("json", "md", "pdf", "html"):
        if kind in written:
            print(written[kind])
    return 0
