"""The survey's four phases (its section 3.3), each with the evidence that would move it and what it says today."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from toolkit.evaluation.decision.constraints import Constraints
from toolkit.evaluation.decision.rows import Rows, detail, timed
from toolkit.evaluation.decision.statements import Statement, number, of_row, placed, say, surely_above
from toolkit.evaluation.planning import FOUND

WORTH = 0.02  # a gain of quality that a month of data should be able to find
FOR, AGAINST, OPEN, SOONER = "for", "against", "open", "sooner"
RELEASED = "bert by its authors"  # the catalogue's name for the published weights (``PreferenceBert``)


def roadmap(rows: Rows, part: Mapping[str, Any], constraints: Constraints) -> list[dict[str, Any]]:
    """Phases 1 to 4 with ``evidence``, ``verdict`` (for, against, open, sooner), ``because`` and ``moves``."""
    dataset = part["dataset"]
    apgr = rows.of("trained", "apgr", dataset=dataset)
    gains = rows.of("trained", "apgr_gain", dataset=dataset)
    bert = next((name for name in apgr["system"] if name.startswith("bert") and name != RELEASED), "")
    learned = _learned(apgr, gains)
    curve = _curve(rows, dataset)
    return [
        {"phase": number, "verdict": verdict, "because": because, "evidence": evidence, "moves": say(f"moves_{number}")}
        for number, (verdict, because, evidence) in enumerate(
            (
                _integrate(rows, RELEASED if RELEASED in set(apgr["system"]) else bert, apgr, gains, constraints),
                _collect(part, constraints),
                _fine_tune(rows, dataset, bert, apgr, curve),
                _train(rows, dataset, learned, gains, curve),
            ),
            start=1,
        )
    ]


def _learned(apgr: pd.DataFrame, gains: pd.DataFrame) -> dict | None:
    """The best router that was tested against the baselines and reads text only."""
    tested = set(gains.loc[gains["p_holm"].notna(), "system"])
    rows = apgr[apgr["system"].isin(tested) & apgr["sees"].isin(["text", "nothing"])]
    return rows.loc[rows["value"].idxmax()].to_dict() if len(rows) else None


def _gain(gains: pd.DataFrame, system: str) -> dict | None:
    own = gains[gains["system"] == system]
    return own.iloc[0].to_dict() if len(own) else None


def _holds(gain: Mapping | None) -> bool:
    return bool(gain) and gain["value"] > 0 and gain["p_holm"] < 0.05 and gain["ci_low"] > 0


def _curve(rows: Rows, dataset: str) -> pd.DataFrame:
    curve = rows.of("learning_curve", "apgr", dataset=dataset)
    return curve.assign(labels=[detail(row, "labels") for row in curve.to_dict("records")])


def _gain_said(name: str, apgr: Mapping, gain: Mapping | None) -> Statement:
    if gain is None:
        return say(f"{name}_alone", system=apgr["system"], apgr=of_row(apgr))
    p = number(gain["p_holm"], "p")
    return say(name, system=apgr["system"], apgr=of_row(apgr), gain=of_row(gain), opponent=gain["opponent"], p=p)


def _integrate(rows: Rows, bert: str, apgr: pd.DataFrame, gains: pd.DataFrame, constraints: Constraints) -> tuple:
    """Phase 1, RouteLLM's BERT now: does it beat the best trivial baseline, and is it fast enough.

    A network fine-tuned here stands in for it as evidence and decides nothing; the time of the published size does,
    where there is no GPU.
    """
    evidence, against, shipped, budget = [], [], rows.shipped(), constraints.latency_budget_ms
    own = timed(rows.latencies(constraints.gpu), bert) if bert else None
    if bert:
        gain = _gain(gains, bert)
        evidence.append(_gain_said("evidence_gain", apgr[apgr["system"] == bert].iloc[0].to_dict(), gain))
        against += ["gain"] if bert == RELEASED and not _holds(gain) else []
    if own:
        evidence.append(say("evidence_latency", system=bert, ms=own))
        against += ["latency"] if bert == RELEASED and surely_above(own, budget) else []
    if shipped is not None:
        way = say("way_plain" if shipped["system"].endswith("plain") else "way_fast")
        evidence.append(say("evidence_shipped", ms=of_row(shipped, "ms"), way=way))
        against += ["shipped"] if surely_above(of_row(shipped, "ms"), budget) and not constraints.gpu else []
    told = [say(f"because_1_{reason}") for reason in against]
    if bert != RELEASED:
        told.append(say("because_1_stand_in", system=bert) if bert else say("because_1_unmeasured"))
        return AGAINST if against else OPEN, told, evidence
    return (AGAINST, told, evidence) if against else (FOR, [say("because_1_for")], evidence)


def _collect(part: Mapping[str, Any], constraints: Constraints) -> tuple:
    """Phase 2, data of one's own after a month: how many judged prompts find a gain that is worth having."""
    others = part["recommended"]["against"] if part["recommended"] else {}
    other = others.get("today") or others.get("baseline") or others.get("router")
    difference = other["quality_difference"] if other else {}
    if "low" not in difference or difference["high"] == difference["low"]:
        return OPEN, [say("because_2_unmeasured")], []
    half = (difference["high"] - difference["low"]) / 2
    needed = math.ceil(part["reported_on"] * (half * FOUND / WORTH) ** 2)
    told = say("evidence_prompts", prompts=needed, gain=number(WORTH, "quality"), half=number(half, "quality"),
               measured_on=part["reported_on"], other=other["system"])  # fmt: skip
    share = number(needed / constraints.monthly_requests, "share")
    if needed > constraints.monthly_requests:
        return OPEN, [say("because_2_short", requests=constraints.monthly_requests)], [told]
    return FOR, [say("because_2_for", requests=constraints.monthly_requests, share=share)], [told]


