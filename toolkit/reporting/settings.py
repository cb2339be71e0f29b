"""How two runs were made: the parameters and the environment that differ, and whether one machine made both."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from toolkit.reporting.reading import Run

_PARAMETERS = ("profile", "seed", "device", "bootstraps", "folds", "threads")
_ENVIRONMENT = ("packages", "machine", "code")
_PLACES_OF_RESULTS = ("out", "run")  # parameters of a notebook that say where files are, and nothing of what is in them
_MEMORY_TOLERANCE = 0.02  # what a kernel keeps for itself varies from version to version
UNKNOWN = "–"


def differing(a: Run, b: Run) -> pd.DataFrame:
    """What differs, parameters first: kind (parameters, environment), what, in_a, in_b; "–" where one is silent.

    A run without a manifest tells what stands in the rows of its measurements, and only that is compared then.
    """
    left, right = _facts(a), _facts(b)
    told = dict.fromkeys([*left, *right] if a.manifest and b.manifest else [key for key in left if key in right])
    names = [key for key in told if left.get(key) != right.get(key)]
    rows = [(*key, left.get(key, UNKNOWN), right.get(key, UNKNOWN)) for key in names]
    ordered = sorted(rows, key=lambda row: row[0] != "parameters")
    return pd.DataFrame(ordered, columns=["kind", "what", "in_a", "in_b"])


def _facts(run: Run) -> dict[tuple[str, str], str]:
    manifest = run.manifest or _told_by_rows(run)
    parameters = {name: manifest[name] for name in _PARAMETERS if name in manifest}
    given = manifest.get("parameters", {})
    parameters |= {name: value for name, value in given.items() if name not in _PLACES_OF_RESULTS}
    parameters["data"] = manifest.get("data", {})
    parameters["notebook"] = {entry["notebook"]: entry["sha256"] for entry in manifest.get("notebooks", [])}
    environment = {name: manifest.get(name, {}) for name in _ENVIRONMENT}
    kinds = (("parameters", parameters), ("environment", environment))
    return {(kind, what): text for kind, tree in kinds for what, text in _leaves(tree)}


def _told_by_rows(run: Run) -> dict[str, Any]:
    if run.measurements.empty:
        return {}
    row = run.measurements.iloc[0]
    return json.loads(row["params"]) | {"seed": int(row["seed"]), "device": row["device"]}


def _leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """(names from the root, value as text), for every value of nested mappings."""
    for name, value in tree.items():
        path = f"{above} {name}".strip()
        if isinstance(value, dict):
            yield from _leaves(value, path)
        else:
            yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def short(text: str) -> str:
    """A hash by its first twelve digits; other text as it is."""
    return text[:12] if re.fullmatch(r"[0-9a-f]{40,64}", text) else text


def other_hardware(a: Run, b: Run) -> list[str]:
    """In what the machines differ that times and memory hang on, such as ``cores (2, 4)``; empty for one machine."""
    if not (a.manifest.get("machine") and b.manifest.get("machine")):
        return ["that one of them does not say what machine it ran on"]
    left, right = _hardware(a.manifest), _hardware(b.manifest)
    return [f"{name} ({left[name]}, {right[name]})" for name in left if not _same(left[name], right[name])]


def _hardware(manifest: dict[str, Any]) -> dict[str, Any]:
    machine = manifest["machine"]
    gpu = machine.get("gpu") or {}
    platform = machine.get("platform", UNKNOWN)
    return {
        "device": manifest.get("device", UNKNOWN),
        **{name: machine.get(name, UNKNOWN) for name in ("cpu", "cores", "memory_gib")},
        "gpu": ", ".join(str(gpu[name]) for name in ("name", "memory_gib", "count") if name in gpu) or "none",
        # The system, its major release and the processor's architecture: Linux-6.8.0-45-generic-x86_64-with-glibc2.36.
        "platform": " ".join(re.findall(r"^[A-Za-z]+|(?<=-)\d+(?=\.)|x86_64|AMD64|arm64|aarch64", platform)[:3]),
    }


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return abs(ours - theirs) <= _MEMORY_TOLERANCE * max(ours, theirs)
    return ours == theirs
