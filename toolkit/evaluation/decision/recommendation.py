"""One data set's recommendation under constraints: who is chosen, and who is not and why."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from toolkit.evaluation.decision.candidates import SLACK, Candidates, Told, cheapest, pareto
from toolkit.evaluation.decision.constraints import Constraints
from toolkit.evaluation.decision.rows import timed
from toolkit.evaluation.decision.statements import Estimate, estimate, finite, number, surely_above
from toolkit.routers import BASELINES

OPEN = ("text", "nothing")  # what a router may see that is to decide about traffic
SINGLE, BASELINE, ROUTER, REFERENCE = "single", "baseline", "router", "reference"


class Judged:
    """The candidates of one data set under constraints.

    Args:
        candidates: read from its choices.
        sees: what each system reads, by name.
        latency: measured medians in milliseconds, by name; what is not in it is not measured.
        constraints: to meet.
        bootstraps, seed: of the intervals.

    Attributes:
        best: index of the reference, the best single model; None where the table has no single model.
        reference: ``best`` single model, the one ``given``, or ``missing``: given, not judged, so the best stands in.
        kinds: single, baseline (trivial, or blind to the prompt), router or reference (sees what traffic does not
            show), object (K,).
        untimed: routers (they learn) whose time was not measured.
        admitted: who may be recommended, whatever it costs, bool (K,). An untimed router may only where without the
            untimed ones nothing but the best single model itself reaches the floor.
        chosen: the recommendation by the constraints' own rule, ``other`` by the other one (``Constraints.surely``).
    """

    def __init__(
        self,
        candidates: Candidates,
        sees: Mapping[str, str],
        latency: Mapping[str, Estimate],
        constraints: Constraints,
        bootstraps: int = 1000,
        seed: int = 0,
    ):
        self.candidates, self.constraints = candidates, constraints
        self.sees = {name: _sees(name, sees) for name in dict.fromkeys(candidates.systems)}
        self.latency = {name: timed(latency, name) for name in self.sees}
        self._resampling = (bootstraps, seed)
        self.told = Told(candidates, ~candidates.chosen_on, *self._resampling)
        self.best = candidates.best_single(constraints.reference)
        given = constraints.reference
        self.reference = "best" if not given else "given" if self.model() == given else "missing"
        alone = dict(zip(candidates.systems, candidates.singles, strict=True))
        kind = {name: _kind(name, alone[name], sees) for name, sees in self.sees.items()}
        self.kinds = np.array([kind[name] for name in candidates.systems], dtype=object)
        self.plain = np.array([(SINGLE, BASELINE, ROUTER, REFERENCE).index(kind) for kind in self.kinds])
        self.untimed = {name for name in kind if kind[name] == ROUTER and not self.latency[name]}
        offered = np.array([kind[name] != REFERENCE and not self.too_slow(name) for name in candidates.systems])
        known = offered & ~np.isin(candidates.systems, list(self.untimed))
        self.admitted = offered if self.choose(known) in (None, self.best) else known
        self.chosen, self.other = (self.choose(surely=way) for way in (constraints.surely, not constraints.surely))

    @cached_property
    def quality(self) -> np.ndarray:
        """Means (K,) on the choosing half."""
        return self.candidates.means(self.candidates.quality)

    @cached_property
    def spent(self) -> np.ndarray:
        """Means (K,) on the choosing half."""
        return self.candidates.means(self.candidates.spent)

    def too_slow(self, system: str) -> bool:
        """Whether the whole interval of the median time of a decision lies above the budget.

        Where it reaches below, a busy minute of the machine may be all that there is to it, so nobody is left out for
        that; who is recommended is told so. What has no time (``untimed``, single models, rules) is not slow.
        """
        measured = self.latency[system]
        return bool(measured) and surely_above(measured, self.constraints.latency_budget_ms)

    def model(self) -> str:
        """Name of the reference."""
        return self.candidates.names[self.candidates.models[self.best, 0]] if self.best is not None else ""

    @cached_property
    def sure(self) -> np.ndarray:
        """Whose lower bounds, of all open candidates at once, reach the floor on the choosing half, bool (K,)."""
        there = Told(self.candidates, self.candidates.chosen_on, *self._resampling)
        low = there.jointly_low(self.best, self.kinds != REFERENCE)
        return low >= self.constraints.quality_floor - SLACK

    def reaching(self, surely: bool | None = None) -> np.ndarray:
        """Who reaches the floor on the choosing half, bool (K,), by the constraints' own rule or the one given."""
        by_estimate = self.quality >= self.constraints.quality_floor * self.quality[self.best] - SLACK
        return by_estimate & self.sure if (self.constraints.surely if surely is None else surely) else by_estimate

    def choose(
        self, offered: np.ndarray | None = None, spent: np.ndarray | None = None, surely: bool | None = None
    ) -> int | None:
        """The cheapest of those offered, (k,), that reach the floor (``reaching``); None where nobody does."""
        if self.best is None:
            return None
        offered = (self.admitted if offered is None else offered) & self.reaching(surely)
        spent = self.spent if spent is None else spent
        return cheapest(spent, self.quality, -math.inf, offered, self.plain)

    def of(self, system: str, floor: float | None = None) -> int | None:
        """A system's own cheapest point that reaches the floor: by the rule, where it has none by the estimate.

        Args:
            floor: another one than the constraints', which the estimate has to reach.
        """
        own = self.candidates.systems == system
        if self.best is None:
            return None
        if floor is not None:
            return cheapest(self.spent, self.quality, floor * self.quality[self.best], own, self.plain)
        found = self.choose(own)
        return self.choose(own, surely=False) if found is None else found

    # -- what is told, on the reporting half ----------------------------------------------------------------------

    def kept(self, index: int) -> Estimate:
        """Quality over the reference's."""
        return estimate(self.told.ratio(self.told.quality, index, self.best), "share")

    def share(self, index: int) -> Estimate:
        """Cost over the reference's; of calls, their share."""
        return estimate(self.told.ratio(self.told.spent, index, self.best), "share")

    def name(self, index: int) -> dict[str, Any]:
        """System, operating point, kind, and of a single model its name."""
        found = self.candidates
        told = {"system": found.systems[index], "point": found.points[index], "kind": self.kinds[index]}
        alone = found.names[found.models[index, 0]] if self.kinds[index] == SINGLE else None
        return told | {"model": alone}

    def floor_met(self, index: int, floor: float | None = None) -> str:
        """The floor against the interval on the reporting half.

        ``kept`` by the whole of it, ``unsure`` where the estimate keeps it and the interval reaches below, ``below``
        where the estimate lies under it and the interval reaches above, ``missed`` by the whole of it.
        """
        kept = self.kept(index)
        floor, value = (self.constraints.quality_floor if floor is None else floor) - SLACK, kept["value"]
        if value is None:
            return "unsure"
        if value < floor:
            return "missed" if kept.get("high", value) < floor else "below"
        return "kept" if kept.get("low", value) >= floor else "unsure"

    def money(self, index: int) -> dict[str, Estimate] | None:
        """Dollars a month at the volume; None where costs are unknown."""
        if not self.candidates.in_dollars:
            return None
        spent, quality, requests = self.told.spent, self.told.quality, self.constraints.monthly_requests
        saved = requests * (spent[:, self.best] - spent[:, index])
        lost = requests * self.constraints.error_usd * (quality[:, self.best] - quality[:, index])
        told = {"usd_per_month": requests * spent[:, index], "saved_usd_per_month": saved}
        told |= {"errors_usd_per_month": lost, "net_usd_per_month": saved - lost}
        return {key: estimate(samples, "USD") for key, samples in told.items()}

    def against(self, index: int, other: int) -> dict[str, Any]:
        """The candidate beside another one, paired."""
        quality = self.told.quality[:, index] - self.told.quality[:, other]
        spent = self.told.spent[:, index] - self.told.spent[:, other]
        scale, unit = (self.constraints.monthly_requests, "USD") if self.candidates.in_dollars else (1, "share")
        told = {"quality_difference": estimate(quality, "quality"), "spent_difference": estimate(scale * spent, unit)}
        told |= {"quality_verdict": _side(told["quality_difference"]), "spent_verdict": _side(told["spent_difference"])}
        return self.name(other) | {"kept": self.kept(other), "share": self.share(other)} | told


