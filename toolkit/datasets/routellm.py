"""RouteLLM's evaluation files: MMLU, GSM8K and MT-Bench answered by GPT-4 and Mixtral 8x7B.

Source: Ong et al. 2024, RouteLLM, arXiv 2406.18665, section 5 and appendix; lm-sys/RouteLLM at commit 0b64fda. Rows
whose prompt stands in the routers' training data are removed by exact match of ``eval_prompt``, as the authors do.
Prices are the list prices behind the paper's blended $24.7 and $0.24 per million tokens (95 input and 264 output
tokens a call on average).
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.datasets import files, registry
from toolkit.outcomes import Outcomes
from toolkit.pricing import PRICE_COLUMNS, token_cost, token_counts

WEAK = "mistralai/Mixtral-8x7B-Instruct-v0.1"
STRONG = "gpt-4-1106-preview"
MEAN_OUTPUT_TOKENS = 264  # per call; arXiv 2406.18665, cost analysis

_ROOT = "routellm/routellm/evals"
_MODELS = pd.DataFrame([[0.24, 0.24], [10.0, 30.0]], index=[WEAK, STRONG], columns=list(PRICE_COLUMNS))
_COLUMNS = ("prompt", WEAK, STRONG)
_ARTEFACT = "high_school_mathematics"
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def load_mmlu(*, decontaminate: bool = True, keep_artefact: bool = True) -> Outcomes:
    """MMLU: 57 subjects, the router sees question, options and "Answer:".

    Args:
        decontaminate: drop the 5 prompts found in the routers' training data.
        keep_artefact: keep high_school_mathematics, where GPT-4 is right on 8 of 270 rows: an extraction artefact
            that supplies 83 of the 742 questions only Mixtral solves. Kept rows are marked ``suspect``.
    """
    names = registry.names(f"{_ROOT}/mmlu/responses/")
    frames = [
        files.read_csv(registry.fetch(name), _COLUMNS).assign(domain=Path(name).stem.removeprefix("mmlu_"))
        for name in names
    ]
    rows = pd.concat(frames, ignore_index=True)
    rows["prompt_id"] = rows["domain"] + "/" + rows.groupby("domain").cumcount().astype(str)
    rows, notes = _decontaminated(rows, "mmlu", decontaminate)
    rows["suspect"] = rows["domain"] == _ARTEFACT
    if keep_artefact:
        notes.append(
            f"{_ARTEFACT}: GPT-4 scores 8 of 270 there, an answer-extraction artefact of the source; results are "
            f"given with and without these rows (option keep_artefact=false drops them)."
        )
    else:
        rows = rows[~rows["suspect"]]
    duplicates = int(rows["prompt"].duplicated().sum())
    notes.append(f"{duplicates} prompts repeat an earlier one; splits and bootstraps keep repeats together.")
    return _outcomes("routellm/mmlu", rows, notes)


def load_gsm8k(*, decontaminate: bool = True, reextract: bool = False) -> Outcomes:
    """GSM8K with both responses, so tokens are counted from the texts and priced.

    Args:
        decontaminate: drop the 12 prompts found in the routers' training data.
        reextract: grade the responses again by their last number. The source's parser reads "$20.00" as 0 and marks
            42 right GPT-4 answers wrong; rows whose grade would change for either model are ``suspect`` where this is
            off.
    """
    rows = files.read_csv(registry.fetch(f"{_ROOT}/gsm8k/gsm8k_responses.csv"), _COLUMNS)
    rows["prompt_id"] = rows.index.astype(str)
    truth = {}
    for row in files.read_json_rows(registry.fetch(f"{_ROOT}/gsm8k/test.jsonl")):
        truth[row["question"]] = _last_number(row["answer"])
    right = {
        model: np.array(
            [_last_number(a) == truth[q] for a, q in zip(rows[f"{model}_response"], rows["prompt"], strict=True)]
        )
        for model in (WEAK, STRONG)
    }
    changed = {model: right[model] != rows[model].to_numpy(bool) for model in right}
    rows["suspect"] = (changed[WEAK] | changed[STRONG]) & (not reextract)
    if reextract:
        rows[WEAK], rows[STRONG] = right[WEAK], right[STRONG]
    rows, notes = _decontaminated(rows, "gsm8k", decontaminate)
    rows["domain"] = "grade_school_math"
    if reextract:
        notes.append("Answers graded again by their last number (option reextract), not by the source's parser.")
    else:
        notes.append(
            f"The source's answer parser misreads amounts such as $20.00: on {int(rows['suspect'].sum())} prompts a "
            f"grade would change, nearly always a right GPT-4 answer that counts as wrong (option reextract=true)."
        )
    tokens = np.stack([token_counts(rows[f"{model}_response"].tolist()) for model in (WEAK, STRONG)], axis=1)
    answers = rows[[f"{model}_response" for model in (WEAK, STRONG)]].fillna("").astype(str).to_numpy(object)
    return _outcomes("routellm/gsm8k", rows, notes, output_tokens=tokens, answers=answers)


def load_mt_bench(*, decontaminate: bool = True) -> Outcomes:
    """MT-Bench: routed on the first turn, the choice kept for both; quality = mean judge score over turns / 10.

    Args:
        decontaminate: drop the 8 questions found in the routers' training data.
    """
    questions = pd.DataFrame(files.read_json_rows(registry.fetch(f"{_ROOT}/mt_bench/question.jsonl")))
    judged = pd.DataFrame(files.read_json_rows(registry.fetch(f"{_ROOT}/mt_bench/judgements.jsonl")))
    scores = judged.pivot_table(index="question_id", columns="model", values="score", aggfunc="mean") / 10
    rows = questions.join(scores, on="question_id").rename(columns={"category": "domain"})
    rows["prompt"] = rows["turns"].str[0]
    rows["prompt_id"] = rows["question_id"].astype(str)
    rows["suspect"] = False
    rows, notes = _decontaminated(rows, "mt_bench", decontaminate)
    notes.append(
        f"{len(rows)} questions only: a single random permutation has an APGR of .5 with SD .073, so differences below "
        f".1 are noise unless paired."
    )
    first, second = (token_counts(rows["turns"].str[turn].tolist()) for turn in (0, 1))
    inputs = 2 * first + second + MEAN_OUTPUT_TOKENS  # the second call carries the first turn and its answer
    return _outcomes("routellm/mt_bench", rows, notes, input_tokens=inputs, calls=2)


def _outcomes(
    name: str,
    rows: pd.DataFrame,
    notes: list[str],
    input_tokens: np.ndarray | None = None,
    output_tokens: np.ndarray | None = None,
    calls: int = 1,
    answers: np.ndarray | None = None,
) -> Outcomes:
    """Rows -> Outcomes; unknown input tokens are estimated from the prompt, unknown output tokens are assumed."""
    rows = rows.rename(columns={"prompt": "text"}).assign(language="en")
    if input_tokens is None:
        input_tokens = token_counts(rows["text"].tolist())
    inputs = np.repeat(input_tokens[:, None], 2, axis=1)
    if output_tokens is None:
        output_tokens = np.full(inputs.shape, float(calls * MEAN_OUTPUT_TOKENS))
        source = "assumed"
        notes.append(
            f"Costs are assumed: input tokens estimated from the prompt, {MEAN_OUTPUT_TOKENS} output tokens a call "
            f"(the paper's mean), list prices of the paper."
        )
    else:
        source = "priced"
        notes.append("Costs are priced: tokens estimated from the texts of prompt and response, the paper's prices.")
    return Outcomes(
        name=name,
        prompts=rows,
        models=_MODELS,
        quality=rows[[WEAK, STRONG]].to_numpy(np.float32),
        cost_usd=token_cost(inputs, output_tokens, _MODELS),
        input_tokens=inputs,
        output_tokens=output_tokens,
        answers=answers,
        cost_source=source,
        notes=tuple(notes),
    )


def _decontaminated(rows: pd.DataFrame, part: str, wanted: bool) -> tuple[pd.DataFrame, list[str]]:
    listed = files.read_json_rows(registry.fetch(f"{_ROOT}/{part}/contaminated_prompts.jsonl"))
    leaked = rows["prompt"].isin({row["eval_prompt"] for row in listed})
    if not wanted:
        return rows, [
            f"{int(leaked.sum())} prompts stand in RouteLLM's training data and were kept (decontaminate=false)."
        ]
    kept = rows[~leaked].reset_index(drop=True)
    return kept, [f"{int(leaked.sum())} prompts found in RouteLLM's training data were removed."]


def _last_number(text: str) -> float | None:
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None
