"""What a decision is made of before it has words: estimates, and sentences by name. Plain types only, so JSON.

A statement is ``{"say": name, "with": values}``; the words stand in ``toolkit/reporting/decision/wording``, one file a
language.
A value is text, a number, an estimate, or another statement.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.evaluation.statistics import interval

Statement = dict[str, Any]
Estimate = dict[str, Any]


def say(name: str, **values: Any) -> Statement:
    """A sentence by its name in the wording files, with what stands in it."""
    return {"say": name, "with": values}


def number(value: float, unit: str = "", low: float = math.nan, high: float = math.nan) -> Estimate:
    """An estimate; bounds that are no numbers are left out, and so is a value (None)."""
    found: Estimate = {"value": finite(value), "unit": unit}
    if math.isfinite(low) and math.isfinite(high):
        found |= {"low": float(low), "high": float(high)}
    return found


def estimate(samples: np.ndarray, unit: str = "") -> Estimate:
    """From the estimate and its replicates, (B + 1,), the estimate first."""
    low, high = interval(samples)
    return number(float(samples[0]), unit, float(low), float(high))


def of_row(row: Mapping[str, Any] | None, unit: str = "") -> Estimate | None:
    """From a row of measurements; None of no row, or of one without a value."""
    if row is None or not math.isfinite(row["value"]):
        return None
    return number(row["value"], unit or row["unit"], row["ci_low"], row["ci_high"])


def negated(found: Estimate) -> Estimate:
    """The same estimate with its sign turned, so that what is said to be less is told as a positive figure."""
    value, nothing = found["value"], math.nan
    return number(nothing if value is None else 0.0 - value, found["unit"],
                  0.0 - found.get("high", nothing), 0.0 - found.get("low", nothing))  # fmt: skip


def surely_above(found: Estimate, limit: float) -> bool:
    """Whether all of the interval lies above a limit; of a figure without one, the figure."""
    return found.get("low", found["value"]) > limit


def placed(what: Statement, row: Mapping[str, Any], dataset: str) -> Statement:
    """A statement; with the data set that its row is of, where that is not the one spoken about."""
    return what if row["dataset"] == dataset else say("on_other", what=what, dataset=str(row["dataset"]))


def finite(value: float) -> float | None:
    """The number, or None where it is none: JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
