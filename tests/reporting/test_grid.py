"""A grid is checked as a whole before anything runs, and a cell's name says all that decides its results."""

import math
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.test_execute import write_notebook
from toolkit import datasets
from toolkit.errors import ToolkitError
from toolkit.reporting import execution
from toolkit.reporting.sweep import grid

PARAMETERS = "\n".join(
    [
        'dataset: str = "synthetic"  # d', 'profile: str = "smoke"  # p', "seed: int = 0  # s",
        'device: str = "cpu"  # c', 'out: str = ""  # o', "share: float = 0.5  # number", 'word: str = ""  # text',
    ]
)  # fmt: skip

_LOAD = cache(datasets.load)


@pytest.fixture(autouse=True)
def load_once(monkeypatch):
    """Every grid asks for the same data; tests that change a table ask for another path."""
    monkeypatch.setattr(datasets, "load", _LOAD)


@pytest.fixture
def notebooks(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_notebook(folder / "00_one.ipynb", "", PARAMETERS)
    write_notebook(folder / "02_two.ipynb", "", PARAMETERS, alone=True, limit_s=7)
    write_notebook(folder / "11_read.ipynb", "", PARAMETERS, reads_run=True)
    write_notebook(folder / "12_odd.ipynb", "", 'out: str = ""  # o')
    return folder


def _read(notebooks: Path, text: str | dict, **options) -> list[grid.Cell]:
    path = notebooks.parent / "grid.yml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False), encoding="utf-8")
    return grid.read(path, notebooks, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a mapping with notebooks"),
        ("- 02", "a mapping with notebooks"),
        ("seed: [0]", "a mapping with notebooks"),
        ("notebooks: [", "a grid in YAML was expected"),
        ("notebooks: ['00']\nseed: 1\nseed: 2", r"grid\.yml, seed: the key stands there 2 times"),
        ("notebooks: ['00']\non: 1", "YAML reads one as True"),
        ("notebooks: ['00']\nseed: []", r"grid\.yml, seed: a value or a list of values was expected"),
        ("notebooks: ['00']\nseed:", r"grid\.yml, seed: a value or a list of values was expected"),
        ("notebooks: ['07']", "no notebook starts with '07'; there are 00_one, 02_two, 11_read, 12_odd"),
        ("notebooks: ['00', 00_one]", "00_one is named twice"),
        ("notebooks: ['11']", "11_read reads the tables of a whole run"),
        ("notebooks: ['12']", "12_odd must declare dataset, profile, seed, device, out; no dataset"),
        (
            "notebooks: ['00']\ncount: 1",
            r"grid\.yml, count: .*no parameter 'count'; it declares dataset, profile, seed, device",
        ),
        ("notebooks: ['00']\nseed: [0, x]", r"grid\.yml, seed: .*takes int; 'x' was given"),
        ("notebooks: ['00']\nseed: [-1]", "a whole number from 0"),
        ("notebooks: ['00']\nshare: [[1]]", r"takes float; \[1\] was given"),
        ("notebooks: ['00']\nprofile: slow", r"grid\.yml, profile: No profile 'slow'"),
        ("notebooks: ['00']\ndevice: tpu", r"grid\.yml, device: device takes auto, cpu, cuda"),
        ("notebooks: ['00']\ndataset: nope", r"grid\.yml, dataset: No data set 'nope'"),
        ("notebooks: ['00']\nout: here", r"grid\.yml, out: the sweep itself says where results go"),
        ("notebooks: ['00']\nseed: [0, 1, 0]", "two cells are the same, 00_one with {'seed': 0}"),
        ("notebooks: ['00']\nshare: [1, 1.0]", "two cells are the same"),
    ],
)
def test_a_mistake_names_file_and_key(notebooks, text, message):
    with pytest.raises(ToolkitError, match=message):
        _read(notebooks, text)


def test_machines_of_a_cluster_have_devices_of_their_own(notebooks):
    with pytest.raises(ToolkitError, match="cpu or cuda was expected beside --scheduler"):
        _read(notebooks, "notebooks: ['00']\ndevice: auto", remote=True)
    (cell,) = _read(notebooks, "notebooks: ['00']\ndevice: cuda", remote=True)
    assert cell.parameters["device"] == "cuda"


