"""The three tables that leave every run, and how they are written and put together.

Reports, comparisons and alarms read only these; nothing is retrained and no notebook output is scraped.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation.metrics import DETAILS

MEASUREMENTS = "measurements.csv"
CHOICES = "choices.parquet"
CURVES = "curves.parquet"
COLUMNS = {
    MEASUREMENTS: [
        *("notebook", "dataset", "split", "system", "metric", "value", "ci_low", "ci_high", "unit", "n", "seed"),
        *("device", "params", "note"),
    ],
    CHOICES: [
        *(
            "prompt",
            "group",
            "dataset",
            "analysis",
            "system",
            "seed",
            "operating_point",
            "model",
            "quality",
            "tokens",
            "cost_usd",
        ),
    ],
    CURVES: [
        *("dataset", "analysis", "split", "system", "seed", "operating_point", "weight", "share_strong"),
        *("expected_cost_usd", "cost_usd", "quality", "quality_low", "quality_high"),
    ],
}


def canonical(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces, so that equal parameters are equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fold(rows: pd.DataFrame, params: Mapping[str, Any], by: Sequence[str] = ()) -> pd.DataFrame:
    """Rows with ``metrics.DETAILS`` and ``by`` as columns -> the published columns, these in ``params``."""
    details = [name for name in (*DETAILS, *by) if name in rows.columns]
    own = [{name: row[name] for name in details if pd.notna(row[name])} for row in rows.to_dict("records")]
    return rows.drop(columns=details).assign(params=[canonical({**params, **row}) for row in own])


def unfold(rows: pd.DataFrame) -> pd.DataFrame:
    """The published columns -> with ``analysis`` and ``metrics.DETAILS`` of ``params`` as columns (NaN = not given)."""
    given = [json.loads(text) for text in rows["params"]]
    return rows.assign(**{name: [row.get(name, np.nan) for row in given] for name in ("analysis", *DETAILS)})


def prompt_hashes(dataset: str, prompt_ids: Iterable[str]) -> np.ndarray:
    """A stable 16-digit name of each prompt, (n,), that gives nothing of its text away."""
    return np.array([hashlib.sha256(f"{dataset}\x1f{name}".encode()).hexdigest()[:16] for name in prompt_ids])


def write(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    """Write one table atomically, with exactly its columns.

    Raises:
        ToolkitError: a column is missing, or one too many.
    """
    expected = COLUMNS[name]
    if set(frame.columns) != set(expected):
        raise ToolkitError(
            f"{name}: the columns {', '.join(expected)} were expected; "
            f"missing {sorted(set(expected) - set(frame.columns))}, "
            f"unknown {sorted(set(frame.columns) - set(expected))}."
        )
    target = folder / name
    part = folder / f".{name}.part"
    if name.endswith(".csv"):
        frame[expected].to_csv(part, index=False, lineterminator="\n")
    else:
        frame[expected].to_parquet(part, index=False, compression="zstd")
    part.replace(target)
    return target


def read(path: Path) -> pd.DataFrame:
    """One table, with its columns checked.

    Raises:
        ToolkitError: the file is missing or has other columns.
    """
    if not path.is_file():
        raise ToolkitError(f"{path}: no such table; a run leaves {', '.join(COLUMNS)} in its folder.")
    text = {"note": str, "params": str, "split": str}
    frame = pd.read_csv(path, dtype=text, keep_default_na=True) if path.suffix == ".csv" else pd.read_parquet(path)
    if list(frame.columns) != COLUMNS[path.name]:
        raise ToolkitError(f"{path}: columns {COLUMNS[path.name]} were expected; found {list(frame.columns)}.")
    if path.suffix == ".csv":
        frame[list(text)] = frame[list(text)].fillna("")
    return frame


def gather(folders: Iterable[Path], into: Path) -> dict[str, pd.DataFrame]:
    """Put the parts' tables together in the run's folder; a table that no part wrote is left empty, not out."""
    folders = list(folders)
    gathered = {}
    for name, columns in COLUMNS.items():
        frames = [frame for folder in folders if (folder / name).is_file() and len(frame := read(folder / name))]
        for column in ("system", "operating_point", "model") if name == CHOICES else ():
            if frames:
                union = pd.api.types.union_categoricals([frame[column].astype("category") for frame in frames])
                for frame in frames:
                    frame[column] = pd.Categorical(frame[column], categories=union.categories)
        gathered[name] = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
        write(into, name, gathered[name])
    return gathered
