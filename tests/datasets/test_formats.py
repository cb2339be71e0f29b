"""A user's files in the benchmarks' own formats, made as upstream makes them, whole and broken."""

import json

import numpy as np
import pandas as pd
import pytest

from toolkit import datasets
from toolkit.errors import ToolkitError


def _prediction(index: str, model: str, accuracy: float | None, **changes) -> dict:
    usage = {"input_tokens": 12, "output_tokens": 30, "total_tokens": 42}
    result = {"generated_answer": "B", "success": True, "token_usage": usage}
    row = {"global index": index, "prompt": f"question {index}", "prediction": model, "generated_result": result}
    return {**row, "cost": 0.002 if accuracy is not None else None, "accuracy": accuracy} | changes


def _cached(index: str, model: str, score: float, as_text: bool) -> dict:
    judged = {"extracted_answer": "B", "ground_truth": "B", "score": score, "metric": "mcq", "inference_cost": 0.001}
    usage = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}
    return {
        "global_index": index, "question": f"question {index}", "llm_selected": model, "generated_answer": "B",
        "token_usage": usage, "success": True, "provider": "x", "error": None,
        "evaluation_result": repr(judged) if as_text else judged,
    }  # fmt: skip


def test_several_routerarena_files_join_into_one_matrix(tmp_path):
    queries = [f"MMLUPro_law_{number}" for number in range(30)]
    predictions = [_prediction(index, "somebody/unknown-model-9", float(k % 3 == 0)) for k, index in enumerate(queries)]
    predictions.append(_prediction(queries[0], "another-model", None, generated_result=None))  # not judged
    predictions.append(_prediction(queries[1], "gpt-4o-mini", 1.0, for_optimality=True))
    (tmp_path / "my_router.json").write_text(json.dumps(predictions))
    lines = [json.dumps(_cached(index, "gpt-4o-mini", float(k % 2), k % 2 == 0)) for k, index in enumerate(queries)]
    (tmp_path / "gpt-4o-mini.jsonl").write_text("\n".join(lines) + "\n")
    other = [_cached(index, "another-model", 0.5, False) for index in queries]
    (tmp_path / "other.json").write_text(json.dumps(other))

    outcomes = datasets.load(f"routerarena/{tmp_path}")
    assert len(outcomes) == 30 and set(outcomes.names) == {"somebody/unknown-model-9", "another-model", "gpt-4o-mini"}
    assert not np.isnan(outcomes.quality).any()
    assert outcomes.quality[:, outcomes.column("another-model")].tolist() == [0.5] * 30, "a judged answer wins"
    assert outcomes.cost_source == "measured"
    np.testing.assert_allclose(outcomes.cost_usd[:, outcomes.column("somebody/unknown-model-9")], 0.002)
    assert outcomes.input_tokens[0, outcomes.column("gpt-4o-mini")] == 10
    assert outcomes.prompts["domain"].unique().tolist() == ["MMLUPro_law"]
    single = datasets.load(f"routerarena/{tmp_path / 'gpt-4o-mini.jsonl'}")
    assert single.quality[:, 0].tolist() == [float(k % 2) for k in range(30)]


def test_differing_judgements_are_counted(tmp_path):
    for name, score in (("a.jsonl", 1.0), ("b.jsonl", 0.0)):
        (tmp_path / name).write_text(json.dumps(_cached("1", "m", score, False)))
    outcomes = datasets.load(f"routerarena/{tmp_path}")
    assert outcomes.quality.tolist() == [[1.0]]
    assert any("1 answers are judged differently" in note for note in outcomes.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accuracy": 1.5}, r"row 2, field accuracy: a number in \[0, 1\] or null was expected; 1.5"),
        ({"cost": "free"}, "row 2, field cost: .*'free' was found"),
        ({"prediction": None}, "row 2, field prediction: str was expected; None"),
        ({"prompt": 7}, "row 2, field prompt: str was expected; 7"),
        ({"global index": None}, "row 2, field global index: str or int was expected"),
        ({"generated_result": "text"}, "row 2, field generated_result: an object, a Python literal of one, or null"),
    ],
)
def test_a_broken_prediction_is_named(tmp_path, changes, message):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([_prediction("a_1", "m", 1.0), _prediction("a_2", "m", 1.0) | changes]))
    with pytest.raises(ToolkitError, match=f"mine.json: {message}"):
        datasets.load(f"routerarena/{path}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1}, ', "line 1 is no JSON"),
        ("", "at least one prediction"),
        ('{"llm_selected": "m", "evaluation_result": "{broken"}\n', "row 1, field evaluation_result"),
        ("[3]", "row 1 is no JSON object but int"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, message):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ToolkitError, match=message):
        datasets.load(f"routerarena/{path}")


