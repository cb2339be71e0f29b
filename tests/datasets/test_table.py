"""The user's own table: three formats, one result, and the first mistake named by row and field."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit import datasets
from toolkit.errors import ToolkitError

_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


def _write(rows: pd.DataFrame, path):
    if path.suffix == ".csv":
        rows.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        rows.to_json(path, orient="records", lines=True, force_ascii=False, double_precision=15)
    else:
        rows.to_parquet(path)
    return path


@st.composite
def long_tables(draw) -> pd.DataFrame:
    """1 to 6 prompts with nasty texts, 2 or 3 models, some outcomes unobserved."""
    texts = draw(
        st.lists(
            st.one_of(_TEXT, st.sampled_from(["NA", "null", "None", "007", "1e5", "true"])), min_size=1, max_size=6
        )
    )
    models = draw(st.integers(2, 3))
    rows = [
        {
            "prompt_id": f"0{number}", "prompt": text, "model": f"model/{model}",
            "quality": draw(st.sampled_from([0.0, 0.5, 1.0])) if model == 0 or number == 0 else None,
            "cost_usd": draw(st.floats(0, 1)),
        }
        for number, text in enumerate(texts)
        for model in range(models)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"quality": float})


@given(long_tables())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_format_gives_the_same_outcomes(tmp_path, rows):
    loaded = [datasets.load(str(_write(rows, tmp_path / f"own{ending}"))) for ending in (".csv", ".jsonl", ".parquet")]
    first = loaded[0]
    assert first.texts == rows.drop_duplicates("prompt_id")["prompt"].tolist()
    assert first.prompts["prompt_id"].tolist() == rows["prompt_id"].unique().tolist()
    for other in loaded[1:]:
        assert (other.texts, other.names) == (first.texts, first.names)
        np.testing.assert_array_equal(other.quality, first.quality)
        np.testing.assert_allclose(other.cost_usd, first.cost_usd, atol=1e-14)
    cells = rows.set_index(["prompt_id", "model"])["quality"]
    for (prompt, model), value in cells.items():
        at = first.prompts["prompt_id"].tolist().index(prompt), first.column(model)
        np.testing.assert_equal(float(first.quality[at]), value)


GOOD = {"prompt_id": "p", "prompt": "text", "model": "a", "quality": 1}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({**GOOD, "model": "b", "quality": 1.5}, r"row 2, field quality: a number in \[0, 1\] was expected; 1.5"),
        ({**GOOD, "model": "b", "quality": "good"}, "row 2, field quality: .* 'good' was found"),
        ({**GOOD, "model": "b", "cost_usd": -1}, r"row 2, field cost_usd: a number in \[0, inf\]"),
        ({**GOOD, "model": ""}, "row 2, field model: a value was expected"),
        ({**GOOD, "quality": 0}, "row 2, field model: one row per prompt and model was expected"),
        ({**GOOD, "model": "b", "prompt": "other text"}, "row 2, field prompt: one prompt per prompt_id"),
        ({"prompt_id": "p"}, "row 2, field prompt: a value"),
    ],
)
def test_the_first_mistake_is_named(tmp_path, second, message):
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in (GOOD, second)))
    with pytest.raises(ToolkitError, match=message):
        datasets.load(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("own.csv", "prompt_id,prompt,model\n", "no rows"),
        ("own.csv", "prompt_id,prompt,model\np,t,a\n", "missing: quality; found: prompt_id, prompt, model"),
        ("own.csv", 'prompt_id,prompt,model,quality\np,"t,a,1\n', "cannot be read .*commas"),
        ("own.jsonl", '{"prompt_id": 1\n', "line 1 is no JSON object"),
        ("own.jsonl", "[1, 2]\n", "row 1 is no JSON object but int"),
        ("own.parquet", "no parquet", "cannot be read"),
        ("own.xlsx", "", "found .xlsx"),
        ("own.csv", "", "cannot be read"),
    ],
)
def test_a_table_that_is_none(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ToolkitError, match=message):
        datasets.load(str(path))


def test_rows_are_counted_whatever_their_lines(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text('prompt_id,prompt,model,quality\np,"two\nlines",a,1\np,"two\nlines",b,2\n')
    with pytest.raises(ToolkitError, match="row 2, field quality"):
        datasets.load(str(path))
    path = tmp_path / "own.jsonl"
    path.write_text(
        '{"prompt_id": "p", "prompt": "line\u2028separator", "model": "a", "quality": 1}\n', encoding="utf-8"
    )
    assert datasets.load(str(path)).texts == ["line\u2028separator"]


def test_a_group_is_more_than_its_text(tmp_path):
    """Equal texts stay together whatever their groups; an empty group says nothing."""
    rows = pd.DataFrame(
        {"prompt_id": list("abcdef"), "prompt": ["x", "x", "y", "z", "v", "w"], "model": "m", "quality": 1,
         "group": ["g1", "g2", "g2", "", "", "g3"]}
    )  # fmt: skip
    for ending in (".csv", ".jsonl", ".parquet"):
        groups = datasets.load(str(_write(rows, tmp_path / f"own{ending}"))).groups
        assert groups.tolist() == [0, 0, 0, 1, 2, 3], ending


def test_a_model_without_outcomes_is_left_out_and_said(tmp_path):
    path = _write(pd.DataFrame([GOOD, {**GOOD, "model": "b", "quality": None}]), tmp_path / "own.csv")
    outcomes = datasets.load(str(path))
    assert outcomes.names == ["a"]
    assert "Models without an observed quality were left out: b." in outcomes.notes
    path = _write(pd.DataFrame([{**GOOD, "quality": None}]), tmp_path / "none.csv")
    with pytest.raises(ToolkitError, match="at least one observed quality"):
        datasets.load(str(path))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("split", "valid", "row 1, field split: train, test or nothing was expected; 'valid'"),
        ("cost_usd", "inf", r"row 1, field cost_usd: a number in \[0, inf\] was expected; 'inf'"),
    ],
)
def test_what_is_no_part_and_no_cost(tmp_path, column, value, message):
    path = _write(pd.DataFrame([{**GOOD, column: value}]), tmp_path / "own.csv")
    with pytest.raises(ToolkitError, match=message):
        datasets.load(str(path))


def test_models_are_chosen_by_name(tmp_path):
    rows = [{**GOOD, "model": name} for name in ("a", "b", "c")]
    path = _write(pd.DataFrame(rows), tmp_path / "own.csv")
    assert datasets.load(f"{path}?models=c, a").names == ["c", "a"]
    with pytest.raises(ToolkitError, match="no model 'd'; it has a, b, c"):
        datasets.load(f"{path}?models=d")


def test_other_encodings_and_separators_are_told(tmp_path):
    path = tmp_path / "own.csv"
    path.write_bytes("prompt_id,prompt,model,quality\np,你好,a,1\n".encode("gbk"))
    with pytest.raises(ToolkitError, match="UTF-8 was expected"):
        datasets.load(str(path))
    path.write_text("prompt_id;prompt;model;quality\np;t;a;1\n")
    with pytest.raises(ToolkitError, match="found semicolons"):
        datasets.load(str(path))
    with pytest.raises(ToolkitError, match="a folder; a table in"):
        datasets.load(str(tmp_path))


def test_tokens_are_priced_by_the_users_list(tmp_path):
    rows = pd.DataFrame(
        {"prompt_id": ["p", "p"], "prompt": "t", "model": ["a", "b"], "quality": ["true", "False"],
         "input_tokens": [100, 100], "output_tokens": [10, 20]}
    )  # fmt: skip
    path = _write(rows, tmp_path / "own.csv")
    unpriced = datasets.load(str(path))
    assert unpriced.cost_source == "none"
    assert unpriced.quality.tolist() == [[1, 0]]
    prices = tmp_path / "prices.csv"
    prices.write_text("model,input_usd_per_mtok,output_usd_per_mtok\na,1,2\nb,3,4\n")
    priced = datasets.load(f"{path}?prices={prices}")
    assert priced.cost_source == "priced"
    np.testing.assert_allclose(priced.cost_usd, [[120e-6, 380e-6]])
