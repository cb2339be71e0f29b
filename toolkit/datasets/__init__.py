"""Data sets: every source, however odd upstream, becomes one ``Outcomes``."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from toolkit.datasets import files, routerarena, routerbench, table
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes

# Files of a user's own in a benchmark's format, named FORMAT/PATH.
FORMATS: dict[str, Callable[[Path], Outcomes]] = {
    "routerarena": routerarena.load_file,
    "routerbench": routerbench.load_file,
}

__all__ = ["absolute", "label", "load"]


def load(name: str, **options: Any) -> Outcomes:
    """A data set by name, or the user's own table by path.

    Args:
        name: a name of ``python -m toolkit data``, the path of a CSV, JSONL or Parquet table, or a file in a
            benchmark's own format, such as ``routerarena/FILE.json`` or ``routerbench/FILE.parquet``. Options may
            stand behind a question mark, as a report's parameter needs them: ``synthetic?models=40&prompts=5000``.
        options: the same options as keywords; they win over those in the name.

    Raises:
        ToolkitError: unknown name or option, or a file that is missing, changed or malformed.
    """
    base, _, query = name.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True)) | options
    family, path = _own_format(base)
    if base in CATALOGUE:
        loader = CATALOGUE[base].load
    elif family:
        return _chosen(FORMATS[family](path), base, given)
    elif Path(base).suffix.lower() in table.READERS or Path(base).exists():
        loader = table.loader(Path(base).expanduser())
    else:
        raise ToolkitError(
            f"No data set {base!r}; there are {', '.join(CATALOGUE)}, any path that ends in "
            f"{', '.join(table.READERS)}, and {' and '.join(f'{name}/FILE' for name in FORMATS)}."
        )
    return loader(**_typed(loader, given, base))


def label(name: str) -> str:
    """How tables name a data set: its name with options, or a table's file name without its folder."""
    base, mark, query = name.partition("?")
    family, path = _own_format(base)
    shown = base if base in CATALOGUE else f"{family}/{path.name}" if family else Path(base).name
    options = [f"{key}={Path(value).name}" for key, value in parse_qsl(query, keep_blank_values=True)]
    return shown + mark + "&".join(options)


def _own_format(base: str) -> tuple[str, Path]:
    """The format and the path of a name such as ``routerarena/FILE``; ("", ...) where it is none."""
    family, mark, rest = base.partition("/")
    path = Path(rest).expanduser()
    return (family, path) if mark and family in FORMATS and base not in CATALOGUE and path.exists() else ("", path)


def _chosen(outcomes: Outcomes, base: str, options: dict[str, Any]) -> Outcomes:
    """The models that the option ``models`` names; it is the only option of a file in a benchmark's own format."""
    if unknown := [key for key in options if key != "models"]:
        raise ToolkitError(f"{base}: no option {unknown[0]!r}; it takes models.")
    names = files.listed(str(options.get("models", "")))
    return outcomes.subset(models=names) if names else outcomes


def absolute(name: str) -> str:
    """A name whose relative paths, of the table or in its options, are made absolute."""
    base, mark, query = name.partition("?")
    family, path = _own_format(base)
    base = base if base in CATALOGUE else f"{family}/{path.resolve()}" if family else _resolved(base)
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
