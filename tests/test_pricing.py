"""Token estimates, prices and the policy's belief about cost."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.policy import ExpectedCost
from toolkit.pricing import estimate_tokens, read_prices, token_cost


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 1),
        ("word", 1),
        ("words", 2),
        ("你好", 2),
        ("你好，世界", 5),
        ("用 Python 实现", 5),
        ("é" * 4, 2),
        ("\ud800", 1),
    ],
)
def test_one_token_per_cjk_character_else_four_bytes(text, tokens):
    assert estimate_tokens(text) == tokens


@given(st.text(), st.text())
def test_longer_texts_never_cost_fewer_tokens(head, tail):
    assert estimate_tokens(head) <= estimate_tokens(head + tail)


def test_dollars_of_a_call():
    prices = pd.DataFrame({"input_usd_per_mtok": [1.0, 10.0], "output_usd_per_mtok": [2.0, 30.0]})
    cost = token_cost(np.array([[1000, 1000]]), np.array([[500, np.nan]]), prices)
    np.testing.assert_allclose(cost, [[0.002, np.nan]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model,input_usd_per_mtok\na,1\n", "missing: .*output_usd_per_mtok"),
        ("model,input_usd_per_mtok,output_usd_per_mtok\na,1,2\na,1,2\n", "'a' stands twice"),
        ("model,input_usd_per_mtok,output_usd_per_mtok\na,1,2\nb,free,2\n", "row 2, column input_usd_per_mtok"),
        ("model,input_usd_per_mtok,output_usd_per_mtok\na,1,-2\n", "row 1, column output_usd_per_mtok"),
    ],
)
def test_a_wrong_price_table_is_refused_where_it_is_wrong(tmp_path, content, message):
    table = tmp_path / "prices.csv"
    table.write_text(content)
    with pytest.raises(ToolkitError, match=message):
        read_prices(table)


def test_expected_cost_is_calibrated_and_blind_to_actual_cost(synthetic):
    train, test = synthetic.split(0.5)
    expected = ExpectedCost().fit(train).predict(test.texts)
    np.testing.assert_allclose(expected.mean(axis=0), test.cost_usd.mean(axis=0), rtol=0.1)
    long = np.argsort([estimate_tokens(text) for text in test.texts])[-50:]
    assert (expected[long] > np.median(expected, axis=0)).all()


def test_unknown_tokens_fall_back_to_the_mean_cost(synthetic):
    unknown = np.full(synthetic.quality.shape, np.nan)
    billed = type(synthetic)(
        "billed", synthetic.prompts, synthetic.models, synthetic.quality, synthetic.cost_usd, unknown, unknown,
        cost_source="measured",
    )  # fmt: skip
    expected = ExpectedCost().fit(billed).predict(["short", "long " * 100])
    np.testing.assert_allclose(expected, np.tile(synthetic.cost_usd.mean(axis=0), (2, 1)))
