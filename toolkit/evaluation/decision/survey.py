"""The survey's tables with measured values: its comparison of routers, its strong calls at 95%.

What is claimed, what is measured and what is not measured stand apart, and none is made from another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from toolkit.evaluation.decision.candidates import read
from toolkit.evaluation.decision.constraints import Constraints
from toolkit.evaluation.decision.recommendation import ROUTER, Judged
from toolkit.evaluation.decision.rows import Rows, timed
from toolkit.evaluation.decision.statements import Estimate, Statement, estimate, number, of_row, placed, say

_BERT, _ARCH, _TX402 = "RouteLLM BERT", "Arch-Router 1.5B", "tx402"
# Family -> (system of the claims, system of notebook 03, or how its name begins).
FAMILIES: dict[str, tuple[str, str]] = {
    "routellm-bert": (_BERT, "bert"),
    "routellm-mf": ("RouteLLM MF", "mf"),
    "routellm-sw": ("RouteLLM SW", "sw"),
    "rorf": ("RoRF", "rorf"),
    "arch-router": (_ARCH, ""),
    "tx402-claims": (_TX402, ""),
    "tx402-emulation": ("", ""),
    "tx402-live": ("", ""),
}
_LABELS = "1.5B scored labels, CPU bf16"  # notebook 08's name for its fastest way
DIMENSIONS = ("class", "parameters", "latency", "accuracy", "saving", "models", "online", "cache")
_CLAIM_METRICS = {
    "class": "architecture", "parameters": "parameters", "latency": "latency", "accuracy": "accuracy",
    "saving": "cost cut", "models": "models", "online": "online learning", "cache": "semantic cache",
}  # fmt: skip
_SAID = {  # of the survey's section 4, where its ledger has no figure
    ("tx402-claims", "online"): "claimed_yes", ("tx402-claims", "cache"): "claimed_yes",
    ("routellm-bert", "online"): "claimed_no", ("routellm-bert", "cache"): "claimed_no",
}  # fmt: skip


def families(
    rows: Rows, dataset: str, judged: Judged | None, pair: Judged | None, claims: Sequence[Mapping], gpu: bool
) -> list[dict]:
    """One row a family that the survey names: every dimension as claimed, as measured, or why not measured.

    Args:
        dataset: whose figures stand in the measured cells; those of another one, where a notebook runs once, name it.
        judged, pair: its candidates in dollars and as a pair; what is missing stays unmeasured.
        claims: rows of the ledger: section, system, metric, low, high, unit, value.
    """
    latency = rows.latencies(gpu)
    found = []
    for family, (claimed, prefix) in FAMILIES.items():
        system = _named(prefix, rows, dataset)
        cells = _measured(family, system, rows, dataset, judged, pair, latency)
        row = {"family": family, "system": system, "dimensions": {}}
        for dimension in DIMENSIONS:
            measured = cells.get(dimension, [])
            row["dimensions"][dimension] = {
                "claimed": _claimed(family, claimed, dimension, claims), "measured": measured,
                "why": "" if measured else _why(family, dimension, system),
            }  # fmt: skip
        found.append(row)
    return found


def _named(prefix: str, rows: Rows, dataset: str) -> str:
    """The system of that name, or whose name begins so: bert's says how many labels it was given."""
    if not prefix:
        return ""
    systems = dict.fromkeys(
        name
        for analysis in ("trained", "trained_cost", "acceptance")
        for name in rows.of(analysis, dataset=dataset)["system"]
    )
    return next((name for name in systems if name == prefix or name.startswith(f"{prefix} (")), "")


