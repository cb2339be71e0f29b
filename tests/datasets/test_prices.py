"""data/models.csv: the price list, held against the table that it was taken from."""

import json

import numpy as np
import pandas as pd
import pytest

from toolkit import datasets, paths
from toolkit.pricing import PRICE_COLUMNS, read_prices

LISTED = pd.read_csv(paths.data_dir() / "models.csv")


def test_it_is_a_price_table_of_forty_models_and_more():
    prices = read_prices(paths.data_dir() / "models.csv")
    assert len(prices) >= 40
    assert {"qwen-flash", "qwen-plus", "qwen-max"} <= set(prices.index)
    assert LISTED[["provider", "date", "source"]].notna().all(axis=None)
    assert list(LISTED.columns) == ["model", *PRICE_COLUMNS, "context_tokens", "provider", "date", "source"]


def test_every_price_is_the_sources(tmp_path):
    """qwen-flash's top-level price is null there: the first tier counts."""
    mirror = paths.mirror_dir()
    found = sorted(mirror.glob("prices/litellm-*.json")) if mirror else []
    if not found:
        pytest.skip("the source's price table is not in the mirror")
    source = json.loads(found[0].read_text(encoding="utf-8"))
    for row in LISTED.itertuples():
        entry = source[row.source.partition(": ")[2]]
        tier = entry if entry.get("input_cost_per_token") is not None else entry["tiered_pricing"][0]
        assert row.input_usd_per_mtok == pytest.approx(1e6 * tier["input_cost_per_token"]), row.model
        assert row.output_usd_per_mtok == pytest.approx(1e6 * tier["output_cost_per_token"]), row.model
        assert row.provider == entry["litellm_provider"]


def test_the_synthetic_pool_has_the_qwen_prices(synthetic):
    prices = read_prices(paths.data_dir() / "models.csv").loc[synthetic.names, list(PRICE_COLUMNS)]
    np.testing.assert_allclose(synthetic.models.to_numpy(), prices.to_numpy(float))
    repriced = datasets.load("synthetic").reprice(prices)
    np.testing.assert_allclose(repriced.cost_usd, synthetic.cost_usd)
