"""Advice on sample size and money: laws of means, and prices by hand."""

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit import paths
from toolkit.errors import ToolkitError
from toolkit.evaluation import planning
from toolkit.evaluation.protocol import Predictions
from toolkit.pricing import read_prices
from toolkit.routers.baselines import RandomScore


def coins(count: int, seed: int = 0) -> Predictions:
    """Two routers that choose at random between three models of known means."""
    rng = np.random.default_rng(seed)
    quality = (rng.random((count, 3)) < [0.5, 0.5, 0.5]).astype(float)
    outcomes = make_outcomes(quality, np.tile([0.001, 0.002, 0.003], (count, 1)))
    said = {name: rng.random((count, 3)) for name in ("one", "other")}
    return Predictions(outcomes, "all", dict.fromkeys(said, RandomScore()), said, None)


def test_half_widths_are_those_of_the_textbook():
    table = planning.advice(coins(2000), "one", "other", sizes=(100, 400, 2000), bootstraps=2000).set_index("prompts")
    for size, row in table.iterrows():
        assert row["quality"] == pytest.approx(1.96 * 0.5 / np.sqrt(size), rel=0.06)
        # Two routers agree on a third of the prompts, and on half of the others by luck of the coins.
        assert row["difference"] == pytest.approx(1.96 * np.sqrt(2 / 3 / 2) / np.sqrt(size), rel=0.08)
    assert table["quality"].iloc[0] / table["quality"].iloc[1] == pytest.approx(2.0)


def test_what_is_promised_for_a_size_is_found_on_that_size():
    promised = planning.advice(coins(4000), "one", "other", sizes=(500,), bootstraps=1000).iloc[0]
    small = planning.half_widths(coins(500, seed=1), "one", "other", 2000)
    assert small["quality"] == pytest.approx(promised["quality"], rel=0.1)
    assert small["difference"] == pytest.approx(promised["difference"], rel=0.15)


def test_a_gain_of_that_size_is_found_four_times_in_five():
    row = planning.advice(coins(2000), "one", "other", sizes=(300,), bootstraps=1000).iloc[0]
    rng = np.random.default_rng(1)
    sd = row["difference"] / 1.96
    found = np.abs(rng.normal(row["smallest_gain"], sd, 20_000)) > row["difference"]
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_copies_are_no_prompts_of_their_own():
    once = coins(600)
    twice = Predictions(
        make_outcomes(np.repeat(once.outcomes.quality, 2, axis=0), texts=list(np.repeat(once.outcomes.texts, 2))),
        "all", once.routers, {name: np.repeat(values, 2, axis=0) for name, values in once.quality.items()}, None,
    )  # fmt: skip
    rows = [planning.advice(one, "one", "other", sizes=(500,), bootstraps=1500).iloc[0] for one in (once, twice)]
    assert rows[1]["quality"] == pytest.approx(rows[0]["quality"], rel=0.08)


def test_money_by_hand():
    table = planning.advice(coins(200), "one", "other", sizes=(1000,), judge="gpt-4o", bootstraps=50).iloc[0]
    assert table["answers_usd"] == pytest.approx(1000 * 0.006)
    price = read_prices(paths.data_dir() / "models.csv").loc["gpt-4o"]
    texts = coins(200).outcomes.estimated_tokens.mean()
    call = (300 + texts + 256) * price["input_usd_per_mtok"] + 60 * price["output_usd_per_mtok"]
    assert table["judging_usd"] == pytest.approx(1000 * 3 * call / 1e6)
    frame = planning.advice(coins(200), "one", "other", sizes=(1000,), bootstraps=50)
    said = planning.sentence(frame, 1000)
    assert "of one's quality is" in said and "from 200 prompts" in said
    needed = planning.prompts_for(coins(200), "one", "other", frame["smallest_gain"].item(), bootstraps=50)
    assert needed in (1000, 1001)
    for call, words in (
        (lambda: planning.sentence(frame, 700), "A size of the table was expected, 1000; got 700"),
        (lambda: planning.advice(coins(30), "one", "three"), "No predictions of 'three'"),
        (lambda: planning.advice(coins(30), "one", "one"), "was given twice"),
        (lambda: planning.prompts_for(coins(30), "one", "other", 0.0), "A gain of quality above 0"),
    ):
        with pytest.raises(ToolkitError, match=words):
            call()
    with pytest.raises(ToolkitError, match="No price of a judge 'nobody'"):
        planning.judging_usd(coins(30).outcomes, "nobody")
    assert np.isnan(planning.answer_usd(make_outcomes(np.eye(2))))


def test_half_of_the_calls_is_half_though_scores_tie():
    """A pair whose scores take two values, 60% of them alike: half of the calls is a mixture, not none."""
    rng = np.random.default_rng(0)
    quality = np.stack([np.zeros(1000), np.ones(1000)], axis=1)
    lead = (rng.random(1000) < 0.6).astype(float)
    said = {"one": np.stack([0 * lead, lead], axis=1), "other": np.stack([0 * lead, rng.random(1000)], axis=1)}
    predictions = Predictions(make_outcomes(quality), "all", dict.fromkeys(said, RandomScore()), said, None)
    assert planning._realised(predictions, "one").mean() == pytest.approx(0.5)
