"""The gateway decides as its parts do, one prompt at a time or many at once."""

import json
import math
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from toolkit import encoders, logs
from toolkit.bandits.adaptive import AdaptiveBeta
from toolkit.bandits.adversarial import EXP3
from toolkit.bandits.counting import GaussianThompson
from toolkit.bandits.dueling import DuelingThompson
from toolkit.bandits.linear import LinUCB
from toolkit.bandits.persistence import load_bandit
from toolkit.bandits.router import ThompsonSamplingRouter
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.cache.threshold import Fixed
from toolkit.errors import ToolkitError
from toolkit.evaluation.stages import STAGES, stage_seconds, staged
from toolkit.gateway import Gateway
from toolkit.logs import DecisionLog
from toolkit.pricing import PRICE_COLUMNS
from toolkit.routers.base import Router
from toolkit.routers.baselines import TokenLengthRule
from toolkit.routers.classical import RidgeRegression

SCOPE = Scope("tenant", "auto", "", {})


@pytest.fixture(scope="module")
def parts(synthetic, tmp_path_factory):
    data = synthetic.sample(300)
    router = RidgeRegression(encoder="minilm-int8").fit(data)
    cache = SemanticCache(tmp_path_factory.mktemp("gateway") / "cache.sqlite", policy=Fixed(1.0))
    cache.put_many([(f"{text} Thanks!", f"answer {row}") for row, text in enumerate(data.texts[:200])], SCOPE)
    return router, cache, data


def test_without_a_bandit_it_is_the_router_behind_the_cache(parts):
    router, cache, data = parts
    for weight in (0.0, 200.0):
        gateway = Gateway(router, cache, weight=weight)
        for row in (0, 7, 250):
            routed, decision = gateway.route(data.texts[row], SCOPE), router.route(data.texts[row], weight)
            assert routed.decision.model == decision.model
            assert routed.decision.scores == pytest.approx(decision.scores, abs=1e-6)
            assert routed.decision.expected_cost_usd == decision.expected_cost_usd
            own = cache.get(data.texts[row], SCOPE, dry_run=True)
            assert (routed.found.entry, routed.found.similarity) == (
                own.entry,
                pytest.approx(own.similarity, abs=1e-6, nan_ok=True),
            )
    alone = Gateway(router).route([{"role": "user", "content": "你好"}])
    assert alone.found is None and alone.decision.model in router.models_


def test_what_is_cached_is_answered_and_what_is_answered_is_cached(parts, tmp_path):
    router = parts[0]
    with SemanticCache(tmp_path / "cache.sqlite", policy=Fixed(0.9)) as cache:
        gateway = Gateway(router, cache, GaussianThompson(router.models_))
        for prompt in ("How do I sort a list in Python?", [{"role": "user", "content": "你好"}, *_turns("在吗?")]):
            routed = gateway.route(prompt, SCOPE)
            assert routed.decision and not routed.hit
            assert routed.found.rule == ("empty" if isinstance(prompt, str) else "unreadable")  # MiniLM and Chinese
            gateway.remember(prompt, {"text": "like this"}, SCOPE, routed, tags=["sorting"])
            again = gateway.route(prompt, SCOPE)
            assert again.hit and again.found.rule == "exact" and again.found.answer == {"text": "like this"}
            assert again.decision is None and again.predicted is None
            with pytest.raises(ToolkitError, match="the id of a model's answer that waits"):
                gateway.update(again.id, 1.0)
            with pytest.raises(ToolkitError, match="this very prompt and scope"):
                gateway.remember("another prompt", "x", SCOPE, routed)
        similar = gateway.route("How do I sort a list in python", SCOPE)
        assert similar.hit and similar.found.rule == "similar"
        with pytest.raises(ToolkitError, match="needs a Scope"):
            gateway.route("How do I sort a list in Python?")
        with pytest.raises(ToolkitError, match="prompts that are not cached"):
            stage_seconds(gateway, ["How do I sort a list in python"], SCOPE)
        with pytest.raises(ToolkitError, match=r"Gateway\.remember: a cache, and a prompt of text alone"):
            Gateway(router).remember("x", "y", SCOPE, routed)


