"""Commands that ask a saved router, or policies in words: route, threshold, arena."""

import argparse
import sys
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError


def add(commands: Any) -> None:
    """Their parsers."""
    _add_route(commands)
    _add_threshold(commands)
    _add_arena(commands)


def _add_route(commands: Any) -> None:
    route = commands.add_parser("route", help="ask a saved router, or policies in words, where prompts should go")
    route.add_argument(
        "prompts", nargs="*", metavar="PROMPT", help="text of a prompt; repeatable; - reads stdin, one prompt"
    )
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


def _add_threshold(commands: Any) -> None:
    threshold = commands.add_parser("threshold", help="the threshold that sends a share of prompts to the strong model")
    threshold.add_argument("router", type=Path, help="folder written by save_router; a router for two models")
    threshold.add_argument("--share", type=float, required=True, metavar="S", help="of strong calls, 0 to 1")
    threshold.add_argument(
        "--prompts", required=True, metavar="FILE",
        help="reference prompts: a text file with one a line, or whatever --dataset of report takes",
    )  # fmt: skip
    threshold.add_argument(
        "--new", type=int, default=1000, metavar="N", help="new prompts that a share is foretold for (default: 1000)"
    )
    _takes_classes(threshold)
    threshold.set_defaults(run=_threshold)


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


def _threshold(options: argparse.Namespace) -> int:
    from toolkit.evaluation import reliability
    from toolkit.routers.persistence import load_router

    router = load_router(options.router, known=[_router_class(name) for name in options.classes])
    found = reliability.share_threshold(router, _reference(options.prompts), options.share)
    low, high = found.interval(options.new)
    weak, strong = router.models_
    unit = "predicted quality" if router.cost_table_ is None else "predicted quality per dollar"
    print(f"{found.threshold!r} {unit}: {strong} where it leads {weak} by more")
    print(f"  {found.reached:.1%} of {found.reference:,} reference prompts ({options.share:.1%} wanted)")
    if abs(found.reached - found.wanted) > 0.02:
        print("  mind: scores tie, or prompts are few; no threshold comes nearer to the wanted share")
    print(f"  of {options.new:,} new prompts of the same source, {low:.1%} to {high:.1%} in 95 cases of 100")
    if router.cost_table_ is not None:
        print(f"  python -m toolkit route --router {options.router} --weight={found.threshold!r} ...")
    else:
        print("  in Python: toolkit.evaluation.reliability.strength(router, [prompt])[0] > threshold")
    return 0


def _reference(name: str) -> list[str]:
    """Reference prompts: a text file with one a line, or the prompts of a data set."""
    from toolkit import load

    if Path(name).suffix.lower() not in (".txt", ".text"):
        return load(name).texts
    try:
        lines = Path(name).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ToolkitError(f"{name}: a text file with one prompt a line was expected ({err}).") from err
    if not (prompts := [line for line in lines if line.strip()]):
        raise ToolkitError(f"{name}: reference prompts were expected, one a line; the file is empty.")
    return prompts


def _arena(options: argparse.Namespace) -> int:
    import json

    from toolkit.datasets import routerarena
    from toolkit.paths import write_text
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
