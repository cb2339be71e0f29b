"""Where things are: anchored on the package, so that a kernel's working folder never matters; whole files or none."""

import os
import tempfile
import uuid
import warnings
from functools import cache
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def _beside_or_inside(name: str) -> Path:
    """A folder of the checkout where there is one, else the copy that the wheel carries."""
    checkout = _PACKAGE.parent / name
    bundled = _PACKAGE / "_bundled" / name
    return bundled if bundled.is_dir() else checkout


def data_dir() -> Path:
    """Committed tables: registry, synthetic pool and prompts. Never upstream data."""
    return _beside_or_inside("data")


def notebooks_dir() -> Path:
    """The parameterised notebooks."""
    return _beside_or_inside("notebooks")


def example_dir() -> Path:
    """The committed runs, by name: what notebooks read that are given no run."""
    return _beside_or_inside("reports/example")


def reports_dir() -> Path:
    """Default place of runs: ``reports/`` of the checkout, or of the working folder for an installed wheel."""
    checkout = _PACKAGE.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "reports"


def cache_dir() -> Path:
    """Where downloaded files are kept; ``TOOLKIT_CACHE`` overrides the platform's cache folder."""
    chosen = os.environ.get("TOOLKIT_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("llm-routing-toolkit"))


def writable_cache(name: str) -> Path:
    """A folder in ``cache_dir`` that files can be made in; where there can be none, one that ends with the process."""
    folder = cache_dir() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as err:
        passing = Path(_passing().name) / name
        passing.mkdir(exist_ok=True)
        warnings.warn(
            f"{folder} cannot be written ({err.strerror}); {passing} is used until this process ends. Set "
            f"TOOLKIT_CACHE to a folder that can.",
            stacklevel=3,
        )
        return passing


@cache
def _passing() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="toolkit-cache-")  # removed when the interpreter ends


def mirror_dir() -> Path | None:
    """The read-only copy of the upstream files named by ``TOOLKIT_DATA_MIRROR``, or None."""
    chosen = os.environ.get("TOOLKIT_DATA_MIRROR")
    return Path(chosen).expanduser() if chosen else None


def write_text(path: Path, content: str) -> None:
    """Write a file so that a reader sees the old one or the whole new one."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")  # two runs write the list of runs
    part.write_text(content, encoding="utf-8")
    part.replace(path)
