"""RouterDC's own evaluation files: seven open 7-8B models on ten tasks, two of them Chinese.

Source: Chen et al. 2024, RouterDC, arXiv 2409.19886; shuhao02/RouterDC at commit 0e63989, datasets/split2_model7. On
multiple-choice tasks a score is the probability of the right option, or 0 where another option won: quality is score
> 0. On the others it is the share of right samples. No tokens or costs are published.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.datasets import files, registry
from toolkit.datasets.leaks import without_leaks
from toolkit.outcomes import Outcomes
from toolkit.pricing import ASSUMED_OUTPUT_TOKENS, read_prices, token_counts

_ROOT = "routerdc/datasets/split2_model7"


@dataclass(frozen=True)
class Task:
    """One task: its files by part ("" where it has no parts), the rule, the domain and the language."""

    parts: dict[str, str]
    chosen_option: bool
    domain: str
    language: str = "en"


def _parts(stem: str, joint: str = "_") -> dict[str, str]:
    return {part: f"{stem}{joint}{part}.json" for part in ("train", "test")}


TASKS = {
    "mmlu": Task(_parts("mmlu"), True, "knowledge"),
    "gsm8k": Task(_parts("gsm8k", "-"), False, "math"),
    "cmmlu": Task(_parts("cmmlu"), True, "knowledge", "zh"),
    "ceval": Task({"": "ceval.json"}, True, "knowledge", "zh"),
    "arc_challenge": Task(_parts("arc_challenge"), True, "science"),
    "arc_easy": Task(_parts("arc_easy"), True, "science"),
    "humaneval": Task(_parts("humaneval"), False, "code"),
    "mbpp": Task({"": "mbpp.json"}, False, "code"),
    "javascript": Task({"": "javascript.json"}, False, "code"),
    "math_prealgebra": Task({"": "MATH_prealgebra.json"}, False, "math"),
}


def files_of(name: str) -> list[str]:
    """Registered files of a task."""
    return [f"{_ROOT}/{file}" for file in TASKS[name].parts.values()]


def loader(name: str) -> Callable[..., Outcomes]:
    """The loader of one task, with the options of ``_load``."""

    def load_task(*, prices: str = "", keep_leaked: bool = False) -> Outcomes:
        return _load(name, prices, keep_leaked)

    return load_task


def _load(name: str, prices: str, keep_leaked: bool) -> Outcomes:
    """One task.

    Args:
        prices: a CSV of prices (see ``pricing.read_prices``) for all seven models; costs are then ``assumed``.
        keep_leaked: keep training rows whose question stands in the test part.
    """
    task = TASKS[name]
    table, scores = files.scored_parts({part: registry.fetch(f"{_ROOT}/{file}") for part, file in task.parts.items()})
    quality = (scores > 0).astype(float) if task.chosen_option else scores
    table = table.assign(domain=task.domain, language=task.language, row=np.arange(len(table)))
    kept, notes = without_leaks(table, drop=not keep_leaked)
    rule = "the right option was chosen" if task.chosen_option else "share of right samples"
    outcomes = Outcomes(
        name=f"routerdc/{name}",
        prompts=kept.drop(columns="row"),
        models=pd.DataFrame(index=scores.columns),
        quality=quality.to_numpy()[kept["row"]],
        input_tokens=np.repeat(token_counts(kept["text"].tolist())[:, None], scores.shape[1], axis=1),
        notes=(*notes, f"Quality: {rule}. The source has no tokens or costs."),
    )
    return _priced(outcomes, prices) if prices else outcomes


def _priced(outcomes: Outcomes, prices: str) -> Outcomes:
    note = (
        f"Costs are assumed: input tokens estimated, {ASSUMED_OUTPUT_TOKENS} output tokens a call, prices of "
        f"{Path(prices).name}."
    )
    tokens = np.full(outcomes.quality.shape, float(ASSUMED_OUTPUT_TOKENS))
    assumed = replace(outcomes, output_tokens=tokens, notes=(*outcomes.notes, note))
    return replace(assumed.reprice(read_prices(prices)), cost_source="assumed")
