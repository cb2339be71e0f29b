"""Reading what others wrote: whatever is wrong is told by file, row and field."""

import json
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError

_UNKNOWN = ("", "nan", "na", "n/a", "null", "none", "<na>")


def refuse(path: Path, where: str, field: str, expected: str, found: Any) -> None:
    """Say in one sentence what is wrong with a file; a long value is cut.

    Raises:
        ToolkitError: always.
    """
    text = reprlib.repr(found.item() if isinstance(found, np.generic) else found)
    raise ToolkitError(f"{path}: {where}, field {field}: {expected} was expected; {text} was found.")


def read_csv(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """A CSV with at least these columns.

    Raises:
        ToolkitError: no readable CSV, or a column is missing.
    """
    try:
        rows = pd.read_csv(path)
    except (ValueError, OSError, pd.errors.ParserError) as err:
        raise ToolkitError(f"{path}: a CSV table was expected and could not be read ({err}).") from err
    for column in columns:
        if column not in rows.columns:
            raise ToolkitError(
                f"{path}: the column {column!r} was expected; found {', '.join(map(str, rows.columns))}."
            )
    return rows


def read_json_rows(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON list or of JSON lines, whichever the file holds.

    Raises:
        ToolkitError: no UTF-8, or a row that is no object, with its number.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise ToolkitError(
            f"{path}: text in UTF-8 was expected ({err.reason} at byte {err.start}); save it so."
        ) from err
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except json.JSONDecodeError as err:
            raise ToolkitError(f"{path}: line {err.lineno} is no JSON ({err.msg} at column {err.colno}).") from err
        except RecursionError as err:
            raise ToolkitError(f"{path}: a list of objects was expected; found brackets nested without end.") from err
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict):
                raise ToolkitError(f"{path}: row {number} is no JSON object but {type(row).__name__}.")
        return rows
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):  # other line breaks may stand inside a JSON string
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as err:
            raise ToolkitError(f"{path}: line {number} is no JSON object ({err.msg} at column {err.colno}).") from err
        if not isinstance(row, dict):
            raise ToolkitError(f"{path}: line {number} is no JSON object but {type(row).__name__}.")
        rows.append(row)
    return rows


def numbers(rows: pd.DataFrame, column: str, path: Path, upper: float = np.inf) -> np.ndarray:
    """A column as finite numbers in [0, upper], float64 (n,); true and false are 1 and 0, empty and NA are NaN."""
    given = rows[column]
    text = given.astype(str).str.strip().str.lower().where(given.notna(), "")
    found = pd.to_numeric(text.replace({"true": "1", "false": "0"}), errors="coerce").to_numpy(float)
    bad = (np.isnan(found) & ~text.isin(_UNKNOWN).to_numpy()) | (found < 0) | (found > upper) | np.isinf(found)
    if bad.any():
        row = int(bad.argmax())
        refuse(path, f"row {row + 1}", column, f"a number in [0, {upper:g}]", given.iloc[row])
    return found


def listed(text: str) -> list[str]:
    """Names separated by commas, as an option such as ``models=a,b`` gives them; blanks do not count."""
    return [name.strip() for name in text.split(",") if name.strip()]


def require(rows: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """Refuse rows in which one of the columns is empty."""
    for column in columns:
        empty = rows[column].isna() | (rows[column].astype(str).str.strip() == "")
        if empty.any():
            refuse(path, f"row {int(empty.to_numpy().argmax()) + 1}", column, "a value", None)


def check_parts(rows: pd.DataFrame, path: Path) -> None:
    """Refuse a ``split`` that is neither train nor test nor empty; the column is cleaned in place."""
    if "split" not in rows.columns:
        return
    rows["split"] = rows["split"].fillna("").astype(str).str.strip()
    other = ~rows["split"].isin(["", "train", "test"])
    if other.any():
        row = int(other.to_numpy().argmax())
        refuse(path, f"row {row + 1}", "split", "train, test or nothing", rows["split"].iloc[row])


def take(row: Mapping[str, Any], field: str, kind: type | tuple[type, ...], path: Path, number: int) -> Any:
    """``row[field]`` if it is of the kind; else the file, row and field are named. ``number`` counts from 1."""
    value = row.get(field)
    if not isinstance(value, kind) or (isinstance(value, bool) and bool not in np.atleast_1d(kind)):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        refuse(path, f"row {number}", field, names, value)
    return value


def scores(rows: list[dict[str, Any]], path: Path, upper: float = 1.0) -> pd.DataFrame:
    """The ``scores`` objects of {question, scores} rows as a frame, one column a model, in the first row's order.

    Upstream lists the models in another order in some files, so they are matched by name.
    """
    names = list(take(rows[0], "scores", dict, path, 1)) if rows else []
    table = np.empty((len(rows), len(names)))
    for number, row in enumerate(rows, start=1):
        given = take(row, "scores", dict, path, number)
        if given.keys() != set(names):
            refuse(path, f"row {number}", "scores", f"the models {', '.join(names)}", ", ".join(given))
        for column, name in enumerate(names):
            value = take(given, name, (int, float), path, number)
            if not 0 <= value <= upper:
                refuse(path, f"row {number}", f"scores.{name}", f"a number in [0, {upper:g}]", value)
            table[number - 1, column] = value
    return pd.DataFrame(table, columns=names)


def scored_parts(parts: Mapping[str, Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Files of {question, scores} rows by part: (``prompt_id``, ``text``, ``split``; and the scores), in one order."""
    prompts, qualities = [], []
    for part, path in parts.items():
        rows = read_json_rows(path)
        qualities.append(scores(rows, path))
        texts = [take(row, "question", str, path, number) for number, row in enumerate(rows, start=1)]
        ids = [f"{part}/{number}".lstrip("/") for number in range(len(rows))]
        prompts.append(pd.DataFrame({"prompt_id": ids, "text": texts, "split": part}))
    return pd.concat(prompts, ignore_index=True), pd.concat(qualities, ignore_index=True)