def _sees(name: str, sees: Mapping[str, str]) -> str:
    """What the tables say; of a baseline that they miss, what its class says: an oracle is never taken for a router."""
    found = sees.get(name)
    return found if isinstance(found, str) else BASELINES[name]().sees if name in BASELINES else "text"


def _kind(name: str, alone: bool, sees: str) -> str:
    if sees not in OPEN:
        return REFERENCE
    if alone:
        return SINGLE
    return BASELINE if sees == "nothing" or (name in BASELINES and BASELINES[name]().trivial) else ROUTER


def _side(difference: Estimate) -> str:
    """``more``, ``less`` or ``unsure``: on which side of 0 the whole interval lies."""
    low, high = difference.get("low", math.nan), difference.get("high", math.nan)
    return "more" if low > 0 else "less" if high < 0 else "unsure"


def recommended(judged: Judged) -> dict[str, Any] | None:
    """The choice, told on the other half; None where nobody meets the constraints.

    ``against`` has it beside what is in use today, the cheapest baseline and the cheapest learned router; ``unhurried``
    is who would be chosen without a latency budget and whether timed or not, None where that changes nothing.
    """
    index = judged.chosen
    if index is None:
        return None
    told = judged.name(index) | {"kept": judged.kept(index), "share": judged.share(index)}
    told |= {"floor": judged.floor_met(index), "money": judged.money(index)}
    system = told["system"]
    told["latency"] = judged.latency[system]
    if not told["latency"] and judged.sees[system] == "nothing":
        told["latency"] = number(0.0, "ms")
    trivial = np.isin(judged.kinds, (SINGLE, BASELINE))
    others = {
        "today": next(iter(judged.candidates.find(judged.constraints.today)), None),
        "baseline": judged.choose(judged.admitted & trivial),
        "router": judged.choose(judged.admitted & ~trivial),
    }
    free = judged.choose(judged.kinds != REFERENCE)
    told["unhurried"] = None
    if free != index:
        told["unhurried"] = judged.name(free) | {"kept": judged.kept(free), "share": judged.share(free)}
        told["unhurried"]["latency"] = judged.latency[judged.candidates.systems[free]]
    told["against"] = {
        key: judged.against(index, int(other)) for key, other in others.items() if other is not None and other != index
    }
    return told


