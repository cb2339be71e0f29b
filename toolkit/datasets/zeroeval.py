"""ZeroEval: GSM8K, CRUXEval-O and MATH level 5 answered zero-shot by fifteen models, with full prompts and answers.

Source: yuchenlin/ZeroEval at commit 570c626. Each answer is a JSON object with "reasoning" and "answer", often broken;
the first ``"answer"`` value counts. No tokens or costs are published: tokens are estimated from the texts, prices come
from data/models.csv, and reasoning that a model did not show is invisible to both.
"""

import ast
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit import paths
from toolkit.datasets import files, registry
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import read_prices, token_cost, token_counts

_ROOT = "zeroeval/result_dirs"
_ANSWER = re.compile(r'"answer"\s*:\s*("(?:[^"\\]|\\.)*"|[^,}\n]+)', re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def load_gsm(*, models: str = "") -> Outcomes:
    """GSM8K: right where the first number of the answer is the last number of the reference.

    Args:
        models: names separated by commas; all fifteen where empty.
    """
    return _load("gsm", models, "question", "grade_school_math", _same_number)


def load_crux(*, models: str = "") -> Outcomes:
    """CRUXEval output prediction: right where the answer is the reference as a Python literal.

    Args:
        models: names separated by commas; all fifteen where empty.
    """
    return _load("crux", models, "question", "code_execution", _same_literal)


def load_math_l5(*, models: str = "") -> Outcomes:
    """MATH level 5, questions with a numeric answer: right where the first numbers agree.

    The plain numeric rule gives gpt-4o-mini 52.01 where 52.15 is published: one question.

    Args:
        models: names separated by commas; all fifteen where empty.
    """
    return _load("math-l5", models, "problem", "math", _same_number)


def model_names(task: str) -> list[str]:
    """Models of a task, by file name."""
    return [Path(name).stem for name in registry.names(f"{_ROOT}/{task}/")]


def _load(task: str, models: str, question: str, domain: str, right: Any) -> Outcomes:
    known = model_names(task)
    chosen = files.listed(models) or known
    if unknown := [name for name in chosen if name not in known]:
        raise ToolkitError(f"zeroeval/{task}: no model {unknown[0]!r}; there are {', '.join(known)}.")
    prompts: dict[str, tuple[str, str]] = {}
    cells: dict[str, dict[str, tuple[float, str]]] = {}
    for model in chosen:
        path = registry.fetch(f"{_ROOT}/{task}/{model}.json")
        cells[model] = {}
        for number, row in enumerate(files.read_json_rows(path), start=1):
            key = str(files.take(row, "session_id", (str, int), path, number))
            output = files.take(row, "output", list, path, number)[0]
            history = files.take(row, "chat_history", list, path, number)
            prompts.setdefault(key, (files.take(row, question, str, path, number), "\n".join(history)))
            cells[model][key] = (float(right(first_answer(output), str(row.get("answer")))), output)
    return _outcomes(task, chosen, prompts, cells, domain)


def _outcomes(task: str, chosen: list[str], prompts: dict, cells: dict, domain: str) -> Outcomes:
    keys = list(prompts)
    quality = np.array([[cells[model].get(key, (np.nan, ""))[0] for model in chosen] for key in keys])
    answers = np.array([[cells[model].get(key, (0, ""))[1] for model in chosen] for key in keys], dtype=object)
    output = np.array([token_counts(column) for column in answers.T]).T
    output[np.isnan(quality)] = np.nan
    inputs = np.repeat(token_counts([prompts[key][1] for key in keys])[:, None], len(chosen), axis=1)
    prices = read_prices(paths.data_dir() / "models.csv")
    notes = [
        "Costs are priced: tokens estimated from the full prompt and the shown answer, list prices of data/models.csv; "
        "reasoning tokens that were not shown are not in them."
    ]
    if missing := int(np.isnan(quality).sum()):
        notes.append(f"{missing} answers are missing upstream.")
    return Outcomes(
        name=f"zeroeval/{task}",
        prompts=pd.DataFrame(
            {"prompt_id": keys, "text": [prompts[key][0] for key in keys], "domain": domain, "language": "en"}
        ),
        models=prices.loc[chosen],
        quality=quality,
        cost_usd=token_cost(inputs, output, prices.loc[chosen]),
        input_tokens=inputs,
        output_tokens=output,
        answers=answers,
        cost_source="priced",
        notes=tuple(notes),
    )


def first_answer(output: str) -> str | None:
    """The first ``"answer"`` value of a model's output, unquoted; None where there is none."""
    found = _ANSWER.search(output)
    if not found:
        return None
    value = found[1].strip()
    if not value.startswith('"'):
        return value
    try:
        return json.loads(value, strict=False)
    except json.JSONDecodeError:  # \( and the like: TeX in a JSON string
        return value[1:-1]


def _same_number(answer: str | None, reference: str) -> bool:
    """First number of the answer against the last of the reference, which ends in ``#### 18`` on GSM8K."""
    given, wanted = _NUMBER.findall(answer or ""), _NUMBER.findall(reference)
    return bool(given and wanted) and float(given[0].replace(",", "")) == float(wanted[-1].replace(",", ""))


def _same_literal(answer: str | None, reference: str) -> bool:
    """Equal as text, as text in quotes, or as Python literals."""
    if answer is None:
        return False
    if answer.strip() in (reference, repr(reference), reference.strip("'\"")):
        return True
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # answers such as 3if
            return bool(ast.literal_eval(answer) == ast.literal_eval(reference))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
