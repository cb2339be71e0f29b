"""Routers on disk: parameters and plain values as JSON, arrays as ``.npz`` without pickles.

A folder holds ``router.json`` and ``state.npz``. Reading it runs no code of the file's: the class is looked up by name
among the toolkit's routers and those that the caller names.
"""

import inspect
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from toolkit import __version__
from toolkit.errors import ToolkitError
from toolkit.routers.base import Router

FORMAT = 1
_LEARNED = re.compile(r"(?!models_$)[a-z][a-z0-9_]*_")
_JSON, _ARRAYS = "router.json", "state.npz"


def save_router(router: Router, path: str | Path) -> Path:
    """Write a fitted router into a new folder, whole or not at all.

    Raises:
        ToolkitError: it is not fitted, the folder exists, or its state holds something that is neither plain nor an
            array.
    """
    target = Path(path)
    if not hasattr(router, "models_"):
        raise ToolkitError(f"{type(router).__name__} is not fitted; fit it before it is saved.")
    router = router.kept()
    if target.exists():
        raise ToolkitError(f"{target}: a new folder was expected; this one exists. Name another, or remove it first.")
    state = router.state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in state.items() if name not in arrays}
    for name, value in state.items():
        if value.dtype.hasobject if name in arrays else json.loads(_text(router, name, value)) != value:
            raise ToolkitError(
                f"{type(router).__name__}: {name} cannot be saved as it is; numbers, text, lists of these, arrays of "
                f"numbers were expected (an override of state and restore can make it so)."
            )
    content = {"format": FORMAT, "toolkit": __version__, "models": router.models_, "state": plain, **_spec(router)}
    text = _text(router, "a parameter", content)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        (part / _JSON).write_text(text + "\n", encoding="utf-8")
        np.savez_compressed(part / _ARRAYS, allow_pickle=False, **arrays)
        router.save_parts(part)
        part.chmod(0o755)  # a temporary folder is private
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return target


def load_router(path: str | Path, known: Iterable[type[Router]] = ()) -> Router:
    """Read a saved router, ready to predict.

    Args:
        path: the folder.
        known: router classes of the caller's own that may be met.

    Raises:
        ToolkitError: no such folder, another format, an unknown class, or a damaged file.
    """
    folder = Path(path)
    if not (folder / _JSON).is_file():
        raise ToolkitError(f"{folder}: a saved router was expected; there is no {_JSON} in it.")
    try:
        content = json.loads((folder / _JSON).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
            state = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as err:
        raise _damaged(folder, err) from err
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise ToolkitError(f"{folder}: format {FORMAT} was expected; found {found!r}.")
    models, plain = content.get("models"), content.get("state")
    listed = isinstance(models, list) and models and all(isinstance(name, str) for name in models)
    if not (listed and isinstance(plain, dict) and all(_LEARNED.fullmatch(name) for name in plain | state)):
        raise ToolkitError(f"{folder}: the saved router is damaged (models and learned values were expected).")
    known = tuple(known)
    router = _build(content, {cls.__name__: cls for cls in (*_subclasses(Router), *known)}, folder)
    router.models_ = models
    try:
        router.restore(plain | state)
        router.restore_parts(folder, known)
    except ToolkitError:
        raise
    except Exception as err:  # what is missing or misshapen shows where a class takes it up
        raise _damaged(folder, err) from err
    return router


def _damaged(folder: Path, err: Exception) -> ToolkitError:
    return ToolkitError(f"{folder}: the saved router is damaged ({type(err).__name__}: {err}); save it again.")


def _text(router: Router, name: str, value: Any) -> str:
    try:
        return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    except TypeError as err:
        raise ToolkitError(
            f"{type(router).__name__}: plain values and arrays were expected; {name} is neither ({err})."
        ) from err


def _subclasses(cls: type[Router]) -> Iterable[type[Router]]:
    import toolkit.routers.published  # noqa: F401 - with the package itself, defines them all

    for found in cls.__subclasses__():
        if found.__module__.startswith("toolkit."):
            yield found
        yield from _subclasses(found)


def _by_class() -> dict[str, str]:
    """Modules of the catalogue's routers that only those import who need them, by class name."""
    from toolkit.routers.catalogue import CATALOGUE

    homes = [entry.path.rpartition(".") for entry in CATALOGUE.values() if entry.path]
    return {name: module for module, _, name in homes}


def _spec(router: Router) -> dict[str, Any]:
    """Class and parameters; a parameter may be a router itself, or a tuple of routers."""
    return {"class": type(router).__name__, "params": {name: _plain(value) for name, value in router.params.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return _spec(value) if isinstance(value, Router) else value


def _build(spec: dict[str, Any], classes: dict[str, type[Router]], folder: Path) -> Router:
    name, given = spec.get("class"), spec.get("params")
    if isinstance(name, str) and name not in classes and name in (found := _by_class()):
        classes[name] = getattr(import_module(found[name]), name)
    if not isinstance(name, str) or name not in classes:
        raise ToolkitError(
            f"{folder}: no router class {name!r} is known. Name a class of your own: load_router(..., known=[Class]), "
            f"or --class module:Class on the command line. Known are {', '.join(sorted(classes))}."
        )
    if not isinstance(given, dict) or set(given) != set(inspect.signature(classes[name]).parameters):
        raise ToolkitError(f"{folder}: the parameters of {name} were expected; found {given!r}.")

    def parameter(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(parameter(part) for part in value)
        nested = isinstance(value, dict) and {"class", "params"} <= value.keys()
        return _build(value, classes, folder) if nested else value

    return classes[name](**{key: parameter(value) for key, value in given.items()})
