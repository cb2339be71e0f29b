"""At which prices the recommendation changes: that of the best model's calls, and that of lost quality."""

from typing import Any

import numpy as np

from toolkit.evaluation.decision.candidates import SLACK, cheapest_by_slope
from toolkit.evaluation.decision.recommendation import Judged
from toolkit.evaluation.decision.statements import estimate, finite

PRICE_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
ERROR_USD = tuple(float(f"{value:.3g}") for value in np.logspace(-4, 1, 21))


def prices(judged: Judged) -> dict[str, Any] | None:
    """What is recommended if the reference model cost otherwise: at fixed factors, and where the choice changes.

    None where costs are unknown or nobody is recommended. Choices of routers stay as they are.
    """
    if judged.chosen is None or not judged.candidates.in_dollars:
        return None
    found, model = judged.candidates, int(judged.candidates.models[judged.best, 0])
    rows = []
    for factor in PRICE_FACTORS:
        spent = found.spent_at(model, factor)
        index = judged.choose(spent=found.means(spent))
        share = judged.told.ratio(judged.told.means(spent[[index, judged.best]]), 0, 1)
        changed = found.systems[index] != found.systems[judged.chosen]
        rows.append(
            {"factor": factor, "share": estimate(share, "share"), "changed": bool(changed)} | judged.name(index)
        )
    able = np.flatnonzero(judged.admitted & judged.reaching())
    own = found.means(np.where(found.models == model, found.spent, 0.0))[able]
    ranges = cheapest_by_slope(judged.spent[able] - own, own, judged.plain[able])
    return {"model": judged.model(), "factors": rows} | _ranges(judged, ranges, able, 1.0)


def errors(judged: Judged) -> dict[str, Any] | None:
    """Who is cheapest when lost quality has a price, calls and errors together and no floor, over a grid of prices.

    None where costs are unknown or nobody is recommended.
    """
    if judged.chosen is None or not judged.candidates.in_dollars:
        return None
    able = np.flatnonzero(judged.admitted)
    spent, lost = judged.spent[able], judged.quality[judged.best] - judged.quality[able]
    rows = []
    for price in ERROR_USD:
        cost = spent + price * lost
        near = np.flatnonzero(cost <= cost.min() + SLACK)
        index = int(able[near[judged.plain[able][near].argmin()]])
        changed = judged.candidates.systems[index] != judged.candidates.systems[judged.chosen]
        rows.append({"error_usd": price, "changed": bool(changed)} | judged.name(index))
    # The envelope wants lines that do not fall; a common slope added to all of them changes no order.
    ranges = cheapest_by_slope(spent, lost - lost.min(), judged.plain[able])
    return {"grid": rows} | _ranges(judged, ranges, able, judged.constraints.error_usd)


def _ranges(judged: Judged, ranges: list, able: np.ndarray, now: float) -> dict[str, Any]:
    """Ranges by system, neighbours of one system joined; the one that holds ``now``."""
    found: list[dict[str, Any]] = []
    for low, high, at in ranges:
        who = judged.name(int(able[at]))
        if found and found[-1]["system"] == who["system"]:
            found[-1]["to"] = finite(high)
        else:
            found.append({"from": low, "to": finite(high)} | who)
    here = next(row for row in found if row["to"] is None or now < row["to"])
    return {"ranges": found, "here": here}