def test_a_cache_that_cannot_be_read_is_a_miss_that_says_so(parts, tmp_path):
    path = tmp_path / "cache.sqlite"
    with SemanticCache(path, policy=Fixed(0.9)) as cache:
        gateway = Gateway(parts[0], cache)
        cache.put("How do I sort a list in Python?", "sort it", SCOPE)
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("UPDATE entries SET answer = '\"burn it\"'")
        for prompt in ("How do I sort a list in Python?", "How do I sort a list in python"):
            routed = gateway.route(prompt, SCOPE)
            assert routed.decision and routed.found.rule == "failed" and "damaged" in routed.found.reason
        gateway.remember("How do I sort a list in python", "sort it", SCOPE, routed)
        gateway.remember("How do I sort a list in Python?", "sort it", SCOPE, gateway.route(
            "How do I sort a list in Python?", SCOPE))  # fmt: skip
        assert gateway.route("How do I sort a list in Python?", SCOPE).found.answer == "sort it"  # healed
    assert gateway.route("How do I sort a list in Python?", SCOPE).found.rule == "failed"  # closed


def _turns(*asked):
    return [{"role": role, "content": text} for text in asked for role, text in (("assistant", "嗯"), ("user", text))]


def test_a_bandit_overrules_a_router_that_is_wrong(parts):
    router, cache, data = parts
    bandit = GaussianThompson(router.models_, prior_sd=1.0, noise_sd=0.1, seed=1)
    gateway = Gateway(router, cache, bandit)
    best = router.models_.index(router.route(data.texts[0]).model)
    for text in data.texts[:200]:
        routed = gateway.route(text, SCOPE)
        gateway.update(routed.id, float(routed.arm != best))
        assert router.models_[routed.arm] == routed.decision.model
    assert all(gateway.route(text, SCOPE).decision.model != router.models_[best] for text in data.texts[:30])


def test_two_hundred_callers_at_once_get_what_one_gets(parts):
    """int8 has one vector per text whatever runs beside it, so answers are equal to the bit."""
    router, cache, data = parts
    gateway = Gateway(router, cache, encoder=encoders.fresh("minilm-int8"))
    texts = [f"{text} {number}" for number, text in enumerate(data.texts[:100])] * 2
    one = [gateway.route(text, SCOPE) for text in texts]
    with ThreadPoolExecutor(200) as pool:
        many = list(pool.map(lambda text: gateway.route(text, SCOPE), texts))
    assert [routed.found.entry for routed in many] == [routed.found.entry for routed in one]
    np.testing.assert_array_equal([r.predicted for r in many], [r.predicted for r in one])


def test_the_stages_are_the_whole_decision(parts):
    router, cache, data = parts
    gateway = Gateway(router, cache, GaussianThompson(router.models_), encoder=encoders.fresh("minilm-int8"))
    stages = stage_seconds(gateway, data.texts[:5], SCOPE)
    assert tuple(stages) == STAGES and all(len(values) == 5 and (values > 0).all() for values in stages.values())
    plain = Gateway(router, cache, weight=100.0, encoder=encoders.fresh("minilm-int8"))
    for text in data.texts[:5]:
        routed, clock = staged(plain, text, SCOPE)
        whole = plain.route(text, SCOPE)
        assert routed.decision == whole.decision
        assert (routed.found.entry, routed.found.similarity) == (whole.found.entry, whole.found.similarity)
        np.testing.assert_array_equal(routed.found.vector, whole.found.vector)
        assert clock == sorted(clock)
    with pytest.raises(ToolkitError, match="an encoder with tokenise and forward"):
        stage_seconds(Gateway(RidgeRegression(encoder="lexical").fit(data)), ["x"])


def test_parts_that_do_not_fit_are_refused(parts, tmp_path):
    router, _, data = parts
    for wrong in (TokenLengthRule().fit(data), RidgeRegression(), "ridge"):
        with pytest.raises(ToolkitError, match="a fitted router with scores"):
            Gateway(wrong)
    with (
        SemanticCache(tmp_path / "cache.sqlite", "lexical") as other,
        pytest.raises(ToolkitError, match="the cache's encoder given is lexical"),
    ):
        Gateway(router, other)
    with pytest.raises(ToolkitError, match="vectors of 'minilm-int8' were expected"):
        Gateway(router, encoder=encoders.fresh("minilm"))
    with pytest.raises(ToolkitError, match="weight takes a number"):
        Gateway(router, weight=float("nan"))
    with pytest.raises(ToolkitError, match=r"a bandit of 1 stream of .* was expected; got 1 of arm 1"):
        Gateway(router, bandit=GaussianThompson(99))


