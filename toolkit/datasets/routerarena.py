"""RouterArena's files: prediction files (a JSON list) and cached results (JSON lines), one or several, as one Outcomes.

Source: Lu et al. 2025, RouterArena, arXiv 2510.00202; RouteWorks/RouterArena at commit 4714a9a. A prediction file holds
one router's choice per query, and where it was judged for optimality other models' answers too; a cached-results file
holds one model's answers. Any model name is accepted.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.datasets import files
from toolkit.datasets.table import from_long
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes

_MOST = 1e15  # dollars or tokens; past it a figure is a mistake
SUFFIXES = (".json", ".jsonl")


def load_file(path: Path) -> Outcomes:
    """One file, or all files of a folder.

    An answer that was not judged is unobserved. Where two files judge one model on one query differently, the first
    counts and a note says how often.

    Raises:
        ToolkitError: names file, row and field of the first thing that is wrong.
    """
    sources = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
    if not sources:
        raise ToolkitError(f"{path}: files in {' or '.join(SUFFIXES)} were expected; the folder has none.")
    rows = pd.DataFrame([answer for source in sources for answer in _answers(source)])
    if rows.empty:
        raise ToolkitError(f"{path}: at least one prediction or cached result was expected; found none.")
    first = rows.groupby("prompt_id")["prompt"].transform("first")
    other = rows.loc[rows["prompt"] != first, "prompt_id"].nunique()
    rows["prompt"] = first
    rows["order"] = range(len(rows))
    judged_first = rows.sort_values("quality", key=lambda quality: quality.isna(), kind="stable")
    kept = judged_first.drop_duplicates(["prompt_id", "model"]).sort_values("order").drop(columns="order")
    judged = rows.groupby(["prompt_id", "model"])["quality"]
    differing = int((judged.min() < judged.max()).sum())
    notes = [f"{differing} answers are judged differently in two rows; the first counts."] if differing else []
    if other:
        notes.append(f"{other} global indices stand for two different prompts; the first text counts.")
    return from_long(kept.reset_index(drop=True), path, notes=notes)


def _answers(path: Path) -> Iterator[dict[str, Any]]:
    """Long rows of one file."""
    for number, row in enumerate(files.read_json_rows(path), start=1):
        yield _cached(row, path, number) if "llm_selected" in row else _prediction(row, path, number)


def _prediction(row: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    key = "global index" if "global index" in row else "global_index"
    result = _object(row, "generated_result", path, number)
    return {
        "prompt_id": str(files.take(row, key, (str, int), path, number)),
        "prompt": files.take(row, "prompt", str, path, number),
        "model": files.take(row, "prediction", str, path, number),
        "quality": _number(row, "accuracy", path, number, 1.0),
        "cost_usd": _number(row, "cost", path, number),
        **_tokens(result, path, number),
        "domain": _domain(row[key]),
    }


def _cached(row: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    judged = _object(row, "evaluation_result", path, number)
    return {
        "prompt_id": str(files.take(row, "global_index", (str, int), path, number)),
        "prompt": files.take(row, "question", str, path, number),
        "model": files.take(row, "llm_selected", str, path, number),
        "quality": _number(judged, "score", path, number, 1.0),
        "cost_usd": _number(judged, "inference_cost", path, number),
        **_tokens(row, path, number),
        "domain": _domain(row["global_index"]),
    }


def _tokens(row: dict[str, Any], path: Path, number: int) -> dict[str, float]:
    usage = _object(row, "token_usage", path, number)
    return {name: _number(usage, name, path, number) for name in ("input_tokens", "output_tokens")}


def _object(row: dict[str, Any], field: str, path: Path, number: int) -> dict[str, Any]:
    """An object, or the Python literal of one as text, which upstream writes in places; {} for null."""
    value = row.get(field) or {}
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            value = row[field]
    if not isinstance(value, dict):
        files.refuse(path, f"row {number}", field, "an object, a Python literal of one, or null", value)
    return value


def _number(row: dict[str, Any], field: str, path: Path, number: int, upper: float = float("inf")) -> float:
    value = row.get(field)
    if value is None:
        return float("nan")
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float) or not 0 <= value <= min(upper, _MOST):
        files.refuse(path, f"row {number}", field, f"a number in [0, {upper:g}] or null", value)
    return float(value)


def _domain(index: object) -> str:
    """``MMLUPro_physics_17`` belongs to ``MMLUPro_physics``; a bare number to no domain."""
    return str(index).rpartition("_")[0]


def read_queries(path: Path) -> list[tuple[str | int, str]]:
    """RouterArena's dataset file: (global index, prompt) of each query, the formatted prompt where there is one.

    Raises:
        ToolkitError: names file, row and field of the first thing that is wrong.
    """
    if not path.is_file():
        raise ToolkitError(
            f"{path}: no such file; a JSON list of queries with 'global index' and 'prompt' was expected."
        )
    queries, seen = [], set()
    for number, row in enumerate(files.read_json_rows(path), start=1):
        field = "prompt_formatted" if row.get("prompt_formatted") else "prompt"
        index = files.take(row, "global index", (str, int), path, number)
        if index in seen:
            files.refuse(path, f"row {number}", "global index", "each index once", index)
        seen.add(index)
        queries.append((index, files.take(row, field, str, path, number)))
    if not queries:
        raise ToolkitError(f"{path}: at least one query was expected; found none.")
    return queries


def prediction_file(queries: Sequence[tuple[str | int, str]], models: Sequence[str]) -> list[dict[str, Any]]:
    """The file that RouterArena's own inference and evaluation take up: choices made, answers still to come."""
    return [
        {
            "global index": index,
            "prompt": prompt,
            "prediction": model,
            "generated_result": None,
            "cost": None,
            "accuracy": None,
        }
        for (index, prompt), model in zip(queries, models, strict=True)
    ]
