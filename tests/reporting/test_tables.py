"""The three tables: exact columns, atomic writes, nothing lost between parts."""

import numpy as np
import pandas as pd
import pytest

from toolkit.errors import ToolkitError
from toolkit.reporting import run, tables


def _measurements(**changes) -> pd.DataFrame:
    row = dict.fromkeys(tables.COLUMNS[tables.MEASUREMENTS], "") | {"value": 0.1, "ci_low": np.nan, "ci_high": 0.2}
    row |= {"n": 3, "seed": 0, "system": 'ü, "quoted"', "params": tables.canonical({"b": 1, "a": [1, 2]})}
    return pd.DataFrame([row | changes])


def _choices(system: str, model: str) -> pd.DataFrame:
    row = {"prompt": "00ff", "group": "00ff", "dataset": "d", "analysis": "cost", "system": system, "seed": 0,
           "operating_point": "0.10",
           "model": model, "quality": 1.0, "tokens": 9.0, "cost_usd": 1e-4}  # fmt: skip
    frame = pd.DataFrame([row])
    return frame.astype(dict.fromkeys(["system", "operating_point", "model"], "category"))


def test_measurements_have_exactly_the_published_columns():
    published = "notebook,dataset,split,system,metric,value,ci_low,ci_high,unit,n,seed,device,params,note"
    assert tables.COLUMNS[tables.MEASUREMENTS] == published.split(",")


def test_columns_that_are_parameters_are_folded_away():
    rows = pd.DataFrame({"value": [1.0, 2.0], "labels": [10, 50], "sees": ["text", np.nan]})
    folded = tables.fold(rows, {"profile": "smoke"}, by=("labels",))
    assert list(folded.columns) == ["value", "params"]
    assert folded["params"].tolist() == [
        '{"labels":10,"profile":"smoke","sees":"text"}', '{"labels":50,"profile":"smoke"}',
    ]  # fmt: skip


def test_what_is_written_is_read(tmp_path):
    tables.write(tmp_path, tables.MEASUREMENTS, _measurements())
    back = tables.read(tmp_path / tables.MEASUREMENTS)
    checked = ["system", "value", "ci_low", "ci_high", "params", "note"]
    pd.testing.assert_frame_equal(back[checked], _measurements()[checked])
    assert back["params"].iloc[0] == '{"a":[1,2],"b":1}'
    assert [path.name for path in tmp_path.iterdir()] == [tables.MEASUREMENTS], "no part file is left"


def test_other_columns_are_refused(tmp_path):
    with pytest.raises(ToolkitError, match=r"missing \['unit'\], unknown \['units'\]"):
        tables.write(tmp_path, tables.MEASUREMENTS, _measurements().rename(columns={"unit": "units"}))
    assert not list(tmp_path.iterdir())
    (tmp_path / tables.MEASUREMENTS).write_text("a,b\n1,2\n")
    with pytest.raises(ToolkitError, match="found \\['a', 'b'\\]"):
        tables.read(tmp_path / tables.MEASUREMENTS)
    with pytest.raises(ToolkitError, match="no such table"):
        tables.read(tmp_path / tables.CURVES)


def test_parts_are_put_together_whatever_their_categories(tmp_path):
    for name, frame in (("one", _choices("random", "m0")), ("two", _choices("knn", "m1"))):
        (tmp_path / name).mkdir()
        tables.write(tmp_path / name, tables.CHOICES, frame)
    gathered = tables.gather([tmp_path / "one", tmp_path / "two", tmp_path / "absent"], tmp_path)
    assert gathered[tables.CHOICES]["system"].tolist() == ["random", "knn"]
    assert gathered[tables.CHOICES]["model"].dtype == "category"
    assert tables.read(tmp_path / tables.CHOICES)["model"].tolist() == ["m0", "m1"]
    assert len(tables.read(tmp_path / tables.CURVES)) == 0


def test_hashes_name_prompts_without_their_text():
    first, again = tables.prompt_hashes("d", ["1", "2"]), tables.prompt_hashes("d", ["1", "2"])
    assert first.tolist() == again.tolist()
    assert len(set(first) | set(tables.prompt_hashes("e", ["1", "2"]))) == 4
    assert all(len(name) == 16 for name in first)


def test_what_decides_results_is_in_the_hash_of_the_sources(tmp_path):
    package, data = tmp_path / "package", tmp_path / "data"
    for name in ("code.py", "words/en.yml", "templates/page.html", "_bundled/data/copy.yml"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("one", encoding="utf-8")
    data.mkdir()
    (data / "queries.yaml").write_text("one", encoding="utf-8")
    (data / "README.md").write_text("one", encoding="utf-8")
    found = {"": run.code_version(package, data)["sources_sha256"]}
    for path in (package / "code.py", package / "words" / "en.yml", package / "templates" / "page.html",
                 data / "queries.yaml"):  # fmt: skip
        path.write_text("two", encoding="utf-8")
        found[path.name] = run.code_version(package, data)["sources_sha256"]
    assert len(set(found.values())) == len(found)
    (package / "_bundled" / "data" / "copy.yml").write_text("two", encoding="utf-8")
    (data / "README.md").write_text("two", encoding="utf-8")
    assert run.code_version(package, data)["sources_sha256"] == found["queries.yaml"]
