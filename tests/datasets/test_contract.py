"""What every data set of the catalogue keeps; a new one is tested by standing there."""

import numpy as np
import pytest

from toolkit import datasets, paths
from toolkit.datasets import registry
from toolkit.datasets.catalogue import CATALOGUE, table
from toolkit.errors import ToolkitError
from toolkit.evaluation.protocol import require_comparable

NAMES = list(CATALOGUE)


@pytest.mark.parametrize("name", NAMES)
def test_a_default_load_is_what_the_catalogue_says(upstream, name):
    entry, outcomes = CATALOGUE[name], upstream(name)
    assert (len(outcomes), len(outcomes.names)) == (entry.rows, entry.models)
    assert outcomes.name == name
    assert outcomes.synthetic == (not entry.files)
    assert outcomes.prompts["text"].str.strip().ne("").all()
    assert outcomes.prompts["language"].isin(["en", "zh"]).all()
    assert outcomes.notes, "every source has something its reader must know"
    if outcomes.cost_source == "assumed":
        assert any("assumed" in note for note in outcomes.notes)
    require_comparable(outcomes)


@pytest.mark.parametrize("name", NAMES)
def test_loading_twice_gives_the_same_data(upstream, name):
    first = upstream(name)
    assert datasets.load(name).sha256 == first.sha256


@pytest.mark.parametrize("name", [name for name in NAMES if CATALOGUE[name].files])
def test_megabytes_are_those_of_the_files(upstream, name):
    upstream(name)
    size = sum(registry.fetch(file).stat().st_size for file in CATALOGUE[name].file_names()) / 1e6
    assert size == pytest.approx(CATALOGUE[name].megabytes, abs=0.06)


def test_the_catalogue_is_a_table():
    frame = table()
    assert list(frame["name"]) == NAMES
    assert set(frame.columns) >= {"name", "rows", "models", "licence", "size_mb", "at hand"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("routellm/mmlo", "No data set 'routellm/mmlo'; there are synthetic, routellm/mmlu"),
        ("synthetic?modles=4", "no option 'modles'; it takes prompts, models, seed"),
        ("synthetic?models=four", "option models takes int; 'four' was given"),
        ("synthetic?models=1", "takes 2 to 48"),
        ("routellm/mmlu?decontaminate=maybe", "option decontaminate takes bool; 'maybe'"),
        ("nowhere.csv", "no such file"),
    ],
)
def test_a_bad_name_or_option_is_refused_with_what_there_is(name, message):
    with pytest.raises(ToolkitError, match=message):
        datasets.load(name)


def test_options_in_a_name_are_those_of_the_call():
    by_name = datasets.load("synthetic?models=5&prompts=50")
    assert by_name.sha256 == datasets.load("synthetic", models=5, prompts=50).sha256
    assert by_name.quality.shape == (50, 5)
    assert not np.isnan(by_name.quality).any()


def test_the_example_of_a_table_gives_a_report():
    outcomes = datasets.load(str(paths.data_dir() / "example_synthetic.csv"))
    assert outcomes.quality.shape == (120, 3) and outcomes.cost_source == "measured"
    assert outcomes.pair().names == ["qwen-flash", "qwen-max"]
    require_comparable(outcomes)
