"""The tables of a decision as frames of text in one language, for pages, Markdown and notebooks alike.

What a run has no rows of gives an empty frame.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from toolkit.reporting.decision.language import Wording

_DASH = "–"
_OFF = {"missed": " ✗", "below": " (✗)"}  # a target that all of the interval, or only the estimate, lies below
_GROUPS = {
    "identity": ("class", "parameters", "models"),
    "performance": ("latency", "accuracy", "saving"),
    "abilities": ("online", "cache"),
}


def _frame(rows: Sequence[Mapping[str, str]], index: str) -> pd.DataFrame:
    """Rows as a frame whose index is one of their columns, whose name pages find in ``attrs``."""
    frame = pd.DataFrame(list(rows))
    frame = frame.set_index(index).rename_axis(index=None) if len(frame) else frame
    frame.attrs["head"] = index
    return frame


def candidates(part: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """Every system: its point, quality kept, cost, added latency, and its standing."""
    word = wording.word
    return _frame(
        [
            {
                word("router"): _plain(row, wording),
                word("point"): row["point"] if row["point"] not in (None, "rule") else _DASH,
                word("kept"): wording.figure(row["kept"]),
                word("cost" if part["in_dollars"] else "calls"): wording.figure(row["share"]),
                word("latency"): _latency(row, wording),
                word("standing"): _pair(f"kind_{row['kind']}", f"by_{row['excluded_by']}", wording),
            }
            for row in (part or {}).get("candidates", ())
        ],
        word("router"),
    )


def _latency(row: Mapping[str, Any], wording: Wording) -> str:
    if row["latency"]:
        return wording.figure(row["latency"])
    return wording.word("no_decision") if row["kind"] == "single" else wording.word("not_measured")


def front(part: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """The points that no other one beats on both axes, cheapest first."""
    word = wording.word
    return _frame(
        [
            {
                word("router"): _plain(row, wording),
                word("point"): row["point"] if row["point"] != "rule" else _DASH,
                word("cost" if part["in_dollars"] else "calls"): wording.figure(row["share"]),
                word("kept"): wording.figure(row["kept"]),
            }
            for row in (part or {}).get("front", ())
        ],
        word("router"),
    )


def prices(part: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """The recommendation at five prices of the best model; empty where costs are unknown."""
    word, found = wording.word, (part or {}).get("prices") or {"factors": [], "model": ""}
    return _frame(
        [
            {
                word("price_factor", model=found["model"]): f"{row['factor']:g}×",
                word("chosen"): named(row, wording),
                word("cost"): wording.figure(row["share"]),
            }
            for row in found["factors"]
        ],
        word("price_factor", model=found["model"]),
    )


def errors(part: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """Which system calls and errors together make cheapest, by the price of an error; empty where costs are unknown."""
    word, found = wording.word, (part or {}).get("errors") or {"ranges": []}
    rows = []
    for row in found["ranges"]:
        to = word("and_more") if row["to"] is None else f"– ${row['to']:.3g}"
        rows.append({word("error_price"): f"${row['from']:.3g} {to}", word("cheapest_in_all"): row["system"]})
    return _frame(rows, word("error_price"))


def _pair(name: str, value: str, wording: Wording) -> str:
    return wording.word("pair", name=wording.word(name), value=wording.word(value))


def _plain(row: Mapping[str, Any], wording: Wording) -> str:
    return named({**row, "point": None}, wording)


def named(row: Mapping[str, Any], wording: Wording) -> str:
    """A system, with its operating point where it has several, or its model where its name does not say it."""
    if row.get("model") not in (None, row["system"]):
        return wording.word("with_model", system=row["system"], model=row["model"])
    return row["system"] if row["point"] in (None, "rule") else f"{row['system']} · {row['point']}"


def _mark(item: Mapping[str, Any], wording: Wording) -> str:
    """A tick or a cross with the estimate; in parentheses where the interval reaches across the bar."""
    if item["verdict"] == "unmeasured":
        return f"{_DASH} {wording.word('not_measured')}"
    mark = "✓" if item["verdict"] == "ok" else "✗"
    return f"{mark if item['sure'] else f'({mark})'} {wording.figure(item['estimate'])}"


def checklist(asked: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """The four items of every router."""
    word, (weak, strong) = wording.word, (asked or {"models": ("", "")})["models"]
    return _frame(
        [
            {
                word("router"): row["system"],
                word("item_simple", weak=weak): _mark(row["all"]["simple"], wording),
                word("item_complex", strong=strong): _mark(row["all"]["complex"], wording),
                word("item_latency"): _mark(row["latency"], wording),
                word("item_accuracy"): _mark(row["all"]["accuracy"], wording),
            }
            for row in (asked or {}).get("systems", ())
        ],
        word("router"),
    )


def languages(asked: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """The accuracy on labelled queries by language, AUROC, and where the survey's three queries went."""
    word = wording.word
    rows = []
    for row in (asked or {}).get("systems", ()):
        told = {word("router"): row["system"]}
        told |= {word(f"language_{name}"): _mark(row[name]["accuracy"], wording) for name in ("en", "zh")}
        told[word("auroc")] = wording.figure(row["auroc"])
        for query, went in zip(asked["seed"], row["seed"], strict=False):
            told[f"{query['text']} ({word('label_' + query['label'])})"] = _went(went, wording)
        rows.append(told)
    return _frame(rows, word("router"))


