"""What every router keeps; a new one is tested by standing in ROUTERS."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_outcomes, make_router
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers import LEARNED, ROUTERS, base, baselines

NAMES = list(ROUTERS)
BLIND = [name for name in NAMES if not ROUTERS[name]().uses_outcomes]


@pytest.fixture(scope="module")
def parts(synthetic) -> tuple[Outcomes, Outcomes]:
    return synthetic.sample(400).split(0.4)


@pytest.fixture(scope="module")
def fitted(parts):
    """Each router fitted once for the whole module."""
    return cache(lambda name: make_router(name).fit(parts[0]))


def _answer(router: base.Router, prompts, metadata: pd.DataFrame) -> np.ndarray:
    return router.predict(prompts, metadata) if router.has_scores else router.choose(prompts, metadata)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_rebuild_the_router(name):
    router = ROUTERS[name]()
    assert repr(router.clone()) == repr(router)
    assert type(router)(**router.params).params.keys() == router.params.keys()
    assert router.sees
    assert router.uses_metadata == (router.sees == "domain")


@pytest.mark.parametrize("name", NAMES)
def test_predictions_have_a_column_per_model(name, parts, fitted):
    train, test = parts
    router = fitted(name)
    predicted = router.predict_outcomes(test)
    assert predicted.shape == test.quality.shape
    assert np.isfinite(predicted).all()
    assert router.models_ == train.names
    if router.has_scores:
        assert predicted.min() >= 0 and predicted.max() <= 1


@pytest.mark.parametrize("name", BLIND)
def test_a_decision_depends_on_its_own_prompt_alone(name, parts, fitted):
    train, test = parts
    router, metadata = fitted(name), test.prompts[["domain", "language"]]
    together = _answer(router, test.texts, metadata)
    order = np.random.default_rng(0).permutation(len(test))
    shuffled = _answer(router, [test.texts[row] for row in order], metadata.iloc[order])
    np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
    alone = np.concatenate([_answer(router, [test.texts[row]], metadata.iloc[[row]]) for row in range(8)])
    np.testing.assert_allclose(alone, together[:8], atol=1e-5)
    again = _answer(make_router(name).fit(train), test.texts, metadata)
    np.testing.assert_array_equal(again, together)


@pytest.mark.parametrize("name", BLIND)
def test_only_flagged_routers_see_metadata_and_none_sees_outcomes(name, parts, fitted):
    test = parts[1]
    router = fitted(name)
    honest = router.predict_outcomes(test)
    scrambled = test.prompts.assign(domain=np.roll(test.prompts["domain"], 1), language="xx")
    masked = Outcomes("masked", scrambled, test.models, 1 - test.quality)
    same = np.array_equal(router.predict_outcomes(masked), honest)
    assert same != router.uses_metadata


@pytest.mark.parametrize("name", BLIND)
def test_messages_are_read_by_their_user_turns(name, parts, fitted):
    test = parts[1]
    router, metadata = fitted(name), test.prompts[["domain", "language"]].iloc[:1]
    text = test.texts[0]
    turns = [{"role": "system", "content": "Be brief. " * 200}, {"role": "user", "content": text}]
    np.testing.assert_array_equal(_answer(router, [turns], metadata), _answer(router, [text], metadata))


@pytest.mark.parametrize("name", BLIND)
def test_odd_input(name, parts, fitted):
    test = parts[1]
    metadata = test.prompts[["domain", "language"]]
    with pytest.raises(ToolkitError, match="not fitted"):
        _answer(make_router(name), ["text"], metadata.iloc[:1])
    router = fitted(name)
    assert len(_answer(router, [], metadata.iloc[:0])) == 0
    odd = ["", "\ud800", "字" * 3000]
    assert len(_answer(router, odd, metadata.iloc[:3])) == 3
    with pytest.raises(ToolkitError, match="not one string"):
        _answer(router, "text", metadata.iloc[:1])
    with pytest.raises(ToolkitError, match="list of messages"):
        _answer(router, [{"text": "no messages"}], metadata.iloc[:1])
    if router.uses_metadata:
        with pytest.raises(ToolkitError, match="pass a frame with domain and language"):
            router.predict(["text"])


@pytest.mark.parametrize("name", BLIND)
def test_unobserved_outcomes_are_left_aside(name, parts):
    train, test = parts
    holes = np.random.default_rng(0).random(train.quality.shape) < 0.5
    thinned = Outcomes(
        "thinned", train.prompts, train.models, np.where(holes, np.nan, train.quality), train.cost_usd,
        cost_source="priced",
    )  # fmt: skip
    predicted = make_router(name).fit(thinned).predict_outcomes(test)
    assert np.isfinite(predicted).all()
    nothing = Outcomes("nothing", train.prompts, train.models, np.where([True, False, False], np.nan, train.quality))
    with pytest.raises(ToolkitError, match=f"model {train.names[0]} has no outcome"):
        make_router(name).fit(nothing)


@pytest.mark.parametrize("name", LEARNED)
def test_classes_and_prompts_that_training_hardly_has(name, parts):
    """One model always right, one always wrong, every prompt twice: a class is absent, and half the rows are copies."""
    train, test = parts
    half = train.subset(np.arange(60))
    quality = np.stack([np.zeros(120), np.ones(120), np.r_[half.quality[:, 2], half.quality[:, 2]]], axis=1)
    prompts = pd.concat([half.prompts, half.prompts.assign(prompt_id=half.prompts["prompt_id"] + "/again")])
    router = make_router(name).fit(Outcomes("extreme", prompts, train.models, quality))
    predicted = router.predict(test.texts)
    assert np.isfinite(predicted).all()
    assert (predicted.argmax(axis=1) != 0).mean() > 0.9
    pair = train.pair()
    assert make_router(name).fit(pair).predict(test.texts[:3]).shape == (3, 2)


@pytest.mark.parametrize("name", BLIND)
def test_a_decision_says_what_it_knows(name, parts, fitted):
    train, test = parts
    router, prompt = fitted(name), test.texts[0]
    if router.uses_metadata:
        with pytest.raises(ToolkitError, match="route has only its text"):
            router.route(prompt)
        return
    decision = router.route(prompt)
    if not router.has_scores:
        assert decision.model == router.models_[router.choose([prompt])[0]]
    assert decision == router.route([{"role": "user", "content": prompt}])
    assert set(decision.scores) == set(train.names)
    assert decision.scores[decision.model] == max(decision.scores.values())
    cheapest = router.route(prompt, weight=np.inf)
    assert 0 < cheapest.expected_cost_usd <= decision.expected_cost_usd
    assert decision.reason
    with pytest.raises(ToolkitError, match="weight takes a number"):
        router.route(prompt, weight=np.nan)
    free = Outcomes("free", train.prompts, train.models, train.quality)
    if name not in ("cheapest", "bert"):
        with pytest.raises(ToolkitError, match="this router knows none"):
            make_router(name).fit(free).route(prompt, weight=1.0)


def test_the_mandatory_baselines_stand_in_every_comparison(synthetic):
    pool, pair = baselines(synthetic), baselines(synthetic.pair())
    always = {"random", "prompt-length", "length-rule", "length-rule-shares", "domain-mean", "knn-lexical"}
    always |= {"hindsight-oracle", "bayes-optimal"}
    assert set(pair) == always | {"always-weak", "always-strong"}
    assert set(pool) == always | {"cheapest", *synthetic.names}
    bare = make_outcomes(np.eye(2))
    assert "domain-mean" not in baselines(bare) and "bayes-optimal" not in baselines(bare)
