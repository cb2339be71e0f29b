"""Measurements asked by name: what a decision needs of a run, where whatever was not measured is simply not there."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from toolkit.evaluation.decision.statements import Estimate, of_row

_COLUMNS = (
    *("notebook", "dataset", "split", "system", "metric", "value", "ci_low", "ci_high", "unit", "n", "device"),
    *("params", "note", "analysis", "sees", "opponent", "p_holm"),
)
_SHIPPED = "XLM-RoBERTa-base classifier, "  # notebook 04's names for what RouteLLM ships as bert begin so
_FORM = re.compile(r"([^;]*?)(?:, fitted on (\d+) labels)?(?:;|$)")  # how a note of router_latency begins


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

    def latencies(self, gpu: bool, metric: str = "p50_ms") -> dict[str, Estimate]:
        """Milliseconds of a decision by router, on the CPU, or on a GPU where there is one and it was timed.

        Beside an estimate stand ``device``, and what was timed: its ``form``, on how many ``labels`` it was fitted
        ("" and None where the note does not say) and of which ``dataset``.
        """
        found = {}
        for row in self.of("router_latency", metric).to_dict("records"):
            on_gpu = str(row["device"]) == "cuda"
            if math.isfinite(row["value"]) and (not on_gpu or gpu) and (on_gpu or row["system"] not in found):
                form, labels = _FORM.match(row["note"] if isinstance(row["note"], str) else "").groups()
                found[row["system"]] = of_row(row, "ms") | {
                    "device": row["device"], "form": form, "labels": int(labels) if labels else None,
                    "dataset": row["dataset"],
                }  # fmt: skip
        return found

    def shipped(self) -> Mapping | None:
        """The row of the fastest way in which a network of the size of RouteLLM's bert was timed; None of none."""
        timed = self.of("latency", "p50_ms")
        timed = timed[timed["system"].astype(str).str.startswith(_SHIPPED) & timed["value"].notna()]
        return timed.loc[timed["value"].idxmin()].to_dict() if len(timed) else None


def timed(latency: Mapping[str, Estimate], system: str) -> Estimate | None:
    """A router's time. What its name adds in parentheses, such as how many labels it had, changes none."""
    return latency.get(system) or latency.get(system.partition(" (")[0])


def detail(row: Mapping[str, Any], name: str) -> Any:
    """An entry of a row's ``params``; None where it has none."""
    return json.loads(row["params"]).get(name)