def test_an_exploring_gateway_logs_chances_that_are_exact_and_decisions_that_can_be_made_again(parts, tmp_path):
    router, _, data = parts
    path, bandit = tmp_path / "log.jsonl", GaussianThompson(router.models_, prior_sd=0.3, seed=3)
    with DecisionLog(path) as log:
        gateway = Gateway(router, bandit=bandit, weight=20.0, log=log, draws=50, seed=1)
        ids = []
        for text in data.texts[:40]:
            routed = gateway.route(text)
            assert routed.propensity * 50 == pytest.approx(round(routed.propensity * 50)) and routed.propensity > 0
            ids.append(routed.id)
        for number, name in enumerate(ids[:30]):
            gateway.update(name, number % 2, cost_usd=0.001)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines[:40]:
        assert logs.decide_again(line) == line["model"]
    table = logs.read_log(path)
    assert table["text"].tolist() == data.texts[:40] and table["decision_id"].tolist() == ids
    judged = logs.check_log(table, router.models_)
    assert len(judged) == 30 and judged["reward"].tolist() == [0.0, 1.0] * 15
    assert gateway.account.requests == 40 and gateway.account.spent_usd == pytest.approx(0.03)
    with DecisionLog(tmp_path / "quiet.jsonl", keep_text=False) as log:
        Gateway(router, log=log).route("a secret")
    assert "secret" not in (tmp_path / "quiet.jsonl").read_text()


def test_importance_weights_of_a_log_have_mean_one(parts, tmp_path):
    """Of any policy: here of one that always takes the first model, over many decisions about one prompt."""
    router, _, data = parts
    bandit = GaussianThompson(router.models_, prior_sd=0.3, seed=3)
    with DecisionLog(tmp_path / "log.jsonl") as log:
        gateway = Gateway(router, bandit=bandit, log=log, draws=20)
        found = [gateway.route(data.texts[0]) for _ in range(600)]
    for arm in range(3):
        weights = np.array([(one.arm == arm) / one.propensity for one in found])
        if weights.any():
            assert abs(weights.mean() - 1) < 4 * weights.std() / 600**0.5 + 0.02


def test_a_reward_is_told_once_by_the_id_of_its_decision(parts, tmp_path):
    router, _, data = parts
    with SemanticCache(tmp_path / "cache.sqlite", policy=Fixed(0.9)) as cache:
        gateway = Gateway(router, cache, GaussianThompson(router.models_))
        routed = gateway.route(data.texts[0], SCOPE)
        for wrong in (1.5, -1, float("nan"), "1", None):
            with pytest.raises(ToolkitError, match="a reward from 0 to 1"):
                gateway.update(routed.id, wrong)
        with pytest.raises(ToolkitError, match="an answer of the cache that waits"):
            gateway.judge(routed.id, True)
        gateway.update(routed.id, 1.0, cost_usd=0.02)
        for again in (routed.id, "none"):
            with pytest.raises(ToolkitError, match="a model's answer that waits"):
                gateway.update(again, 1.0)
        assert gateway.bandit.pulls_.sum() == 1
        gateway.remember(data.texts[0], "answer", SCOPE, routed)
        hits = [gateway.route(data.texts[0], SCOPE) for _ in range(4)]
        assert all(hit.source == "cache" for hit in hits)
        gateway.judge(hits[0].id, True)
        gateway.judge(hits[1].id, False, harm_usd=0.03)
        with pytest.raises(ToolkitError, match="an answer of the cache that waits"):
            gateway.judge(hits[1].id, True)
        books = gateway.account
        assert (books.requests, books.hits, books.judged, books.wrong, books.answered) == (5, 4, 2, 1, 1)
        assert books.saved_usd == pytest.approx(4 * (0.02 - 0.03 / 2))  # the judged hits stand for all four


def test_a_session_keeps_its_model_as_long_as_that_is_in(parts):
    router, _, data = parts
    bandit = GaussianThompson(router.models_, prior_sd=1.0, seed=2)
    gateway = Gateway(router, bandit=bandit)
    first = gateway.route(data.texts[0], session="s")
    assert first.source == "router"
    later = [gateway.route(text, session="s") for text in data.texts[:30]]
    assert {one.arm for one in later} == {first.arm} and {one.source for one in later} == {"session"}
    assert len({gateway.route(text).arm for text in data.texts[:30]}) > 1
    bandit.remove_arm(first.decision.model)
    moved = gateway.route(data.texts[0], session="s")
    assert moved.source == "router" and moved.arm != first.arm
    assert gateway.route(data.texts[1], session="s").arm == moved.arm


