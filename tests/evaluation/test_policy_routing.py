"""Measures of routers of policies, against figures worked out by hand and by scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.routers.test_policies import Told
from toolkit.datasets.intents import Conversations
from toolkit.evaluation import policy_latency, policy_routing, policy_study, policy_talks
from toolkit.routes import OTHER, RouteTable

TABLE = RouteTable.build({"a": "A.", "b": "B.", "c": "C."}, {"a": "x", "b": "x", "c": "y"}, default="z")


def _say(route: str) -> str:
    """A prompt of whose route the router is sure."""
    return json.dumps([10.0 * (name == route) for name in (*TABLE.names, OTHER)])


def _values(rows) -> dict[str, float]:
    return rows.set_index("metric")["value"].to_dict()


def test_requests_are_counted_by_what_they_fit():
    router = Told(TABLE)
    chosen = ["a", "b", "b", "c", OTHER, OTHER, "a"]
    truth = ["a", "b", "a", "c", "c", OTHER, OTHER]
    rows = policy_routing.requests(router, [_say(name) for name in chosen], truth, "told", 200)
    found = _values(rows)
    assert found["turn_accuracy"] == pytest.approx(4 / 7)
    assert found["closed_accuracy"] == pytest.approx(3 / 5)  # of the fifth, ``other`` aside, all routes are as likely
    assert found["coarse_accuracy"] == pytest.approx(4 / 5)  # b for a: the same model
    assert found["other_recall"] == pytest.approx(1 / 2)
    assert rows.set_index("metric")["n"].to_dict()["closed_accuracy"] == 5


def test_an_answer_without_a_second_choice_earns_no_route():
    """A written `other` is no half-right guess of the first route."""

    class Written(Told):
        def _evidence(self, prompts):
            return np.tile([-np.inf, -np.inf, -np.inf, 0.0], (len(prompts), 1)), [""] * len(prompts)

    found = _values(policy_routing.requests(Written(TABLE), ["x", "y", "z"], ["a", "a", OTHER], "written", 50))
    assert (found["closed_accuracy"], found["coarse_accuracy"], found["other_recall"]) == (0, 0, 1)


def test_where_all_are_right_the_interval_is_exact():
    rows = policy_routing.requests(Told(TABLE), [_say("a")] * 20, ["a"] * 20, "told", 50)
    row = rows.set_index("metric").loc["turn_accuracy"]
    assert (row["value"], row["ci_high"]) == (1, 1) and row["ci_low"] == pytest.approx(0.025 ** (1 / 20))


def test_turns_spans_and_conversations():
    """aab|c and c|a|other: one turn of the first is wrong."""

    def talk(chosen: str, truth: str) -> tuple[tuple, tuple]:
        names = {"o": OTHER}
        turns = [{"role": "user", "content": _say(names.get(one, one))} for one in chosen]
        said = [turn for one in turns for turn in (one, {"role": "assistant", "content": "Done."})]
        return tuple(said), tuple(names.get(one, one) for one in truth)

    pairs = [talk("abbc", "aabc"), talk("cao", "cao")]
    data = Conversations(tuple(turns for turns, _ in pairs), tuple(routes for _, routes in pairs))
    _, _, whole, spans = data.prompts()
    assert whole.tolist() == [0, 0, 0, 0, 1, 1, 1] and spans.tolist() == [0, 0, 1, 2, 3, 4, 5]
    found = _values(policy_routing.conversations(Told(TABLE), data, "told", 200))
    assert found == pytest.approx({"turn_accuracy": 6 / 7, "span_accuracy": 5 / 6, "conversation_accuracy": 1 / 2})


def test_auroc_is_scikit_learns():
    rng = np.random.default_rng(0)
    positive = rng.random(300) < 0.3
    scores = np.round(rng.normal(positive, 1.0), 1)  # ties
    samples = policy_routing.auroc(scores, positive, 300)
    assert samples[0] == pytest.approx(roc_auc_score(positive, scores))
    low, high = np.quantile(samples[1:], [0.025, 0.975])
    # Hanley and McNeil's standard error is near the bootstrap's
    area, yes, no = samples[0], positive.sum(), (~positive).sum()
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    error = np.sqrt((area * (1 - area) + (yes - 1) * (one - area**2) + (no - 1) * (two - area**2)) / (yes * no))
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.2)


def test_flips_name_what_was_changed():
    """A router that takes the first route flips with the order, and with nothing else."""

    class First(Told):
        def _evidence(self, prompts):
            return np.tile([3.0, 1.0, 0.0, -1.0], (len(prompts), 1)), [""] * len(prompts)

    tables = [TABLE, TABLE.worded({"a": "AA.", "b": "BB.", "c": "CC."})]
    rows = policy_routing.flips(First, tables, ["some words", "others"], "first", 100, orders=4)
    value = dict(zip(rows["note"], rows["value"], strict=True))
    assert value["1 other wording"] == value["a typo in one word of ten"] == 0
    assert value["4 other orders"] in {0.25, 0.5, 0.75, 1.0}


def test_subjects_without_weights_and_with(tmp_path):
    """The generative router stands among the others where its weights are at hand, here a tiny one's."""
    from tests import tiny_causal

    plan = policy_study.PLANS["smoke"]
    without = policy_study.subjects(plan, "minilm", "no/such-weights", "own", "cpu")
    assert not any(policy_study.WRITTEN in one.reads for one in without)
    one, chinese = policy_study.subjects(plan, "minilm", str(tiny_causal.trained()), "own", "cpu")
    for each in (one, chinese):  # which makes prompts that are longer than the tiny network reads
        rows = policy_study.requests(each, plan, 50)
        assert {policy_study.WRITTEN, policy_study.SCORED} <= set(rows["system"])
    agreed = policy_study.agreement(one, plan, 50)
    assert agreed["metric"].tolist() == ["route_agreement"] and 0 <= agreed["value"].iloc[0] <= 1
    assert set(policy_talks.talks(one, plan, 50)["system"]) >= {policy_study.WRITTEN, policy_study.SCORED}


def test_ways_are_timed_on_the_same_prompts(monkeypatch):
    """The bench itself, on a tiny network in place of 1.5 billion weights."""
    from tests import tiny_causal
    from toolkit.evaluation import architectures
    from toolkit.routes import causal

    monkeypatch.setattr(architectures, "causal", lambda *_: causal.load(str(tiny_causal.trained()), "cpu", "fp32"))
    monkeypatch.setattr(policy_latency, "VOCABULARY", 300)
    plan = policy_study.Plan(10, 1, 10, 1, (0.5,), 0.0, 6, ("fp32", "bf16"))
    medians, means, ready = policy_latency.rows(plan, "cpu", 50)
    assert len(medians) == 2 * len(policy_latency.WAYS) == len(means) and len(ready) == 2
    assert (medians["value"] > 0).all()