def test_cells_are_the_product_with_all_defaults(notebooks):
    cells = _read(notebooks, "notebooks: [02, '00']\nseed: [3, 4]\nshare: 1")
    assert [(cell.name[:2], cell.parameters["seed"]) for cell in cells] == [("02", 3), ("02", 4), ("00", 3), ("00", 4)]
    assert cells[0].parameters == {
        "dataset": "synthetic", "profile": "smoke", "seed": 3, "device": "cpu", "share": 1.0, "word": "",
    }  # fmt: skip
    assert cells[0].given == {"seed": 3, "share": 1}
    assert cells[0].alone and cells[0].limit_s == 7 and not cells[2].alone
    assert cells[0].folder == f"02_two--synthetic-{cells[0].key[:8]}"


_AXES = st.fixed_dictionaries(
    {"seed": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True)},
    optional={
        "share": st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=2, unique=True),
        "word": st.lists(st.text("ab c", max_size=3), min_size=1, max_size=2, unique=True),
        "profile": st.just(["smoke", "quick"]),
    },
)


@given(axes=_AXES, data=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_differs_is_another_cell_and_order_is_nothing(tmp_path_factory, axes, data):
    folder = tmp_path_factory.mktemp("grid")
    write_notebook(folder / "00_one.ipynb", "", PARAMETERS)
    cells = _read(folder, {"notebooks": ["00"], **axes})
    assert len({cell.folder for cell in cells}) == len(cells) == math.prod(map(len, axes.values()))
    shuffled = {key: data.draw(st.permutations(axes[key])) for key in data.draw(st.permutations(list(axes)))}
    again = _read(folder, {**shuffled, "notebooks": ["00"]})
    assert {cell.key: cell.parameters for cell in again} == {cell.key: cell.parameters for cell in cells}


def test_all_that_decides_the_results_is_in_the_name(notebooks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        {"prompt_id": number, "prompt": f"prompt {number}", "model": model, "quality": (number + shift) % 2}
        for number in range(60)
        for shift, model in enumerate(("m", "n", "n2"))
    ]
    rows = [row | {"quality": 1} if row["model"] == "n2" else row for row in rows]
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        changed = [*rows[:-1], rows[-1] | {"prompt": "another"}] if name == "c" else rows
        pd.DataFrame([*changed[:-3], *({**row, "prompt": changed[-1]["prompt"]} for row in changed[-3:])]).to_csv(
            tmp_path / name / "own.csv", index=False
        )
    (tmp_path / "words.txt").write_text("one")
    text = "notebooks: ['00']\nword: words.txt\ndataset: {}/own.csv"
    (cell,) = _read(notebooks, text.format("a"))
    assert cell.parameters["dataset"] == str(tmp_path / "a" / "own.csv")
    assert cell.parameters["word"] == str(tmp_path / "words.txt") and cell.label == "own.csv"
    keys = {"at first": cell.key}
    (moved,) = _read(notebooks, text.format("b"))
    assert moved.key == cell.key, "where a table lies is nothing"
    keys["data"] = _read(notebooks, text.format("c"))[0].key
    keys["threads"] = _read(notebooks, text.format("a"), threads=2)[0].key
    (tmp_path / "words.txt").write_text("two")
    keys["a file that a parameter names"] = _read(notebooks, text.format("a"))[0].key
    real = execution.environment()
    monkeypatch.setattr(execution, "environment", lambda: real | {"sources": "others"})
    keys["sources"] = _read(notebooks, text.format("a"))[0].key
    write_notebook(notebooks / "00_one.ipynb", "1 + 1", PARAMETERS)
    keys["notebook"] = _read(notebooks, text.format("a"))[0].key
    assert len(set(keys.values())) == len(keys), keys


def test_a_word_is_no_file_though_one_is_called_so(notebooks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mid", "prices.csv"):
        (tmp_path / name).touch()
    words, files = (_read(notebooks, f"notebooks: ['00']\nword: {word}")[0] for word in ("mid", "prices.csv"))
    assert words.parameters["word"] == "mid" and files.parameters["word"] == str(tmp_path / "prices.csv")