def _wide(rows: int = 30) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"arc.{k}" for k in range(rows)], "prompt": [f"['turn {k}', 'second']" for k in range(rows)],
            "eval_name": "arc", "m/one": [k % 2 for k in range(rows)], "two": 0.5,
            "m/one|model_response": "x", "two|model_response": "y", "m/one|total_cost": 0.1, "two|total_cost": 0.2,
            "oracle_model_to_route_to": "two",
        }
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_routerbench_schema(tmp_path, suffix):
    path = tmp_path / f"wide{suffix}"
    _wide().to_csv(path) if suffix == ".csv" else _wide().to_parquet(path)
    outcomes = datasets.load(f"routerbench/{path}")
    assert outcomes.names == ["m/one", "two"] and outcomes.cost_source == "measured"
    assert outcomes.texts[3] == "turn 3\nsecond"
    np.testing.assert_allclose(outcomes.cost_usd[0], [0.1, 0.2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(two="good"), "row 1, field two: a number in"),
        (lambda rows: rows.assign(**{"two|total_cost": -1}), r"row 1, field two\|total_cost"),
        (lambda rows: rows.drop(columns="prompt"), "missing: prompt"),
        (lambda rows: rows[["sample_id", "prompt"]], "columns MODEL and MODEL.total_cost were expected"),
    ],
)
def test_a_broken_wide_table_is_named(tmp_path, change, message):
    path = tmp_path / "wide.csv"
    change(_wide()).to_csv(path, index=False)
    with pytest.raises(ToolkitError, match=message):
        datasets.load(f"routerbench/{path}")


def test_a_pickle_is_never_read(tmp_path):
    path = tmp_path / "routerbench_0shot.pkl"
    path.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ToolkitError, match="a pickle runs code"):
        datasets.load(f"routerbench/{path}")


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        ("scores", {"question": "q", "scores": {"a": 1, "b": 2}}, "row 2, field scores.b: a number in"),
        ("scores", {"question": "q", "scores": {"a": 1}}, "row 2, field scores: the models a, b was expected; 'a'"),
        ("scores", {"question": "q", "scores": {"a": 1, "b": None}}, "row 2, field b: int or float was expected; None"),
        ("scores", {"question": "q"}, "row 2, field scores: dict was expected"),
    ],
)
def test_broken_upstream_scores_are_named(tmp_path, file, row, message):
    from toolkit.datasets import files

    path = tmp_path / f"{file}.json"
    path.write_text(json.dumps([{"question": "p", "scores": {"b": 1, "a": 0}}, row]))
    with pytest.raises(ToolkitError, match=message.replace("a, b", "b, a")):
        files.scores(files.read_json_rows(path), path)


def test_unjudged_models_are_left_out_and_models_can_be_chosen(tmp_path):
    rows = [_prediction("a_1", "m", 1.0), _prediction("a_1", "n", 0.0), _prediction("a_1", "unjudged", None)]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    outcomes = datasets.load(f"routerarena/{tmp_path / 'mine.json'}")
    assert outcomes.names == ["m", "n"] and any("left out: unjudged" in note for note in outcomes.notes)
    assert datasets.load(f"routerarena/{tmp_path / 'mine.json'}?models=n").names == ["n"]
    with pytest.raises(ToolkitError, match="no option 'prices'; it takes models"):
        datasets.load(f"routerarena/{tmp_path / 'mine.json'}?prices=x")


def test_one_index_with_two_prompts_is_said(tmp_path):
    rows = [_prediction("1", "m", 1.0), _prediction("1", "n", 1.0) | {"prompt": "another question"}]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    assert any(
        "1 global indices stand for two" in n for n in datasets.load(f"routerarena/{tmp_path / 'mine.json'}").notes
    )


def test_wide_tables_lose_no_model_silently(tmp_path):
    path = tmp_path / "wide.csv"
    _wide().assign(**{"three": 1.0, "three|model_response": "z"}).to_csv(path, index=False)
    assert any("three has no costs" in note for note in datasets.load(f"routerbench/{path}").notes)
    _wide().assign(two=None).to_csv(path, index=False)
    outcomes = datasets.load(f"routerbench/{path}")
    assert outcomes.names == ["m/one"] and any("two has no observed quality" in note for note in outcomes.notes)
    _wide().assign(**{"ghost|total_cost": 1.0}).to_csv(path, index=False)
    with pytest.raises(ToolkitError, match="missing: ghost"):
        datasets.load(f"routerbench/{path}")
    _wide().assign(prompt=None).to_csv(path, index=False)
    with pytest.raises(ToolkitError, match="row 1, field prompt: a value"):
        datasets.load(f"routerbench/{path}")


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("['a', 'b']", "a\nb"),
        ("[1, 2]", "[1, 2]"),
        ("[{[]: 1}]", "[{[]: 1}]"),
        ("plain", "plain"),
        ("[broken", "[broken"),
    ],
)
def test_only_lists_of_text_are_turns(tmp_path, prompt, text):
    path = tmp_path / "wide.csv"
    _wide().assign(prompt=prompt).to_csv(path, index=False)
    assert datasets.load(f"routerbench/{path}").texts[0] == text
