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
    """A wide table of RouterBench's schema, as CSV or Parquet.

    Raises:
        ToolkitError: a pickle, a file that cannot be read, or a column is missing.
    """
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
    priced = [str(column).removesuffix(_COST) for column in rows.columns if str(column).endswith(_COST)]
    if not priced or (lacking := [model for model in priced if model not in rows.columns]):
        missing = f"missing: {lacking[0]}" if priced else f"found {', '.join(map(str, rows))}"
        raise ToolkitError(f"{path}: columns MODEL and MODEL{_COST} were expected; {missing}.")
    files.require(rows, ["sample_id", "prompt"], path)
    files.check_parts(rows, path)
    names = [column for column in rows.columns if column in priced]  # in the order of the quality columns
    quality = np.stack([files.numbers(rows, model, path, 1.0) for model in names], axis=1)
    cost = np.stack([files.numbers(rows, f"{model}{_COST}", path) for model in names], axis=1)
    answered = [str(column).partition("|")[0] for column in rows.columns if str(column).endswith("|model_response")]
    notes = [f"{model} has no costs and was left out." for model in answered if model not in priced]
    observed = ~np.isnan(quality).all(axis=0)
    notes += [f"{model} has no observed quality and was left out." for model in np.array(names)[~observed]]
    repeat = rows.groupby("sample_id").cumcount()
    if repeats := int((repeat > 0).sum()):
        notes.append(f"{repeats} rows repeat a sample id; splits keep them together.")
    if unobserved := int(np.isnan(quality[:, observed]).sum()):
        notes.append(f"{unobserved} of {quality[:, observed].size} outcomes are unobserved.")
    prompts = pd.DataFrame(
        {
            "prompt_id": rows["sample_id"].astype(str) + np.where(repeat > 0, "#" + (repeat + 1).astype(str), ""),
            "text": [_prompt_text(text) for text in rows["prompt"]],
            "domain": rows["eval_name"] if "eval_name" in rows.columns else "",
            "language": "en",
            "group": rows["sample_id"].astype(str),
            "split": rows["split"] if "split" in rows.columns else "",
        }
    )
    return Outcomes(
        name=name,
        prompts=prompts,
        models=pd.DataFrame(index=np.array(names)[observed]),
        quality=quality[:, observed],
        cost_usd=cost[:, observed],
        cost_source="measured",
        notes=(*notes, "Costs are the source's own dollars of each call."),
    )


def _prompt_text(prompt: object) -> str:
    """The prompt; upstream stores most as the text of a Python list of turns."""
    turns = prompt
    if isinstance(prompt, str) and prompt.startswith("["):
        try:
            turns = ast.literal_eval(prompt)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return prompt
    if isinstance(turns, list | np.ndarray) and len(turns) and all(isinstance(turn, str) for turn in turns):
        return "\n".join(turns)
    return str(prompt)