def test_prices_change_the_choice_at_once(parts):
    router, _, data = parts
    gateway = Gateway(router, weight=1000.0)
    before = {gateway.route(text).decision.model for text in data.texts[:30]}
    assert before == {"qwen-flash"}
    prices = pd.DataFrame(1.0, index=router.models_, columns=list(PRICE_COLUMNS))
    prices.loc["qwen-flash"] = 1000.0
    gateway.reprice(prices)
    after = [gateway.route(text).decision for text in data.texts[:30]]
    assert "qwen-flash" not in {one.model for one in after} and after[0].expected_cost_usd > 0
    with pytest.raises(ToolkitError, match="qwen-max missing"):
        gateway.reprice(prices.drop(index="qwen-max"))
    assert Gateway(router, prices=prices, weight=1000.0).route(data.texts[0]).decision.model == after[0].model


def test_a_thompson_sampling_router_and_routers_of_other_kinds_serve(parts):
    _, _, data = parts
    learner = ThompsonSamplingRouter(RidgeRegression(encoder="lexical"), folds=2).fit(data)
    gateway = Gateway(learner)
    assert gateway.bandit is learner.bandit_
    for text in data.texts[:40]:
        routed = gateway.route(text)
        gateway.update(routed.id, 1.0)
        arm = routed.arm
    assert learner.bandit_.weights_[0, arm, 0] > learner.features_.loadings()[arm, 0]  # better than the labels said
    for bandit in (EXP3(data.names), LinUCB(data.names, 1024), AdaptiveBeta(data.names, [1, 2, 3], types=1024)):
        other = Gateway(RidgeRegression(encoder="lexical").fit(data), bandit=bandit, weight=20.0)
        routed = other.route(data.texts[0])
        other.update(routed.id, 1.0)
    plain = Gateway(DomainMeanOfNothing().fit(data), weight=1.0).route("x")
    assert plain.decision.model in data.names and plain.propensity == 1.0


class DomainMeanOfNothing(Router):
    """A router without an encoder: the mean of each model."""

    def _fit(self, train):
        self.mean_ = train.mean_quality()

    def _predict(self, texts, metadata):
        return np.tile(self.mean_, (len(texts), 1))


def test_a_session_is_logged_with_the_chance_it_began_with(parts, tmp_path):
    """Every later turn came about by the first turn's draw: with another chance, estimates would be biased."""
    router, _, data = parts
    with DecisionLog(tmp_path / "log.jsonl") as log:
        gateway = Gateway(router, bandit=GaussianThompson(router.models_, prior_sd=0.5, seed=2), log=log)
        values = []
        for number in range(300):
            turns = [gateway.route(data.texts[0], session=str(number)) for _ in range(3)]
            assert len({(one.arm, one.propensity) for one in turns}) == 1 and turns[0].propensity <= 1
            values += [(one.arm == 0) / one.propensity for one in turns]
    assert np.mean(values) == pytest.approx(1, abs=0.35)


def test_two_first_turns_at_once_get_one_model(parts):
    router, _, data = parts
    gateway = Gateway(router, bandit=GaussianThompson(router.models_, prior_sd=2.0, seed=5))
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda n: (n // 4, gateway.route(data.texts[n % 7], session=str(n // 4)).arm), range(160))
        )
    assert len(set(found)) == 40


def test_exploration_by_lot_is_part_of_the_chances(parts, tmp_path):
    router, _, data = parts
    sure = GaussianThompson(router.models_, prior_sd=1e-6)
    with DecisionLog(tmp_path / "log.jsonl") as log:
        gateway = Gateway(router, bandit=sure, log=log, explore=0.3)
        found = [gateway.route(data.texts[0]) for _ in range(600)]
    assert {round(one.propensity, 6) for one in found} == {0.1, 0.8} and {one.source for one in found} == {
        "router",
        "lot",
    }
    for arm in range(3):
        assert np.mean([(one.arm == arm) / one.propensity for one in found]) == pytest.approx(1, abs=0.35)


