"""What a generative router answered: one JSON object, or what a language model makes of that."""

import ast
import json
import re
import warnings
from collections.abc import Collection

from toolkit.errors import ToolkitError
from toolkit.routes.table import OTHER

_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")
# The name is all between the first quote and the last: an apostrophe in it ends nothing.
_LOOSE = re.compile(r"""^\{\s*(['"])route\1\s*:\s*(['"])(.*)\2\s*\}$""", re.DOTALL)


def answer_of(name: str) -> str:
    """What a router answers that chooses this route."""
    return json.dumps({"route": name}, ensure_ascii=False)


def route_of(answer: str, names: Collection[str]) -> str:
    """The route of an answer; ``other`` where it names none, an unknown one, or nothing.

    Read as the gateway does it: code fences and a literal backslash-n are left out, quotes may be single, names must
    match exactly. Unlike there, an apostrophe in a name is no quote.

    Args:
        answer: generated text.
        names: of the routes.

    Raises:
        ToolkitError: it is no JSON object, or its route is no text.
    """
    text = answer.strip()
    if not text:
        return OTHER
    found = _read(text)
    route = found.get("route") if isinstance(found, dict) else ...
    if route is not None and not isinstance(route, str):
        raise ToolkitError(f'An answer such as {{"route": "name"}} was expected; the router said {answer[:200]!r}.')
    return route if route in names else OTHER


def _read(text: str) -> object:
    """The object that a text holds, or Ellipsis."""
    plain = _FENCE.sub("", _FENCE.sub("", text.replace("\\n", "")).strip())
    for read, given in ((json.loads, text), (json.loads, plain), (ast.literal_eval, plain)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a model wrote, such as an unknown escape
                return read(given)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue  # to the next reader
    loose = _LOOSE.match(plain)
    return {"route": loose[3]} if loose else ...
