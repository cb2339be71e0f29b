"""The survey's acceptance checklist (its section 5.1), for every router that was asked the labelled queries."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from toolkit.evaluation.decision.candidates import accuracies
from toolkit.evaluation.decision.recommendation import Judged
from toolkit.evaluation.decision.rows import Rows, detail, timed
from toolkit.evaluation.decision.statements import Estimate, estimate

ACCURACY_BAR, LATENCY_BAR_MS = 0.85, 5.0  # the survey's section 5.1; it names no bar for its first two items
SURVEY_PAIR = ("qwen-flash", "qwen-max")
LANGUAGES = ("en", "zh")
_ITEMS = {"simple": "simple_to_weak", "complex": "complex_to_strong", "accuracy": "acceptance_accuracy"}


def item(measured: Estimate | None, bar: float, below: bool = False) -> dict[str, Any]:
    """One line of the checklist: the estimate, ``ok``, ``short`` or ``unmeasured``, and whether all of it says so."""
    if measured is None:
        return {"estimate": None, "verdict": "unmeasured", "sure": False}
    sign = -1 if below else 1
    passes = lambda value: sign * value > sign * bar  # noqa: E731
    ok = passes(measured["value"])
    sure = "low" in measured and passes(measured["low"]) == ok == passes(measured["high"])
    return {"estimate": measured, "verdict": "ok" if ok else "short", "sure": sure}


def checklist(
    rows: Rows,
    dataset: str,
    choices: pd.DataFrame,
    judged: Judged | None,
    queries: Sequence[Mapping] = (),
    gpu: bool = False,
) -> dict[str, Any] | None:
    """The survey's acceptance checklist for every router that was asked the labelled queries; None where none was.

    Args:
        choices: where each query went (analysis ``acceptance``).
        judged: candidates of the data set, for what else an accuracy may be of.
        queries: the committed ones: id, text, language, label, and ``prompt``, their name in ``choices``.
    """
    asked = rows.of("acceptance", "acceptance_accuracy", dataset=dataset)
    systems = list(dict.fromkeys(asked["system"]))
    if not systems:
        return None
    models = detail(asked.iloc[0], "models") or sorted(choices["model"].astype(str).unique())
    latency = rows.latencies(gpu)
    own = choices[choices["dataset"] == dataset]
    found = [
        {
            "system": system,
            "latency": item(timed(latency, system), LATENCY_BAR_MS, below=True),
            **_by_language(rows, system, dataset),
            "auroc": rows.estimate("acceptance", "acceptance_auroc", system, dataset, language="all"),
            "accuracies": _accuracies(judged, system),
            "seed": _seed(own[own["system"] == system], queries, models),
        }
        for system in systems
    ]
    chosen = judged.candidates.systems[judged.chosen] if judged and judged.chosen is not None else ""
    found.sort(
        key=lambda row: (row["system"] != chosen, -(row["all"]["accuracy"]["estimate"] or {"value": 0})["value"])
    )
    return {
        "models": models, "stand_in": tuple(models) != SURVEY_PAIR, "note": str(asked.iloc[0]["note"]),
        "systems": found,
        "queries": int(asked.iloc[0]["n"]) if pd.notna(asked.iloc[0]["n"]) else None, "recommended": chosen,
        "seed": [{key: query[key] for key in ("id", "text", "label")} for query in _asked_by_seed(queries)],
        "bars": {"accuracy": ACCURACY_BAR, "latency_ms": LATENCY_BAR_MS},
    }  # fmt: skip


def _by_language(rows: Rows, system: str, dataset: str) -> dict[str, dict[str, Any]]:
    """Language, or ``all`` -> the checklist's lines on where queries went."""
    return {
        language: {
            key: item(rows.estimate("acceptance", metric, system, dataset, language=language), ACCURACY_BAR)
            for key, metric in _ITEMS.items()
        }
        for language in ("all", *LANGUAGES)
    }


def _accuracies(judged: Judged | None, system: str) -> dict[str, Estimate]:
    index = judged.of(system) if judged else None
    if index is None:
        return {}
    found = accuracies(judged.candidates, judged.told, index, judged.best)
    return {key: estimate(samples, "share") for key, samples in found.items()}


def _asked_by_seed(queries: Sequence[Mapping]) -> list[Mapping]:
    return [query for query in queries if str(query["id"]).startswith("seed")]


def _seed(choices: pd.DataFrame, queries: Sequence[Mapping], models: Sequence[str]) -> list[dict[str, Any]]:
    """Where the survey's three queries went, and whether rightly; None of one that is neither simple nor complex."""
    went = dict(zip(choices["prompt"], choices["model"].astype(str), strict=True))
    wanted = dict(zip(("simple", "complex"), models, strict=False))
    found = []
    for query in _asked_by_seed(queries):
        model = went.get(query["prompt"])
        right = None if model is None or query["label"] not in wanted else model == wanted[query["label"]]
        found.append(
            {
                "id": query["id"],
                "model": model,
                "strong": None if model is None else model == models[-1],
                "right": right,
            }
        )
    return found