def other(judged: Judged) -> dict[str, Any] | None:
    """The choice by the rule that was not asked for (``Constraints.surely``); None where it is the same, or nobody."""
    index = judged.other
    if index is None or index == judged.chosen:
        return None
    told = judged.name(index) | {"kept": judged.kept(index), "share": judged.share(index)}
    return told | {"floor": judged.floor_met(index), "money": judged.money(index)}


def table(judged: Judged) -> list[dict[str, Any]]:
    """One row a system: its cheapest point at the floor, told on the other half, and why it is not the choice."""
    rows = []
    for system, sees in judged.sees.items():
        index = judged.of(system)
        by = ""
        if sees not in OPEN:
            by = "sees"
        elif judged.too_slow(system):
            by = "latency"
        elif system in judged.untimed and not judged.admitted[judged.candidates.find(system)].any():
            by = "untimed"
        elif index is None:
            by = "floor"
        elif not judged.reaching()[index]:
            by = "unsure"
        elif index != judged.chosen:
            by = "cost"
        row = {"system": system, "sees": sees, "excluded_by": by, "latency": judged.latency[system]}
        if index is not None:
            row |= judged.name(index) | {"kept": judged.kept(index), "share": judged.share(index)}
        else:
            kind = judged.kinds[list(judged.candidates.systems).index(system)]
            row |= {"point": None, "kind": kind, "model": None, "kept": None, "share": None}
        rows.append(row)
    order = ("", "cost", "unsure", "latency", "untimed", "floor", "sees")
    share = lambda row: row["share"]["value"] if row["share"] and row["share"]["value"] is not None else math.inf  # noqa: E731
    return sorted(rows, key=lambda row: (order.index(row["excluded_by"]), share(row), row["system"]))


def points(judged: Judged) -> list[dict[str, Any]]:
    """Every candidate on the reporting half, for a figure: relative cost and quality, and whether it is on the front.

    The front is of those that may be recommended. It is drawn in hindsight, on the prompts that report.
    """
    told, best = judged.told, judged.best
    on_front = set(pareto(told.spent[0], told.quality[0], judged.admitted))
    rows = []
    for index in range(len(judged.candidates.systems)):
        share, kept = (float(told.ratio(means[:1], index, best)[0]) for means in (told.spent, told.quality))
        row = judged.name(index) | {
            "share": finite(share),
            "kept": finite(kept),
            "admitted": bool(judged.admitted[index]),
        }
        rows.append(row | {"front": index in on_front})
    return rows


def front(judged: Judged) -> list[dict[str, Any]]:
    """The points that no other admitted one beats on both axes, with intervals, cheapest first."""
    told = judged.told
    return [
        judged.name(index) | {"kept": judged.kept(index), "share": judged.share(index)}
        for index in pareto(told.spent[0], told.quality[0], judged.admitted)
    ]
