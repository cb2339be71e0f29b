"""Upstream files: from the mirror, the cache or their pinned address, always checked by sha256."""

import os
from functools import cache
from pathlib import Path

import pooch

from toolkit import paths
from toolkit.errors import ToolkitError

OFFLINE_VARIABLE = "TOOLKIT_OFFLINE"


@cache
def _pooch() -> pooch.Pooch:
    keeper = pooch.create(path=paths.cache_dir(), base_url="", retry_if_failed=2)
    keeper.load_registry(paths.data_dir() / "registry.txt")
    pooch.get_logger().setLevel("WARNING")
    return keeper


def names(prefix: str) -> list[str]:
    """Registered files below a folder, sorted."""
    return sorted(name for name in _pooch().registry if name.startswith(prefix))


def where(name: str) -> str | None:
    """``"mirror"`` or ``"cache"`` where the file lies at hand, else None. Hashes are not checked here."""
    mirror = paths.mirror_dir()
    if mirror is not None and (mirror / name).is_file():
        return "mirror"
    return "cache" if (paths.cache_dir() / name).is_file() else None


def fetch(name: str) -> Path:
    """Path of a registered file whose content has the registered hash.

    The mirror (``TOOLKIT_DATA_MIRROR``) is asked first and is never written to; then the cache; then the network,
    unless ``TOOLKIT_OFFLINE`` is set.

    Raises:
        ToolkitError: the hash differs, or the file cannot be had.
    """
    keeper = _pooch()
    expected = keeper.registry[name]
    mirror = paths.mirror_dir()
    if mirror is not None and not mirror.is_dir():
        raise ToolkitError(
            f"TOOLKIT_DATA_MIRROR names {mirror}, which is no folder; point it at a folder laid out as "
            f"data/registry.txt says, or unset it."
        )
    if mirror is not None and (mirror / name).is_file():
        _check(mirror / name, expected, "correct the mirror or unset TOOLKIT_DATA_MIRROR")
        return mirror / name
    cached = Path(keeper.path) / name
    if cached.is_file():
        _check(cached, expected, "delete the file; it will be fetched again")
        return cached
    if os.environ.get(OFFLINE_VARIABLE):
        raise ToolkitError(
            f"{name} is not at hand and {OFFLINE_VARIABLE} forbids downloads; unset it, or set TOOLKIT_DATA_MIRROR "
            f"to a folder that holds the file."
        )
    try:
        return Path(keeper.fetch(name))
    except ValueError as err:
        raise ToolkitError(f"{keeper.urls[name]} does not have the registered content: {err}") from err
    except (OSError, ImportError) as err:  # requests' errors derive from OSError
        raise ToolkitError(
            f"{name} could not be fetched from {keeper.urls[name]} ({type(err).__name__}); connect to the network, or "
            f"set TOOLKIT_DATA_MIRROR to a folder that holds the file."
        ) from err


def _check(path: Path, expected: str, remedy: str) -> None:
    if not pooch.hashes.hash_matches(path, expected):
        found = pooch.file_hash(path, alg="sha256")
        raise ToolkitError(f"{path}: {expected} was expected, sha256:{found} was found; {remedy}.")
