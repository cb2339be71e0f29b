"""What a report and a sweep have in common: how a notebook is executed, and what a manifest says of it."""

import platform
import shutil
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit import hardware, paths
from toolkit.outcomes import Outcomes
from toolkit.reporting import execute, page, profiles
from toolkit.reporting.run import code_version, package_versions

EXECUTED = "notebook.ipynb"
_PACKAGE = Path(paths.__file__).parent


def execute_into(
    folder: Path,
    notebook: Path,
    parameters: Mapping[str, Any],
    workers: execute.Workers,
    title: str,
    limit_s: float,
    threads: int = 0,
    of_sweep: bool = False,
) -> execute.Result:
    """A notebook and its page in a folder that is made empty first.

    Args:
        folder: also the notebook's parameter ``out``.
        parameters: all others.
        title: of the page.
        limit_s, threads: as of ``execute.Job``.
        of_sweep: the page belongs to a sweep's cell, not to a report.

    Raises:
        ToolkitError: a parameter that the notebook does not declare, or of another type.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    checked = execute.checked_parameters(notebook, {**parameters, "out": str(folder)})
    job = execute.Job(str(notebook), str(folder / EXECUTED), checked, limit_s, threads)
    result = workers.run_surely(job)
    page.write_notebook(folder, EXECUTED, title, result, of_sweep)
    return result


def failure(folder: Path, title: str, err: Exception, of_sweep: bool = False) -> execute.Result:
    """What went wrong outside a notebook, as a result and on the folder's page. To be called where it is caught."""
    result = execute.Result(0.0, f"{type(err).__name__}: {err}", traceback.format_exc())
    page.write_failure(folder, title, result, of_sweep)
    return result


def environment() -> dict[str, Any]:
    """What decides results wherever a notebook runs: Python, packages, and the sources as they lie on disk."""
    return {
        "packages": package_versions(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "sources": code_version(_PACKAGE, paths.data_dir())["sources_sha256"],
    }


def unlike(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first entry in which two environments differ, in words; empty where there is none."""
    for name, value in expected.items():
        other = found.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            if inner := unlike(value, other):
                return inner
        elif value != other:
            return f"{name} {str(value)[:12]} was expected, {str(other)[:12]} was found"
    return ""


def entry(
    notebook: str, sha256: str, dataset: str, folder: str, front: Sequence[str], seconds: float | None
) -> dict[str, Any]:
    """What a manifest says of one execution; ``folder`` is where its figures lie, seen from the manifest."""
    facts = {"notebook": notebook, "sha256": sha256, "dataset": dataset, "folder": folder}
    return facts | {"front": list(front), "seconds": seconds}


def describe(
    parameters: Mapping[str, Any],
    loaded: Mapping[str, Outcomes],
    notebooks: Sequence[Mapping[str, Any]],
    started: datetime,
    failures: Mapping[str, str],
) -> dict[str, Any]:
    """A manifest without its file hashes.

    Args:
        parameters: with profile, seed and device.
        loaded: the data sets by label.
        notebooks: one ``entry`` an execution.
        failures: one line each, by folder.
    """
    profile = profiles.get(parameters["profile"])
    return {
        "status": "failed" if failures else "complete",
        "failures": dict(failures),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **{name: parameters[name] for name in ("profile", "seed", "device")},
        "bootstraps": profile.bootstraps,
        "folds": profile.folds,
        "data": {
            label: {
                "sha256": outcomes.sha256,
                "prompts": len(outcomes),
                "prompts_used": min(len(outcomes), profile.max_prompts),
                "models": outcomes.names,
                "cost_source": outcomes.cost_source,
                "synthetic": outcomes.synthetic,
            }
            for label, outcomes in loaded.items()
        },
        "notebooks": [dict(entry) for entry in notebooks],
        "code": code_version(_PACKAGE, paths.data_dir()),
        "packages": package_versions(),
        "machine": hardware.describe(parameters["device"]),
    }
