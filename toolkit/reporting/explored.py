"""What the explorer shows at one setting of its controls: numbers, texts and figures, without a widget."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from toolkit.evaluation import exploring
from toolkit.evaluation.exploring import Tradeoffs
from toolkit.evaluation.systems import RULE
from toolkit.figures.exploring import marked_curves, model_split
from toolkit.reporting.present import figure_texts, interval
from toolkit.reporting.reading import Run


@dataclass(frozen=True)
class View:
    """Routers at the point that a weight or a budget leads to; exactly one of the two is given.

    Attributes:
        run: whose tables these are.
        offer: of ``exploring.tradeoffs``.
        systems: routers, in the order of the rows.
        weight: quality given up per dollar or strong call; 0 is quality first.
        budget: USD per 1,000 prompts, or share of strong calls.
        monthly_requests: volume for the dollars of a month.
    """

    run: Run
    offer: Tradeoffs
    systems: Sequence[str]
    weight: float | None = None
    budget: float | None = None
    monthly_requests: float = 0

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """``exploring.chosen`` of the systems."""
        return exploring.chosen(self.offer, self.systems, self.weight, self.budget, self.monthly_requests)

    @cached_property
    def split(self) -> pd.DataFrame:
        """``exploring.split`` of the systems: a row per router, a column per model."""
        return exploring.split(self.offer, self.chosen)

    @cached_property
    def table(self) -> pd.DataFrame:
        """``chosen`` in text, the best single model in the last row; columns of which nothing is known are left out."""
        rows, names, single = [self.chosen], list(self.systems), self.offer.best_single
        if single is not None:
            rows.append(exploring.chosen(self.offer, [single["system"]], 0, None, self.monthly_requests))
            names.append(f"{single['model']}, best single model")
        rows = pd.concat([frame for frame in rows if len(frame)]) if any(map(len, rows)) else self.chosen
        table = pd.DataFrame({head: [told(row) for _, row in rows.iterrows()] for head, told in _COLUMNS.items()})
        table.index = pd.Index(names)
        return table.loc[:, (table != "–").any() if len(table) else slice(None)]

    @cached_property
    def told(self) -> str:
        """One sentence on the best of the routers at this point, and what it costs and saves."""
        usable = self.chosen[self.chosen["quality"].notna()]
        if not self.systems:
            return "No router is chosen."
        if usable.empty:
            return f"{self._point}, none of these routers can be had: the cheapest point of each costs more."
        spent = usable["cost_usd_per_1k"] / 1000 if self.offer.in_dollars else usable["share_strong"]
        best = usable.loc[(usable["quality"] - (self.weight or 0) * spent).idxmax()]
        name = best["system"] + (", the best of these," if len(self.systems) > 1 else "")
        return f"{self._point}, {name} has quality {_quality(best)}{self._against(best)}."

    def curve_figure(self) -> Figure:
        """The routers' curves, their points ringed, the best single model beside them."""
        offer, names = self.offer, list(self.systems)
        by_calls = not offer.in_dollars
        if offer.best_single is not None:
            names.append(offer.best_single["system"])
        if not (set(names) & set(offer.curved)):  # two models mixed at random are what rules are held against
            names.insert(0, "random" if "random" in offer.curved else offer.curved[0])
        curves = offer.points[offer.points["system"].isin(names)]
        curves = curves.sort_values("system", key=lambda column: column.map(names.index), kind="stable")
        marks = self.chosen.assign(spent=self.chosen["share_strong" if by_calls else "cost_usd_per_1k"])
        against = "strong calls" if by_calls else "cost"
        title, source = f"{offer.dataset}: quality against {against}", None if by_calls else self._source
        budget = math.nan if self.budget is None else self.budget
        return marked_curves(curves, marks, title, source, f"{self._caption} · bands and bars: 95%", budget)

    def split_figure(self) -> Figure:
        """Who gets the calls at these points; the note names every router whose bar is of a neighbouring point."""
        moved = self.chosen[(self.chosen["split_point"] != "") & ~self.chosen["split_exact"].astype(bool)]
        near = "; ".join(f"{row.system} at {row.split_point}" for row in moved.itertuples())
        kept = f" · choices are kept at every tenth point, so these are of the nearest: {near}" if near else ""
        return model_split(self.split, "Who answers", fill(self._caption + kept, 120))

    @property
    def _facts(self) -> dict[str, object]:
        """What the manifest says of the data set; nothing for a run that left none."""
        return self.run.manifest.get("data", {}).get(self.offer.dataset, {})

    @property
    def _source(self) -> str:
        return str(self._facts.get("cost_source", "see the report's front page"))

    @property
    def _caption(self) -> str:
        synthetic = self._facts.get("synthetic", self.offer.dataset.startswith("synthetic"))
        return f"{self.offer.prompts:,} prompts judged" + (" · SYNTHETIC outcomes" if synthetic else "")

    @property
    def _point(self) -> str:
        """How the point was asked for."""
        unit = "per 1,000 prompts" if self.offer.in_dollars else "of strong calls"
        if self.budget is not None:
            amount = f"{_text(self.budget)} USD" if self.offer.in_dollars else _share(self.budget)
            return f"Within {amount} {unit}"
        if not self.weight:
            return "With quality first"
        return f"At a weight of {_text(self.weight)} per {'dollar' if self.offer.in_dollars else 'strong call'}"

    def _against(self, best: pd.Series) -> str:
        """The rest of the sentence: quality and cost beside the best single model."""
        single = self.offer.best_single
        if single is None:
            return ""
        told = f": {_share(best['quality_kept'])} of that of {single['model']}, the best single model"
        if np.isfinite(best["saving"]):
            told += f", at {_share(1 - best['saving'])} of its cost"
        elif np.isfinite(best["share_strong"]):
            told += f", with {_share(best['share_strong'])} of the calls to the strong model"
        if self.monthly_requests and np.isfinite(best["usd_per_month"]):
            now, then = best["usd_per_month"], best["usd_per_month"] + best["saved_usd_per_month"]
            told += f"; {_text(now)} USD a month in place of {_text(then)}"
        return told


def _text(value: float) -> str:
    return (figure_texts([value])[0] if value else "0") if np.isfinite(value) else "–"


def _share(value: float) -> str:
    return figure_texts([value], "share")[0] if np.isfinite(value) else "–"


def _quality(row: pd.Series) -> str:
    if not np.isfinite(row["quality"]):
        return "not within the budget"
    return interval(row["quality"], row["quality_low"], row["quality_high"])


_COLUMNS = {
    "quality": _quality,
    "of the best single model": lambda row: _share(row["quality_kept"]),
    "strong calls": lambda row: _share(row["share_strong"]),
    "USD per 1,000": lambda row: _text(row["cost_usd_per_1k"]),
    "saving": lambda row: _share(row["saving"]),
    "USD a month": lambda row: _text(row["usd_per_month"]),
    "saved a month": lambda row: _text(row["saved_usd_per_month"]),
    "operating point": lambda row: row["operating_point"] if row["operating_point"] != RULE else "its only one",
}
