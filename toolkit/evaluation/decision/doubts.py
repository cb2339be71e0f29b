"""When a recommendation would be wrong: conditions, each with the number that the run has for it, or what it lacks."""

import math
from collections.abc import Mapping
from typing import Any

from toolkit.evaluation.decision.constraints import Constraints
from toolkit.evaluation.decision.rows import Rows, detail, timed
from toolkit.evaluation.decision.sentences import beside_baseline, form, over_budget, spent
from toolkit.evaluation.decision.statements import Statement, negated, number, of_row, placed, say

FEW_PROMPTS, WIDE = 200, 0.1  # reporting prompts and width of an interval of a share that deserve a warning
_LANGUAGE_GAP = 0.1


def doubts(rows: Rows, part: Mapping[str, Any], constraints: Constraints, facts: Mapping[str, Any]) -> list[dict]:
    """What speaks against one data set's recommendation.

    Args:
        part: of the decision: dataset, synthetic, cost_source, recommended, prices, checklist, reported_on.
        facts: ``machine`` (cpu, cores, gpu) where it is known.

    Returns:
        Statements with ``topic`` and ``loud``: whether it bites with these numbers, and is not only a condition.
    """
    chosen = part["recommended"]
    found = [*_data(part, constraints), *_costs(part)]
    if chosen is None:
        return found
    reads_text = chosen["kind"] != "single"
    found += [*_statistics(part, chosen), *_money(part, chosen, constraints)]
    if reads_text:
        found += [*_time(rows, chosen, constraints), *_shift(rows, part["dataset"], chosen["system"])]
        found += _languages(part, chosen["system"])
    return [*found, *_prices(part), *_machine(facts, constraints), *_cache(rows, part["dataset"])]


def _doubt(topic: str, loud: bool, name: str, **values: Any) -> Statement:
    return say(name, **values) | {"topic": topic, "loud": bool(loud)}


def _data(part: Mapping[str, Any], constraints: Constraints) -> list[Statement]:
    found = [_doubt("data", True, "doubt_synthetic", dataset=part["dataset"])] if part["synthetic"] else []
    if part["reference"] == "missing":
        given = {"wanted": constraints.reference, "dataset": part["dataset"], "model": part["model"]}
        found.append(_doubt("data", True, "doubt_reference", **given))
    return found


def _costs(part: Mapping[str, Any]) -> list[Statement]:
    source = part["cost_source"] or "unknown"
    if source == "measured":
        return []
    return [_doubt("costs", source != "priced", f"doubt_costs_{source}", dataset=part["dataset"])]