def _went(went: Mapping[str, Any], wording: Wording) -> str:
    if went["strong"] is None:
        return _DASH
    mark = {True: " ✓", False: " ✗", None: ""}[went["right"]]
    return wording.word("strong" if went["strong"] else "weak") + mark


def accuracies(asked: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """One set of choices, three accuracies; empty where no router has them."""
    names = ("class_accuracy", "best_model_hits", "quality_retained")
    return _frame(
        [
            {wording.word("router"): row["system"]}
            | {wording.word(name): wording.figure(row["accuracies"].get(name)) for name in names}
            for row in (asked or {}).get("systems", ())
            if row["accuracies"]
        ],
        wording.word("router"),
    )


def families(decision: Mapping[str, Any], group: str, wording: Wording) -> pd.DataFrame:
    """One row a family of the survey, claimed beside measured: ``identity``, ``performance`` or ``abilities``."""
    word, rows = wording.word, []
    for family in decision["families"]:
        told = {word("router"): word(f"family_{family['family']}")}
        for name in _GROUPS[group]:
            cell, head = family["dimensions"][name], f"dimension_{name}"
            told[_pair(head, "claimed", wording)] = _joined(cell["claimed"], wording) or _DASH
            measured = _joined(cell["measured"], wording)
            told[_pair(head, "measured", wording)] = (
                measured or f"{_DASH} {wording.say({'say': cell['why'], 'with': {}})}"
            )
        rows.append(told)
    return _frame(rows, word("router"))


def _joined(cell: Sequence[Mapping[str, Any]], wording: Wording) -> str:
    return wording.word("join").join(map(wording.say, cell))


def strong_calls(decision: Mapping[str, Any], wording: Wording) -> pd.DataFrame:
    """Strong calls chosen to keep 95% of the strong model, by data set and router, with what the survey claims."""
    word, rows = wording.word, []
    for found in decision["strong_calls"]:
        for row in found["systems"]:
            rows.append(
                {
                    word("data_set"): found["dataset"],
                    word("router"): row["system"],
                    _pair("needed_calls", "claimed", wording): wording.figure(found["claimed"].get("strong calls")),
                    _pair("needed_calls", "measured", wording): wording.figure(row["calls"]),
                    word("kept"): wording.figure(row["kept"]) + _OFF.get(row["floor"], ""),
                }
            )
    return _frame(rows, word("data_set"))


def doubts(part: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """When the recommendation would be wrong: what bites with these numbers, then what to keep in mind."""
    word = wording.word
    found = sorted((part or {}).get("doubts", ()), key=lambda doubt: not doubt["loud"])
    standing = {True: word("doubts_loud"), False: word("doubts_quiet")}
    return _frame([{word("doubts"): wording.say(doubt), "": standing[doubt["loud"]]} for doubt in found], "")


def roadmap(part: Mapping[str, Any] | None, wording: Wording) -> pd.DataFrame:
    """The survey's four phases: when, the verdict, why, and what would move it."""
    word, rows = wording.word, []
    for row in (part or {}).get("roadmap", ()):
        name, when = word(f"phase_{row['phase']}"), word(f"when_{row['phase']}")
        rows.append(
            {
                word("roadmap"): f"{row['phase']}. {name}, {when}",
                word("verdict"): word(f"verdict_{row['verdict']}"),
                word("evidence"): word("gap").join(map(wording.say, [*row["because"], *row["evidence"]])),
                word("moves"): wording.say(row["moves"]),
            }
        )
    return _frame(rows, word("roadmap"))
