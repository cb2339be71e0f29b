"""The embedded data set: frozen, bilingual, and honest about what its text can tell."""

import numpy as np
import pandas as pd
import pytest

from toolkit import datasets
from toolkit.evaluation.leaderboard import compare_pair
from toolkit.evaluation.protocol import cross_predict
from toolkit.routers import ROUTERS


def test_it_is_frozen(synthetic):
    """Changing any of these changes every synthetic result ever reported: raise the version and say so."""
    assert synthetic.names == ["qwen-flash", "qwen-plus", "qwen-max"]
    np.testing.assert_allclose(synthetic.mean_quality(), [0.553667, 0.640667, 0.717000], atol=5e-7)
    np.testing.assert_allclose(1000 * synthetic.cost_usd.mean(axis=0), [0.094214, 0.370243, 2.473791], atol=5e-7)


def test_calibration(synthetic):
    """Best single to Bayes 5-12 points; the length rule's APGR .55-.62."""
    large = datasets.load("synthetic", prompts=30_000)
    expected = large.expected_quality
    gap = expected.max(axis=1).mean() - expected.mean(axis=0).max()
    assert 0.05 <= gap <= 0.12
    names = ["prompt-length", "bayes-optimal", "hindsight-oracle"]
    predictions = cross_predict(synthetic.pair(), {name: ROUTERS[name]() for name in names})
    rows = compare_pair(predictions, bootstraps=2).measurements
    apgr = rows[rows["metric"] == "apgr"].set_index("system")["value"]
    assert 0.55 <= apgr["prompt-length"] <= 0.62
    assert apgr["prompt-length"] < apgr["bayes-optimal"] < apgr["hindsight-oracle"]


def test_prompts_are_bilingual_in_many_domains_and_of_all_lengths(synthetic):
    prompts = synthetic.prompts
    assert prompts["domain"].nunique() >= 6
    assert prompts["language"].value_counts(normalize=True).min() > 0.45
    chinese = prompts["text"].str.contains("[一-鿿]")
    assert (chinese == (prompts["language"] == "zh")).mean() > 0.99
    tokens = synthetic.input_tokens[:, 0]
    for low, high in ((0, 100), (100, 500), (500, np.inf)):
        assert ((low <= tokens) & (tokens < high)).mean() > 0.03
    assert not prompts["text"].str.contains(r"[{}]").any(), "a slot was left open"


def test_outcomes_follow_the_expected_quality():
    """In every domain, language and decile of expectation, the observed mean is the expected one within 4 SE."""
    large = datasets.load("synthetic", prompts=30_000, models=6)
    for column in range(6):
        expected, seen = large.expected_quality[:, column], large.quality[:, column]
        decile = pd.qcut(expected, 10, duplicates="drop", labels=False)
        for key in (large.prompts["domain"], large.prompts["language"], decile):
            frame = pd.DataFrame({"gap": seen - expected, "variance": expected * (1 - expected)}).groupby(
                np.asarray(key)
            )
            z = frame["gap"].sum() / np.sqrt(frame["variance"].sum())
            assert z.abs().max() < 4


def test_the_pool_scales_and_the_first_models_stay_the_same(synthetic):
    pool = datasets.load("synthetic", models=44)
    assert len(pool.names) >= 40
    first = pool.subset(models=synthetic.names)
    assert first.texts == synthetic.texts
    np.testing.assert_array_equal(first.quality, synthetic.quality)
    np.testing.assert_array_equal(first.cost_usd, synthetic.cost_usd)
    best = pd.Series(pool.expected_quality.argmax(axis=1)).nunique()
    assert best >= 5, "models must trade places"


@pytest.mark.parametrize("option", ["seed", "prompts"])
def test_another_seed_or_size_is_another_draw(synthetic, option):
    other = datasets.load("synthetic", **{option: 2999})
    assert other.sha256 != synthetic.sha256