def _fine_tune(rows: Rows, dataset: str, bert: str, apgr: pd.DataFrame, curve: pd.DataFrame) -> tuple:
    """Phase 3, a BERT fine-tuned on one's own data, beside the best other router from as many labels.

    It stays open: the two stand in different analyses, each with an interval of its own, and nothing paired of them is
    measured. Two intervals, one that of the best of many, are no test.
    """
    if not bert:
        return OPEN, [say("because_3_unmeasured")], []
    labels = int("".join(filter(str.isdigit, bert)) or 0)
    own = apgr[apgr["system"] == bert].iloc[0].to_dict()
    others = curve[(curve["labels"] == labels) & ~curve["system"].str.startswith("bert")]
    seconds = rows.estimate("trained", "fit_s", bert, dataset)
    evidence = [say("evidence_fit", system=bert, labels=labels, seconds=seconds)] if seconds else []
    if others.empty:
        return OPEN, [say("because_3_no_curve")], [_gain_said("evidence_gain", own, None), *evidence]
    best = others.loc[others["value"].idxmax()].to_dict()
    evidence.insert(
        0, say("evidence_equal_labels", labels=labels, bert=of_row(own), other=best["system"], value=of_row(best))
    )
    return OPEN, [say("because_3_open", labels=labels)], evidence


def _train(rows: Rows, dataset: str, learned: Mapping | None, gains: pd.DataFrame, curve: pd.DataFrame) -> tuple:
    """Phase 4, a router of one's own: does one of these labels beat the baselines now, and what would more buy."""
    evidence = []
    if learned is None:
        return OPEN, [say("because_4_unmeasured")], evidence
    gain = _gain(gains, learned["system"])
    evidence.append(_gain_said("evidence_gain", learned, gain))
    sizes = sorted(curve["labels"].dropna().unique())
    if len(sizes) > 1:
        ends = [curve[curve["labels"] == size].set_index("system") for size in (sizes[-2], sizes[-1])]
        name = ends[1]["value"].idxmax()
        if name in ends[0].index:
            low, high = (of_row(end.loc[name].to_dict()) for end in ends)
            evidence.append(
                say("evidence_labels", system=name, few=int(sizes[-2]), many=int(sizes[-1]), low=low, high=high)
            )
    names = ("Thompson, router as prior", "router, not learning")
    online = [rows.one("online", "regret_per_round", name) for name in names]
    if all(map(of_row, online)):
        told = say("evidence_online", learning=of_row(online[0]), fixed=of_row(online[1]))
        evidence.append(placed(told, online[0], dataset))
    if _holds(gain):
        return SOONER, [say("because_4_sooner", system=learned["system"])], evidence
    return OPEN, [say("because_4_open", system=learned["system"])], evidence
