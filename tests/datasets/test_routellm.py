"""Conformance: the figures of RouteLLM's own files, and each trap in them behind a named option."""

import numpy as np
import pandas as pd
import pytest

from toolkit.evaluation import overview

CASES = {
    # name: prompts, (weak, strong) mean quality, oracle, (both, strong only, weak only, neither)
    "mmlu": (14037, (0.68092, 0.80587), 0.85873, (8816, 2496, 742, 1983)),
    "gsm8k": (1307, (0.63734, 0.85769), 0.92961, (739, 382, 94, 92)),
    "mt_bench": (72, (0.82813, 0.92118), 0.93160, None),
}


@pytest.mark.parametrize("name", CASES)
def test_counts_qualities_and_oracle(upstream, name):
    prompts, quality, oracle, joint = CASES[name]
    outcomes = upstream(f"routellm/{name}")
    assert len(outcomes) == prompts
    assert outcomes.names == ["mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"]
    np.testing.assert_allclose(outcomes.mean_quality(), quality, atol=1e-5)
    np.testing.assert_allclose(outcomes.realised(outcomes.quality, outcomes.oracle()).mean(), oracle, atol=1e-5)
    if joint:
        assert overview.joint(outcomes)["prompts"].tolist() == list(joint)


@pytest.mark.parametrize(("name", "raw"), [("mmlu", 14042), ("gsm8k", 1319), ("mt_bench", 80)])
def test_contaminated_prompts_can_be_kept(upstream, name, raw):
    kept = upstream(f"routellm/{name}", decontaminate=False)
    assert len(kept) == raw
    assert any("were kept" in note for note in kept.notes)


def test_mmlu_artefact_is_marked_and_can_be_dropped(upstream):
    whole, without = upstream("routellm/mmlu"), upstream("routellm/mmlu", keep_artefact=False)
    suspect = whole.prompts["suspect"]
    assert suspect.sum() == len(whole) - len(without) == 270
    right = whole.quality[suspect.to_numpy()]
    assert right[:, 1].sum() == 8
    assert ((right[:, 0] == 1) & (right[:, 1] == 0)).sum() == 83
    assert not without.prompts["suspect"].any()


def test_mmlu_repeats_are_told_and_kept_together(upstream):
    outcomes = upstream("routellm/mmlu")
    assert any(note.startswith("105 prompts repeat") for note in outcomes.notes)
    assert pd.Series(outcomes.folds(5)).groupby(outcomes.texts).nunique().max() == 1
    assert outcomes.prompts["domain"].nunique() == 57


def test_gsm8k_dollar_answers(upstream):
    raw = upstream("routellm/gsm8k", decontaminate=False)
    again = upstream("routellm/gsm8k", decontaminate=False, reextract=True)
    np.testing.assert_allclose(raw.mean_quality()[1], 0.8567, atol=5e-5)
    np.testing.assert_allclose(again.mean_quality()[1], 0.8886, atol=5e-5)
    changed = again.quality != raw.quality
    assert (changed[:, 1] & (again.quality[:, 1] == 1)).sum() == 42
    np.testing.assert_array_equal(raw.prompts["suspect"], changed.any(axis=1))
    assert not again.prompts["suspect"].any()


def test_costs_say_where_they_come_from(upstream):
    assert upstream("routellm/mmlu").cost_source == "assumed"
    assert upstream("routellm/mt_bench").cost_source == "assumed"
    priced = upstream("routellm/gsm8k")
    assert priced.cost_source == "priced"
    assert priced.cost_usd[:, 1].mean() > 30 * priced.cost_usd[:, 0].mean()
