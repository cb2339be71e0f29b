"""Bars that raise an alarm: figures that a run must reach, from a YAML list, and exit status 3 where one is missed."""

import argparse
import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ToolkitError, first_line

if TYPE_CHECKING:  # the command line asks for the option before it knows whether anything is to be read
    import pandas as pd

MISSED = 3  # exit status
_PLACES = ("dataset", "system", "analysis", "notebook", "split")
_BOUNDS = {"at_least": "at least", "at_most": "at most"}
_FIGURES = ("value", "ci_low", "ci_high")
_FIELDS = ("metric", *_BOUNDS, *_PLACES, "params", "of", "name")


@dataclass(frozen=True)
class Bar:
    """One bar: every matching row must reach it, and at least one row must match.

    Attributes:
        metric: a key of ``METRICS``.
        bound: ``at_least`` or ``at_most``; both let the limit itself pass.
        limit: in the metric's unit; shares are fractions.
        where: what dataset, system, analysis, notebook or split must be, for those that are named.
        params: what the row's parameters must be, for those that are named.
        of: which figure is held against the limit: value, ci_low or ci_high.
        name: what the table calls it.
    """

    metric: str
    bound: str
    limit: float
    where: Mapping[str, str]
    params: Mapping[str, Any]
    of: str = "value"
    name: str = ""

    def matching(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """The rows it speaks of; none where the frame has no such column."""
        asked = {"metric": self.metric, **self.where}
        if not {*asked, *(["params"] if self.params else [])} <= set(frame.columns):
            return frame.iloc[:0]
        rows = frame
        for column, wanted in asked.items():
            rows = rows[rows[column].astype(str) == wanted]
        return rows[[self._fits(json.loads(text)) for text in rows["params"]]] if self.params else rows

    def _fits(self, given: Mapping[str, Any]) -> bool:
        absent = object()
        pairs = [(given.get(name, absent), wanted) for name, wanted in self.params.items()]
        return all(isinstance(own, bool) is isinstance(asked, bool) and own == asked for own, asked in pairs)

    def holds(self, figure: float) -> bool:
        """Whether a figure reaches it; one that is not known does not."""
        return figure >= self.limit if self.bound == "at_least" else figure <= self.limit


def add_option(parser: argparse.ArgumentParser) -> None:
    """``--notify-if FILE``."""
    parser.add_argument(
        "--notify-if", type=Path, metavar="FILE",
        help=f"bars in YAML; exit status {MISSED} where the results miss one (see docs/scheduling.md)",
    )  # fmt: skip


def read(path: Path | None) -> list[Bar]:
    """The bars of a file, all checked; none where no file is given.

    Raises:
        ToolkitError: no list of bars, or a bar that is wrong; the message names the bar and the field.
    """
    if path is None:
        return []
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise ToolkitError(f"{path}: a YAML list of bars was expected ({first_line(err)}).") from err
    if not isinstance(content, list) or not content:
        found = "an empty file" if not content else type(content).__name__
        raise ToolkitError(f"{path}: a YAML list of bars was expected, each '- metric: ...'; found {found}.")
    return [_bar(entry, f"{path}, bar {number}") for number, entry in enumerate(content, 1)]


def _bar(entry: object, at: str) -> Bar:
    if not isinstance(entry, dict):
        raise ToolkitError(f"{at}: a mapping with metric and at_least or at_most was expected; found {entry!r}.")
    if unknown := [name for name in entry if name not in _FIELDS]:
        raise ToolkitError(f"{at}: no field {unknown[0]!r}; there are {', '.join(_FIELDS)}.")
    bounds = [name for name in _BOUNDS if name in entry]
    if len(bounds) != 1:
        found = "both" if bounds else "neither"
        raise ToolkitError(f"{at}: one of at_least and at_most was expected; found {found}.")
    limit = entry[bounds[0]]
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit):
        raise ToolkitError(f"{at}: {bounds[0]} takes a number; {limit!r} was given.")
    of, params = entry.get("of", "value"), entry.get("params", {})
    if of not in _FIGURES:
        raise ToolkitError(f"{at}: of takes {', '.join(_FIGURES)}; {of!r} was given.")
    if not isinstance(params, dict):
        raise ToolkitError(f"{at}: params takes names and values, such as {{labels: 500}}; {params!r} was given.")
    metric, where = _metric(entry.get("metric"), at), {name: entry[name] for name in _PLACES if name in entry}
    for name, value in (*where.items(), ("name", entry.get("name", ""))):
        if not isinstance(value, str):
            raise ToolkitError(f"{at}: {name} takes text; {value!r} was given.")
    name = entry.get("name") or ", ".join([metric, *where.values(), *(f"{key} {one}" for key, one in params.items())])
    return Bar(metric, bounds[0], float(limit), where, params, of, name)


