"""What every router of policies keeps, of whichever family, on a language model that really routes."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny_causal
from tests.conftest import make_outcomes
from tests.tiny_causal import TABLE
from toolkit import load_router, save_router
from toolkit.errors import ToolkitError
from toolkit.gateway import Gateway
from toolkit.outcomes import Outcomes
from toolkit.pricing import PRICE_COLUMNS
from toolkit.routers.arch import ArchRouter
from toolkit.routers.described import DescriptionRouter
from toolkit.routers.policies import PolicyRouter
from toolkit.routes import OTHER, RouteTable, causal

EXAMPLES = {name: tiny_causal.said_of(name) for name in TABLE.names}
WAYS = ("generate", "tree", "labels")


def make(family: str, table: RouteTable = TABLE, **options) -> PolicyRouter:
    """A router of a family by its name."""
    if family in WAYS:
        return ArchRouter(table, str(tiny_causal.trained()), decide=family, precision="fp32", device="cpu", **options)
    examples = {name: EXAMPLES[name] for name in table.names}
    return DescriptionRouter(table.with_utterances(examples) if family == "few-shot" else table, **options)


FAMILIES = ("zero-shot", "few-shot", *WAYS)


@pytest.fixture(scope="module")
def asked() -> tuple[list, list[str]]:
    return tiny_causal.conversations(60, seed=3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_decision_names_route_and_model(family, asked):
    prompts, _ = asked
    router = make(family)
    chances, names = router.probabilities(prompts), router.choose_routes(prompts)
    assert chances.shape == (60, len(TABLE.routes) + 1)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    predicted = router.predict(prompts)
    for row in range(10):
        decision = router.route(prompts[row])
        assert decision.route == names[row]
        assert decision.model == TABLE.model_of(names[row]) == router.models_[predicted[row].argmax()]
        assert decision.scores[decision.model] == max(decision.scores.values())
        assert names[row] in decision.reason
        np.testing.assert_allclose(list(decision.scores.values()), predicted[row], atol=1e-5)
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(router.probabilities([prompts[row] for row in order]), chances[order], atol=1e-5)


@pytest.mark.parametrize("family", [*WAYS, "few-shot"])
def test_it_finds_the_route(family, asked):
    """The last turn counts, whatever was said before."""
    prompts, routes = asked
    router, least = make(family), 0.98
    if family == "few-shot":
        router.calibrate(*tiny_causal.conversations(200, seed=4))
        least = 0.9
    assert (np.array(router.choose_routes(prompts)) == np.array(routes)).mean() >= least


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_saved_cloned_and_shared_between_threads(family, asked, tmp_path):
    prompts, routes = asked
    router = make(family)
    assert repr(router.clone()) == repr(router)
    if family != "generate":
        router.calibrate(prompts[:30], routes[:30])
    saved = save_router(router, tmp_path / "router")
    loaded = load_router(saved)
    expected = router.probabilities(prompts[:12])
    np.testing.assert_allclose(loaded.probabilities(prompts[:12]), expected, atol=1e-5)
    assert loaded.threshold_ == router.threshold_
    assert "utterances" in json.dumps(loaded.routes) or family != "few-shot"
    fresh = make(family)  # eight threads meet a router that is not ready yet
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda prompt: fresh.evidence([prompt])[0], prompts[:12]))
    np.testing.assert_allclose(found, make(family).evidence(prompts[:12]), atol=1e-5)


def test_a_fresh_process_loads_what_was_saved(tmp_path):
    """Nothing has imported the class before."""
    code = "import sys; from toolkit import load_router; print(load_router(sys.argv[1]).route('a recipe').route)"
    saved = save_router(make("zero-shot"), tmp_path / "router")
    done = subprocess.run([sys.executable, "-c", code, saved], capture_output=True, text=True)
    assert done.stdout.strip() == "what's cooking", done.stderr


def test_routers_of_one_model_are_made_ready_side_by_side(asked):
    prompts, _ = asked
    causal._loaded.cache_clear()
    routers = [make("tree", TABLE.ordered(np.roll(range(5), shift).tolist())) for shift in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda router: router.choose_routes(prompts[:1])[0], routers))
    assert len(found) == 4 and len({id(router._engine.model) for router in routers}) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_odd_input_reaches_the_default(family):
    router = make(family)
    assert router.predict([]).shape == (0, 3) and router.choose_routes([]) == []
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    parts = {"role": "user", "content": [{"type": "text", "text": "tell me about this soup"}, {"type": "image_url"}]}
    odd = ["", "\ud800", "字" * 3000, [], [call], [parts], [parts, call, {"role": "tool", "content": "22"}]]
    assert np.isfinite(router.predict(odd)).all()
    for nothing in ([], "", " \n", [call], [{"role": "assistant", "content": "hello"}]):
        decision = router.route(nothing)
        assert (decision.route, decision.model) == (OTHER, "small") and "no user said anything" in decision.reason
    if family in WAYS:
        assert router.choose_routes([[parts]]) == ["what's cooking"]
        long = router.route("字" * 3000)
        assert long.route == OTHER and "more than the network reads" in long.reason
    for wrong in ([{"role": "user", "content": 7}], 7):
        with pytest.raises(ToolkitError, match=r"list of messages.*7.* was given"):
            router.route(wrong)
    with pytest.raises(ToolkitError, match="not one string"):
        router.choose_routes("text")


@pytest.mark.parametrize("family", FAMILIES)
def test_fewer_than_two_routes_need_no_model(family):
    """The weights are nowhere, and nothing asks for them."""
    for count in (0, 1):
        options = {"encoder": "no/such"} if family not in WAYS else {}
        table = RouteTable(TABLE.routes[:count], "small")
        router = make(family, table, **options) if family not in WAYS else ArchRouter(table, "no/such", decide=family)
        decision = router.route("tell me about this soup")
        assert (decision.model, decision.route) == ("small", OTHER)
        assert "fewer than two routes" in decision.reason


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes_and_prices_bring_costs(family, asked):
    prompts, _ = asked
    data = make_outcomes(np.eye(4)[[0, 1, 2, 3]], cost=np.tile([4.0, 3.0, 2.0, 1.0], (4, 1)))
    models = data.models.rename(index=dict(zip(data.names, ["spare", "medium", "small", "large"], strict=True)))
    renamed = Outcomes("made", data.prompts, models, data.quality, data.cost_usd, cost_source="measured")
    router = make(family)
    with pytest.raises(ToolkitError, match="needs costs"):
        router.route(prompts[0], weight=1.0)
    with pytest.raises(ToolkitError, match="names the model 'large'; the models of made are m0"):
        router.fit(data)
    assert router.models_ == TABLE.models  # what was refused left nothing behind
    usual = router.predict(prompts)
    router.fit(renamed)
    np.testing.assert_array_equal(router.predict(prompts), usual)
    assert router.route(prompts[0], weight=float("inf")).model == "large"  # the cheapest of its own models
    test = Outcomes("test", data.prompts.assign(text=["a soup", "a train", "a poem", "an error"]), models, data.quality)
    columns = router.predict_outcomes(test)
    assert (columns[:, 0] == 0).all() and columns[:, 1:].max(axis=1).all()
    prices = pd.DataFrame([[1.0, 1.0], [5.0, 5.0], [9.0, 9.0]], ["small", "medium", "large"], list(PRICE_COLUMNS))
    assert make(family).reprice(prices).route(prompts[0], weight=float("inf")).model == "small"
    turns = [{"role": "user", "content": "word " * 500}, {"role": "user", "content": "a soup"}]
    short, long = (router.reprice(prices).route(turns[at:]).expected_cost_usd for at in (1, 0))
    assert long > short  # what is sent costs, whatever the router reads


@pytest.mark.parametrize("family", ["zero-shot", "tree"])
def test_a_gateway_follows_the_conversation(family, asked):
    prompts, _ = asked
    router = make(family)
    gateway = Gateway(router)
    for prompt in prompts[:12]:
        routed, alone = gateway.route(prompt).decision, router.route(prompt)
        assert (routed.model, routed.route) == (alone.model, alone.route) and alone.route in routed.reason
    said = [{"role": "user", "content": "the train again, but shorter"}, {"role": "assistant", "content": "done"}]
    assert gateway.route([*said, {"role": "user", "content": "tell me about this soup"}]).decision.model == "small"


def test_the_guides_policies_route(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "guide" / "policies.md").read_text(encoding="utf-8")
    (tmp_path / "routes.yml").write_text(re.search(r"```yaml\n(.*?)```", page, re.S)[1])
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(next(text for text in re.findall(r"```python\n(.*?)```", page, re.S) if "DescriptionRouter" in text), names)
    assert (names["decision"].route, names["decision"].model) == ("code", "qwen-max")


class Told(PolicyRouter):
    """Evidence that stands in the prompt itself."""

    def __init__(self, routes, threshold=None):
        self._follow(routes, threshold)

    def _evidence(self, prompts):
        return np.array([json.loads(turns[-1]["content"]) for turns in prompts]), [""] * len(prompts)


PAIR = RouteTable.build({"a": "A.", "b": "B."}, {"a": "x", "b": "y"}, default="z")
LABELLED = st.lists(
    st.tuples(st.lists(st.floats(-4, 4), min_size=3, max_size=3), st.sampled_from(["a", "b", OTHER])),
    min_size=1,
    max_size=25,
)


@given(LABELLED)
def test_calibration_makes_labels_likelier_and_finds_the_best_threshold(labelled):
    prompts, routes = [json.dumps(row) for row, _ in labelled], [route for _, route in labelled]
    router = Told(PAIR)
    truth = [router.route_names.index(name) for name in routes]

    def likelihood() -> float:
        return float(np.log(router.probabilities(prompts)[np.arange(len(truth)), truth]).mean())

    before = likelihood()
    router.calibrate(prompts, routes)
    assert likelihood() >= before - 1e-6
    if OTHER in routes:

        def right(threshold: float) -> int:
            router.threshold_ = threshold
            return sum(name == route for name, route in zip(router.choose_routes(prompts), routes, strict=True))

        found = router.threshold_
        every = np.unique(router.probabilities(prompts)[:, :-1].max(axis=1))
        assert right(found) == max(right(edge) for edge in [0.0, *np.nextafter(every, 2.0)])


def test_thresholds_and_calibration_refuse_what_they_cannot_use(asked):
    prompts, routes = asked
    strict = make("tree", threshold=1.0)
    assert set(strict.choose_routes(prompts)) == {OTHER}
    assert strict.calibrate(prompts, routes).threshold_ == 1.0  # what was given stays
    with pytest.raises(ToolkitError, match="free generation has none"):
        make("generate").calibrate(prompts, routes)
    rare = [row for row, name in enumerate(routes) if name != OTHER] + [routes.index(OTHER)]
    some, names = [prompts[row] for row in rare], [routes[row] for row in rare]
    few, many = (make("zero-shot").calibrate(some, names, other_share=share) for share in (0.02, 0.9))
    assert (many.probabilities(some)[:, -1] > few.probabilities(some)[:, -1]).all()
    with pytest.raises(ToolkitError, match="a share between 0 and 1, and prompts of both kinds"):
        make("tree").calibrate(prompts, routes, other_share=1.0)
    with pytest.raises(ToolkitError, match="got 'nowhere'"):
        make("tree").calibrate(prompts[:1], ["nowhere"])
    with pytest.raises(ToolkitError, match="got 0 and 0"):
        make("tree").calibrate([], [])
    router = make("tree").calibrate(prompts, routes)
    fits = [row for row, name in enumerate(routes) if name != OTHER]
    router.calibrate([prompts[row] for row in fits], [routes[row] for row in fits])
    assert (router.other_, router.threshold_) == (0.0, 0.0)  # what an earlier lesson taught is gone
    both = make("tree").calibrate(np.array(["字" * 3000, "tell me about this soup"]), [OTHER, "what's cooking"])
    assert both.other_ == 0.0  # a prompt that is too long has no probabilities to learn from
    with pytest.raises(ToolkitError, match="has no probability to set a threshold to"):
        make("generate", threshold=0.5)
    for wrong in (
        {"threshold": 2},
        {"threshold": "x"},
        {"decide": "guess"},
        {"max_tokens": 0},
        {"default_system": "no"},
    ):
        with pytest.raises(ToolkitError, match="ArchRouter"):
            ArchRouter(TABLE, **wrong)
    for wrong in ({"turns": 0}, {"penalty": 0}, {"words": "a"}, {"encoder": 3}):
        with pytest.raises(ToolkitError, match="DescriptionRouter: an encoder's name, turns from 1"):
            DescriptionRouter(TABLE, **wrong)
    with pytest.raises(ToolkitError, match=r"of all routes or of none were expected.*'poetry' has none"):
        DescriptionRouter(TABLE.with_utterances({**EXAMPLES, "poetry": []}))
    many = RouteTable.build({f"r{n}": "R." for n in range(60)}, {f"r{n}": "m" for n in range(60)}, default="m")
    with pytest.raises(ToolkitError, match="labels tell 52 routes apart; 60 were given"):
        ArchRouter(many, decide="labels")


def test_the_order_of_routes_is_the_tables_and_changes_no_encoder(asked):
    prompts, _ = asked
    order = [3, 0, 4, 1, 2]
    for family in ("zero-shot", "few-shot"):
        usual, other = make(family), make(family, TABLE.ordered(order))
        place = [other.route_names.index(name) for name in usual.route_names]
        np.testing.assert_allclose(other.probabilities(prompts)[:, place], usual.probabilities(prompts), atol=1e-4)
    assert (
        json.loads(make("tree", TABLE.ordered(order)).prompt([]).split("JSON: ")[1].split("\n")[0])[0]["name"]
        == "travel"
    )
