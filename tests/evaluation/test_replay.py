"""Replays against a plain loop, and regret against what it is defined as."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import datasets
from toolkit.bandits.adversarial import EXP3
from toolkit.bandits.counting import GaussianThompson
from toolkit.bandits.linear import LinUCB
from toolkit.bandits.pacing import BudgetPacer
from toolkit.errors import ToolkitError
from toolkit.evaluation import online_study, regret, shifts
from toolkit.evaluation.replay import Phase, Played, degraded, orders, replay
from toolkit.outcomes import Outcomes
from toolkit.routers.keywords import TIERS, KeywordRules, tiers


def world(prompts: int = 40, models: int = 3, seed: int = 0) -> Outcomes:
    rng = np.random.default_rng(seed)
    truth = rng.random((prompts, models))
    texts = [f"prompt {number}" for number in range(prompts)]
    return Outcomes(
        "made",
        pd.DataFrame({"prompt_id": range(prompts), "text": texts}),
        pd.DataFrame(index=["a", "b", "c"][:models]),
        (rng.random(truth.shape) < truth).astype(float),
        cost_usd=rng.random(truth.shape) / 100,
        expected_quality=truth,
        cost_source="measured",
    )


@given(seed=st.integers(0, 1000), weight=st.floats(0, 50), delay=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_replay_is_the_plain_loop(seed, weight, delay):
    data = world(seed=seed)
    charge, order, x = (
        data.cost_usd.mean(axis=0),
        orders(40, 60, 1, seed),
        np.random.default_rng(seed).normal(size=(40, 2)),
    )
    played = replay(LinUCB(data.names, 2), Phase(data, charge), order, weight, x, delay=delay)
    bandit, waiting = LinUCB(data.names, 2), []
    for step, row in enumerate(order[:, 0]):
        worth = bandit.scores(x[row])[0] - weight * charge
        arm = min(np.flatnonzero(worth == worth.max()), key=charge.__getitem__)
        assert played.arms[step, 0] == arm and played.reward[step, 0] == data.quality[row, arm]
        assert played.cost_usd[step, 0] == data.cost_usd[row, arm]
        waiting.append((arm, float(data.quality[row, arm]), x[row]))
        if len(waiting) > delay:
            bandit.update(*waiting.pop(0))


def test_seeds_side_by_side_are_seeds_one_by_one():
    """Of a bandit that draws nothing: what the others do does not matter."""
    data, x = world(), np.random.default_rng(1).normal(size=(40, 2))
    order = orders(40, 100, 4, 7)
    together = replay(LinUCB(data.names, 2, streams=4), Phase(data, np.zeros(3)), order, 0.0, x)
    for seed in range(4):
        alone = replay(LinUCB(data.names, 2), Phase(data, np.zeros(3)), order[:, [seed]], 0.0, x)
        np.testing.assert_array_equal(together.arms[:, [seed]], alone.arms)
    for column in order.T:
        assert sorted(column[:40]) == sorted(column[40:80]) == list(range(40))


def test_rewards_that_never_come_teach_nothing():
    data, bandit = world(), GaussianThompson(["a", "b", "c"], streams=2)
    replay(bandit, Phase(data, np.zeros(3)), orders(40, 50, 2), missing=1.0)
    assert not bandit.pulls_.any()
    replay(bandit, Phase(data, np.zeros(3)), orders(40, 400, 2), missing=0.25)
    assert bandit.pulls_.sum(axis=1) == pytest.approx(300, abs=50)


def test_phases_come_in_their_rounds_and_what_is_out_is_not_chosen():
    data = world()
    worse = degraded(data, "a", 0.0)
    phases = Phase(data, np.zeros(3), out=("b",)), Phase(worse, np.ones(3), 30), Phase(data, np.zeros(3), 60, ("c",))
    played = replay(GaussianThompson(data.names, streams=3), phases, orders(40, 90, 3))
    assert not (played.arms[:30] == 1).any() and not (played.arms[60:] == 2).any() and (played.arms[30:60] == 1).any()
    first = played.arms[30:60] == 0
    assert not played.reward[30:60][first].any() and not regret.utilities(played, 0.0)[30:60][first].any()
    assert [(phase.start, span.start, span.stop) for phase, span in played.spans()] == [
        (0, 0, 30),
        (30, 30, 60),
        (60, 60, 90),
    ]
    charged = regret.utilities(played, 2.0)[30:60] - regret.utilities(played, 0.0)[30:60]
    np.testing.assert_allclose(charged, -2.0)


def test_regret_is_what_it_was_defined_as():
    data = world()
    rows, arms = orders(40, 80, 2, 3), np.random.default_rng(0).integers(0, 3, (80, 2))
    charge = np.array([0.0, 0.1, 0.2])
    played = Played(
        rows, arms, data.quality[rows, arms], data.cost_usd[rows, arms], np.ones(rows.shape), (Phase(data, charge),)
    )
    utility = data.expected_quality - 1.5 * charge
    for seed in range(2):
        own = [utility[row, arm] for row, arm in zip(rows[:, seed], arms[:, seed], strict=True)]
        best = [utility[row].max() for row in rows[:, seed]]
        single = max(np.mean([utility[row, arm] for row in rows[:, seed]]) for arm in range(3))
        assert regret.utilities(played, 1.5)[:, seed] == pytest.approx(own)
        assert regret.bayes(played, 1.5)[:, seed] == pytest.approx(best)
        assert regret.best_fixed(played, 1.5)[:, seed].mean() == pytest.approx(single)
    table = regret.summary({"x": played}, 1.5).set_index("metric")["value"]
    gained = regret.utilities(played, 1.5)
    assert table["regret_per_round"] == pytest.approx((regret.bayes(played, 1.5) - gained).mean())
    assert table["utility_late"] == pytest.approx(gained[53:].mean())
    assert table["cost_usd_per_1k"] == pytest.approx(1000 * played.cost_usd.mean())
    perfect = Played(rows, utility.argmax(axis=1)[rows], *(np.ones(rows.shape),) * 3, (Phase(data, charge),))
    assert regret.summary({"x": perfect}, 1.5).set_index("metric").loc["regret_per_round", "value"] == 0
    arms = np.where(np.arange(80)[:, None] < 30, utility.argmin(axis=1)[rows], utility.argmax(axis=1)[rows])
    slow = replace(perfect, arms=arms)  # wrong for 30 rounds
    assert (regret.recovery(perfect, 1.5, window=10) <= 20).all()
    assert ((regret.recovery(slow, 1.5, 0.9, window=10) > 30) & (regret.recovery(slow, 1.5, 0.9, window=10) < 60)).all()


def test_the_best_mixture_spends_what_was_spent():
    """Two models on a line and a third above it that is too dear: the lottery of the first two at the very spending."""
    n = 30
    data = Outcomes("made", pd.DataFrame({"prompt_id": range(n), "text": [str(k) for k in range(n)]}),
                    pd.DataFrame(index=["a", "b", "c"]), np.ones((n, 3)), np.tile([1.0, 3.0, 100.0], (n, 1)),
                    expected_quality=np.tile([0.2, 0.6, 0.9], (n, 1)), cost_source="measured")  # fmt: skip
    rows = orders(n, n, 1)
    arms = np.array([[0], [1]] * (n // 2))
    played = Played(
        rows, arms, np.ones((n, 1)), data.cost_usd[rows, arms], np.ones((n, 1)), (Phase(data, np.zeros(3)),)
    )
    assert regret.best_mixture(played) == pytest.approx([0.4])


def test_exp3_is_told_utility_on_the_unit_interval():
    data, order = world(), orders(40, 300, 2)
    bandit = EXP3(data.names, 0.2, streams=2)
    replay(bandit, Phase(data, np.array([0.0, 0.0, 1.0])), order, weight=5.0)
    assert (bandit.chances()[:, 2] < bandit.chances()[:, :2].max(axis=1)).all()  # dear, and worth no more


def test_what_does_not_fit_is_refused():
    data, shorter = world(), Phase(world(30), np.zeros(3), 5)
    for bandit, phases, order, message in (
        (GaussianThompson(data.names), Phase(data, np.zeros(3)), orders(40, 10, 2), "an order"),
        (GaussianThompson(["a", "c", "b"]), Phase(data, np.zeros(3)), orders(40, 10, 1), "in their order"),
        (GaussianThompson(data.names), Phase(data, np.zeros(3), 3), orders(40, 10, 1), "start at round 0"),
        (GaussianThompson(data.names), (Phase(data, np.zeros(3)), shorter), orders(40, 9, 1), "same"),
    ):  # fmt: skip
        with pytest.raises(ToolkitError, match=message):
            replay(bandit, phases, order)
    holes = data.quality.copy()
    holes[0, 0] = np.nan
    with pytest.raises(ToolkitError, match="complete outcomes"):
        replay(GaussianThompson(data.names), Phase(replace(data, quality=holes), np.zeros(3)), orders(40, 10, 1))


def test_a_paced_replay_spends_its_budget():
    data = world(400)
    budget = 2000 * float(np.quantile(data.cost_usd, 0.3))
    pacer = BudgetPacer(budget, 2000, streams=3)
    played = replay(
        GaussianThompson(data.names, streams=3), Phase(data, data.cost_usd), orders(400, 2000, 3), pacer=pacer
    )
    np.testing.assert_allclose(played.cost_usd.sum(axis=0) / budget, 1, atol=0.01)
    assert (played.weight > 0).all() and len(np.unique(played.weight[:, 0])) > 1000


def test_every_profile_plays_on_data_with_and_without_costs():
    plan = online_study.PLANS["smoke"]
    for data in (datasets.load("synthetic?prompts=200"), replace(world(100), cost_usd=None, cost_source="none")):
        one = online_study.scene(data, plan, "lexical")
        assert not set(one.train.texts) & set(one.test.texts)
        weight = online_study.usual_weight(one)
        assert (weight == 0) == (data.cost_source == "none")
        runs = online_study.play(one, weight, (online_study.PRIOR, "EXP3", "keyword rules", "UCB1"))
        rows = online_study.accuracy(one, runs)
        assert len(runs) == 4 and rows.loc[rows["metric"] == "best_model_hits", "value"].between(0, 1).all()
        assert (regret.summary(runs, weight).query("metric == 'regret_per_round'")["value"] >= 0).all()
        assert shifts.budgets(one).empty == (data.cost_source == "none")
    with pytest.raises(ToolkitError, match="at least 20 prompts"):
        online_study.scene(world(19), plan, "lexical")


def test_keywords_make_tiers_and_tiers_make_models(synthetic):
    texts = [
        "What is the capital of France?",
        "Prove the theorem step by step and derive the bound",
        "def f(x): fix this bug in my python function that reads the database protocol",
        "你好",
        "请证明这个定理,一步一步推导",
    ]
    found = [TIERS[tier] for tier in tiers(texts)]
    assert (
        found[0] == found[3] == "simple" and found[1] == found[4] == "reasoning" and found[2] in ("medium", "complex")
    )
    router = KeywordRules().fit(synthetic)
    chosen = router.choose(texts)
    assert synthetic.names[chosen[0]] == "qwen-flash" and synthetic.names[chosen[1]] == "qwen-max"
    assert len(tiers([])) == 0 and math.isfinite(chosen.sum())
