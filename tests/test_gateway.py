"""The gateway decides as its parts do, one prompt at a time or many at once."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

from toolkit import encoders
from toolkit.bandits.counting import GaussianThompson
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.cache.threshold import Fixed
from toolkit.errors import ToolkitError
from toolkit.evaluation.stages import STAGES, stage_seconds, staged
from toolkit.gateway import Gateway
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
        with pytest.raises(ToolkitError, match=r"Gateway\.remember: a cache was expected"):
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
