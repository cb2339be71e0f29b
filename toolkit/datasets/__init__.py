"""Data sets: every source, however odd upstream, becomes one ``Outcomes``."""

import inspect
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from toolkit.datasets import table
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes

__all__ = ["absolute", "label", "load"]


def load(name: str, **options: Any) -> Outcomes:
    """A data set by name, or the user's own table by path.

    Args:
        name: a name of ``python -m toolkit data``, or the path of a CSV, JSONL or Parquet table. Options may stand
            behind a question mark, as a report's parameter needs them: ``synthetic?models=40&prompts=5000``.
        options: the same options as keywords; they win over those in the name.

    Raises:
        ToolkitError: unknown name or option, or a file that is missing, changed or malformed.
    """
    base, _, query = name.partition("?")
    if base in CATALOGUE:
        loader = CATALOGUE[base].load
    elif Path(base).suffix.lower() in table.READERS or Path(base).exists():
        loader = table.loader(Path(base).expanduser())
    else:
        raise ToolkitError(
            f"No data set {base!r}; there are {', '.join(CATALOGUE)}, and any path that ends in "
            f"{', '.join(table.READERS)}."
        )
    given = dict(parse_qsl(query, keep_blank_values=True)) | options
    return loader(**_typed(loader, given, base))


def label(name: str) -> str:
    """How tables name a data set: its name with options, or a table's file name without its folder."""
    base, mark, query = name.partition("?")
    return f"{base if base in CATALOGUE else Path(base).name}{mark}{query}"


def absolute(name: str) -> str:
    """A name whose relative paths, of the table or in its options, are made absolute."""
    base, mark, query = name.partition("?")
    base = base if base in CATALOGUE else _resolved(base)
    options = [(key, _resolved(value)) for key, value in parse_qsl(query, keep_blank_values=True)]
    return base + mark + urlencode(options, safe="/:~", quote_via=quote)


def _resolved(path: str) -> str:
    found = Path(path).expanduser()
    return str(found.resolve()) if path and found.exists() else path


def _typed(loader: Any, given: dict[str, Any], name: str) -> dict[str, Any]:
    """Options in the types of the loader's defaults; text comes from names such as ``set?option=value``."""
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(loader).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    typed = {}
    for key, value in given.items():
        if key not in parameters:
            raise ToolkitError(f"{name}: no option {key!r}; it takes {', '.join(parameters) or 'none'}.")
        kind = type(parameters[key].default)
        try:
            typed[key] = _BOOLEANS[str(value).lower()] if kind is bool else kind(value)
        except (KeyError, ValueError) as err:
            raise ToolkitError(f"{name}: option {key} takes {kind.__name__}; {value!r} was given.") from err
    return typed


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
