"""A sweep's cell at work, on whatever machine: executed in a folder of its own, then published whole or not at all."""

import hashlib
import json
import random
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit import datasets
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.reporting import execution, tables
from toolkit.reporting.execute import Result, Workers
from toolkit.reporting.run import CONFIG, MANIFEST, sha256, write_json, write_manifest
from toolkit.reporting.sweep.grid import Cell
from toolkit.reporting.sweep.target import Target

DONE, FAILED, PENDING = "done", "failed", "pending"
FAILURE = "failed.json"
_PAGE = "notebook.html"
_TRIES = 8  # of a writer that finds another one's files between its own


def state(cell: Cell, target: Target) -> dict[str, Any]:
    """How a cell stands in the target: ``status`` (done, failed or pending), ``seconds``, ``error``."""
    if (manifest := _manifest(cell, target)) is not None:
        return _state(DONE, manifest["notebooks"][0]["seconds"])
    if found := target.read(f"{cell.folder}/{FAILURE}"):
        failure = json.loads(found)
        return _state(FAILED, failure["seconds"], failure["error"])
    return _state(PENDING)


def _state(status: str, seconds: float | None = None, error: str = "") -> dict[str, Any]:
    return {"status": status, "seconds": None if seconds is None else round(seconds, 1), "error": error}


def _manifest(cell: Cell, target: Target) -> dict[str, Any] | None:
    """The manifest of a finished cell; None where there is none, or one of another cell."""
    found = target.read(f"{cell.folder}/{MANIFEST}")
    manifest = json.loads(found) if found else {}
    return manifest if manifest.get("cell") == cell.key else None


def work(cell: Cell, target: Target, workers: Workers) -> dict[str, Any]:
    """Execute a cell and publish it, unless another driver has done so meanwhile.

    Returns:
        Its state. A failure of the notebook leaves ``failed.json`` and its page; what is no fault of the cell (this
        machine has other versions or data, the target cannot be written, the sweep was stopped) leaves nothing, so
        that the next call tries again.
    """
    try:
        if _manifest(cell, target) is not None:
            return state(cell, target)
        with tempfile.TemporaryDirectory(prefix="cell-") as scratch:
            return _work(cell, target, workers, Path(scratch))
    except ToolkitError as err:
        return _state(PENDING, error=str(err))
    except Exception as err:
        return _state(PENDING, error=f"{type(err).__name__}: {err}")


def _work(cell: Cell, target: Target, workers: Workers, scratch: Path) -> dict[str, Any]:
    started, folder = datetime.now(UTC), scratch / "cell"
    outcomes = datasets.load(cell.parameters["dataset"])
    _check(cell, outcomes)
    notebook = scratch / cell.name
    notebook.write_bytes(cell.source)
    try:
        result = execution.execute_into(
            folder, notebook, cell.parameters, workers, cell.folder, cell.limit_s, cell.threads, of_sweep=True
        )
    except Exception as err:
        result = execution.failure(folder, cell.folder, err, of_sweep=True)
    if workers.stopped and result.error:
        return _state(PENDING)
    _check(cell, outcomes)  # nobody has changed the sources meanwhile
    if result.error:
        _publish_failure(cell, target, folder, result)
        return state(cell, target)
    _describe(cell, outcomes, folder, started, result.seconds)
    _publish(cell, target, folder)
    return state(cell, target)


def _check(cell: Cell, outcomes: Outcomes) -> None:
    """Refuse to work where results would be others than those that the cell's name promises."""
    files = {key: sha256(Path(cell.parameters[key])) for key in cell.config["files"]}
    here = execution.environment() | {"data": outcomes.sha256, "files": files}
    expected = {name: cell.config[name] for name in here}
    if differs := execution.unlike(expected, here):
        raise ToolkitError(f"This cell was to run with what the sweep began with: {differs}; call again.")


def _describe(cell: Cell, outcomes: Outcomes, folder: Path, started: datetime, seconds: float) -> None:
    """All three tables, what the hash is made of, and the manifest that vouches for them."""
    tables.gather([folder], folder)
    write_json(folder / CONFIG, dict(cell.config))
    entry = execution.entry(cell.name, cell.config["notebook"], cell.label, ".", cell.front, round(seconds, 1))
    described = execution.describe(cell.parameters, {cell.label: outcomes}, [entry], started, {})
    own = {"cell": cell.key, "parameters": cell.config["parameters"], "threads": cell.threads}
    write_manifest(folder, described | own)


def _publish(cell: Cell, target: Target, folder: Path) -> None:
    """Copy a finished cell, its manifest last; where another driver's result is whole already, that one stands.

    Where files cannot be locked, two writers may mix theirs. Each reads back what it wrote and begins again until all
    is of one piece, so that the last of them leaves a whole result.
    """
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    for attempt in range(_TRIES):
        with target.claimed(cell.folder):
            if _whole(cell, target):
                target.remove(f"{cell.folder}/{FAILURE}")
                return
            for name in sorted(names, key=lambda name: name == MANIFEST):
                target.write(f"{cell.folder}/{name}", (folder / name).read_bytes())
            if _whole(cell, target):
                target.remove(f"{cell.folder}/{FAILURE}")
                return
        time.sleep(random.uniform(0, 0.2 * 2**attempt))
    raise ToolkitError(f"{target.url}/{cell.folder}: what was written there does not stay; other sweeps write to it.")


def _whole(cell: Cell, target: Target) -> bool:
    """Whether the manifest is there and every file has the hash that it gives."""
    manifest = _manifest(cell, target)
    return manifest is not None and all(
        (found := target.read(f"{cell.folder}/{name}")) is not None and hashlib.sha256(found).hexdigest() == digest
        for name, digest in manifest["files"].items()
    )


def _publish_failure(cell: Cell, target: Target, folder: Path, result: Result) -> None:
    """The page and what was executed, then ``failed.json``; a result that another driver left is not touched."""
    with target.claimed(cell.folder):
        if _manifest(cell, target) is not None:
            return
        for name in (execution.EXECUTED, _PAGE):
            if (folder / name).is_file():
                target.write(f"{cell.folder}/{name}", (folder / name).read_bytes())
        record_failure(cell, target, result)


def record_failure(cell: Cell, target: Target, result: Result) -> None:
    """``failed.json``: error, traceback, seconds, how many attempts there were and when the last one ended."""
    earlier = target.read(f"{cell.folder}/{FAILURE}")
    content = {
        "attempts": 1 + (json.loads(earlier)["attempts"] if earlier else 0),
        "cell": cell.key,
        "error": result.error,
        "seconds": round(result.seconds, 1),
        "traceback": result.traceback,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    target.write(f"{cell.folder}/{FAILURE}", json.dumps(content, indent=1, ensure_ascii=False).encode())


def lost(cell: Cell, target: Target, err: BaseException) -> dict[str, Any]:
    """A cell that took its machine along, more often than the cluster allows: a failure like any other."""
    trace = "".join(traceback.format_exception(err))
    record_failure(cell, target, Result(0.0, f"{type(err).__name__}: {err}", trace))
    return state(cell, target)