def test_a_model_that_is_out_is_never_served_whatever_the_weight(parts):
    router, _, data = parts
    bandit = GaussianThompson(router.models_)
    gateway = Gateway(router, bandit=bandit, weight=math.inf)
    assert gateway.route(data.texts[0]).decision.model == "qwen-flash"
    bandit.remove_arm("qwen-flash")
    for weight in (math.inf, 50.0, np.array([20.0]), -math.inf):
        gateway.weight = weight
        assert gateway.route(data.texts[0]).decision.model != "qwen-flash"
    bandit.add_arm("new")
    with pytest.raises(ToolkitError, match="the router knows qwen-flash"):
        gateway.route(data.texts[0])


def test_what_is_wrong_is_told_before_anything_is_learned(parts, tmp_path):
    router, _, data = parts
    gateway = Gateway(router, bandit=GaussianThompson(router.models_))
    routed = gateway.route(data.texts[0])
    for cost in ("abc", float("nan"), -5):
        with pytest.raises(ToolkitError, match="a cost from 0"):
            gateway.update(routed.id, 1.0, cost_usd=cost)
    assert not gateway.bandit.pulls_.any() and gateway.account.answered == 0
    gateway.update(routed.id, 1.0)
    with pytest.raises(ToolkitError, match="the name of a session"):
        gateway.route("x", session=["a"])
    for options in ({"draws": 0}, {"draws": 1}, {"explore": 2}):
        with DecisionLog(tmp_path / "log.jsonl") as log, pytest.raises(ToolkitError, match="draws from 2"):
            Gateway(router, log=log, **options)
    for bandit, message in ((LinUCB(data.names, 5), "contexts of the encoder's length 384"),
                            (DuelingThompson(data.names), "single rewards")):  # fmt: skip
        with pytest.raises(ToolkitError, match=message):
            Gateway(router, bandit=bandit)
    with pytest.raises(ToolkitError, match="a weight from 0"):
        Gateway(router, bandit=EXP3(data.names), weight=-1.0)


def test_a_log_that_cannot_be_written_stops_no_traffic_and_is_counted(parts, tmp_path):
    log = DecisionLog(tmp_path / "log.jsonl")
    gateway = Gateway(parts[0], bandit=GaussianThompson(parts[0].models_), log=log)
    log.close()
    gateway.update(gateway.route("x").id, 1.0)
    assert gateway.account.unlogged == 2 and gateway.bandit.pulls_.sum() == 1


def test_a_bandit_is_saved_whole_while_others_decide(parts, tmp_path):
    router, _, data = parts
    gateway, done = Gateway(router, bandit=GaussianThompson(router.models_, prior_mean=0.0)), threading.Event()
    predicted = np.zeros(3)

    def teach():
        while not done.is_set():
            gateway.update(gateway.route(data.texts[0]).id, 1.0)

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(teach)
        for _ in range(20):
            found = load_bandit(gateway.save_bandit(tmp_path / "bandit.npz"))
            assert found.pulls_.sum() >= found.total_.sum() >= 0
        done.set()
        busy.result()
    assert found.scores(predicted=predicted).shape == (1, 3)
    with pytest.raises(ToolkitError, match="a bandit was expected"):
        Gateway(router).save_bandit(tmp_path / "none.npz")


def test_an_image_or_a_tool_call_is_decided_upon_and_never_answered_from_the_cache(parts, tmp_path):
    """Two prompts with one text and two images are two questions."""
    router = parts[0]
    text = "What is in this picture?"
    shown = [
        {"role": "user", "content": [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "a"}}]}
    ]
    called = [{"role": "user", "content": text}, {"role": "assistant", "content": None, "tool_calls": []}]
    with SemanticCache(tmp_path / "cache.sqlite", policy=Fixed(0.9)) as cache:
        gateway = Gateway(router, cache)
        gateway.remember(text, "a cat", SCOPE, gateway.route(text, SCOPE))
        assert gateway.route(text, SCOPE).hit
        for prompt in (shown, called):
            routed = gateway.route(prompt, SCOPE)
            assert not routed.hit and routed.found is None
            assert routed.decision.model == router.route(text).model
            with pytest.raises(ToolkitError, match="a prompt of text alone"):
                gateway.remember(prompt, "a dog", SCOPE, routed)