def _claimed(family: str, system: str, dimension: str, claims: Sequence[Mapping]) -> list:
    """What the survey says in its tables 2 and 4, else in the text of section 1: figures with their unit."""
    wanted = [c for c in claims if c["system"] in (system, f"{system} classifier", f"{system} routing") and system]
    wanted = [c for c in wanted if c["metric"] == _CLAIM_METRICS[dimension]]
    tables = [c for c in wanted if str(c["section"]) in ("2", "4")]
    told = {}
    for claim in tables or wanted:
        text = say(
            "claim", system=claim["system"], low=_figure(claim["low"]), high=_figure(claim["high"]), unit=claim["unit"],
            value=claim["value"] if isinstance(claim["value"], str) else "",
        )  # fmt: skip
        told[str(text)] = text
    if not told and (family, dimension) in _SAID:
        return [say(_SAID[family, dimension])]
    return list(told.values())


def _figure(value: Any) -> float | None:
    """A number of the ledger, whose empty cells may be text or NaN."""
    found = pd.to_numeric(value, errors="coerce")
    return None if pd.isna(found) else float(found)


def _measured(
    family: str,
    system: str,
    rows: Rows,
    dataset: str,
    judged: Judged | None,
    pair: Judged | None,
    latency: Mapping[str, Estimate],
) -> dict[str, list]:
    if family == "arch-router":
        return _arch(rows, dataset)
    if family == "tx402-emulation":
        return _emulation(rows, dataset)
    if not system:
        return {}
    cells: dict[str, list] = {
        "class": [say(f"class_{family.rpartition('-')[2]}")], "parameters": [say("parameters_minilm")],
        "online": [say("no")], "cache": [say("no")],
    }  # fmt: skip
    own = timed(latency, system)
    if own:
        what = ", ".join(filter(None, (system.partition(" (")[0], own["form"])))
        cells["latency"] = [placed(say("latency_of", what=what, ms=own), own, dataset)]
    for name, analysis, metric in (("apgr", "trained", "apgr"), ("labelled", "acceptance", "acceptance_accuracy")):
        found = rows.estimate(analysis, metric, system, dataset)
        cells.setdefault("accuracy", []).extend([say(f"accuracy_{name}", value=found)] if found else [])
    cells["saving"] = [cut for cut in (_cut(judged, system),) if cut] or [cut for cut in (_cut(pair, system),) if cut]
    if family == "routellm-bert":
        for name in ("latency", "accuracy", "saving"):
            cells[name] = [say("stand_in_bert", system=system, what=told) for told in cells.get(name, [])]
        shipped = rows.shipped()
        if shipped is not None:
            way = say("way_plain" if shipped["system"].endswith("plain") else "way_fast")
            told = say("latency_shipped", ms=of_row(shipped, "ms"), way=way)
            cells["latency"] += [placed(told, shipped, dataset)]
    both = judged or pair
    cells["models"] = [say("models_of", number=len(both.candidates.names))] if both else []
    return cells


def _cut(judged: Judged | None, system: str) -> dict | None:
    """Cost cut by the point that equals the reference on one half, told on the other, where it may not equal it."""
    if judged is None or judged.best is None or system not in set(judged.candidates.systems):
        return None
    index = judged.of(system, floor=1.0)
    if index is None:
        return say("saving_never")
    cut = estimate(1 - judged.told.ratio(judged.told.spent, index, judged.best), "share")
    told = say("saving_cost" if judged.candidates.in_dollars else "saving_calls", cut=cut, kept=judged.kept(index))
    missed = {"missed": "off_target", "below": "perhaps_off_target"}.get(judged.floor_met(index, floor=1.0))
    return say(missed, what=told) if missed else told


def _arch(rows: Rows, dataset: str) -> dict[str, list]:
    row = rows.one("policy-latency", "p50_ms", "1.5B generated, whole prompt, CPU bf16")
    written, labels = of_row(row), rows.estimate("policy-latency", "p50_ms", _LABELS)
    if not written or not labels:
        return {}
    told = placed(say("latency_arch", written=written, labels=labels), row, dataset)
    return {"class": [say("class_arch")], "parameters": [say("parameters_arch")], "latency": [told]}


