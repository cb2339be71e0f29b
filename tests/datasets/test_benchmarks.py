"""Conformance: every benchmark's published figures from every benchmark's files."""

import numpy as np
import pytest

from toolkit import datasets
from toolkit.errors import ToolkitError

# ZeroEval: the first "answer" value; on GSM8K and MATH its first number; one question is .08 and .14 points.
ZEROEVAL = {
    "gsm": {
        "gpt-4o-2024-08-06": 96.21, "claude-3-5-sonnet-20240620": 95.60, "gpt-4o-mini-2024-07-18": 94.24,
        "claude-3-haiku-20240307": 88.78, "gemma-2-9b-it": 87.41, "Phi-3.5-mini-instruct": 82.03,
        "gpt-3.5-turbo-0125": 80.36, "Meta-Llama-3-8B-Instruct": 78.47,
    },
    "math-l5": {"gpt-4o-2024-08-06": 55.34, "gpt-4o-mini-2024-07-18": 52.15},
}  # fmt: skip


@pytest.mark.parametrize(("task", "one_question"), [("gsm", 100 / 1319), ("math-l5", 100 / 721)])
def test_zeroeval_accuracies(upstream, task, one_question):
    """Exact but for one question each: Llama-3-8B on GSM8K and gpt-4o-mini on MATH (52.01 by the plain rule)."""
    outcomes = upstream(f"zeroeval/{task}")
    off = {}
    for model, published in ZEROEVAL[task].items():
        found = 100 * outcomes.mean_quality()[outcomes.column(model)]
        if found != pytest.approx(published, abs=0.006):
            off[model] = found - published
    assert set(off) <= {"Meta-Llama-3-8B-Instruct", "gpt-4o-mini-2024-07-18"} and len(off) == 1
    assert abs(next(iter(off.values()))) == pytest.approx(one_question, abs=0.006)


def test_zeroeval_is_priced_from_shown_tokens(upstream):
    outcomes = upstream("zeroeval/crux")
    assert outcomes.cost_source == "priced" and any("not shown" in note for note in outcomes.notes)
    assert (outcomes.cost_usd > 0).all()
    dear, cheap = outcomes.column("claude-3-5-sonnet-20240620"), outcomes.column("gpt-4o-mini-2024-07-18")
    assert outcomes.cost_usd[:, dear].mean() > 10 * outcomes.cost_usd[:, cheap].mean()
    two = upstream("zeroeval/crux", models="gpt-4o-2024-08-06, gemma-2-9b-it")
    assert two.names == ["gpt-4o-2024-08-06", "gemma-2-9b-it"]
    with pytest.raises(ToolkitError, match="no model 'gpt-5'; there are Meta-Llama-3-8B"):
        datasets.load("zeroeval/crux?models=gpt-5")


# RouterDC's test parts: Mistral, MetaMath, Chinese-Mistral, zephyr, dolphin-2.6, Llama-3-8B, dolphin-2.9; oracle.
ROUTERDC = {
    "mmlu": ([62.14, 59.86, 57.42, 59.81, 60.53, 64.59, 59.46], 85.26, 16),
    "gsm8k": ([36.71, 69.63, 41.03, 33.00, 52.38, 47.76, 69.81], 83.32, 0),
    "cmmlu": ([43.83, 43.83, 49.67, 42.82, 43.71, 51.77, 44.72], 79.63, 1),
    "arc_challenge": ([49.43, 48.30, 43.47, 57.95, 52.56, 49.43, 49.43], 72.44, 2),
    "arc_easy": ([81.21, 82.05, 77.56, 81.77, 83.03, 82.33, 78.26], 93.13, 4),
}


@pytest.mark.parametrize("task", ROUTERDC)
def test_routerdc_test_parts(upstream, task):
    accuracies, oracle, leaked = ROUTERDC[task]
    outcomes = upstream(f"routerdc/{task}")
    test = outcomes.subset((outcomes.prompts["split"] == "test").to_numpy())
    np.testing.assert_allclose(100 * test.mean_quality(), accuracies, atol=0.006)
    assert 100 * test.quality.max(axis=1).mean() == pytest.approx(oracle, abs=0.006)
    train = set(outcomes.prompts.loc[outcomes.prompts["split"] == "train", "text"])
    assert train.isdisjoint(test.texts)
    kept = upstream(f"routerdc/{task}", keep_leaked=True)
    assert len(kept) - len(outcomes) == leaked


