"""What a reader should take away from one data set's recommendation, the answer first."""

from collections.abc import Mapping
from typing import Any

from toolkit.evaluation.decision.constraints import Constraints
from toolkit.evaluation.decision.recommendation import ROUTER, SINGLE
from toolkit.evaluation.decision.statements import Statement, negated, number, say

# What a first sentence may hide: a constraint that is perhaps not met, who fell to the clock alone, who does better.
_CAVEATS = (
    *("floor_unsure", "floor_below", "floor_missed", "budget_unsure", "budget_unmeasured"),
    *("unhurried", "unhurried_untimed", "baseline_more", "baseline_worse"),
)
NO_NETWORK = ("", "no network")  # forms of which the timed and the judged one do not differ


def sentences(part: Mapping[str, Any], constraints: Constraints) -> list[Statement]:
    """Of a part of the decision, as ``decide`` gives it."""
    if not part["analysis"]:
        return [say("nothing_judged", dataset=part["dataset"])]
    data, chosen = say(_kind_of_data(part), dataset=part["dataset"]), part["recommended"]
    if chosen is None:
        return [_nobody(part, constraints, data)]
    said = [_answer(part, chosen, constraints, data)]
    if chosen["model"] != part["model"]:
        said.append(say(f"floor_{chosen['floor']}", floor=number(constraints.quality_floor, "share")))
    if chosen["kind"] == ROUTER and chosen["latency"] is None:
        said.append(say("budget_unmeasured"))
    elif over_budget(chosen["latency"], constraints):
        budget = number(constraints.latency_budget_ms, "ms")
        said.append(say("budget_unsure", ms=chosen["latency"], budget=budget))
    if other := part["other"]:
        name = "bold" if constraints.surely else "cautious"
        said.append(_other(name, part, other, floor=say(f"its_floor_{other['floor']}")))
    free = chosen["unhurried"]
    if free:
        said.append(_other("unhurried" if free["latency"] else "unhurried_untimed", part, free, ms=free["latency"]))
    said += _compared(part, chosen)
    if chosen["money"] and chosen["model"] != part["model"]:
        said.append(_money(part, chosen["money"], constraints))
    if chosen.get("weight") is not None and chosen["kind"] != SINGLE and part["in_dollars"]:
        said.append(say("serve", who=_who(chosen), weight=number(chosen["weight"], "weight")))
    return said


def _kind_of_data(part: Mapping[str, Any]) -> str:
    """A table of the user's own does not say where its outcomes come from."""
    if part["own"] and not part["synthetic"]:
        return "data_own"
    return {True: "data_synthetic", False: "data_real"}.get(part["synthetic"], "data_unknown")


def headline(part: Mapping[str, Any]) -> list[Statement]:
    """The answer, and of the others those without which it would mislead whoever reads no further."""
    answer, *others = part["sentences"]
    chosen = part["recommended"]
    free = chosen["unhurried"] if chosen else None
    # Who was cheaper where the choice was made need not be where it is told; then nothing was lost to the clock.
    idle = ("unhurried", "unhurried_untimed") if free and not _cheaper(free, chosen) else ()
    return [answer, *(said for said in others if said["say"] in _CAVEATS and said["say"] not in idle)]


def _cheaper(found: Mapping[str, Any], than: Mapping[str, Any]) -> bool:
    return (found["share"]["value"] or 0.0) < (than["share"]["value"] or 0.0)


def over_budget(latency: Mapping[str, Any] | None, constraints: Constraints) -> bool:
    """Whether a measured time, or only the upper end of its interval, lies above the budget."""
    return bool(latency) and latency.get("high", latency["value"]) > constraints.latency_budget_ms


def reference(part: Mapping[str, Any], constraints: Constraints) -> Statement:
    """The model that everything is relative to: the best one, the one given, or the best one in place of that."""
    return say(f"reference_{part['reference']}", model=part["model"], wanted=constraints.reference)


def spent(part: Mapping[str, Any], other: Mapping[str, Any]) -> Statement:
    """How much more or less than another system, in what the data set counts."""
    difference = other["spent_difference"]
    more = (difference["value"] or 0.0) >= 0
    name = f"{'dollars' if part['in_dollars'] else 'calls'}_{'more' if more else 'less'}"
    return say(name, difference=difference if more else negated(difference))


def beside_baseline(baseline: Mapping[str, Any]) -> str:
    """Ending of the sentence's name: by the verdict on cost, and by that on quality where it is surely lower."""
    if baseline["quality_verdict"] == "less":
        return "traded" if baseline["spent_verdict"] == "less" else "worse"
    return baseline["spent_verdict"]


