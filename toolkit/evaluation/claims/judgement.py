"""How a claim is judged: figures beside a claimed range, and verdicts that cannot stand on nothing."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import claims

CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
NOT_COMPARABLE, NOT_TESTABLE = "not comparable", "not testable here"
VERDICTS = (CONFIRMED, CONTRADICTED, NOT_COMPARABLE, NOT_TESTABLE)
BASES = ("measurement", "data", "source")
INSIDE, OUTSIDE, ACROSS = "inside", "outside", "across"


@dataclass(frozen=True)
class Point:
    """A figure beside a claim, in the claim's unit.

    Attributes:
        label: whose it is.
        value, low, high: with its 95% interval, or twice the value.
        kind: ``measured`` under the claim's conditions, ``measured, other`` under others, ``published`` or ``data``.
    """

    label: str
    value: float
    low: float
    high: float
    kind: str


@dataclass(frozen=True)
class Judgement:
    """What is said of one claim.

    Attributes:
        verdict: of ``VERDICTS``.
        why: one plain sentence with the figures.
        basis: of ``BASES``: measured in this run, computed from upstream outcomes, or told by a source.
        evidence: the rows that it rests on, or the citation.
        points: figures that stand beside the claim.
        timed: whether the verdict rests on times, which no second run repeats.

    Raises:
        ToolkitError: an unknown verdict or basis, or nothing that it rests on.
    """

    verdict: str
    why: str
    basis: str
    evidence: str
    points: tuple[Point, ...] = field(default=())
    timed: bool = False

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS or self.basis not in BASES:
            raise ToolkitError(
                f"A verdict is one of {', '.join(VERDICTS)} on the basis of {', '.join(BASES)}; found "
                f"{self.verdict!r} on {self.basis!r}."
            )
        if not self.why.strip() or not self.evidence.strip():
            raise ToolkitError(
                f"Verdict {self.verdict!r}: a reason and a measurement or source were expected; one is empty."
            )


@dataclass(frozen=True)
class Evidence:
    """All that a check may look at: tidy frames.

    Attributes:
        measurements: of a run, unfolded (``reading.Run.measurements``).
        corrections: of ``corrections.corrections``; empty where no upstream data is at hand.
        ledger: of ``claims.ledger``.
    """

    measurements: pd.DataFrame
    corrections: pd.DataFrame
    ledger: pd.DataFrame

    @cached_property
    def _rows(self) -> pd.DataFrame:
        language = [json.loads(text).get("language", "") for text in self.measurements["params"]]
        return self.measurements.assign(language=language)

    def rows(self, analysis: str, metric: str, pattern: str = "", language: str = "") -> pd.DataFrame:
        """Measured rows of an analysis whose system matches a pattern (regular expression), finite ones only."""
        rows = self._rows
        kept = (rows["analysis"] == analysis) & (rows["metric"] == metric) & rows["value"].notna()
        kept &= rows["system"].str.contains(pattern, regex=True, na=False) & (rows["language"] == language)
        return rows[kept]

    def corrected(self, dataset: str, system: str, metric: str) -> pd.Series | None:
        """A row of the corrections, or None where the set is not at hand."""
        rows = self.corrections
        kept = (rows["dataset"] == dataset) & (rows["system"] == system) & (rows["metric"] == metric)
        return rows[kept].iloc[0] if kept.any() else None

    def claim(self, name: str) -> pd.Series:
        """A row of the ledger by its id."""
        return claims.of(self.ledger, name)


def point(row: pd.Series, kind: str, label: str = "", scale: float = 1.0) -> Point:
    """A tidy row as a point; ``scale`` turns its unit into the claim's (100 for shares against percent)."""
    value = scale * row["value"]
    bounds = [scale * row[name] if math.isfinite(row[name]) else value for name in ("ci_low", "ci_high")]
    return Point(label or row["system"], value, *bounds, kind)


def place(claim: pd.Series, low: float, high: float) -> str:
    """Where an interval lies in the claimed range, widened by the claim's tolerance: inside, outside or across."""
    least = claim["low"] - claim["within"] if math.isfinite(claim["low"]) else -math.inf
    most = claim["high"] + claim["within"] if math.isfinite(claim["high"]) else math.inf
    if least <= low and high <= most:
        return INSIDE
    return OUTSIDE if high < least or low > most else ACROSS


def of_all(claim: pd.Series, points: Sequence[Point]) -> str:
    """Verdict of a claim that is meant of every point: confirmed if all are inside, contradicted if one is outside."""
    places = {place(claim, one.low, one.high) for one in points}
    return CONTRADICTED if OUTSIDE in places else CONFIRMED if places == {INSIDE} else NOT_COMPARABLE


def of_either(claim: pd.Series, points: Sequence[Point]) -> str:
    """Verdict of a claim meant of one point, unsaid which: confirmed if all are inside, contradicted if none."""
    places = {place(claim, one.low, one.high) for one in points}
    return {frozenset({INSIDE}): CONFIRMED, frozenset({OUTSIDE}): CONTRADICTED}.get(frozenset(places), NOT_COMPARABLE)


def of_any(claim: pd.Series, points: Sequence[Point]) -> str:
    """Verdict of a claim that one point can make true: confirmed if any is inside, contradicted if all outside."""
    places = {place(claim, one.low, one.high) for one in points}
    return CONFIRMED if INSIDE in places else CONTRADICTED if places == {OUTSIDE} else NOT_COMPARABLE


def told(one: Point, unit: str) -> str:
    """``102 ms [64.8, 427]``, with the interval where there is one."""
    mark = "" if not unit else unit if unit == "%" else f" {unit}"
    interval = f" [{_number(one.low)}, {_number(one.high)}]" if one.low != one.high else ""
    return f"{_number(one.value)}{mark}{interval}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cited(rows: pd.DataFrame) -> str:
    """Which rows of measurements.csv a verdict rests on."""
    lines = []
    for _, row in rows.iterrows():
        lines.append(
            f"{row['notebook']}, {row['dataset']}: {row['system']}, {row['metric']} {told(point(row, ''), '')}"
        )
    return "; ".join(lines)


def listed(points: Iterable[Point], unit: str) -> str:
    """All of them, one after the other."""
    return "; ".join(f"{one.label} {told(one, unit)}" for one in points) or "none"


def undecided(verdict: str) -> str:
    """How the reason of a verdict begins that is none."""
    return "Not decided: " if verdict == NOT_COMPARABLE else ""
