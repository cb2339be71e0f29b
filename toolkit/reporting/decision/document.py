"""A decision as a document of one language: sections of blocks, which templates lay out as a page or as Markdown."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from toolkit.evaluation.decision.sentences import headline
from toolkit.evaluation.decision.statements import number
from toolkit.figures import decision as drawn
from toolkit.reporting.decision import frames
from toolkit.reporting.decision.language import Wording

Block = dict[str, Any]
_ERROR_TICKS, _FACTOR_TICKS = (1e-4, 1e-3, 1e-2, 0.1, 1, 10), (0.125, 0.25, 0.5, 1, 2, 4, 8)


def document(decision: Mapping[str, Any], wording: Wording) -> dict[str, Any]:
    """Title, lead and sections.

    Returns:
        ``title``, ``subtitle``, ``lang``, ``chips``, ``lead`` (sentences of the primary data set, the answer first),
        ``sections``: each a ``title`` and ``blocks`` of kind heading, note, sentence, chips, table, figure, list or
        phase.
    """
    word = wording.word
    parts = sorted(decision["data"], key=lambda part: part["dataset"] != decision["primary"])
    each = {
        "recommendation": lambda part: _recommendation(part, part is parts[0], decision, wording),
        "sensitivity": lambda part: _sensitivity(part, wording),
        "checklist": lambda part: _checklist(part, wording),
        "doubts": lambda part: _doubts(part, wording),
    }
    blocks = {
        name: [block for part in parts for block in _headed(part, len(parts) > 1, make(part))]
        for name, make in each.items()
    }
    blocks["survey_tables"], blocks["method"] = _survey(decision, wording), _method(decision, wording)
    blocks["roadmap"] = [_phase(phase, wording) for phase in parts[0]["roadmap"]] if parts else []
    order = ("recommendation", "sensitivity", "checklist", "survey_tables", "doubts", "roadmap", "method")
    return {
        "title": word("title"), "subtitle": word("subtitle"), "lang": word("lang"), "run": decision["run"],
        "chips": _constraints(decision["constraints"], wording),
        "lead": [wording.say(sentence) for sentence in parts[0]["sentences"]] if parts else [],
        "sections": [{"title": word(name), "blocks": blocks[name]} for name in order if blocks[name]],
    }  # fmt: skip


def drawings(decision: Mapping[str, Any], wording: Wording) -> dict[str, Figure]:
    """Figures by slug. Where no font for Chinese is there, they speak English."""
    spoken = wording if wording.language == "en" or drawn.reads_chinese() else Wording("en")
    found = {}
    for part in decision["data"]:
        if any(point["share"] is not None and point["kept"] is not None for point in part["points"]):
            found[slug("decision_front", part, decision)] = _front(part, decision["constraints"], spoken)
        if part["prices"]:
            found[slug("decision_prices", part, decision)] = _ranges(part, decision["constraints"], spoken)
    return found


def slug(name: str, part: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    """A figure's name, the primary data set's without an addition."""
    if part["dataset"] == decision["primary"]:
        return name
    return f"{name}_{[one['dataset'] for one in decision['data']].index(part['dataset'])}"


def _table(frame: pd.DataFrame, style: str = "") -> list[Block]:
    return [{"kind": "table", "frame": frame, "style": style}] if len(frame) else []


def _block(kind: str, text: str) -> Block:
    return {"kind": kind, "text": text}


def _headed(part: Mapping[str, Any], several: bool, blocks: list[Block]) -> list[Block]:
    """Blocks of one data set, under its name where there are several."""
    return [_block("heading", part["dataset"]), *blocks] if blocks and several else blocks


def _constraints(constraints: Mapping[str, Any], wording: Wording) -> list[str]:
    word, figure = wording.word, wording.figure
    told = {
        "quality_floor": figure(number(constraints["quality_floor"], "share")),
        "surely": word("by_bound" if constraints["surely"] else "by_estimate_alone"),
        "latency_budget_ms": figure(number(constraints["latency_budget_ms"], "ms")),
        "monthly_requests": f"{constraints['monthly_requests']:,}",
        "gpu": word("has" if constraints["gpu"] else "has_not"),
        "error_usd": figure(number(constraints["error_usd"], "USD")),
        "reference": constraints["reference"] or word("best_single"),
        "today": constraints["today"],
    }
    return [word("pair", name=word(name), value=value) for name, value in told.items()]


def _recommendation(part: Mapping[str, Any], first: bool, decision: Mapping[str, Any], wording: Wording) -> list[Block]:
    word = wording.word
    source, made = part["cost_source"], part["synthetic"]
    chips = [word("tag_synthetic" if made else "tag_real")] if made or (made is False and not part["own"]) else []
    chips += [word(f"tag_costs_{source}")] if source else []
    if part["reported_on"]:
        chips += [word(f"tag_{key}", prompts=f"{part[key]:,}") for key in ("chosen_on", "reported_on")]
        chips.append(word("tag_models", number=len(part["models"])))
    said = headline(part) + [told for told in part["sentences"] if told["say"] == "serve"]
    blocks = [] if first else [_block("sentence", word("gap").join(map(wording.say, said)))]
    blocks += [{"kind": "chips", "items": chips, "loud": bool(made)}] if chips else []
    if part["points"]:
        blocks.append({"kind": "figure", "name": "decision_front", "dataset": part["dataset"]})
        blocks += [_block("note", word("recommendation_note")), *_table(frames.candidates(part, wording), "candidates")]
        blocks += [*_timed_as(part, wording), *(_block("note", wording.say(told)) for told in decision["not_judged"])]
        blocks += [_block("heading", word("front")), _block("note", word("front_note"))]
        blocks += _table(frames.front(part, wording))
    return blocks


def _timed_as(part: Mapping[str, Any], wording: Wording) -> list[Block]:
    """Of which builds the times are, under the tables that have them."""
    forms = wording.word("join").join(map(wording.say, part["timed_as"]))
    return [_block("note", wording.word("timed_as", forms=forms))] if forms else []


def _sensitivity(part: Mapping[str, Any], wording: Wording) -> list[Block]:
    if not part["prices"]:
        return []
    figure = {"kind": "figure", "name": "decision_prices", "dataset": part["dataset"]}
    note = _block("note", wording.word("sensitivity_note", model=part["model"]))
    return [note, figure, *_table(frames.prices(part, wording)), *_table(frames.errors(part, wording))]


def _checklist(part: Mapping[str, Any], wording: Wording) -> list[Block]:
    asked, word = part["checklist"], wording.word
    if not asked:
        return []
    weak, strong = asked["models"]
    notes = [word("checklist_note")] + ([word("stand_in", weak=weak, strong=strong)] if asked["stand_in"] else [])
    blocks = [_block("note", word("gap").join(notes)), *_table(frames.checklist(asked, wording), "checklist")]
    blocks += _table(frames.languages(asked, wording), "checklist")
    blocks += _timed_as(part, wording)
    told = _table(frames.accuracies(asked, wording))
    head = [_block("heading", word("accuracy_of")), _block("note", word("accuracy_of_note"))]
    return blocks + (head + told if told else [])


def _survey(decision: Mapping[str, Any], wording: Wording) -> list[Block]:
    word = wording.word
    blocks = [_block("note", word("survey_note", dataset=decision["primary"] or "–"))]
    for group in ("identity", "performance", "abilities"):
        blocks += [
            _block("heading", word(f"tables_{group}")),
            *_table(frames.families(decision, group, wording), "families"),
        ]
    calls = _table(frames.strong_calls(decision, wording))
    return blocks + (
        [_block("heading", word("strong_calls")), _block("note", word("strong_calls_note")), *calls] if calls else []
    )


def _doubts(part: Mapping[str, Any], wording: Wording) -> list[Block]:
    blocks: list[Block] = []
    for loud, name in ((True, "doubts_loud"), (False, "doubts_quiet")):
        items = [wording.say(doubt) for doubt in part["doubts"] if doubt["loud"] == loud]
        if items:
            blocks += [_block("heading", wording.word(name)), {"kind": "list", "items": items, "loud": loud}]
    return blocks


def _phase(phase: Mapping[str, Any], wording: Wording) -> Block:
    word, order = wording.word, phase["phase"]
    return {
        "kind": "phase", "number": order, "title": word(f"phase_{order}"), "when": word(f"when_{order}"),
        "verdict": word(f"verdict_{phase['verdict']}"), "state": phase["verdict"],
        "because": word("gap").join(map(wording.say, phase["because"])),
        "evidence": [wording.say(one) for one in phase["evidence"]],
        "moves": wording.say(phase["moves"]), "words": {name: word(name) for name in ("evidence", "moves")},
    }  # fmt: skip


def _method(decision: Mapping[str, Any], wording: Wording) -> list[Block]:
    name = decision["run"].get("name")
    made = wording.word("made_of", run=name) if name else wording.word("made_of_nothing")
    return [
        _block("note", text) for text in (*(wording.word(f"method_{key}") for key in ("halves", "rule", "point")), made)
    ]


# -- figures ----------------------------------------------------------------------------------------------------------


def _front(part: Mapping[str, Any], constraints: Mapping[str, Any], wording: Wording) -> Figure:
    word, calls = wording.word, "" if part["in_dollars"] else "_calls"
    chosen, other = part["recommended"], part["other"]
    way = word("figure_bold" if constraints["surely"] else "figure_cautious")
    words = {
        "title": f"{part['dataset']}: {word('figure_front' + calls)}",
        "y": word("figure_kept_axis", model=part["model"]),
        "x": word("figure_calls_axis" if calls else "figure_cost_axis", model=part["model"]),
        "floor": f"{word('figure_floor')} {constraints['quality_floor']:.0%}",
        "chosen": word("pair", name=word("chosen"), value=frames.named(chosen, wording)) if chosen else "",
        "front": word("figure_front_line"),
        "other": word("pair", name=way, value=frames.named(other, wording)) if other else "",
    }  # fmt: skip
    words |= {name: word(f"figure_{name}") for name in ("admitted", "excluded", "reference")}
    notes = [word("tag_synthetic")] if part["synthetic"] else []
    told, judged = (f"{number:,}" for number in (part["reported_on"], part["chosen_on"] + part["reported_on"]))
    note = " · ".join([*notes, word("figure_note", told=told, judged=judged)])
    return drawn.decision_front(pd.DataFrame(part["points"]), chosen, constraints["quality_floor"], words, note, other)


def _ranges(part: Mapping[str, Any], constraints: Mapping[str, Any], wording: Wording) -> Figure:
    word, price = wording.word, min(max(constraints["error_usd"], _ERROR_TICKS[0]), _ERROR_TICKS[-1])
    bands = [
        {"ranges": part["prices"]["ranges"], "now": 1.0, "ticks": _FACTOR_TICKS,
         "xlabel": word("figure_factor_axis", model=part["model"]), "now_word": word("figure_now")},
        {"ranges": part["errors"]["ranges"], "now": price, "ticks": _ERROR_TICKS,
         "xlabel": word("figure_error_axis"), "now_word": word("figure_now")},
    ]  # fmt: skip
    note = word("tag_synthetic") if part["synthetic"] else ""
    return drawn.decision_ranges(bands, f"{part['dataset']}: {word('figure_prices')}", note)
