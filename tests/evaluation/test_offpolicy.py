"""Estimators against the truth that a generator knows, and logs that cannot be learned from."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import datasets, logs
from toolkit.errors import ToolkitError
from toolkit.evaluation import logs_study, offpolicy
from toolkit.evaluation.experiment import SequentialTest, power, sample_size
from toolkit.evaluation.offpolicy import Logged
from toolkit.routers.classical import RidgeRegression


def softmax(scores: np.ndarray, heat: float) -> np.ndarray:
    raised = np.exp((scores - scores.max(axis=1, keepdims=True)) / heat)
    return raised / raised.sum(axis=1, keepdims=True)


def test_intervals_cover_the_truth_in_two_hundred_logs():
    """Ten thousand prompts, logs of 1,000 by a policy that draws; the truth is the mean over all prompts."""
    data = datasets.load("synthetic?prompts=10000&models=5")
    truth, rng = data.expected_quality, np.random.default_rng(0)
    logging = softmax(truth + 0.2 * rng.normal(size=truth.shape), 0.2)
    target = np.eye(5)[(truth - 10 * data.cost_usd.mean(axis=0)).argmax(axis=1)]
    value = (target * truth).sum(axis=1).mean()
    biased = truth + 0.1 + 0.1 * rng.normal(size=truth.shape)  # a model of rewards that is wrong
    covered, errors = dict.fromkeys(offpolicy.ESTIMATORS, 0), {name: [] for name in offpolicy.ESTIMATORS}
    for _ in range(200):
        rows = rng.integers(len(data), size=1000)
        arm = (rng.random((1000, 1)) > np.cumsum(logging[rows], axis=1)).sum(axis=1)
        reward = (rng.random(1000) < truth[rows, arm]).astype(float)
        logged = Logged(tuple(data.names), arm, reward, logging[rows, arm])
        found = offpolicy.estimate(logged, target[rows], biased[rows]).set_index("system")
        for name in offpolicy.ESTIMATORS:
            row = found.loc[f"policy, {name}"]
            covered[name] += row["ci_low"] <= value <= row["ci_high"]
            errors[name].append(row["value"] - value)
    for name in ("IPS", "SNIPS", "DR"):
        assert covered[name] >= 180, (name, covered)
        assert abs(np.mean(errors[name])) < 4 * np.std(errors[name]) / np.sqrt(200)
    assert covered["DM"] < 20 and np.mean(errors["DM"]) == pytest.approx(0.1, abs=0.01)  # as its note says
    assert np.std(errors["DR"]) < np.std(errors["IPS"])


@given(seed=st.integers(0, 10_000), size=st.integers(2, 60))
@settings(max_examples=50, deadline=None)
def test_estimators_are_their_formulas(seed, size):
    rng = np.random.default_rng(seed)
    arm, reward, propensity = rng.integers(0, 3, size), rng.random(size), rng.uniform(0.05, 1, size)
    chances, predicted = rng.dirichlet(np.ones(3), size), rng.random((size, 3))
    found = offpolicy.estimate(Logged(("a", "b", "c"), arm, reward, propensity), chances, predicted, "x")
    value = found.set_index("system")["value"]
    w = np.array([chances[i, arm[i]] / propensity[i] for i in range(size)])
    direct = sum(chances[i] @ predicted[i] for i in range(size)) / size
    correction = sum(w[i] * (reward[i] - predicted[i, arm[i]]) for i in range(size)) / size
    expected = {"IPS": (w * reward).sum() / size, "SNIPS": (w * reward).sum() / w.sum(), "DM": direct,
                "DR": direct + correction}  # fmt: skip
    for name, wanted in expected.items():
        assert value[f"x, {name}"] == pytest.approx(wanted)
    assert value["x"] == pytest.approx(w.sum() ** 2 / (w**2).sum())
    same = offpolicy.estimate(Logged(("a", "b", "c"), arm, reward, np.ones(size)), np.eye(3)[arm])
    assert same.loc[same["system"] == "policy, IPS", "value"].item() == pytest.approx(reward.mean())  # its own policy


def test_missing_support_is_said():
    rng = np.random.default_rng(1)
    arm, reward = rng.integers(0, 2, 2000), rng.random(2000)
    logged = Logged(("a", "b", "c"), arm, reward, np.full(2000, 0.5))
    never = np.tile([0.5, 0.0, 0.5], (2000, 1))
    assert "50.0% of its choices are models that the log never chose (c)" in offpolicy.support(logged, never)
    split = np.where(np.arange(2000)[:, None] < 1000, [[1.0, 0, 0]], [[0, 1.0, 0]])
    one_sided = Logged(("a", "b", "c"), np.zeros(2000, int), reward, np.ones(2000))  # b was never possible
    assert "never chose (b)" in offpolicy.support(one_sided, split)
    shy = Logged(("a", "b", "c"), np.r_[np.zeros(1990, int), np.ones(10, int)], reward, np.ones(2000))
    assert "weights have mean 0.5" in offpolicy.support(shy, split)
    few = Logged(("a", "b", "c"), arm[:150], reward[:150], np.full(150, 0.5))
    assert "effective rewards" in offpolicy.support(few, np.tile([1.0, 0, 0], (150, 1)))
    assert offpolicy.support(logged, np.tile([0.6, 0.4, 0.0], (2000, 1))) == ""


@pytest.fixture
def log() -> pd.DataFrame:
    return pd.DataFrame({"decision_id": ["a", "b", "c", "d"], "model": ["m1", "m2", "m1", "m2"],
                         "propensity": [0.5, 0.25, 1.0, 0.75], "reward": [1.0, 0.0, 0.5, np.nan],
                         "text": ["one", "two", "three", "four"]})  # fmt: skip


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("propensity", 1, None, r"row 2 \(decision 'b'\): a propensity above 0"),
        ("propensity", 0, 0.0, r"row 1 \(decision 'a'\): a propensity above 0"),
        ("propensity", 2, 1.5, r"row 3 \(decision 'c'\): a propensity above 0"),
        ("model", 1, "m9", r"row 2 \(decision 'b'\): a model of the pool"),
        ("reward", 0, 7.0, r"row 1 \(decision 'a'\): a reward from 0"),
        ("reward", 2, -0.5, r"row 3 \(decision 'c'\): a reward from 0"),
        ("decision_id", 1, "a", r"row 2 \(decision 'a'\): an id that comes once"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_estimated(log, column, row, value, message):
    assert len(logs.check_log(log, ["m1", "m2"])) == 3  # the fourth has no reward yet
    log.loc[row, column] = value
    with pytest.raises(ToolkitError, match=message):
        logs.check_log(log, ["m1", "m2"])


def test_what_is_no_log_is_refused(log, tmp_path):
    with pytest.raises(ToolkitError, match="missing: propensity"):
        logs.check_log(log.drop(columns="propensity"))
    with pytest.raises(ToolkitError, match="there are none"):
        logs.check_log(log.assign(reward=np.nan))
    path = tmp_path / "log.jsonl"
    for content, message in (
        ("{}\n", "line 1: a JSON object with a decision_id"),
        ("x\n", "line 1"),
        ('{"decision_id": "a", "reward": 1}\n', "'a' is not in the log"),
        ('{"decision_id": "a", "source": "router"}\n' * 2, "line 2: decision 'a' stands twice"),
        (
            '{"decision_id": "a", "source": "router"}\n' + '{"decision_id": "a", "reward": 1}\n' * 2,
            "line 3: .* already",
        ),
    ):
        path.write_text(content)
        with pytest.raises(ToolkitError, match=message):
            logs.read_log(path)
    with pytest.raises(ToolkitError, match="a log in JSON lines"):
        logs.read_log(tmp_path / "none.jsonl")
    path.write_text('{"decision_id": "a", "source": "router"}\n{"decision_id": "b", "sou')  # a process was killed here
    assert logs.read_log(path)["decision_id"].tolist() == ["a"]
    with logs.DecisionLog(path) as again:  # and another one goes on
        again.append({"decision_id": "c", "source": "router"})
    assert logs.read_log(path)["decision_id"].tolist() == ["a", "c"]
    path.write_text('{"decision_id": "a", "source": "router"}\n{"decision_id": "b", "source": "router"}')
    assert logs.read_log(path)["decision_id"].tolist() == ["a", "b"]  # whole, though its end is not
    path.write_text('{"decision_id": ["a"], "source": "router"}\n{}\n')
    with pytest.raises(ToolkitError, match="line 1"):
        logs.read_log(path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_are_read_as_lines_are(log, tmp_path, kind):
    path = tmp_path / f"log.{kind}"
    log.to_csv(path, index=False) if kind == "csv" else log.to_parquet(path)
    pd.testing.assert_frame_equal(logs.check_log(logs.read_log(path)), logs.check_log(log), check_dtype=False)


def test_a_router_is_fitted_on_a_log_and_predicts_rows_it_did_not_see(synthetic):
    data, rng = synthetic.sample(600), np.random.default_rng(2)
    arm = rng.integers(0, 3, 600)
    log = pd.DataFrame({"decision_id": data.prompts["prompt_id"], "text": data.texts, "propensity": 1 / 3,
                        "model": np.array(data.names)[arm], "reward": data.quality[np.arange(600), arm]})  # fmt: skip
    rewards = offpolicy.rewards_of(logs.check_log(log), data.names)
    predicted = offpolicy.cross_fitted(rewards, RidgeRegression(encoder="lexical"))
    error = ((predicted - data.expected_quality) ** 2).mean()
    assert error < ((data.expected_quality.mean() - data.expected_quality) ** 2).mean()
    lone = rewards.subset(np.r_[np.flatnonzero(arm == 0)[:20], np.flatnonzero(arm == 1)[:1]])
    assert np.isfinite(offpolicy.cross_fitted(lone, RidgeRegression(encoder="lexical"))).all()
    with pytest.raises(ToolkitError, match="texts are needed"):
        offpolicy.rewards_of(log.drop(columns="text"), data.names)


def test_a_decision_is_made_again_from_its_line():
    line = {"source": "router", "weight": 10.0, "scores": {"a": 0.5, "b": 0.9, "c": "-inf"},
            "expected_cost_usd": {"a": 0.001, "b": 0.02, "c": 0.0}}  # fmt: skip
    assert logs.decide_again(json.loads(json.dumps(line))) == "b"
    assert logs.decide_again(line | {"weight": 100.0}) == "a"
    assert logs.decide_again(line | {"scores": {"a": "inf", "b": 0.9, "c": 1.0}}) == "a"
    with pytest.raises(ToolkitError, match="decided by the router"):
        logs.decide_again({"source": "cache"})


def test_sample_sizes_and_power_are_those_of_the_textbook():
    """Cohen 1988: d = .2 at 80% power takes 393 a group; a difference is found as often as power says."""
    assert abs(sample_size(0.2, 1.0) / 2 - 392.4) < 1
    assert power(0.2, 1.0, 786) == pytest.approx(0.8, abs=0.002) and power(0.0, 1.0, 786) == pytest.approx(0.05)
    rng, needed = np.random.default_rng(0), sample_size(0.05, 0.5, 0.9)
    drawn = rng.normal(0, 0.5 * np.sqrt(2 / (needed / 2)), 4000) + 0.05
    found = np.abs(drawn) > 1.95996 * 0.5 * np.sqrt(2 / (needed / 2))
    assert found.mean() == pytest.approx(0.9, abs=0.02)
    for wrong in ((0, 1), (0.1, 0), (0.1, 1, 1.0), (float("nan"), 1), (float("inf"), 1)):
        with pytest.raises(ToolkitError, match="Experiment: expected"):
            sample_size(*wrong)
    still = SequentialTest(0.05)
    for _ in range(60):
        still.add(False, 0.0)
        still.add(True, 1.0)
    assert still.interval() == (-np.inf, np.inf) and not still.decided  # nothing varies, nothing is known


def test_a_test_that_is_looked_at_all_the_time_keeps_its_level_and_finds_what_is_there():
    """200 tests of 1,500 requests an arm without a difference, 200 with one; a z test, looked at so often, alarms."""
    rng, false, missed, uncovered, naive = np.random.default_rng(1), 0, 0, 0, 0
    for _ in range(200):
        null, real = SequentialTest(0.05), SequentialTest(0.05)
        old, same, better = (rng.random(1500) < chance for chance in (0.6, 0.6, 0.7))
        outside = alarmed = False
        for step in range(1500):
            for test, new in ((null, same), (real, better)):
                test.add(False, old[step])
                test.add(True, new[step])
            if step >= 60 and step % 20 == 0:
                low, high = real.interval()
                outside |= not low <= 0.1 <= high
                half = 1.96 * np.sqrt(2 * 0.24 / (step + 1))
                alarmed |= abs(same[: step + 1].mean() - old[: step + 1].mean()) > half
        false, missed, uncovered, naive = (
            false + null.decided,
            missed + (not real.decided),
            uncovered + outside,
            naive + alarmed,
        )
    assert false <= 18 and uncovered <= 18 and missed <= 20  # 10 expected at most; 18 has a chance below 1%
    assert naive > 40


def test_a_log_of_ones_own_is_judged_as_one_that_was_made_here(synthetic, tmp_path):
    path = logs_study.make_log(synthetic, tmp_path / "mine.jsonl", 300, seed=4)
    own, made = logs_study.lesson(str(path), None, 300), logs_study.lesson("", synthetic, 300, seed=4)
    pd.testing.assert_frame_equal(own.late, made.late)
    assert own.truth is None and made.truth.shape == (len(made.late), 3) and own.name == "mine.jsonl"
    assert not set(own.early["text"]) & set(own.late["text"])
    candidates, predicted = logs_study.policies(own), logs_study.rewards_predicted(own)
    found = logs_study.estimates(own, candidates, predicted)
    assert set(found["estimator"]) == {*offpolicy.ESTIMATORS, ""} and found["truth"].isna().all()
    gained = logs_study.gain(own, candidates, predicted).loc[0]
    values = found[found["estimator"] == "DR"].set_index("policy")["value"]
    assert gained["difference"] == pytest.approx(values.iloc[1] - values.iloc[0], abs=1e-4)
    assert logs_study.watched(own, candidates).empty and len(logs_study.experiment_plan(own)) == 4
    lines = path.read_text().replace('"propensity": ', '"other": ', 1)
    path.write_text(lines)
    with pytest.raises(ToolkitError, match=r"mine\.jsonl, row 1 .* a propensity"):
        logs_study.lesson(str(path), None, 300)
