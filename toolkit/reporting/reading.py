"""A run read back: its manifest, its three tables and what it recommends: all that comparisons and alarms may know."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.reporting import tables
from toolkit.reporting.run import MANIFEST, SCHEMA_VERSION, SO_FAR, SWEEP


@dataclass(frozen=True)
class Run:
    """One run's folder.

    Attributes:
        path: the folder.
        manifest: what ``report`` or ``sweep`` wrote last; while the run is being made, what is known before it ends
            (no timings, no file hashes), and empty where nothing is.
    """

    path: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.path.name

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """The published columns, with ``analysis`` and ``metrics.DETAILS`` beside them (``tables.unfold``)."""
        return tables.unfold(tables.read(self.path / tables.MEASUREMENTS))

    @cached_property
    def choices(self) -> pd.DataFrame:
        """One row per judged prompt, analysis, system and kept operating point."""
        return tables.read(self.path / tables.CHOICES)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per analysis, system and operating point."""
        return tables.read(self.path / tables.CURVES)

    @cached_property
    def recommended(self) -> dict[str, str]:
        """Data set -> what notebook 11 recommends for it; of those that it judged.

        Raises:
            ToolkitError: its file cannot be read.
        """
        found = {}
        for path in self.path.glob("11_*/decision.json"):
            try:
                parts = json.loads(path.read_text(encoding="utf-8"))["data"]
            except (OSError, ValueError, KeyError) as err:
                raise ToolkitError(f"{path}: a decision was expected, as notebook 11 writes it ({err}).") from err
            for part in parts:
                chosen = part["recommended"]
                if part["analysis"]:
                    alone = chosen is None or chosen["model"] or chosen["point"] == "rule"
                    name = "nobody" if chosen is None else chosen["model"] or chosen["system"]
                    found[part["dataset"]] = name if alone else f"{name} · {chosen['point']}"
        return found


def read(path: Path, finished: bool = True) -> Run:
    """A run's folder.

    Args:
        path: the folder, or its ``manifest.json`` or ``index.html``.
        finished: refuse a run without its manifest, which is no result.

    Raises:
        ToolkitError: no such folder, no manifest, or one of another schema.
    """
    folder = path.parent if path.name in (MANIFEST, "index.html") else path
    if not folder.is_dir():
        raise ToolkitError(f"{path}: the folder of a run was expected, such as `report` prints; there is none.")
    target = folder / MANIFEST
    if not target.is_file():
        if (folder / SWEEP).is_file():
            raise ToolkitError(f"{folder}: the folder of a sweep; name one of its cells, which {SWEEP} lists.")
        if finished:
            raise ToolkitError(
                f"{folder}: no {MANIFEST}, so this run is not finished; the command that began it goes on with it."
            )
        target = folder / SO_FAR
        if not target.is_file():
            return Run(folder, {})
    try:
        manifest = json.loads(target.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ToolkitError(f"{target}: the manifest of a run was expected ({err}).") from err
    if target.name == MANIFEST and manifest.get("schema_version") != SCHEMA_VERSION:
        raise ToolkitError(
            f"{target}: schema_version {SCHEMA_VERSION} was expected; found {manifest.get('schema_version')!r}, which "
            "another version of this package wrote."
        )
    return Run(folder, manifest)
