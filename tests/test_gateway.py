"""The gateway decides as its parts do, one prompt at a time or many at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from toolkit import encoders
from toolkit.bandits.thompson import GaussianThompson
from toolkit.cache.index import Index
from toolkit.errors import ToolkitError
from toolkit.gateway import STAGES, Gateway
from toolkit.routers.baselines import PromptLength
from toolkit.routers.classical import RidgeRegression


@pytest.fixture(scope="module")
def parts(synthetic):
    data = synthetic.sample(300)
    router = RidgeRegression(encoder="minilm-int8").fit(data)
    index = Index(384)
    index.add(range(200), encoders.get("minilm-int8").encode(data.texts[:200]))
    return router, index, data


def test_without_a_bandit_it_is_the_router_and_the_index(parts):
    router, index, data = parts
    for weight in (0.0, 200.0):
        gateway = Gateway(router, index, weight=weight)
        for row in (0, 7, 250):
            routed, decision = gateway.route(data.texts[row]), router.route(data.texts[row], weight)
            assert routed.decision.model == decision.model
            assert routed.decision.scores == pytest.approx(decision.scores, abs=1e-6)
            assert routed.decision.expected_cost_usd == decision.expected_cost_usd
            if row < 200:
                assert routed.nearest == row or data.texts[routed.nearest] == data.texts[row]
                assert routed.similarity == pytest.approx(1, abs=1e-5)
            else:
                assert routed.similarity < 1
    alone = Gateway(router).route([{"role": "user", "content": "你好"}])
    assert alone.nearest is None and np.isnan(alone.similarity)


def test_a_bandit_overrules_a_router_that_is_wrong(parts):
    router, index, data = parts
    bandit = GaussianThompson(len(router.models_), prior_sd=1.0, noise_sd=0.1, seed=1)
    gateway = Gateway(router, index, bandit)
    best = router.models_.index(router.route(data.texts[0]).model)
    with pytest.raises(ToolkitError, match="a bandit was expected"):
        Gateway(router).learn(gateway.route("x"), 1.0)
    for text in data.texts[:200]:
        routed = gateway.route(text)
        gateway.learn(routed, float(routed.arm != best))
        assert router.models_[routed.arm] == routed.decision.model
    assert all(gateway.route(text).decision.model != router.models_[best] for text in data.texts[:30])


def test_two_hundred_callers_at_once_get_what_one_gets(parts):
    """int8 has one vector per text whatever runs beside it, so answers are equal to the bit."""
    router, index, data = parts
    gateway = Gateway(router, index, encoder=encoders.fresh("minilm-int8"))
    texts = [f"{text} {number}" for number, text in enumerate(data.texts[:100])] * 2
    one = [gateway.route(text) for text in texts]
    with ThreadPoolExecutor(200) as pool:
        many = list(pool.map(gateway.route, texts))
    assert [routed.nearest for routed in many] == [routed.nearest for routed in one]
    np.testing.assert_array_equal([r.predicted for r in many], [r.predicted for r in one])


def test_the_stages_are_the_whole_decision(parts):
    router, index, data = parts
    gateway = Gateway(router, index, GaussianThompson(len(router.models_)), encoder=encoders.fresh("minilm-int8"))
    stages = gateway.stages(data.texts[:5])
    assert tuple(stages) == STAGES and all(len(values) == 5 and (values > 0).all() for values in stages.values())
    plain = Gateway(router, index, weight=100.0, encoder=encoders.fresh("minilm-int8"))
    for text in data.texts[:5]:
        routed, clock = plain._staged(text)
        whole = plain.route(text)
        assert (routed.decision, routed.nearest, routed.similarity) == (whole.decision, whole.nearest, whole.similarity)
        np.testing.assert_array_equal(routed.vector, whole.vector)
        assert clock == sorted(clock)
    with pytest.raises(ToolkitError, match="an encoder with tokenise and forward"):
        Gateway(router).stages(["x"])


def test_parts_that_do_not_fit_are_refused(parts):
    router, _, data = parts
    for wrong in (PromptLength().fit(data), RidgeRegression()):
        with pytest.raises(ToolkitError, match="a fitted router with an encoder"):
            Gateway(wrong)
    with pytest.raises(ToolkitError, match="dimension 384 was expected; got 8"):
        Gateway(router, Index(8))
    with pytest.raises(ToolkitError, match="vectors of 'minilm-int8' were expected"):
        Gateway(router, encoder=encoders.fresh("minilm"))
    with pytest.raises(ToolkitError, match="weight takes a number"):
        Gateway(router, weight=float("nan"))
    with pytest.raises(ToolkitError, match="arms was expected; got 99"):
        Gateway(router, bandit=GaussianThompson(99))
