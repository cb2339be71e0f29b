"""Routers trained for dollars, and what they add to a call."""

import numpy as np
import pytest

from toolkit import encoders, load
from toolkit.evaluation import learning, router_latency
from toolkit.evaluation.protocol import cross_predict, holdout
from toolkit.routers import BASELINES, LEARNED


def test_a_set_of_two_models_is_not_trained_twice():
    pair = holdout(load("synthetic").sample(200, 0).pair(), 100, 0)
    routers = {"length": BASELINES["prompt-length"](), "elo": LEARNED["elo"]()}
    own = cross_predict(pair, routers)
    taken, anew = learning.on_cost(own, pair, {}, 0), cross_predict(pair, routers, costs=True)
    assert np.allclose(taken.expected_cost, anew.expected_cost)
    assert all(np.array_equal(taken.quality[name], anew.quality[name]) for name in routers)


def test_more_models_are_trained_on_and_unknown_costs_are_not_invented():
    pool = holdout(load("synthetic").sample(200, 0), 100, 0)
    own = cross_predict(holdout(load("synthetic").sample(200, 0).pair(), 100, 0), {"elo": LEARNED["elo"]()})
    made = learning.on_cost(own, pool, {"elo": LEARNED["elo"]()}, 0)
    assert made.outcomes.names == pool.names and list(made.quality) == ["elo"]
    bare = pool.subset(np.full(len(pool), True))
    object.__setattr__(bare, "cost_source", "none")
    assert learning.on_cost(own, bare, {}, 0) is None


@pytest.mark.parametrize(
    ("name", "fast"), [("minilm", "minilm-int8"), ("minilm+lexical+surface", "minilm-int8+lexical+surface"),
                       ("surface", "surface"), ("minilm-mixed", "minilm-mixed")],
)  # fmt: skip
def test_the_fast_form_of_an_encoder(name, fast):
    assert router_latency.fast_encoder(name) == fast


def test_the_fast_form_reaches_members():
    made = router_latency.fast_form(LEARNED["ensemble"]())
    assert {member.encoder for member in made.members} == {"minilm-int8+lexical+surface"}


def test_every_timed_decision_encodes_its_query():
    calls, shared = [], encoders.get("surface")
    router = LEARNED["ridge"](encoder="surface").fit(load("synthetic").sample(100, 0).pair())
    own = shared.encoder.encode
    shared.encoder.encode = lambda texts: calls.append(len(texts)) or own(texts)
    try:
        router_latency.rows({"ridge": router}, 0.0, 2, 1, bootstraps=2)
    finally:
        del shared.encoder.encode
    assert len(calls) >= 4  # two rounds of a call that counts and one that does not, and those that find the repeats