def test_routerdc_costs_only_by_the_users_prices(upstream, tmp_path):
    outcomes = upstream("routerdc/humaneval")
    assert outcomes.cost_source == "none"
    prices = tmp_path / "prices.csv"
    rows = "".join(f"{name},0.1,0.2\n" for name in outcomes.names)
    prices.write_text("model,input_usd_per_mtok,output_usd_per_mtok\n" + rows)
    priced = datasets.load(f"routerdc/humaneval?prices={prices}")
    assert priced.cost_source == "assumed" and any("assumed" in note for note in priced.notes)


def test_chinese_queries(upstream):
    """CMMLU and C-Eval: 6,821 Chinese queries upstream, of which one training row repeats a test question."""
    both = [upstream("routerdc/cmmlu", keep_leaked=True), upstream("routerdc/ceval")]
    assert sum(map(len, both)) == 6821
    assert all((outcomes.prompts["language"] == "zh").all() for outcomes in both)


ROUTERBENCH = {  # mean quality and total dollars, train and test together
    "arc_challenge": {
        "gpt-4-1106-preview": (0.9544, 7.5284), "gpt-3.5-turbo-1106": (0.8340, 0.7514),
        "zero-one-ai/Yi-34B-Chat": (0.9034, 0.5999), "mistralai/mixtral-8x7b-chat": (0.8544, 0.4508),
        "mistralai/mistral-7b-chat": (0.6701, 0.1503),
        "oracle": (0.9852, 0.3301),  # .3329 by upstream's own column, which names a wrong model on three rows
    },
    "mbpp": {
        "gpt-4-1106-preview": (0.6862, 4.0040), "gpt-3.5-turbo-1106": (0.6534, 0.1429),
        "zero-one-ai/Yi-34B-Chat": (0.3864, 0.0976), "mistralai/mixtral-8x7b-chat": (0.5410, 0.0744),
        "mistralai/mistral-7b-chat": (0.3443, 0.0207), "oracle": (0.8665, 0.2033),
    },
}  # fmt: skip


@pytest.mark.parametrize("task", ROUTERBENCH)
def test_routerbench_quality_and_dollars(upstream, task):
    outcomes = upstream(f"routerbench/{task}")
    choice = outcomes.oracle()
    for model, (quality, dollars) in ROUTERBENCH[task].items():
        if model == "oracle":
            quality_found = outcomes.realised(outcomes.quality, choice)  # a query that nobody solves costs it nothing
            found = quality_found, outcomes.realised(outcomes.cost_usd, choice) * (quality_found > 0)
        else:
            column = outcomes.column(model)
            found = outcomes.quality[:, column], outcomes.cost_usd[:, column]
        assert np.nanmean(found[0]) == pytest.approx(quality, abs=6e-5), model
        assert found[1].sum() == pytest.approx(dollars, abs=6e-5), model


def test_routerbench_repeated_ids_stay_together(upstream):
    outcomes = upstream("routerbench/arc_challenge")
    ids = outcomes.prompts["group"]
    assert (len(outcomes), ids.nunique()) == (1484, 1470)
    assert outcomes.prompts["prompt_id"].is_unique
    fold = outcomes.folds(5)
    assert all(len(set(fold[rows])) == 1 for rows in outcomes.prompts.groupby("group").indices.values())
    assert not outcomes.texts[0].startswith("[")
    parts = datasets.load("routerbench/mbpp?keep_parts=true").prompts["split"].value_counts()
    assert parts.to_dict() == {"train": 299, "test": 128}


def test_llmrouter(upstream):
    outcomes, leaky = upstream("llmrouter/default"), upstream("llmrouter/default", keep_leaked=True)
    assert len(leaky) - len(outcomes) == 119
    for part, single, oracle in (("train", 62.13, 80.17), ("test", 56.26, 74.34)):
        rows = leaky.subset((leaky.prompts["split"] == part).to_numpy())
        assert 100 * rows.mean_quality().max() == pytest.approx(single, abs=0.006)
        assert 100 * rows.quality.max(axis=1).mean() == pytest.approx(oracle, abs=0.006)
    assert outcomes.cost_source == "assumed"
    assert outcomes.prompts["domain"].ne("").all()
