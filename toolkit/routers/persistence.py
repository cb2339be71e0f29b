"""Routers on disk: parameters and plain values as JSON, arrays as ``.npz`` without pickles.

A folder holds ``router.json`` and ``state.npz``. Reading it runs no code of the file's: the class is looked up by name
among the toolkit's routers and those that the caller names.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from toolkit import __version__
from toolkit.errors import ToolkitError
from toolkit.routers.base import Router

FORMAT = 1
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
    if target.exists():
        raise ToolkitError(f"{target}: a new folder was expected; this one exists. Name another, or remove it first.")
    state = router.state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    plain = {name: value for name, value in state.items() if name not in arrays}
    content = {"format": FORMAT, "toolkit": __version__, "models": router.models_, "state": plain, **_spec(router)}
    try:
        text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    except TypeError as err:
        raise ToolkitError(
            f"{type(router).__name__}: a state of plain values and arrays was expected ({err})."
        ) from err
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        (part / _JSON).write_text(text + "\n", encoding="utf-8")
        np.savez_compressed(part / _ARRAYS, allow_pickle=False, **arrays)
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
    except (OSError, ValueError, EOFError, BadZipFile) as err:
        raise ToolkitError(f"{folder}: the saved router is damaged ({err}); save it again.") from err
    if content.get("format") != FORMAT:
        raise ToolkitError(f"{folder}: format {FORMAT} was expected; found {content.get('format')!r}.")
    classes = {cls.__name__: cls for cls in (*_subclasses(Router), *known)}
    router = _build(content, classes, folder)
    router.models_ = list(content["models"])
    router.restore(content["state"] | state)
    return router


def _subclasses(cls: type[Router]) -> Iterable[type[Router]]:
    import toolkit.routers  # noqa: F401 - defines them

    for found in cls.__subclasses__():
        if found.__module__.startswith("toolkit."):
            yield found
        yield from _subclasses(found)


def _spec(router: Router) -> dict[str, Any]:
    """Class and parameters; a parameter may be a router itself."""
    params = {name: _spec(value) if isinstance(value, Router) else value for name, value in router.params.items()}
    return {"class": type(router).__name__, "params": params}


def _build(spec: dict[str, Any], classes: dict[str, type[Router]], folder: Path) -> Router:
    name = spec.get("class")
    if name not in classes:
        raise ToolkitError(f"{folder}: no router class {name!r} is known; there are {', '.join(sorted(classes))}.")
    params = {}
    for key, value in spec.get("params", {}).items():
        nested = isinstance(value, dict) and {"class", "params"} <= value.keys()
        params[key] = _build(value, classes, folder) if nested else tuple(value) if isinstance(value, list) else value
    return classes[name](**params)