def form(latency: Mapping[str, Any] | None) -> Statement | None:
    """What was timed, where that is another build than the one whose quality was judged; None of what is not."""
    if not latency or latency.get("form", "") in NO_NETWORK:
        return None
    told = {"form": latency["form"], "dataset": str(latency["dataset"])}
    return say("form_labels", labels=latency["labels"], **told) if latency["labels"] else say("form", **told)


def timed_as(part: Mapping[str, Any]) -> list[Statement]:
    """The forms of the routers that were timed, each once."""
    found = (form(row["latency"]) for row in part["candidates"])
    return list({str(one): one for one in found if one}.values())


def _compared(part: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[Statement]:
    """A router beside the cheapest baseline, anything else beside the cheapest router."""
    baseline, router = chosen["against"].get("baseline"), chosen["against"].get("router")
    if chosen["kind"] == ROUTER:
        return [say(f"baseline_{beside_baseline(baseline)}", **_beside(part, baseline))] if baseline else []
    if not router:
        return [say("routers_none")]
    same = router["spent_difference"]["value"] == 0 == router["quality_difference"]["value"]
    return [say("routers_same" if same else "routers_dearer", **_beside(part, router))]


def _money(part: Mapping[str, Any], money: Mapping[str, Any], constraints: Constraints) -> Statement:
    """Dollars a month, each figure told as a positive one."""
    saved, lost, net = (money[f"{name}_usd_per_month"] for name in ("saved", "errors", "net"))
    return say(
        "money", requests=constraints.monthly_requests, spent=money["usd_per_month"],
        calls=_signed("calls_saved", "calls_dearer", saved, model=part["model"]),
        quality=_signed("quality_lost", "quality_won", lost, error=number(constraints.error_usd, "USD")),
        net=_net(part, net),
    )  # fmt: skip


def _net(part: Mapping[str, Any], net: Mapping[str, Any]) -> Statement:
    if net.get("low", 0.0) <= 0 <= net.get("high", 0.0):
        return say("net_unsure", usd=net)
    return _signed("net_saved", "net_lost", net, model=part["model"])


def _signed(positive: str, negative: str, found: Mapping[str, Any], **more: Any) -> Statement:
    """One sentence or the other by the sign of an estimate."""
    if (found["value"] or 0.0) >= 0:
        return say(positive, usd=found, **more)
    return say(negative, usd=negated(found), **more)


def _at(part: Mapping[str, Any], found: Mapping[str, Any]) -> Statement:
    return say("at_cost" if part["in_dollars"] else "at_calls", share=found["share"], model=part["model"])


def _other(name: str, part: Mapping[str, Any], found: Mapping[str, Any], **more: Any) -> Statement:
    """A sentence about another choice than the recommended one."""
    return say(name, who=_who(found), kept=found["kept"], at=_at(part, found), **more)


def _beside(part: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {"other": _who(other), "difference": spent(part, other), "quality": other["quality_difference"]}


def _who(found: Mapping[str, Any]) -> Statement:
    """A system by its name and, where it has several, its operating point."""
    if found["kind"] == SINGLE:
        return say("who_single", system=found["model"])
    return say("who_point" if found["point"] != "rule" else "who_rule", system=found["system"], point=found["point"])


def _answer(part: Mapping[str, Any], chosen: Mapping[str, Any], constraints: Constraints, data: Statement) -> Statement:
    """The first sentence."""
    today, name = chosen["against"].get("today"), chosen["kind"]
    if name == SINGLE:
        name = "best" if chosen["model"] == part["model"] else "single"
    used = "today" if constraints.today != Constraints.today else "today_assumed"
    beside = say(used, kept=today["kept"], at=_at(part, today), who=_who(today)) if today else say("nothing")
    return say(
        f"answer_{name}", who=_who(chosen), kept=chosen["kept"], at=_at(part, chosen), data=data, today=beside,
        reference=reference(part, constraints), prompts=part["reported_on"],
    )  # fmt: skip


def _nobody(part: Mapping[str, Any], constraints: Constraints, data: Statement) -> Statement:
    """Nobody meets the constraints: who comes nearest, and who fell to which constraint."""
    count = {by: sum(row["excluded_by"] == by for row in part["candidates"]) for by in ("floor", "unsure", "latency")}
    able = [row for row in part["points"] if row["admitted"]]
    best = max((row["kept"] for row in able if row["kept"] is not None), default=None)
    return say(
        "answer_nobody", floor=number(constraints.quality_floor, "share"), reference=reference(part, constraints),
        best=number(best, "share") if best is not None else say("nothing"), too_low=count["floor"], data=data,
        unsure=count["unsure"], too_slow=count["latency"], budget=number(constraints.latency_budget_ms, "ms"),
    )  # fmt: skip
