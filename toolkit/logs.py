"""Logs of decisions: written line by line, read whole, and refused where they cannot be learned from."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError

_TORN = {"note": "the line above was cut off"}
NEEDED = ("decision_id", "model", "propensity", "reward")


class DecisionLog:
    """JSON lines, appended as they come; a reward is a line of its own, after its decision's. Any thread may write.

    Args:
        path: of the file, made where there is none.
        keep_text: whether prompts are written; without them a log can judge its own models, but no other router.

    Raises:
        ToolkitError: the file cannot be opened, or a line cannot be written.
    """

    def __init__(self, path: str | Path, keep_text: bool = True):
        self.path = Path(path)
        self.keep_text = keep_text
        self._lock = threading.Lock()
        try:
            whole = self.path.read_bytes()[-1:] in (b"", b"\n") if self.path.exists() else True
            self._file: TextIO = self.path.open("a", encoding="utf-8", errors="surrogatepass")
            if not whole:  # a process was killed in the middle of a line
                self._file.write(f"\n{json.dumps(_TORN)}\n")
        except OSError as err:
            raise ToolkitError(f"{self.path}: the log could not be opened ({err}).") from err

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a line and hand it to the system.

        Raises:
            ToolkitError: it cannot be written.
        """
        kept = {name: value for name, value in record.items() if self.keep_text or name != "text"}
        try:
            line = json.dumps(kept, ensure_ascii=True, allow_nan=False)
            with self._lock:
                self._file.write(line + "\n")
                self._file.flush()
        except (OSError, TypeError, ValueError) as err:
            raise ToolkitError(f"{self.path}: the log could not be written ({err}).") from err

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> "DecisionLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_log(path: str | Path) -> pd.DataFrame:
    """A log as one row a decision: JSON lines (of ``DecisionLog``), Parquet or CSV.

    A last line that was cut off, as a killed process leaves it, is left out. Rewards are joined to their decisions.

    Raises:
        ToolkitError: no such file, or a line that is none, with its number.
    """
    file = Path(path)
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        if file.suffix == ".csv":
            return pd.read_csv(file, dtype={"decision_id": str, "model": str})
        lines = file.read_text(encoding="utf-8", errors="surrogatepass").split("\n")
    except (OSError, ValueError) as err:
        raise ToolkitError(f"{file}: a log in JSON lines, Parquet or CSV was expected ({err}).") from err
    decisions: dict[str, dict[str, Any]] = {}
    told: list[tuple[int, dict[str, Any]]] = []
    for number, record in _records(file, lines):
        name = record["decision_id"]
        if "source" not in record and "model" not in record:
            told.append((number, record))
        elif name in decisions:
            raise ToolkitError(f"{file}, line {number}: decision {name!r} stands twice.")
        else:
            decisions[name] = record
    for number, record in told:
        known = decisions.get(record["decision_id"])
        if known is None or ("reward" in known and "reward" in record):
            what = "is not in the log" if known is None else "has a reward already"
            raise ToolkitError(f"{file}, line {number}: decision {record['decision_id']!r} {what}.")
        known.update(record)
    return pd.DataFrame(list(decisions.values()))


def _records(file: Path, lines: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbers and records of whole lines; what was cut off when a process was killed is left out."""
    torn = json.dumps(_TORN)
    for number, line in enumerate(lines, 1):
        last = number == len(lines)
        if line == torn or (last and not line) or (not last and lines[number] == torn and not _parsed(line)):
            continue
        record = _parsed(line)
        if record is not None:
            yield number, record
        elif not last:
            raise ToolkitError(
                f"{file}, line {number}: a JSON object with a decision_id was expected; found {line[:60]!r}."
            )


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("decision_id"), str) else None


def check_log(log: pd.DataFrame, models: Sequence[str] | None = None, name: str = "log") -> pd.DataFrame:
    """Rows from which something can be learned; hits of the cache, and decisions without a reward, are left out.

    Args:
        log: of ``read_log``, or any frame with the columns of ``NEEDED``.
        models: that may be named; default all that are.

    Returns:
        The rows, a new index, ``propensity`` and ``reward`` as float64.

    Raises:
        ToolkitError: a column is missing, or a row has a missing propensity, one outside (0, 1], an unknown model, a
            reward outside [0, 1] or an id that came before: the first such row is named.
    """
    if missing := [column for column in NEEDED if column not in log.columns]:
        raise ToolkitError(f"{name}: the columns {', '.join(NEEDED)} were expected; missing: {', '.join(missing)}.")
    log = log.reset_index(drop=True)
    _refuse(log, log["decision_id"].astype(str).duplicated(), name, "an id that comes once", "decision_id")
    rows = log[log["model"].notna() & log["reward"].notna()].copy()
    known = rows["model"].isin(list(rows["model"].unique() if models is None else models))
    _refuse(rows, ~known, name, "a model of the pool", "model")
    for column, from_ in (("propensity", "above 0"), ("reward", "from 0")):
        rows[column] = pd.to_numeric(rows[column], errors="coerce").astype(float)
        low = rows[column] > 0 if column == "propensity" else rows[column] >= 0
        _refuse(rows, ~(low & (rows[column] <= 1)), name, f"a {column} {from_} and up to 1", column)
    if rows.empty:
        raise ToolkitError(f"{name}: decisions with a model and a reward were expected; there are none.")
    return rows.reset_index(drop=True)


def _refuse(rows: pd.DataFrame, bad: pd.Series, name: str, expected: str, column: str) -> None:
    if bad.any():
        at = int(bad.index[bad.to_numpy().argmax()])  # of the whole log
        row = rows.loc[at]
        raise ToolkitError(
            f"{name}, row {at + 1} (decision {row['decision_id']!r}): {expected} was expected; found {row[column]!r}. "
            f"{int(bad.sum())} such row(s); nothing was estimated."
        )


def decide_again(record: Mapping[str, Any]) -> str:
    """The model that a line of the log leads to: the same one, or the line was changed.

    Raises:
        ToolkitError: the line is no decision of a router.
    """
    scores, costs = record.get("scores"), record.get("expected_cost_usd")
    if not isinstance(scores, Mapping) or record.get("source") != "router":
        raise ToolkitError("decide_again: a line of a log with scores, decided by the router, was expected.")
    quality = np.array([[float(score) for score in scores.values()]])  # "inf" and "-inf" are texts in JSON
    cost = np.zeros(quality.shape) if costs is None else np.array([[costs[name] for name in scores]])
    return list(scores)[int(policy.choose(quality, cost, float(record["weight"]))[0])]
