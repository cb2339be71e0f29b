"""Measurements asked by name: what a decision needs of a run, where whatever was not measured is simply not there."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from toolkit.evaluation.decision.statements import Estimate, of_row

_COLUMNS = (
    *("notebook", "dataset", "split", "system", "metric", "value", "ci_low", "ci_high", "unit", "n", "device"),
    *("params", "note", "analysis", "sees", "opponent", "p_holm"),
)


class Rows:
    """Measurements of a run, by analysis.

    Args:
        measurements: tidy rows with ``analysis`` and ``metrics.DETAILS`` as columns, as a run read back has them.
            Columns that are missing count as empty.
    """

    def __init__(self, measurements: pd.DataFrame):
        frame = measurements.reindex(columns=list(_COLUMNS))
        frame["params"] = frame["params"].fillna("{}")
        self._by_analysis = dict(iter(frame.groupby("analysis", sort=False)))
        self._nothing = frame.iloc[:0]
        self._records: dict[tuple[str, str], list[dict]] = {}

    def of(self, analysis: str, metric: str = "", system: str = "", dataset: str = "", **params: Any) -> pd.DataFrame:
        """Rows of an analysis that have these values; ``params`` are asked of the column of that name."""
        frame = self._by_analysis.get(analysis, self._nothing)
        for column, value in (("metric", metric), ("system", system), ("dataset", dataset)):
            frame = frame[frame[column] == value] if value else frame
        if params:
            given = [json.loads(text) for text in frame["params"]]
            frame = frame[[all(row.get(key) == value for key, value in params.items()) for row in given]]
        return frame

    def one(self, analysis: str, metric: str, system: str = "", dataset: str = "", **params: Any) -> Mapping | None:
        """The first such row; None where there is none."""
        wanted = {name: value for name, value in (("system", system), ("dataset", dataset)) if value}
        for row in self._of_metric(analysis, metric):
            if all(row[name] == value for name, value in wanted.items()) and all(
                detail(row, name) == value for name, value in params.items()
            ):
                return row
        return None

    def _of_metric(self, analysis: str, metric: str) -> list[dict]:
        """Rows as mappings, made once: a checklist asks hundreds of times."""
        if (analysis, metric) not in self._records:
            self._records[analysis, metric] = self.of(analysis, metric).to_dict("records")
        return self._records[analysis, metric]

    def estimate(
        self, analysis: str, metric: str, system: str = "", dataset: str = "", **params: Any
    ) -> Estimate | None:
        """The first such row's value and interval; None where there is none."""
        return of_row(self.one(analysis, metric, system, dataset, **params))

    def sees(self, dataset: str, analyses: Iterable[str]) -> dict[str, str]:
        """What each system reads, by name."""
        found: dict[str, str] = {}
        for analysis in analyses:
            for system, sees in self.of(analysis, dataset=dataset)[["system", "sees"]].dropna().itertuples(index=False):
                found.setdefault(system, sees)
        return found

    def latencies(self, gpu: bool) -> dict[str, Estimate]:
        """Median milliseconds of a decision by router, on the CPU, or on a GPU where there is one and it was timed."""
        found = {}
        for row in self.of("router_latency", "p50_ms").to_dict("records"):
            on_gpu = str(row["device"]) == "cuda"
            if math.isfinite(row["value"]) and (not on_gpu or gpu) and (on_gpu or row["system"] not in found):
                found[row["system"]] = of_row(row, "ms") | {"device": row["device"]}
        return found


def timed(latency: Mapping[str, Estimate], system: str) -> Estimate | None:
    """A router's time. What its name adds in parentheses, such as how many labels it had, changes none."""
    return latency.get(system) or latency.get(system.partition(" (")[0])


def detail(row: Mapping[str, Any], name: str) -> Any:
    """An entry of a row's ``params``; None where it has none."""
    return json.loads(row["params"]).get(name)