def _statistics(part: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[Statement]:
    kept, prompts = chosen["kept"], part["reported_on"]
    width = kept.get("high", math.inf) - kept.get("low", -math.inf)
    few = prompts < FEW_PROMPTS or width > WIDE
    found = [_doubt("chance", few, "doubt_width", prompts=prompts, kept=kept, points=100 * width)]
    if chosen["floor"] != "kept":
        found.append(_doubt("chance", True, f"doubt_floor_{chosen['floor']}", kept=kept))
    baseline = chosen["against"].get("baseline")
    if baseline and chosen["kind"] == "router":
        how = beside_baseline(baseline)
        told = {"difference": spent(part, baseline), "quality": baseline["quality_difference"]}
        found.append(_doubt("chance", how != "less", f"doubt_baseline_{how}", other=baseline["system"], **told))
    return found


def _money(part: Mapping[str, Any], chosen: Mapping[str, Any], constraints: Constraints) -> list[Statement]:
    """Where lost quality costs more than the cheaper calls save."""
    net = chosen["money"]["net_usd_per_month"] if chosen["money"] else number(0.0)
    if net["value"] is None or net.get("high", net["value"]) >= 0:  # where it is not sure, the answer says so
        return []
    error = number(constraints.error_usd, "USD")
    return [_doubt("prices", True, "doubt_money", error=error, model=part["model"], usd=negated(net))]


def _time(rows: Rows, chosen: Mapping[str, Any], constraints: Constraints) -> list[Statement]:
    system, budget = chosen["system"], number(constraints.latency_budget_ms, "ms")
    if chosen["latency"] is None:
        return [_doubt("time", True, "doubt_latency_unmeasured", system=system)]
    other = form(chosen["latency"])
    found = [_doubt("time", True, "doubt_latency_form", system=system, form=other)] if other else []
    over = over_budget(chosen["latency"], constraints)
    slow = timed(rows.latencies(constraints.gpu, "p90_ms"), system)
    if not over and slow and slow["value"] > constraints.latency_budget_ms:
        return [*found, _doubt("time", True, "doubt_latency_p90", system=system, p90=slow, budget=budget)]
    return [*found, _doubt("time", over, "doubt_latency", system=system, ms=chosen["latency"], budget=budget)]


def _shift(rows: Rows, dataset: str, system: str) -> list[Statement]:
    """Other data, typos, mislabelled rows, and the share of strong calls on new traffic."""
    found = [_transfer(rows, dataset, system)]
    typos = rows.estimate("robustness", "robustness_typos", system, dataset) or rows.estimate(
        "flips", "robustness_typos", system, dataset
    )
    if typos:
        found.append(_doubt("shift", typos["value"] < 0.9, "doubt_typos", system=system, kept=typos))
    else:
        found.append(_doubt("shift", False, "doubt_typos_unmeasured", system=system))
    without = rows.estimate("without_suspect", "apgr_without_suspect", dataset=dataset)
    if without:
        row = rows.of("without_suspect", "apgr_without_suspect", dataset=dataset)
        own = row[row["system"] == system]
        row = (own if len(own) else row).iloc[0].to_dict()
        full = rows.estimate("pair", "apgr", row["system"], dataset) or rows.estimate(
            "trained", "apgr", row["system"], dataset
        )
        found.append(_doubt("shift", True, "doubt_mislabelled", system=row["system"], without=of_row(row), full=full))
    share = rows.of("target_share", "share_off", dataset=dataset)
    if len(share):
        own = share[share["system"] == system]
        row = (own if len(own) else share).iloc[0].to_dict()
        off = number(100 * row["value"], "points", 100 * row["ci_low"], 100 * row["ci_high"])
        found.append(_doubt("shift", row["ci_high"] > 0.05, "doubt_share", system=row["system"], off=off))
    return found


def _transfer(rows: Rows, dataset: str, system: str) -> Statement:
    """What a router lost where it was judged on other data than it was fitted on."""
    lost = rows.of("transfer", "apgr_lost", dataset=dataset)
    lost = lost[[detail(row, "train") != detail(row, "test") for row in lost.to_dict("records")]] if len(lost) else lost
    lost = lost[lost["value"].notna()]
    if lost.empty:
        return _doubt("shift", False, "doubt_transfer_unmeasured")
    name = (
        system if system in set(lost["system"]) else next((n for n in ("ridge", "knn") if n in set(lost["system"])), "")
    )
    own = lost[lost["system"] == name] if name else lost
    worst = own.loc[own["value"].idxmax()].to_dict()
    mean, parts = own["value"].mean(), {key: detail(worst, key) for key in ("train", "test")}
    told = {"system": worst["system"], "mean": number(mean, "PGR"), "worst": of_row(worst), "moves": len(own)}
    return _doubt("shift", mean > 0.02, "doubt_transfer", **told, **parts)


def _languages(part: Mapping[str, Any], system: str) -> list[Statement]:
    asked = (part["checklist"] or {"systems": []})["systems"]
    row = next((row for row in asked if row["system"] == system), None)
    both = [row[language]["accuracy"]["estimate"] for language in ("en", "zh")] if row else []
    if not all(both) or not both:
        return [_doubt("shift", False, "doubt_languages_unmeasured", system=system)]
    apart = abs(both[0]["value"] - both[1]["value"]) > _LANGUAGE_GAP
    return [_doubt("shift", apart, "doubt_languages", system=system, en=both[0], zh=both[1])]


def _prices(part: Mapping[str, Any]) -> list[Statement]:
    prices = part["prices"]
    if prices is None:
        return []
    here, model = prices["here"], prices["model"]
    low, high = number(here["from"], "factor"), number(here["to"] or math.inf, "factor")
    if here["to"] is None and here["from"] == 0:
        return [_doubt("prices", False, "doubt_price_never", model=model)]
    near = here["from"] > 0.5 or (here["to"] is not None and here["to"] < 2)
    name = "doubt_price_below" if here["to"] is None else "doubt_price_above" if here["from"] == 0 else "doubt_price"
    return [_doubt("prices", near, name, model=model, low=low, high=high)]


def _machine(facts: Mapping[str, Any], constraints: Constraints) -> list[Statement]:
    machine = facts.get("machine") or {}
    if not machine:
        return [_doubt("machine", False, "doubt_machine_unknown")]
    found = [_doubt("machine", False, "doubt_machine", cpu=machine.get("cpu", "?"), cores=machine.get("cores", "?"))]
    if constraints.gpu and not machine.get("gpu"):
        found.append(_doubt("machine", True, "doubt_no_gpu"))
    return found


def _cache(rows: Rows, dataset: str) -> list[Statement]:
    usual = rows.of("promise", "violations")
    told = {name: usual[usual["system"].str.endswith(name)] for name in ("at delta", "guaranteed")}
    if any(part.empty for part in told.values()):
        return [_doubt("cache", False, "doubt_cache_unmeasured")]
    broken = {name: of_row(part.iloc[0].to_dict(), "share") for name, part in told.items()}
    said = say("doubt_cache", usual=broken["at delta"], proven=broken["guaranteed"])
    return [placed(said, usual.iloc[0].to_dict(), dataset) | {"topic": "cache", "loud": False}]
