"""A frozen test part: cut once for everybody, counted under a lock, and honest about luck."""

import json
import multiprocessing
import warnings

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.evaluation.frozen import RepeatedUseWarning, freeze, optimism
from toolkit.routers.baselines import PromptLength, RandomScore
from toolkit.routers.classical import RidgeRegression


def data(count: int = 60, seed: int = 0):
    rng = np.random.default_rng(seed)
    texts = [f"prompt {row % (count - 10)}" for row in range(count)]  # ten copies
    return make_outcomes(rng.integers(0, 2, (count, 2)), texts=texts)


def test_the_cut_is_the_same_for_everyone_and_keeps_copies_together(tmp_path):
    one = freeze(data(), tmp_path / "a.json", 0.4, seed=1)
    again = freeze(data(), tmp_path / "a.json", 0.9, seed=7)  # the file decides
    assert one.outcomes.prompts.equals(again.outcomes.prompts)
    parts = one.outcomes.prompts.groupby("text")["split"].nunique()
    assert (parts == 1).all() and set(one.outcomes.prompts["split"]) == {"train", "holdout"}
    assert len(one.train) < len(one.outcomes)


def test_other_data_and_damaged_files_are_refused(tmp_path):
    freeze(data(), tmp_path / "a.json")
    with pytest.raises(ToolkitError, match="another hash"):
        freeze(data(seed=1), tmp_path / "a.json")
    damaged = ("{", "[]", '{"format": 1}', '{"format": 1, "test": [], "uses": []}',
               '{"format": 2, "test": [], "uses": [], "data": "", "sha256": ""}')  # fmt: skip
    for content in damaged:
        (tmp_path / "b.json").write_text(content)
        with pytest.raises(ToolkitError, match="a frozen split"):
            freeze(data(), tmp_path / "b.json")


def test_the_second_look_warns_and_the_same_look_does_not(tmp_path):
    cut = freeze(data(), tmp_path / "a.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = cut.judge({"length": PromptLength()}, "first")
        cut.judge({"length": PromptLength()}, "again")
    with pytest.warns(RepeatedUseWarning, match=r"used 1 time\(s\) before; 2 systems .* up to 0\.6 standard errors"):
        cut.judge({"length": PromptLength(), "random": RandomScore()}, "second")
    assert [use["note"] for use in cut.uses] == ["first", "second"]
    assert list(cut.uses[1]["systems"]) == ["random"]
    assert cut.told().startswith("2 systems were judged on this test part by now, in 2 look(s)")
    assert sorted(cut.test_texts + cut.train.texts) == sorted(cut.outcomes.texts)
    judged = cut.outcomes.prompts["split"] == "holdout"
    assert first.outcomes.prompts["prompt_id"].tolist() == cut.outcomes.prompts["prompt_id"][judged].tolist()


def test_a_run_that_breaks_off_has_looked(tmp_path):
    class Breaks(RandomScore):
        def _fit(self, train):
            raise RuntimeError("on purpose")

    cut = freeze(data(), tmp_path / "a.json")
    with pytest.raises(RuntimeError):
        cut.judge({"breaks": Breaks()})
    assert len(cut.uses) == 1


def test_looks_of_many_processes_are_all_counted(tmp_path):
    path = tmp_path / "a.json"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(_look, [(str(path), penalty) for penalty in range(1, 13)])
    content = json.loads(path.read_text(encoding="utf-8"))
    assert len({text for use in content["uses"] for text in use["systems"].values()}) == 12
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]  # nothing else to commit by mistake


def _look(job: tuple[str, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepeatedUseWarning)
        freeze(data(), job[0]).look({"ridge": RidgeRegression(float(job[1]), "lexical")})


def test_optimism_is_the_expected_best_of_so_many():
    assert optimism(1) == 0.0
    assert optimism(2) == pytest.approx(1 / np.sqrt(np.pi))  # known: 1/sqrt(pi), and 1.5/sqrt(pi) of three
    assert optimism(3) == pytest.approx(1.5 / np.sqrt(np.pi))
    drawn = np.random.default_rng(0).normal(size=(20_000, 100)).max(axis=1)
    assert optimism(100) == pytest.approx(drawn.mean(), abs=0.02)
