"""What a run's curves and choices offer: quality, cost and split of each router at a weight or within a budget.

Pure functions of two of the tables that a run leaves; nothing is routed anew. A weight is the policy's own (see
``policy``): quality given up per dollar, or per strong call. A budget asks for the best point that costs no more, in
hindsight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation.systems import QUALITY_FIRST, RULE

# What can be explored, the fullest view first, and whether its policy charged dollars (else strong calls).
ANALYSES: dict[str, tuple[str, bool]] = {
    "trained_cost": ("trained routers, all models: dollars", True),
    "cost": ("baselines, all models: dollars", True),
    "trained": ("trained routers, two models: strong calls", False),
    "pair": ("baselines, two models: strong calls", False),
}
NOT_FOR_USE = ("outcomes", "true expectation", "domain")  # what hindsight references and readers of metadata see
_SLACK = 1 + 1e-9  # a budget that is a point's own cost reaches the point


@dataclass(frozen=True)
class Tradeoffs:
    """One data set under one analysis.

    Attributes:
        dataset, analysis: of the tables.
        in_dollars: whether the policy charged dollars; else the share of strong calls.
        points: system, operating_point, weight, charge (expected USD a prompt, or share of strong calls), spent
            (actual USD per 1,000 prompts, or share of strong calls), cost_usd (a prompt; NaN = unknown), share_strong,
            quality, quality_low, quality_high; a router's points from the cheapest on.
        splits: share of prompts per model, a row per (system, operating_point) that the choices keep; models from
            the cheapest on where costs are known.
        prompts: how many were judged.
    """

    dataset: str
    analysis: str
    in_dollars: bool
    points: pd.DataFrame
    splits: pd.DataFrame
    prompts: int

    @cached_property
    def curved(self) -> list[str]:
        """Routers with more than one point, by the mean quality along their curve, best first."""
        numbered = self.points[~self.points["operating_point"].isin([QUALITY_FIRST, RULE])]
        return list(numbered.groupby("system")["quality"].mean().sort_values(ascending=False, kind="stable").index)

    @cached_property
    def systems(self) -> list[str]:
        """``curved``, then rules and single models."""
        return [*self.curved, *(name for name in self.points["system"].unique() if name not in self.curved)]

    @cached_property
    def best_single(self) -> pd.Series | None:
        """The point of the best single model, its name as ``model``; None where no rule always takes one model."""
        shares = self.splits[self.splits.max(axis=1) == 1].reset_index("operating_point")
        alone = shares[shares["operating_point"] == RULE].drop(columns="operating_point").idxmax(axis=1)
        points = self.points[(self.points["operating_point"] == RULE) & self.points["system"].isin(alone.index)]
        if points.empty:
            return None
        best = points.loc[points["quality"].idxmax()]
        return pd.Series({**best, "model": alone[best["system"]]})

    def weights(self) -> tuple[float, float]:
        """From a weight that hardly counts to one at which every router takes the cheapest."""
        inner = self.points["weight"][np.isfinite(self.points["weight"]) & (self.points["weight"] > 0)]
        return (max(inner.min(), inner.max() / 1e4), 2 * inner.max()) if len(inner) else (0.01, 100.0)

    def budgets(self) -> tuple[float, float]:
        """What the cheapest and the dearest point spend."""
        return self.points["spent"].min(), self.points["spent"].max()


def available(curves: pd.DataFrame) -> dict[str, list[str]]:
    """Analyses that can be explored, by data set; those in dollars only where costs are known.

    Raises:
        ToolkitError: there is none.
    """
    found = {}
    for dataset, part in curves[curves["operating_point"] == "0.00"].groupby("dataset", sort=False):
        known = set(part["analysis"])
        found[dataset] = [name for name in ANALYSES if name in known]
    found = {dataset: names for dataset, names in found.items() if names}
    if not found:
        raise ToolkitError(
            f"A run with curves of {', '.join(ANALYSES)} was expected; found "
            f"{', '.join(sorted(set(curves['analysis']))) or 'no curve'}. Notebooks 02 and 03 draw them."
        )
    return found


def tradeoffs(curves: pd.DataFrame, choices: pd.DataFrame, dataset: str, analysis: str) -> Tradeoffs:
    """The curves of one analysis and the splits that its choices hold.

    Args:
        curves, choices: the tables of a run.

    Raises:
        ToolkitError: no such analysis of this data set.
    """
    points = curves[(curves["dataset"] == dataset) & (curves["analysis"] == analysis)]
    if analysis not in ANALYSES or points.empty:
        raise ToolkitError(f"{dataset}: no curves of {analysis!r}; there are {available(curves)}.")
    in_dollars = ANALYSES[analysis][1]
    charge = points["expected_cost_usd" if in_dollars else "share_strong"]
    spent = 1000 * points["cost_usd"] if in_dollars else points["share_strong"]
    columns = ["system", "operating_point", "weight", "cost_usd", "share_strong", "quality"]
    points = points[[*columns, "quality_low", "quality_high"]].assign(charge=charge, spent=spent)
    made = choices[(choices["dataset"] == dataset) & (choices["analysis"] == analysis)]
    return Tradeoffs(dataset, analysis, in_dollars, points.reset_index(drop=True), *_splits(made))


def leading(offer: Tradeoffs, sees: Mapping[str, str], most: int = 4) -> list[str]:
    """The routers with the best mean quality along their curves, but for those that nobody could use.

    Args:
        sees: what each system reads, of the measurements.
    """
    return [name for name in offer.curved if sees.get(name) not in NOT_FOR_USE][:most]


def chosen(
    offer: Tradeoffs,
    systems: Sequence[str],
    weight: float | None = None,
    budget: float | None = None,
    monthly_requests: float = 0,
) -> pd.DataFrame:
    """Each router at the operating point that a cost weight or a budget leads to.

    Args:
        systems: names, in the order of the rows.
        weight: quality given up per dollar, or per strong call; 0 is quality first. The point is the one with the
            least weight that is no lower, at most a hundredth of the range of charges cheaper than the weight itself.
        budget: USD per 1,000 prompts, or share of strong calls: the best quality whose cost is no higher.

    Returns:
        system, operating_point ("" = nothing within the budget), weight, quality, quality_low, quality_high,
        quality_kept (of the best single model's), share_strong, cost_usd_per_1k, saving (share of the best single
        model's cost), usd_per_month, saved_usd_per_month, split_point (the nearest point that the choices keep) and
        split_exact (it is this very point). NaN = unknown.

    Raises:
        ToolkitError: not exactly one of weight and budget was given, or an unknown system.
    """
    if (weight is None) == (budget is None):
        raise ToolkitError("Either a weight or a budget was expected; give one of them.")
    unknown = [name for name in systems if name not in set(offer.points["system"])]
    if unknown:
        raise ToolkitError(f"{offer.dataset}: no {', '.join(unknown)} in {offer.analysis}; see Tradeoffs.systems.")
    rows = []
    for name in systems:
        own = offer.points[offer.points["system"] == name]
        point = _by_weight(own, weight) if budget is None else _by_budget(own, budget)
        rows.append(_described(offer, name, own, point, monthly_requests))
    return pd.DataFrame(rows, columns=_COLUMNS)


def split(offer: Tradeoffs, at: pd.DataFrame) -> pd.DataFrame:
    """Share of prompts per model (columns) of each router (index) at the points of a ``chosen`` frame."""
    known = at[at["split_point"] != ""]
    keys = pd.MultiIndex.from_frame(known[["system", "split_point"]], names=offer.splits.index.names)
    return offer.splits.reindex(keys).droplevel("operating_point")


def _splits(made: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Shares of models at every kept point, and the number of prompts."""
    by = ["system", "operating_point", "model"]
    sizes = made.groupby(by, observed=True).size().reset_index(name="calls").astype(dict.fromkeys(by, str))
    calls = sizes.pivot(index=by[:2], columns="model", values="calls").fillna(0)
    cost = made.groupby("model", observed=True)["cost_usd"].mean().sort_values(kind="stable")
    total = calls.sum(axis=1)
    return calls.div(total, axis=0)[[str(name) for name in cost.index]], int(total.max()) if len(total) else 0


_COLUMNS = [
    *("system", "operating_point", "weight", "quality", "quality_low", "quality_high", "quality_kept"),
    *("share_strong", "cost_usd_per_1k", "saving", "usd_per_month", "saved_usd_per_month"),
    *("split_point", "split_exact"),
]


def _by_weight(own: pd.DataFrame, weight: float) -> pd.Series:
    if not weight >= 0:
        raise ToolkitError(f"A weight of 0 or more was expected, quality given up per unit of cost; found {weight!r}.")
    enough = own[own["weight"] >= weight]
    return own.iloc[0] if enough.empty else enough.loc[enough["weight"].idxmin()]  # a rule has no weight


def _by_budget(own: pd.DataFrame, budget: float) -> pd.Series | None:
    within = own[own["spent"] <= budget * _SLACK]
    if within.empty:
        return None
    return within.sort_values(["quality", "spent"], ascending=[False, True], kind="stable").iloc[0]


def _described(
    offer: Tradeoffs, name: str, own: pd.DataFrame, point: pd.Series | None, monthly_requests: float
) -> dict[str, object]:
    """One row of ``chosen``."""
    if point is None:
        return {"system": name, "operating_point": "", "split_point": "", "split_exact": False}
    single, kept = offer.best_single, ""
    if name in offer.splits.index.get_level_values("system"):
        labels = offer.splits.loc[name].index
        away = (own.set_index("operating_point")["charge"].reindex(labels) - point["charge"]).abs()
        kept = point["operating_point"] if point["operating_point"] in labels else away.fillna(np.inf).idxmin()
    cost, dear = point["cost_usd"], np.nan if single is None else single["cost_usd"]
    return {
        **point[["operating_point", "weight", "quality", "quality_low", "quality_high", "share_strong"]],
        "system": name,
        "quality_kept": np.nan if single is None else point["quality"] / single["quality"],
        "cost_usd_per_1k": 1000 * cost,
        "saving": 1 - cost / dear if dear > 0 else np.nan,
        "usd_per_month": monthly_requests * cost,
        "saved_usd_per_month": monthly_requests * (dear - cost),
        "split_point": kept,
        "split_exact": kept == point["operating_point"],
    }
