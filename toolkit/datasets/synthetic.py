"""``synthetic``: bilingual prompts of our own and outcomes whose true expectation is known.

Outcomes follow a two-parameter item-response model (Birnbaum 1968). Model j solves prompt i of domain d with
probability

    p[i, j] = sigmoid(a[j] * (ability[j, d] + chinese[j] * is_chinese[i] - difficulty[i]))
    difficulty[i] = level(d, wording) + spread * z[i],  z ~ N(0, 1)

The wording shows domain, language and level; z is hidden. ``expected_quality`` is the mean of p over z: all that a
prompt's text can tell, so the router that follows it is Bayes-optimal and its quality is the ceiling that a router
could reach. Every parameter, token count and price stands in ``data/synthetic.csv``: rows of kind ``model`` and of kind
``level``. The qwen prices are list prices; all abilities are invented, and every figure says synthetic.
"""

from functools import cache

import numpy as np
import pandas as pd
import yaml

from toolkit import paths
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import PRICE_COLUMNS, token_cost, token_counts

LEVELS = ("easy", "medium", "hard")
LANGUAGES = ("en", "zh")
_HIDDEN_NODES = 31  # of the quadrature over the hidden difficulty: exact to 1e-9 at these spreads
_OUTPUT_SPREAD = 0.35  # SD of log output tokens around their mean
_MEAN_PASSAGE = 8.0  # sentences of a pasted text, geometric
_CONTEXT_SHARE = 0.15  # prompts with a pasted text that they do not need: long is not hard


@cache
def _parameters() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(models, levels) of data/synthetic.csv, indexed by name."""
    table = pd.read_csv(paths.data_dir() / "synthetic.csv", comment="#").set_index("name")
    return table[table["kind"] == "model"], table[table["kind"] == "level"].loc[list(LEVELS)]


@cache
def _grammar() -> dict:
    return yaml.safe_load((paths.data_dir() / "synthetic_prompts.yaml").read_text(encoding="utf-8"))


def load(*, prompts: int = 3000, models: int = 3, seed: int = 20260417) -> Outcomes:
    """Generate prompts and outcomes.

    Args:
        prompts: number of rows.
        models: pool size; the first three are qwen-flash, qwen-plus and qwen-max.
        seed: of the texts, the hidden difficulties, the outcomes and the token counts. More models leave the texts
            and the outcomes of the first ones unchanged.

    Raises:
        ToolkitError: an option out of its range.
    """
    pool, levels = _parameters()
    if not 2 <= models <= len(pool):
        raise ToolkitError(f"synthetic: option models takes 2 to {len(pool)}; {models} was given.")
    if not 10 <= prompts <= 200_000:
        raise ToolkitError(f"synthetic: option prompts takes 10 to 200000; {prompts} was given.")
    if seed < 0:
        raise ToolkitError(f"synthetic: option seed takes a whole number from 0; {seed} was given.")
    pool = pool.iloc[:models]
    text_seed, hidden_seed, *model_seeds = np.random.SeedSequence(seed).spawn(2 + models)
    frame = _write_prompts(prompts, np.random.default_rng(text_seed))
    hidden = np.random.default_rng(hidden_seed).normal(size=prompts)
    level = levels.loc[frame["level"]]
    difficulty = level.to_numpy()[np.arange(prompts), level.columns.get_indexer(frame["domain"])].astype(float)
    spread = level["spread"].to_numpy(float)
    ability = pool[list(_grammar()["domains"])].to_numpy(float)[:, _domain_codes(frame)].T
    ability = ability + np.outer(frame["language"] == "zh", pool["chinese"].to_numpy(float))
    margin, slope = ability - difficulty[:, None], pool["discrimination"].to_numpy(float)
    solves = _sigmoid(slope * (margin - (spread * hidden)[:, None]))
    mean_output = np.outer(level["output_tokens"].to_numpy(float), pool["output_tokens"].to_numpy(float))
    quality = np.empty_like(solves, dtype=np.float32)
    output = np.empty_like(solves)
    for column, model_seed in enumerate(model_seeds):
        draw = np.random.default_rng(model_seed)
        quality[:, column] = draw.random(prompts) < solves[:, column]
        noise = draw.normal(-(_OUTPUT_SPREAD**2) / 2, _OUTPUT_SPREAD, prompts)
        output[:, column] = np.maximum(1, np.round(mean_output[:, column] * np.exp(noise)))
    inputs = np.repeat(token_counts(frame["text"].tolist())[:, None], models, axis=1)
    prices = pool[list(PRICE_COLUMNS)]
    return Outcomes(
        name="synthetic",
        prompts=frame.drop(columns="level"),
        models=prices,
        quality=quality,
        cost_usd=token_cost(inputs, output, prices),
        input_tokens=inputs,
        output_tokens=output,
        expected_quality=_mean_over_hidden(margin, slope, spread),
        cost_source="priced",
        notes=("Synthetic: prompts, abilities and outcomes are invented; only the qwen list prices are real.",),
        synthetic=True,
    )


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def _mean_over_hidden(margin: np.ndarray, slope: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """E over z ~ N(0, 1) of the probability to solve, (n, m), by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_HIDDEN_NODES)
    terms = (w * _sigmoid(slope * (margin - z * spread[:, None])) for z, w in zip(nodes, weights, strict=True))
    return sum(terms) / weights.sum()


def _domain_codes(frame: pd.DataFrame) -> np.ndarray:
    return pd.Categorical(frame["domain"], categories=list(_grammar()["domains"])).codes


def _write_prompts(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """``count`` prompts: domain, language and level drawn evenly, template and slots at random."""
    grammar = _grammar()
    domains = list(grammar["domains"])
    rows = []
    for number in range(count):
        domain, language, level = (choices[rng.integers(len(choices))] for choices in (domains, LANGUAGES, LEVELS))
        template = _pick(grammar["domains"][domain][language][level], rng)
        frames = grammar["frames"][language]
        context = frames["context"] if rng.random() < _CONTEXT_SHARE else ""
        text = _pick(frames["before"], rng) + template + _pick(frames["after"], rng) + context
        text = _fill(text, language, rng)
        rows.append((f"s{number:06d}", text, domain, language, level))
    return pd.DataFrame(rows, columns=["prompt_id", "text", "domain", "language", "level"])


def _pick(choices: list[str], rng: np.random.Generator) -> str:
    return choices[rng.integers(len(choices))]


def _fill(template: str, language: str, rng: np.random.Generator) -> str:
    """Replace the slots, the passage first because its sentences have slots of their own."""
    grammar = _grammar()
    while "{passage}" in template:
        length = int(rng.geometric(1 / _MEAN_PASSAGE))
        joint = " " if language == "en" else ""
        passage = joint.join(_pick(grammar["passages"][language], rng) for _ in range(length))
        template = template.replace("{passage}", passage, 1)
    for slot, choices in grammar["slots"][language].items():
        while f"{{{slot}}}" in template:
            template = template.replace(f"{{{slot}}}", _pick(choices, rng), 1)
    for slot, (low, high) in {"n1": (10, 400), "n2": (2, 90), "n3": (3, 25)}.items():
        while f"{{{slot}}}" in template:
            template = template.replace(f"{{{slot}}}", str(rng.integers(low, high)), 1)
    return template
