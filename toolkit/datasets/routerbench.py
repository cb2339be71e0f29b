"""RouterBench: eleven models, true costs of every call; three of its zero-shot tasks, and any file of its own schema.

Source: Hu et al. 2024, RouterBench, arXiv 2403.12031. The three tasks are the subset that RouterDC ships
(shuhao02/RouterDC at commit 0e63989, datasets/routerbench_zs), whose train and test parts are RouterDC's.

RouterBench itself is published as a pickle, and unpickling runs whatever the file says. Convert it once, where you
trust it: ``pandas.read_pickle("routerbench_0shot.pkl").to_parquet("routerbench_0shot.parquet")``; then
``load("routerbench/routerbench_0shot.parquet")`` reads the wide table: ``sample_id``, ``prompt``, ``eval_name``, a
column of qualities per model, and ``MODEL|total_cost`` in dollars.
"""

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.datasets import files, registry
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes

_ROOT = "routerdc/datasets/routerbench_zs"
_COST = "|total_cost"
TASKS = {"arc_challenge": "arc_challenge", "mbpp": "mbpp", "winogrande": "winograde"}  # upstream's own spelling
SUFFIXES = (".csv", ".parquet")


def files_of(name: str) -> list[str]:
    """Registered files of a task."""
    return [f"{_ROOT}/{TASKS[name]}_{part}.csv" for part in ("train", "test")]


def loader(name: str) -> Callable[..., Outcomes]:
    """The loader of one task, with the options of ``_load``."""

    def load_task(*, keep_parts: bool = False) -> Outcomes:
        return _load(name, keep_parts)

    return load_task


def _load(name: str, keep_parts: bool) -> Outcomes:
    """One task.

    Args:
        keep_parts: keep RouterDC's train and test parts as ``split``; else they are one set, as in RouterBench.
    """
    frames = []
    for part, file in zip(("train", "test"), files_of(name), strict=True):
        path = registry.fetch(file)
        frames.append(
            files.read_csv(path, ["sample_id", "prompt", "eval_name"]).assign(split=part if keep_parts else "")
        )
    return _wide(pd.concat(frames, ignore_index=True), f"routerbench/{name}", path)


def load_file(path: Path) -> Outcomes:
    """A wide table of RouterBench's schema, as CSV or Parquet."""
    if path.suffix.lower() == ".pkl":
        raise ToolkitError(
            f"{path}: a pickle runs code when it is read; convert it once where you trust it: "
            f"pandas.read_pickle(FILE).to_parquet(OTHER)."
        )
    if path.suffix.lower() == ".parquet":
        try:
            rows = pd.read_parquet(path)
        except (ValueError, OSError) as err:
            raise ToolkitError(f"{path}: a Parquet table was expected and could not be read ({err}).") from err
    else:
        rows = files.read_csv(path, [])
    if missing := [column for column in ("sample_id", "prompt") if column not in rows.columns]:
        raise ToolkitError(f"{path}: the columns sample_id and prompt are needed; missing: {', '.join(missing)}.")
    return _wide(rows, path.name, path)


def _wide(rows: pd.DataFrame, name: str, path: Path) -> Outcomes:
    """A wide table as Outcomes."""
    names = [column.removesuffix(_COST) for column in rows.columns if str(column).endswith(_COST)]
    names = [column for column in rows.columns if column in names]  # in the order of the quality columns
    if not names:
        raise ToolkitError(f"{path}: columns MODEL and MODEL{_COST} were expected; found {', '.join(map(str, rows))}.")
    repeat = rows.groupby("sample_id").cumcount()
    prompts = pd.DataFrame(
        {
            "prompt_id": rows["sample_id"].astype(str) + np.where(repeat > 0, "#" + (repeat + 1).astype(str), ""),
            "text": [_prompt_text(text) for text in rows["prompt"]],
            "domain": rows["eval_name"] if "eval_name" in rows.columns else "",
            "language": "en",
            "group": rows["sample_id"],
            "split": rows["split"] if "split" in rows.columns else "",
        }
    )
    notes = []
    if repeats := int((repeat > 0).sum()):
        notes.append(f"{repeats} rows repeat a sample id, with other models observed; splits keep them together.")
    quality, cost = _numbers(rows, names, path, 1.0), _numbers(rows, [f"{n}{_COST}" for n in names], path, np.inf)
    if unobserved := int(np.isnan(quality).sum()):
        notes.append(f"{unobserved} of {quality.size} outcomes are unobserved.")
    return Outcomes(
        name=name,
        prompts=prompts,
        models=pd.DataFrame(index=names),
        quality=quality,
        cost_usd=cost,
        cost_source="measured",
        notes=(*notes, "Costs are the source's own dollars of each call."),
    )


def _numbers(rows: pd.DataFrame, columns: list[str], path: Path, upper: float) -> np.ndarray:
    table = np.empty((len(rows), len(columns)))
    for at, column in enumerate(columns):
        numbers = pd.to_numeric(rows[column], errors="coerce")
        bad = (numbers.isna() & rows[column].notna()) | (numbers < 0) | (numbers > upper)
        if bad.any():
            row = int(bad.to_numpy().argmax())
            files.refuse(path, f"row {row + 1}", column, f"a number in [0, {upper:g}]", rows[column].iloc[row])
        table[:, at] = numbers
    return table


def _prompt_text(prompt: object) -> str:
    """The prompt; upstream stores most as the text of a Python list of turns."""
    if not isinstance(prompt, str) or not prompt.startswith("["):
        return "\n".join(prompt) if isinstance(prompt, list | np.ndarray) else str(prompt)
    try:
        turns = ast.literal_eval(prompt)
    except (ValueError, SyntaxError):
        return prompt
    return "\n".join(map(str, turns)) if isinstance(turns, list) else prompt
