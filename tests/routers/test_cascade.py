"""Cascades: what an escalation pays, what the check reads, and that prompts alone cannot do it."""

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit import datasets, load_router, save_router
from toolkit.errors import ToolkitError
from toolkit.evaluation.leaderboard import compare_on_cost
from toolkit.evaluation.protocol import cross_predict
from toolkit.evaluation.transfer_study import cascade
from toolkit.outcomes import Outcomes
from toolkit.policy import FORBIDDEN
from toolkit.routers.baselines import RandomScore
from toolkit.routers.cascade import Among, SelfCheckCascade, answer_measures, with_cascade
from toolkit.routers.classical import RidgeRegression


def answered(count: int = 300, seed: int = 0) -> Outcomes:
    """The weak model is right on half of the prompts; prompts say nothing of it, its arithmetic says all."""
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 2, count)
    a, b = rng.integers(10, 90, (2, count))
    answers = [f"So we add: {x} + {y} = {x + y + 7 * (1 - ok)}." for x, y, ok in zip(a, b, right, strict=True)]
    made = make_outcomes(
        np.stack([right, np.ones(count)], axis=1), np.tile([0.001, 0.01], (count, 1)),
        [f"What is {x} plus {y}? ({row})" for row, (x, y) in enumerate(zip(a, b, strict=True))],
    )  # fmt: skip
    texts = np.array([[answer, "It is so."] for answer in answers], dtype=object)
    return Outcomes(made.name, made.prompts, made.models, made.quality, made.cost_usd, answers=texts,
                    cost_source="measured")  # fmt: skip


def test_an_escalation_pays_both_calls_and_the_check():
    both = with_cascade(answered(20), check_usd=0.0005)
    assert both.names == ["m0", "m1", "m0, checked", "m0, checked, then m1"]
    np.testing.assert_allclose(both.cost_usd[0], [0.001, 0.01, 0.0015, 0.0115])
    np.testing.assert_array_equal(both.quality[:, 2:], both.quality[:, :2])
    assert both.complete(costs=True).all() and both.answers.shape == (20, 4)


def test_what_reads_the_answer_finds_what_no_prompt_tells():
    both = with_cascade(answered())
    systems = {"cascade": SelfCheckCascade("lexical"), "direct": Among(RidgeRegression(1.0, "lexical")),
               "random": Among(RandomScore())}  # fmt: skip
    predictions = cross_predict(both, systems, 3, costs=True)
    assert (predictions.quality["cascade"][:, :2] == FORBIDDEN).all()
    assert (predictions.quality["direct"][:, 2:] == FORBIDDEN).all()
    rows = compare_on_cost(predictions, 100).measurements.set_index(["system", "metric"])["value"]
    # All weak calls, and the strong ones of the half that is wrong, against strong calls for all.
    assert rows["cascade", "cost_at_equal_quality"] == pytest.approx((1 + 0.5 * 10) / 10, abs=0.06)
    assert rows["direct", "cost_at_equal_quality"] > 0.9


@pytest.mark.parametrize(
    "text", ["2 + 3 + 4 = 9", "5*3+2 = 17", "10 - 3 - 2 = 5", "6/2*3 = 9", "-3 + 5 = 2", "$1,000 x 2 = $2000"]
)
def test_chains_are_sums_too(text):
    assert tuple(answer_measures([text])[0][3:5]) == (np.log(2), 0)
    assert tuple(answer_measures([text + "1"])[0][3:5]) == (np.log(2), 1)


def test_sums_are_worked_out_again():
    right, wrong, words = answer_measures(
        ["12 + 5 = 17, $3 x 4 = $12, 10/4 = 2.5", "12 - 5 = 8. 1,000 * 2 = 2000", "也许"]
    )
    assert right[3] == pytest.approx(np.log(4)) and right[4] == 0
    assert wrong[3] == pytest.approx(np.log(3)) and wrong[4] == 1
    assert words[3] == 0 and words[5] > 0
    assert answer_measures([]).shape == (0, 8)
    assert np.isfinite(
        answer_measures(["", "1 / 0 = 5", "9" * 5000, "." * 10, "1+" * 20_000, "=", "1.2.3 + 4 = 5", "\ud800"])
    ).all()


def test_a_live_answer_is_kept_or_not(tmp_path):
    data = with_cascade(answered())
    router = SelfCheckCascade("lexical").fit(data)
    kept = router.check("What is 20 plus 21?", "So we add: 20 + 21 = 41.", weight=20)
    escalated = router.check("What is 20 plus 21?", "So we add: 20 + 21 = 48.", weight=20)
    assert kept.scores["m0, checked"] > 0.8 > 0.2 > escalated.scores["m0, checked"]
    assert (kept.model, escalated.model) == ("m0, checked", "m0, checked, then m1")
    assert router.check("What is 20 plus 21?", "So we add: 20 + 21 = 48.", weight=np.inf).model == "m0, checked"
    again = load_router(save_router(router, tmp_path / "cascade"))
    assert again.check("What is 20 plus 21?", "So we add: 20 + 21 = 48.", weight=20) == escalated
    with pytest.raises(ToolkitError, match="reads an answer as well"):
        router.route("What is 20 plus 21?")
    with pytest.raises(ToolkitError, match="four columns"):
        SelfCheckCascade("lexical").fit(answered())
    with pytest.raises(ToolkitError, match="no answers"):
        with_cascade(make_outcomes(np.eye(2)))
    with pytest.raises(ToolkitError, match="a check from 0 dollars"):
        with_cascade(answered(), check_usd=-1.0)


def test_answers_come_from_a_table_and_change_the_hash(tmp_path):
    path = tmp_path / "own.csv"
    rows = ["prompt_id,prompt,model,quality,cost_usd,answer", 'q1,a,x,1,0.1,"one, two"', "q1,a,y,0,0.2,",
            "q2,b,x,0,0.1,three", "q2,b,y,1,0.2,four"]  # fmt: skip
    path.write_text("\n".join(rows).replace("answer", "answers"), encoding="utf-8")
    misspelt = datasets.load(str(path))
    assert misspelt.answers is None and "that nothing reads: answers." in misspelt.notes[0]
    path.write_text("\n".join(rows), encoding="utf-8")
    data = datasets.load(str(path))
    assert data.answers.tolist() == [["one, two", ""], ["three", "four"]]
    assert data.subset(models=["y"]).answers.tolist() == [[""], ["four"]]
    path.write_text("\n".join(rows).replace("four", "five"), encoding="utf-8")
    assert datasets.load(str(path)).sha256 != data.sha256


def test_on_real_answers_a_check_beats_the_prompt(upstream):
    """GSM8K, Mixtral against GPT-4: paired over the prompts, at half of the strong model's cost."""
    compared, _ = cascade(upstream("routellm/gsm8k").pair(), 5, 200)
    rows = compared.measurements.set_index(["system", "metric"])["value"]
    assert rows["cascade, self-check", "cost_at_equal_quality"] < rows["ridge", "cost_at_equal_quality"] < 1
    assert rows["cascade, self-check", "aiq"] > rows["ridge", "aiq"] > rows["random", "aiq"]