def not_judged(rows: Rows, gpu: bool) -> list[dict]:
    """Routers of the survey that no recommendation can name, and why: what each needs and the run does not have."""
    labels = rows.estimate("policy-latency", "p50_ms", _LABELS)
    return [say("arch_weights" if gpu else "arch_gpu", ms=labels if labels else say("not_timed"))]


def _emulation(rows: Rows, dataset: str) -> dict[str, list]:
    """Notebook 06's cells, which it measures once, on the first data set."""
    system, cells = "tx402 emulation", {}
    row = rows.one("emulation", "p50_ms")
    served = {
        metric: rows.estimate("emulation", metric) for metric in ("p50_ms", "hits_per_request", "cost_usd_per_1k")
    }
    names = ("class_accuracy", "best_model_hits", "quality_retained")
    told = {metric: rows.estimate("accuracy", metric, system) for metric in names}
    if all(told.values()):
        accuracy = placed(say("accuracy_three", **told), rows.one("accuracy", names[0], system), dataset)
        cells = {"class": [say("class_emulation")], "parameters": [say("parameters_minilm")], "accuracy": [accuracy]}
        online = rows.one("online", "regret_per_round", system)
        regret = of_row(online)
        cells["online"] = [placed(say("online_regret", regret=regret), online, dataset)] if regret else []
    if served["p50_ms"]:
        found: dict[str, Statement] = {
            "latency": say("latency_served", ms=served["p50_ms"]),
            "cache": say("cache_hits", share=served["hits_per_request"]),
            "saving": say("served_cost", usd=served["cost_usd_per_1k"]),
        }
        cells |= {name: [placed(one, row, dataset)] for name, one in found.items()}
    return cells


def _why(family: str, dimension: str, system: str) -> str:
    """Name of the reason that a cell is empty."""
    if family == "tx402-live":
        return "why_live"
    if family == "tx402-claims":
        return "why_claims_only"
    if family == "arch-router":
        return "why_weights" if dimension in ("accuracy", "saving", "models", "online", "cache") else "why_notebook_08"
    if family == "tx402-emulation":
        return "why_emulation_models" if dimension == "models" else "why_notebook_06"
    if not system:
        return "why_notebook_03"
    return {"latency": "why_notebook_04", "saving": "why_saving"}.get(dimension, "why_notebook_03")


# -- strong calls at 95% ----------------------------------------------------------------------------------------------


def strong_calls(
    rows: Rows, choices: pd.DataFrame, claims: Sequence[Mapping], bootstraps: int, seed: int
) -> list[dict[str, Any]]:
    """Per pair of models: the share of strong calls that keeps 95% of the strong model, as the survey's table 1.1.

    The point is chosen on one half of the prompts and told on the other, where it may keep less (``floor``, as of
    ``Judged.floor_met``); the share that keeps the same at random stands beside it.
    """
    found = []
    for dataset in dict.fromkeys(choices["dataset"]):
        candidates = read(choices[choices["dataset"] == dataset], in_dollars=False)
        if candidates is None or not candidates.enough or len(candidates.names) != 2:
            continue
        judged = Judged(candidates, rows.sees(dataset, ("trained",)), {}, Constraints(surely=False), bootstraps, seed)
        if judged.best is None:
            continue
        best = judged.choose(judged.kinds == ROUTER)
        names = [_named(prefix, rows, dataset) for prefix in ("bert", "mf", "sw")]
        names += [candidates.systems[best]] if best is not None else []
        told = []
        for name in dict.fromkeys((*filter(None, names), "prompt-length", "random")):
            index = judged.of(name)
            if index is not None:
                said = {"calls": judged.share(index), "kept": judged.kept(index), "floor": judged.floor_met(index)}
                told.append(judged.name(index) | said)
        claimed = {c["metric"]: number(_figure(c["low"]) / 100, "share") for c in claims
                   if c.get("dataset") == dataset and _figure(c["low"]) is not None
                   and c["metric"] in ("strong calls", "cost cut")}  # fmt: skip
        found.append({"dataset": dataset, "claimed": claimed, "systems": told})
    return found
