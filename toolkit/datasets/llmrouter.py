"""LLMRouter (UIUC): fourteen kinds of tasks, nine models of 7B to 70B, train and test parts.

Source: ulab-uiuc/LLMRouter at commit 4e7a796, data/dcrouter_preprocessed (outcomes) and data/example_data (task names,
prices). 119 of the 500 test questions stand in the train part too. No tokens are published.
"""

import json

import numpy as np
import pandas as pd

from toolkit.datasets import files, registry
from toolkit.datasets.leaks import without_leaks
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import ASSUMED_OUTPUT_TOKENS, PRICE_COLUMNS, token_cost, token_counts

ROOT = "llmrouter/data"


def load_default(*, keep_leaked: bool = False) -> Outcomes:
    """5,608 training and 500 test questions.

    Args:
        keep_leaked: keep the training rows whose question stands in the test part.
    """
    parts = {part: registry.fetch(f"{ROOT}/dcrouter_preprocessed/{part}.json") for part in ("train", "test")}
    table, quality = files.scored_parts(parts)
    kinds = _kinds()
    table["domain"] = [kinds.get(text, "") for text in table["text"]]
    kept, notes = without_leaks(table.assign(language="en", row=np.arange(len(table))), drop=not keep_leaked)
    prices = _prices(list(quality.columns))
    inputs = np.repeat(token_counts(kept["text"].tolist())[:, None], len(prices), axis=1)
    outputs = np.full(inputs.shape, float(ASSUMED_OUTPUT_TOKENS))
    return Outcomes(
        name="llmrouter/default",
        prompts=kept.drop(columns="row"),
        models=prices,
        quality=quality.to_numpy()[kept["row"]],
        cost_usd=token_cost(inputs, outputs, prices),
        input_tokens=inputs,
        output_tokens=outputs,
        cost_source="assumed",
        notes=(
            *notes,
            f"Costs are assumed: input tokens estimated, {ASSUMED_OUTPUT_TOKENS} output tokens a call, the source's "
            f"prices.",
        ),
    )


def _kinds() -> dict[str, str]:
    """Question -> task name, from the query files (which hold no outcomes)."""
    kinds = {}
    for part in ("train", "test"):
        path = registry.fetch(f"{ROOT}/example_data/query_data/default_query_{part}.jsonl")
        for row in files.read_json_rows(path):
            kinds[row.get("query", "")] = row.get("task_name", "")
    return kinds


def _prices(names: list[str]) -> pd.DataFrame:
    path = registry.fetch(f"{ROOT}/example_data/llm_candidates/default_llm.json")
    listed = json.loads(path.read_text(encoding="utf-8"))
    if missing := [name for name in names if name not in listed]:
        raise ToolkitError(f"{path}: a price of {missing[0]} was expected; there are {', '.join(listed)}.")
    rows = [[listed[name]["input_price"], listed[name]["output_price"]] for name in names]
    return pd.DataFrame(rows, index=names, columns=list(PRICE_COLUMNS), dtype=float)
