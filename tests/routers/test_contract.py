"""What every router keeps; a new one is tested by standing in ROUTERS."""

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers import ROUTERS, base, baselines

NAMES = list(ROUTERS)
BLIND = [name for name in NAMES if not ROUTERS[name]().uses_outcomes]


@pytest.fixture(scope="module")
def parts(synthetic) -> tuple[Outcomes, Outcomes]:
    return synthetic.sample(600).split(0.4)


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
def test_predictions_have_a_column_per_model(name, parts):
    train, test = parts
    router = ROUTERS[name]().fit(train)
    predicted = router.predict_outcomes(test)
    assert predicted.shape == test.quality.shape
    assert np.isfinite(predicted).all()
    assert router.models_ == train.names
    if router.has_scores:
        assert predicted.min() >= 0 and predicted.max() <= 1


@pytest.mark.parametrize("name", BLIND)
def test_a_decision_depends_on_its_own_prompt_alone(name, parts):
    train, test = parts
    router, metadata = ROUTERS[name]().fit(train), test.prompts[["domain", "language"]]
    together = _answer(router, test.texts, metadata)
    order = np.random.default_rng(0).permutation(len(test))
    shuffled = _answer(router, [test.texts[row] for row in order], metadata.iloc[order])
    np.testing.assert_allclose(shuffled, together[order], atol=1e-6)
    alone = np.concatenate([_answer(router, [test.texts[row]], metadata.iloc[[row]]) for row in range(8)])
    np.testing.assert_allclose(alone, together[:8], atol=1e-6)
    again = _answer(ROUTERS[name]().fit(train), test.texts, metadata)
    np.testing.assert_array_equal(again, together)


@pytest.mark.parametrize("name", BLIND)
def test_only_flagged_routers_see_metadata_and_none_sees_outcomes(name, parts):
    train, test = parts
    router = ROUTERS[name]().fit(train)
    honest = router.predict_outcomes(test)
    scrambled = test.prompts.assign(domain=np.roll(test.prompts["domain"], 1), language="xx")
    masked = Outcomes("masked", scrambled, test.models, 1 - test.quality)
    same = np.array_equal(router.predict_outcomes(masked), honest)
    assert same != router.uses_metadata


@pytest.mark.parametrize("name", BLIND)
def test_messages_are_read_by_their_user_turns(name, parts):
    train, test = parts
    router, metadata = ROUTERS[name]().fit(train), test.prompts[["domain", "language"]].iloc[:1]
    text = test.texts[0]
    turns = [{"role": "system", "content": "Be brief. " * 200}, {"role": "user", "content": text}]
    np.testing.assert_array_equal(_answer(router, [turns], metadata), _answer(router, [text], metadata))


@pytest.mark.parametrize("name", BLIND)
def test_odd_input(name, parts):
    train, test = parts
    metadata = test.prompts[["domain", "language"]]
    with pytest.raises(ToolkitError, match="not fitted"):
        _answer(ROUTERS[name](), ["text"], metadata.iloc[:1])
    router = ROUTERS[name]().fit(train)
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
    predicted = ROUTERS[name]().fit(thinned).predict_outcomes(test)
    assert np.isfinite(predicted).all()


def test_the_mandatory_baselines_stand_in_every_comparison(synthetic):
    pool, pair = baselines(synthetic), baselines(synthetic.pair())
    always = {"random", "prompt-length", "length-rule", "length-rule-shares", "domain-mean", "knn-lexical"}
    always |= {"hindsight-oracle", "bayes-optimal"}
    assert set(pair) == always | {"always-weak", "always-strong"}
    assert set(pool) == always | {"cheapest", *synthetic.names}
    bare = make_outcomes(np.eye(2))
    assert "domain-mean" not in baselines(bare) and "bayes-optimal" not in baselines(bare)
