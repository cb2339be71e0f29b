"""The decision: which router under which constraints, from a run's tables alone. Pure, no file is read or written.

``decide`` gives plain types only, and no words: statements name their sentences (``statements``), which stand in
``toolkit/reporting/decision/wording``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation.decision import candidates, prices, recommendation, survey
from toolkit.evaluation.decision.checklist import checklist
from toolkit.evaluation.decision.constraints import Constraints
from toolkit.evaluation.decision.doubts import doubts
from toolkit.evaluation.decision.recommendation import Judged
from toolkit.evaluation.decision.roadmap import roadmap
from toolkit.evaluation.decision.rows import Rows
from toolkit.evaluation.decision.sentences import sentences, timed_as
from toolkit.evaluation.decision.statements import finite

__all__ = ["Constraints", "decide"]

VERSION = 1


def decide(
    measurements: pd.DataFrame,
    choices: pd.DataFrame,
    curves: pd.DataFrame,
    constraints: Constraints | None = None,
    facts: Mapping[str, Any] | None = None,
    bootstraps: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """What a run says about which router to take, and what it does not say.

    Per data set, router and operating point are chosen on one half of the judged prompts, halved by a hash of their
    group: the cheapest that keeps the floor of quality, not surely slower than the latency budget. Everything
    said of the choice is measured on the other half, paired, with 95% bootstrap intervals by group.

    Args:
        measurements: of a run, with ``analysis`` and ``metrics.DETAILS`` as columns (``reporting.reading.Run``).
        choices: of a run; analyses ``trained_cost`` (dollars), ``trained`` (a pair), ``acceptance`` (labelled queries).
        curves: of a run, for the weights of operating points.
        constraints: to meet.
        facts: what tables do not tell: ``run``, ``data`` (by label: synthetic, own, cost_source, models), ``machine``
            (cpu, cores, gpu), ``claims`` (rows of the ledger), ``queries`` (the labelled ones, ``prompt`` as in
            choices).
        bootstraps, seed: of the intervals.

    Returns:
        JSON-able: ``constraints``, ``run``, ``data`` (one entry a data set), ``primary`` (which of them the common
        tables are about), ``families``, ``not_judged``, ``strong_calls``. Whatever a run lacks is None, empty or named
        as not measured.

    Raises:
        ToolkitError: the constraints name a reference or a system in use that no data set has, or a system in use of
            several operating points without saying which.
    """
    constraints, facts, rows = constraints or Constraints(), facts or {}, Rows(measurements)
    by_analysis = {name: choices[choices["analysis"] == name] for name in ("trained_cost", "trained", "acceptance")}
    weights = _weights(curves)
    parts, judged = [], {}
    for dataset in _datasets(by_analysis, measurements):
        own = {name: frame[frame["dataset"] == dataset] for name, frame in by_analysis.items()}
        judged[dataset] = _judge(rows, dataset, own, constraints, bootstraps, seed)
        parts.append(_part(rows, dataset, own, judged[dataset], weights, constraints, facts))
    _require(constraints, [both[0] or both[1] for both in judged.values() if any(both)])
    for part in parts:
        part["doubts"] = doubts(rows, part, constraints, facts)
        part["roadmap"] = roadmap(rows, part, constraints)
    primary = _primary(parts)
    claims = facts.get("claims") or []
    return {
        "version": VERSION, "run": facts.get("run") or {}, "constraints": vars(constraints).copy(), "data": parts,
        "primary": primary["dataset"] if primary else None, "dimensions": list(survey.DIMENSIONS),
        "families": survey.families(rows, primary["dataset"] if primary else "",
                                    *judged.get(primary["dataset"] if primary else "", (None, None)), claims,
                                    constraints.gpu),
        "not_judged": survey.not_judged(rows, constraints.gpu),
        "strong_calls": survey.strong_calls(rows, by_analysis["trained"], claims, bootstraps, seed),
    }  # fmt: skip


def _datasets(by_analysis: Mapping[str, pd.DataFrame], measurements: pd.DataFrame) -> list[str]:
    """Those with choices first; of the others it is said that nothing was judged."""
    frames = [*by_analysis.values(), measurements]
    columns = [frame["dataset"].unique() for frame in frames if "dataset" in frame]
    return list(dict.fromkeys(str(name) for column in columns for name in column))


def _require(constraints: Constraints, judged: Sequence[Judged]) -> None:
    """Refuse a reference or a system in use that no data set knows, and one of which the point is not known."""
    models = {name for one in judged for name in one.candidates.names}
    if judged and constraints.reference and constraints.reference not in models:
        raise ToolkitError(f"reference is one of {', '.join(sorted(models))}; {constraints.reference!r} was given.")
    systems = {name for one in judged for name in one.sees}
    found = [one.candidates.find(constraints.today) for one in judged]
    if judged and constraints.today != Constraints.today and not any(map(len, found)):
        raise ToolkitError(
            f"today is one of {', '.join(sorted(systems))}, of several points as system@point; "
            f"{constraints.today!r} was given."
        )
    for one, several in zip(judged, found, strict=True):
        if len(several) > 1:
            points = ", ".join(one.candidates.points[several])
            raise ToolkitError(f"today is given as {constraints.today}@POINT, of {points}; no point was given.")


def _judge(
    rows: Rows, dataset: str, own: Mapping[str, pd.DataFrame], constraints: Constraints, bootstraps: int, seed: int
) -> tuple[Judged | None, Judged | None]:
    """Candidates in dollars, and as a pair by calls of the strong model; None of what cannot be judged."""
    latency = rows.latencies(constraints.gpu)
    found = []
    for analysis, in_dollars in (("trained_cost", True), ("trained", False)):
        read = candidates.read(own[analysis], in_dollars)
        fit = read is not None and read.enough and read.best_single() is not None
        sees = rows.sees(dataset, (analysis,))
        found.append(Judged(read, sees, latency, constraints, bootstraps, seed) if fit else None)
    return found[0], found[1]


def _part(
    rows: Rows,
    dataset: str,
    own: Mapping[str, pd.DataFrame],
    both: tuple[Judged | None, Judged | None],
    weights: Mapping[tuple, float],
    constraints: Constraints,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """All that is said of one data set."""
    judged = both[0] or both[1]
    known = (facts.get("data") or {}).get(dataset) or {}
    analysis = "trained_cost" if both[0] else "trained" if both[1] else ""
    asked = checklist(rows, dataset, own["acceptance"], judged, facts.get("queries") or (), constraints.gpu)
    part: dict[str, Any] = {
        "dataset": dataset, "analysis": analysis, "synthetic": known.get("synthetic"), "own": bool(known.get("own")),
        "in_dollars": bool(both[0]),
        "cost_source": known.get("cost_source"), "checklist": asked, "recommended": None, "other": None,
        "model": None, "reference": judged.reference if judged else None,
        "models": judged.candidates.names if judged else list(known.get("models") or []),
        "chosen_on": 0, "reported_on": 0, "candidates": [], "points": [], "front": [], "prices": None, "errors": None,
    }  # fmt: skip
    if judged:
        chosen, other = recommendation.recommended(judged), recommendation.other(judged)
        for told in filter(None, (chosen, other)):
            told["weight"] = finite(weights.get((dataset, analysis, told["system"], told["point"]), float("nan")))
        part |= {
            "recommended": chosen, "other": other, "model": judged.model(), "reported_on": judged.told.prompts,
            "chosen_on": len(judged.candidates.groups) - judged.told.prompts,
            "candidates": recommendation.table(judged), "points": recommendation.points(judged),
            "front": recommendation.front(judged), "prices": prices.prices(judged), "errors": prices.errors(judged),
        }  # fmt: skip
    part |= {"timed_as": timed_as(part), "sentences": sentences(part, constraints)}
    return part


def _weights(curves: pd.DataFrame) -> dict[tuple, float]:
    keys = curves[["dataset", "analysis", "system", "operating_point"]].astype(str).itertuples(index=False, name=None)
    return dict(zip(keys, curves["weight"].astype(float), strict=True))


def _primary(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The data set that common tables are about: one with a recommendation, in dollars, real, the first of these."""
    rank = lambda part: (part["recommended"] is None, not part["in_dollars"], bool(part["synthetic"]))  # noqa: E731
    return min(parts, key=rank, default=None)
