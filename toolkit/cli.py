"""The command line. Every mistake a user can make ends in one sentence on stderr and exit status 2."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run; returns the exit status: 0 done, 1 a finding or a failed notebook, 2 a mistake to mend."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ToolkitError as err:
        print(f"error: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on where this one stopped.", file=sys.stderr)
        return 130


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

    _add_report(commands)
    _add_route(commands)
    _add_arena(commands)
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
    report.set_defaults(run=_report)
    report.add_argument(
        "--only", action="append", metavar="NN", help="only the notebooks whose names start so; repeatable"
    )


def _add_route(commands: Any) -> None:
    route = commands.add_parser("route", help="ask a saved router, or policies in words, where prompts should go")
    route.add_argument("prompts", nargs="*", metavar="PROMPT", help="text of a prompt; repeatable; - reads stdin")
    route.add_argument(
        "--messages", type=Path, action="append", default=[], metavar="FILE",
        help="a conversation, a JSON list of {role, content}; repeatable",
    )  # fmt: skip
    asked = route.add_mutually_exclusive_group(required=True)
    asked.add_argument("--router", type=Path, metavar="DIR", help="folder written by save_router")
    asked.add_argument("--policies", type=Path, metavar="FILE", help="routes with names, descriptions, models, in YAML")
    by = route.add_argument_group("with --policies: an encoder, or with --model a language model")
    by.add_argument("--encoder", metavar="NAME", help="that reads the policies (default: minilm)")
    by.add_argument("--turns", type=int, metavar="N", help="a user's last turns that the encoder reads (default: 1)")
    by.add_argument("--model", metavar="NAME", help="hub name or folder, such as katanemo/Arch-Router-1.5B")
    by.add_argument("--decide", choices=("generate", "tree", "labels"), help="of --model (default: generate)")
    by.add_argument("--dialect", choices=("own", "gateway"), help="of --model's prompt (default: own)")
    by.add_argument("--template", metavar="FILE", help="prompt of your own for --model, instead of a dialect")
    by.add_argument("--precision", choices=("auto", "fp32", "bf16", "int8"), help="of --model (default: auto, bf16)")
    by.add_argument("--prices", type=Path, metavar="FILE", help="CSV of prices, which --weight needs")
    route.add_argument(
        "--weight", type=float, default=0.0, metavar="W",
        help="predicted quality given up per dollar: 0 takes the best model, inf the cheapest (default: %(default)s)",
    )  # fmt: skip
    route.add_argument("--json", action="store_true", help="one JSON object per prompt")
    _takes_classes(route)
    route.set_defaults(run=_route)


def _add_arena(commands: Any) -> None:
    arena = commands.add_parser("arena", help="write a prediction file in RouterArena's format from a saved router")
    arena.add_argument("router", type=Path, help="folder written by toolkit.save_router")
    arena.add_argument("--queries", type=Path, required=True, metavar="FILE", help="RouterArena's dataset file (JSON)")
    arena.add_argument("--out", type=Path, required=True, metavar="FILE", help="prediction file to write (JSON)")
    _takes_classes(arena)
    arena.set_defaults(run=_arena)


def _takes_classes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--class", dest="classes", action="append", default=[], metavar="MODULE:CLASS",
        help="a router class of your own that the folder may hold; repeatable",
    )  # fmt: skip


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
    from rich.console import Console
    from rich.table import Table

    from toolkit.datasets.catalogue import table as catalogue

    frame = catalogue()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        table.add_column(name, justify="right" if frame[name].dtype.kind in "if" else "left", no_wrap=name == "name")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


def _report(options: argparse.Namespace) -> int:
    from toolkit.reporting.execute import spare_start_up

    spare_start_up()
    from toolkit.reporting import report

    made = report.make(
        names=options.dataset or ["synthetic"],
        device=options.device,
        profile=options.profile,
        seed=options.seed,
        out=options.out,
        only=options.only or [],
        tell=partial(print, flush=True),
    )
    if made.failures:
        print(f"{len(made.failures)} part(s) failed; the same command goes on where this one stopped.", file=sys.stderr)
    print(made.index)
    return 1 if made.failures else 0


def _route(options: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    texts = [sys.stdin.read() if prompt == "-" else prompt for prompt in options.prompts]
    prompts = [*texts, *map(_messages, options.messages)]
    if not prompts:
        raise ToolkitError("route: a prompt, or --messages FILE with a conversation, was expected; there is neither.")
    router = _asked(options)
    for prompt in prompts:
        decision = router.route(prompt, options.weight)
        if options.json:
            print(json.dumps(asdict(decision), ensure_ascii=False))
            continue
        cost = decision.expected_cost_usd
        price = "" if cost is None else f"; expected cost ${1000 * cost:.4g} per 1,000 calls"
        print(f"{decision.model}\n  {decision.reason}{price}")
    return 0


_ENCODER, _MODEL = ("encoder", "turns"), ("decide", "dialect", "template", "precision")


def _asked(options: argparse.Namespace) -> Any:
    """The saved router, or one that follows a file of policies; what would have no effect is refused."""
    names = (*_ENCODER, *_MODEL, "model", "prices")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    allowed = (*_MODEL, "model", "prices") if options.model else (*_ENCODER, "prices")
    if idle := [name for name in given if options.router or name not in allowed]:
        beside = "--router" if options.router else "--model" if options.model else "an encoder; it needs --model"
        raise ToolkitError(f"route: --{idle[0]} has no effect beside {beside}.")
    if options.router:
        from toolkit.routers.persistence import load_router

        return load_router(options.router, known=[_router_class(name) for name in options.classes])
    from toolkit.pricing import read_prices
    from toolkit.routers import ArchRouter, DescriptionRouter

    prices = given.pop("prices", None)
    router = (ArchRouter if options.model else DescriptionRouter)(options.policies, **given)
    return router.reprice(read_prices(prices)) if prices else router


def _messages(path: Path) -> Any:
    """A conversation in a file: a JSON list of messages, or an object that holds one, as chat interfaces take it."""
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as err:
        raise ToolkitError(f"{path}: a JSON list of messages with role and content was expected ({err}).") from err
    return content.get("messages", content) if isinstance(content, dict) else content


def _router_class(name: str) -> Any:
    """The class that ``module:Class`` names; modules of the working folder are found too."""
    from importlib import import_module

    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as err:
        raise ToolkitError(f"--class takes MODULE:CLASS; {name!r} could not be imported ({err}).") from err


def _arena(options: argparse.Namespace) -> int:
    import json

    from toolkit.datasets import routerarena
    from toolkit.reporting.run import write_text
    from toolkit.routers.persistence import load_router

    router = load_router(options.router, known=[_router_class(name) for name in options.classes])
    if router.uses_metadata:
        raise ToolkitError(f"{type(router).__name__} reads metadata, and RouterArena gives prompts only.")
    queries = routerarena.read_queries(options.queries)
    chosen = router.choose([prompt for _, prompt in queries])
    predictions = routerarena.prediction_file(queries, [router.models_[column] for column in chosen])
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.out, json.dumps(predictions, indent=1, ensure_ascii=False) + "\n")
    except OSError as err:
        raise ToolkitError(f"--out {options.out}: a file that can be written was expected ({err.strerror}).") from err
    print(f"{len(predictions)} predictions: {options.out}")
    return 0