def _metric(name: object, at: str) -> str:
    from toolkit.evaluation.metrics import METRICS

    if isinstance(name, str) and name in METRICS:
        return name
    near = difflib.get_close_matches(str(name), METRICS, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "docs/metrics.md and the foot of a report list them."
    raise ToolkitError(f"{at}: a metric was expected; {name!r} is none; {hint}")


def missed(frame: "pd.DataFrame", bars: Sequence[Bar]) -> "pd.DataFrame":
    """How each bar stands.

    Args:
        frame: rows with metric, value, ci_low, ci_high, unit, and what the bars name: unfolded measurements, or what
            ``compare`` found.
        bars: of ``read``.

    Returns:
        One row a bar: bar, wanted, ``worst`` (the figure farthest on the wrong side, NaN where there is none), ci_low,
        ci_high, unit, ``where`` (that row's data set and system), rows, and ``state``: ``ok`` or ``missed`` and why.
    """
    import pandas as pd

    columns = ["bar", "wanted", "worst", "ci_low", "ci_high", "unit", "where", "rows", "state"]
    return pd.DataFrame([_judged(bar, bar.matching(frame)) for bar in bars], columns=columns)


def _judged(bar: Bar, rows: "pd.DataFrame") -> dict[str, Any]:
    from toolkit.evaluation.metrics import METRICS
    from toolkit.reporting import present

    unit = METRICS[bar.metric].unit
    limit = f"{bar.of} {_BOUNDS[bar.bound]} {present.figure_texts([bar.limit], unit)[0]}"
    facts = {"bar": bar.name, "wanted": limit, "unit": unit, "rows": len(rows)}
    if rows.empty:
        return facts | dict.fromkeys(("worst", "ci_low", "ci_high"), math.nan) | {
            "where": "–", "state": "missed: no row matches",
        }  # fmt: skip
    rows = rows.reset_index(drop=True)
    figures = rows[bar.of].astype(float)
    unknown = figures.isna()
    worst = unknown.idxmax() if unknown.any() else figures.idxmin() if bar.bound == "at_least" else figures.idxmax()
    row, figure = rows.loc[worst], figures.loc[worst]
    state = "ok" if bar.holds(figure) else "missed" if not math.isnan(figure) else f"missed: {bar.of} is not known"
    where = ", ".join(str(row[name]) for name in ("dataset", "system") if name in rows.columns)
    bounds = {name: float(row[name]) for name in ("ci_low", "ci_high")}
    return facts | {"worst": figure, **bounds, "where": where, "state": state}


def report_missed(frame: "pd.DataFrame", bars: Sequence[Bar]) -> int:
    """Print how the bars stand; returns the exit status: 3 where one is missed, else 0. No bars, no table."""
    if not bars:
        return 0
    from toolkit.reporting import terminal

    found = missed(frame, bars)
    terminal.show(_for_eyes(found))
    failed = int((found["state"] != "ok").sum())
    print(f"{failed} of {len(found)} bars missed")
    return MISSED if failed else 0


def _for_eyes(found: "pd.DataFrame") -> "pd.DataFrame":
    from toolkit.reporting import present

    cells = []
    for row in found.itertuples():
        bounds = (row.ci_low, row.ci_high) if row.wanted.startswith("value") else ()  # of a bound they are no interval
        known = [number for number in (row.worst, *bounds) if not math.isnan(number)]
        texts = present.figure_texts(known, row.unit) if known else ["–"]
        cells.append(texts[0] + (f" [{texts[1]}, {texts[2]}]" if len(texts) == 3 else ""))
    return found[["bar", "wanted"]].assign(worst=cells, **{name: found[name] for name in ("where", "rows", "state")})
