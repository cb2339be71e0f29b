"""Bandits on disk: one ``.npz`` file without pickles, replaced whole, so that a reader never meets half of one."""

import contextlib
import inspect
import json
import os
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from toolkit import __version__
from toolkit.bandits.adaptive import AdaptiveBeta
from toolkit.bandits.adversarial import EXP3
from toolkit.bandits.base import Bandit
from toolkit.bandits.counting import UCB1, BetaThompson, EpsilonGreedy, GaussianThompson
from toolkit.bandits.dueling import DuelingThompson
from toolkit.bandits.linear import LinearThompson, LinUCB, LogisticThompson
from toolkit.bandits.neural import NeuralUCB
from toolkit.errors import ToolkitError

FORMAT = 1
BANDITS = (
    BetaThompson, GaussianThompson, UCB1, EpsilonGreedy, LinUCB, LinearThompson, LogisticThompson, NeuralUCB, EXP3,
    DuelingThompson, AdaptiveBeta,
)  # fmt: skip
_HEADER = "header"


def save_bandit(bandit: Bandit, path: str | Path) -> Path:
    """Write a bandit; when this returns it is on the disk, and what stood there before is gone only then.

    A process that is killed leaves the old file or the new one, and at worst a temporary file beside it.

    Raises:
        ToolkitError: the file cannot be written; the old one is left.
    """
    target = Path(path)
    params = {name: _plain(value) for name, value in bandit.params.items()}
    state = bandit.state()
    arrays = {f"param.{name}": value for name, value in params.items() if isinstance(value, np.ndarray)}
    arrays |= {f"state.{name}": value for name, value in state.items() if isinstance(value, np.ndarray)}
    header = {
        "format": FORMAT,
        "toolkit": __version__,
        "class": type(bandit).__name__,
        "params": {name: value for name, value in params.items() if not isinstance(value, np.ndarray)},
        "state": {name: value for name, value in state.items() if not isinstance(value, np.ndarray)},
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays, **{_HEADER: np.array(json.dumps(header))})
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(target)
            _sync(target.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(part).unlink()
            raise
    except OSError as err:
        raise ToolkitError(f"{target}: the bandit could not be written ({err}); what stood there is left.") from err
    return target


def load_bandit(path: str | Path, known: Iterable[type[Bandit]] = ()) -> Bandit:
    """Read a bandit, ready to go on where it was saved.

    Args:
        known: bandit classes of the caller's own that may be met.

    Raises:
        ToolkitError: no such file, another format, an unknown class, or a damaged file.
    """
    file = Path(path)
    try:
        with np.load(file, allow_pickle=False) as content:
            header = json.loads(str(content[_HEADER]))
            arrays = {name: content[name] for name in content.files if name != _HEADER}
    except FileNotFoundError as err:
        raise ToolkitError(f"{file}: a saved bandit was expected; there is no such file.") from err
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as err:
        raise ToolkitError(f"{file}: a saved bandit was expected; the file is damaged or none ({err}).") from err
    found = header.get("format") if isinstance(header, dict) else None
    if found != FORMAT:
        raise ToolkitError(f"{file}: format {FORMAT} was expected; found {found!r}.")
    classes = {cls.__name__: cls for cls in (*BANDITS, *known)}
    if header.get("class") not in classes:
        raise ToolkitError(
            f"{file}: no bandit class {header.get('class')!r} is known; there are {', '.join(sorted(classes))}. Name a "
            f"class of your own: load_bandit(..., known=[Class])."
        )
    cls = classes[header["class"]]
    try:
        params, state = (
            {**header[part], **_of(arrays, kind)} for part, kind in (("params", "param."), ("state", "state."))
        )
        if set(params) != set(inspect.signature(cls).parameters):
            raise ValueError(f"the parameters of {cls.__name__} were expected, {sorted(params)} found")
        return cls(**params).restore(state)
    except (KeyError, TypeError, ValueError) as err:
        raise ToolkitError(f"{file}: the saved bandit is damaged ({err}); save it again.") from err


def _of(arrays: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(kind): value for name, value in arrays.items() if name.startswith(kind)}


def _plain(value: Any) -> Any:
    """As JSON takes it; an array as it is."""
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple) else value


def _sync(folder: Path) -> None:
    """The new name is on the disk too; Windows neither needs nor offers it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
