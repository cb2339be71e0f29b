"""``Outcomes``: its promises as properties, its refusals one by one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes


@st.composite
def outcomes_with_repeats(draw) -> Outcomes:
    """2 to 40 rows, some of which repeat a prompt, 2 to 4 models, graded quality, dollars."""
    rows, models = draw(st.integers(2, 40)), draw(st.integers(2, 4))
    texts = [f"text {draw(st.integers(0, max(1, rows // 2)))}" for _ in range(rows)]
    quality = draw(arrays(float, (rows, models), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    cost = draw(arrays(float, (rows, models), elements=st.floats(0, 1e-2)))
    return make_outcomes(quality, cost, texts)


@given(outcomes_with_repeats(), st.integers(0, 5), st.data())
@settings(max_examples=60, deadline=None)
def test_no_prompt_straddles_a_split(outcomes, seed, data):
    distinct = len(set(outcomes.texts))
    if distinct < 2:
        with pytest.raises(ToolkitError, match="distinct prompts"):
            outcomes.folds(2, seed)
        return
    count = data.draw(st.integers(2, distinct))
    fold = outcomes.folds(count, seed)
    per_text = pd.Series(fold).groupby(outcomes.texts).agg(["nunique", "first"])
    assert (per_text["nunique"] == 1).all()
    sizes = per_text["first"].value_counts().reindex(range(count), fill_value=0)
    assert sizes.max() - sizes.min() <= 1

    share = data.draw(st.floats(1 / distinct, 1 - 1 / distinct))
    train, test = outcomes.split(share, seed)
    assert set(train.texts).isdisjoint(test.texts)
    assert sorted(train.prompts["prompt_id"].tolist() + test.prompts["prompt_id"].tolist()) == sorted(
        outcomes.prompts["prompt_id"]
    )
    assert abs(len(set(test.texts)) - share * distinct) <= 0.5


@given(outcomes_with_repeats(), st.data())
@settings(max_examples=40, deadline=None)
def test_views_show_the_same_entries(outcomes, data):
    names = data.draw(st.permutations(outcomes.names))[: data.draw(st.integers(1, len(outcomes.names)))]
    rows = np.array(data.draw(st.lists(st.booleans(), min_size=len(outcomes), max_size=len(outcomes))))
    rows[0] = True
    part = outcomes.subset(rows, names)
    columns = [outcomes.column(name) for name in names]
    np.testing.assert_array_equal(part.quality, outcomes.quality[rows][:, columns])
    np.testing.assert_array_equal(part.cost_usd, outcomes.cost_usd[rows][:, columns])
    assert part.names == list(names)
    assert part.texts == [text for text, kept in zip(outcomes.texts, rows, strict=True) if kept]


@given(outcomes_with_repeats())
@settings(max_examples=40, deadline=None)
def test_the_oracle_is_best_and_among_the_best_cheapest(outcomes):
    choice = outcomes.oracle()
    quality = outcomes.realised(outcomes.quality, choice)
    np.testing.assert_array_equal(quality, outcomes.quality.max(axis=1))
    ties = outcomes.quality == quality[:, None]
    cheapest = np.where(ties, outcomes.cost_usd, np.inf).min(axis=1)
    np.testing.assert_array_equal(outcomes.realised(outcomes.cost_usd, choice), cheapest)


def test_pair_is_the_best_against_the_cheapest():
    outcomes = make_outcomes([[1, 0, 1], [1, 1, 0], [1, 0, 0]], np.array([[3.0, 2.0, 1.0]] * 3))
    assert outcomes.pair().names == ["m2", "m0"]
    assert make_outcomes([[1, 0, 1], [1, 1, 0], [1, 0, 1]]).pair().names == ["m1", "m0"]
    assert outcomes.pair("m0", "m1").names == ["m0", "m1"]
    with pytest.raises(ToolkitError, match="must differ"):
        outcomes.pair("m1", "m1")


def test_repricing_keeps_the_calls(synthetic):
    doubled = synthetic.reprice(synthetic.models * 2)
    np.testing.assert_allclose(doubled.cost_usd, 2 * synthetic.cost_usd)
    np.testing.assert_array_equal(doubled.quality, synthetic.quality)
    with pytest.raises(ToolkitError, match="lacks qwen-max"):
        synthetic.reprice(synthetic.models.drop(index="qwen-max"))
    with pytest.raises(ToolkitError, match="needs token counts"):
        outcomes = make_outcomes(np.eye(2))
        outcomes.reprice(pd.DataFrame(1.0, index=outcomes.names, columns=synthetic.models.columns))


def test_the_hash_changes_with_the_content_and_only_with_it(synthetic):
    again = Outcomes(**{key: getattr(synthetic, key) for key in synthetic.__dataclass_fields__})
    assert again.sha256 == synthetic.sha256
    assert synthetic.reprice(synthetic.models * 2).sha256 != synthetic.sha256
    assert synthetic.subset(np.arange(10)).sha256 != synthetic.sha256


@pytest.mark.parametrize(
    ("quality", "cost", "columns", "message"),
    [
        ([[1.5, 0]], None, {}, r"quality of prompt '0' under model 'm0' is 1.5; a finite value in \[0, 1\]"),
        ([[1, 0]], [[1, -2]], {}, "cost_usd of prompt '0' under model 'm1' is -2.0"),
        ([[1, 0]], [[1, np.inf]], {}, "cost_usd of prompt '0' under model 'm1' is inf; a finite value"),
        ([[1, 0]], [[1, 2, 3]], {}, r"cost_usd has shape \(1, 3\); \(1, 2\)"),
        (np.empty((0, 2)), None, {}, "at least one prompt"),
    ],
)
def test_refuses_what_cannot_be_outcomes(quality, cost, columns, message):
    with pytest.raises(ToolkitError, match=message):
        make_outcomes(quality, None if cost is None else np.array(cost, dtype=float), **columns)


def test_costs_are_asked_for_never_invented():
    unpriced = make_outcomes(np.eye(2))
    assert unpriced.cost_source == "none"
    with pytest.raises(ToolkitError, match="cost_source is 'none'"):
        unpriced.require_cost()
    holed = make_outcomes([[1, 0], [np.nan, 1], [0, 1]], np.array([[1, np.nan], [1, 1], [1, 1.0]]))
    assert holed.complete().tolist() == [True, False, True]
    assert holed.complete(costs=True).tolist() == [False, False, True]
