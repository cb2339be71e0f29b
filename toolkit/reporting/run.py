"""The folder of a run: its name, its lock, its manifest."""

import hashlib
import json
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toolkit.errors import ToolkitError
from toolkit.paths import write_text
from toolkit.reporting.tables import canonical

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
CONFIG = "config.json"
SO_FAR = ".manifest.json"  # of a run that is being made, for notebooks that read it
SWEEP = "sweep.csv"  # how the cells of a sweep stand
LEAD = "lead.json"  # what a notebook says on the front page
_LOCK = ".lock"
_SOURCES, _BUNDLED = (".py", ".yml", ".html", ".md"), "_bundled"  # a wheel carries notebooks and data in the latter
_PACKAGES = (
    *("llm-routing-toolkit", "ipykernel", "jupyterlab", "matplotlib", "numpy", "pandas", "papermill", "pyarrow"),
    *(
        "onnxruntime",
        "scikit-learn",
        "scipy",
        "seaborn",
        "sentence-transformers",
        "tokenizers",
        "torch",
        "transformers",
    ),
)


class RunFolder:
    """A run's folder, held by one process at a time; made by :meth:`open`.

    Attributes:
        path: the folder.
        resumed: it existed, unfinished, with the same configuration.
    """

    def __init__(self, path: Path, resumed: bool, lock: FileLock):
        self.path = path
        self.resumed = resumed
        self._lock = lock

    @classmethod
    def open(cls, root: Path, slug: str, config: dict[str, Any]) -> "RunFolder":
        """The unfinished run of this very configuration where there is one, else a new folder.

        Args:
            root: folder of runs.
            slug: readable part of the name.
            config: everything that decides the results (data hashes, notebook hashes, parameters, code).

        Raises:
            ToolkitError: the folder cannot be written, or another process took it.
        """
        key = config_hash(config)[:8]
        _make(root)
        for path in sorted(root.glob(f"*-{slug}-{key}"), reverse=True):
            if (path / MANIFEST).exists() or not (path / CONFIG).is_file():
                continue
            lock = _try_lock(path)
            if lock is None:
                continue
            if (path / MANIFEST).exists():  # its owner finished while we looked
                lock.release()
                continue
            return cls(path, True, lock)
        while True:
            path = root / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{slug}-{key}"
            try:
                path.mkdir()
                break
            except FileExistsError:  # a twin started within this second
                time.sleep(1)
            except OSError as err:
                raise _unwritable(root, err) from err
        lock = _try_lock(path)
        if lock is None:
            raise ToolkitError(f"{path}: another process took the new run's folder; call again.")
        write_json(path / CONFIG, config)
        return cls(path, False, lock)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, last and atomically: its presence is what makes a run a result."""
        write_manifest(self.path, manifest)
        (self.path / SO_FAR).unlink(missing_ok=True)

    def release(self) -> None:
        """Let others resume or read. The lock file stays: removing it would let two processes lock two files."""
        self._lock.release()


def config_hash(config: dict[str, Any]) -> str:
    """Of everything that decides a result, whatever the order of its keys; 64 hexadecimal digits."""
    return hashlib.sha256(canonical(config).encode()).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """The manifest with the hashes of all files beside it, hidden ones left out."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".") and p.name != MANIFEST]
    hashes = {str(p.relative_to(folder)): sha256(p) for p in files}
    write_json(folder / MANIFEST, {"schema_version": SCHEMA_VERSION, **manifest, "files": hashes})


def _make(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise _unwritable(root, err) from err


def _unwritable(root: Path, err: OSError) -> ToolkitError:
    return ToolkitError(f"--out {root}: a folder that can be written was expected ({err.strerror}).")


def _try_lock(path: Path) -> FileLock | None:
    lock = FileLock(path / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, sorted and atomically."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def code_version(package: Path, data: Path) -> dict[str, Any]:
    """Git commit and dirty flag where there is a checkout, and always the hash of what decides results: the package's
    sources, templates and wording, and the committed tables in ``data``."""
    digest = hashlib.sha256()
    own = [path for path in package.rglob("*") if path.suffix in _SOURCES and _BUNDLED not in path.parts]
    tables = [path for path in data.iterdir() if path.is_file() and path.suffix != ".md"]
    for root, files in ((package, own), (data, tables)):
        for path in sorted(files):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    found: dict[str, Any] = {"commit": None, "dirty": None, "sources_sha256": digest.hexdigest()}
    if (package.parent / ".git").exists():
        git = ["git", "-C", str(package.parent)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
        if commit.returncode == 0:
            found |= {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}
    return found


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in _PACKAGES}
