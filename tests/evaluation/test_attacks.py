"""Attacks on the cache: scopes hold, a scope that is shared does not, and what is measured is what happened."""

import random
import tempfile
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import encoders
from toolkit.cache.scope import Scope
from toolkit.cache.threshold import Fixed, Guaranteed
from toolkit.datasets import paraphrases
from toolkit.errors import ToolkitError
from toolkit.evaluation import attacks
from toolkit.evaluation.caching import only

DATA = paraphrases.load("synthetic", classes=300, seed=3)
ENGLISH = only(DATA, np.unique(DATA.classes[DATA.languages == "en"]))
COLUMNS = ["system", "metric", "value", "ci_low", "ci_high", "unit", "note", "n"]


@cache
def minilm() -> encoders.Encoder:
    return encoders.fresh("minilm-int8")


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.iterdir())


# -- scopes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", attacks.VARIANTS)
def test_no_variant_of_a_scope_is_given_anothers_answer(name):
    found = attacks.cross_tenant(DATA, lookups=40, victims=5, variants={name: attacks.VARIANTS[name]})
    assert found["value"].tolist() == [0.0, 1.0]
    assert found["note"][0].startswith("any answer is returned; 1 kinds of scope")


def test_ten_thousand_lookups_return_nothing_across_scopes_and_everything_without():
    apart, shared = attacks.cross_tenant(DATA).to_dict("records")
    assert (apart["value"], apart["n"], apart["ci_low"]) == (0.0, 10_000, 0.0)
    assert apart["ci_high"] == pytest.approx(1 - 0.025 ** (1 / 10_000))  # Clopper and Pearson, in closed form for none
    assert shared["value"] == 1.0


def test_at_a_threshold_that_caches_use_the_control_still_returns_nearly_all():
    shared = attacks.cross_tenant(ENGLISH, minilm(), lookups=400, policy=Fixed(0.7)).set_index("system")["value"]
    assert shared["cross-tenant, one scope for all"] > 0.9


def canonical(value):
    """What a value says in JSON, kinds apart: 1, 1.0, true and "1" are four."""
    if isinstance(value, Mapping):
        return "object", frozenset((key, canonical(one)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(map(canonical, value))
    return type(value).__name__, repr(value)


def reordered(value, rng):
    """The same, in other containers: keys in another order, tuples for lists."""
    if isinstance(value, dict):
        return {key: reordered(value[key], rng) for key in rng.sample(list(value), len(value))}
    return tuple(reordered(one, rng) for one in value) if isinstance(value, list) else value


def disguised(value, kind):
    """The same, but values of a kind become what they look like."""
    if isinstance(value, dict):
        return {key: disguised(one, kind) for key, one in value.items()}
    if isinstance(value, list):
        return [disguised(one, kind) for one in value]
    if type(value) is not kind:
        return value
    twins = {"1": 1, "true": True, "null": None, "": None, "[]": []}
    return twins[value] if kind is str else int(value) if kind is bool else bool(value)


def moved(tenant, model, system, parameters):
    """The same letters in the same order, but of other names."""
    yield [tenant + model[:1], model[1:], system, parameters]
    yield [tenant, model + system[:1], system[1:], parameters]


LEAVES = st.sampled_from([None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, 1e16, 10**16, "", "1", "true", "null", "[]"])
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", 'a":', "é"]), inner)
)
NAMES = st.sampled_from(["a", "ab", "b", "bc", 'a","b', "é", "e\u0301", "\\u00e9", "a\0", "а", "a "])
SCOPES = st.tuples(
    NAMES | st.text(min_size=1, max_size=3).filter(str.strip),
    NAMES,
    NAMES | st.just(""),
    st.dictionaries(st.sampled_from(["n", "n2", 'n":1,"m', ""]), NESTED, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(SCOPES, SCOPES, st.integers(0, 3), st.integers(0))
def test_fingerprints_are_equal_where_the_content_is_and_nowhere_else(one, other, kept, seed):
    *names, parameters = one
    near = [  # whole strangers would hardly ever be nearly equal
        [*one[:kept], *other[kept:]],
        [*names, reordered(parameters, random.Random(seed))],
        *([*names, disguised(parameters, kind)] for kind in (bool, int, str)),
        *(fields for fields in moved(*one) if fields[1].strip()),
    ]
    for fields in near:
        same = canonical(one) == canonical(fields)
        assert (Scope(*one).fingerprint == Scope(*fields).fingerprint) is same


# -- within a scope ---------------------------------------------------------------------------------------------------


def test_quotation_and_every_word_of_a_suffix_come_nearer_to_the_victims_prompt():
    rng, texts, encoder = np.random.default_rng(0), ENGLISH.texts, minilm()
    prompts, requests = texts[:60:10], texts[-60::10]
    target = encoder.encode(prompts)

    def similarity(some):
        return (encoder.encode(some) * target).sum(axis=1)

    bare = similarity(requests)
    assert (similarity([attacks.quoted(*pair) for pair in zip(requests, prompts, strict=True)]) > bare + 0.2).all()
    vocabulary = " ".join(prompts).split()
    suffixed, steps = attacks.suffixed(requests, prompts, vocabulary, encoder, 4, 12, rng)
    assert steps.shape == (6, 5)
    assert (np.diff(steps, axis=1) >= 0).all()
    assert (steps[:, -1] > bare + 0.1).all()
    assert similarity(suffixed) == pytest.approx(steps[:, -1], abs=0.05)  # int8 rounds by batch
    assert all(text.startswith(request) for text, request in zip(suffixed, requests, strict=True))


def test_a_threshold_that_nothing_meets_stops_collisions_and_one_that_all_meet_does_not():
    policies = {"all": Fixed(-1), "same": Fixed(1), "off": Guaranteed()}
    found = attacks.collisions(ENGLISH, "lexical", policies, 20, words=2, sample=4).set_index("system")["value"]
    assert found["collision by quotation, all"] > 0.5 > found["collision by no craft, all"]
    assert found["collision by quotation, all, guard"] <= found["collision by quotation, all"]
    assert (found.filter(regex="same|off") == 0).all()
    assert len(found) == 3 * 2 * 3


def test_poisoning_reaches_who_shares_a_scope_and_nobody_else():
    found = attacks.poisoning(ENGLISH, minilm(), {"0.7": Fixed(0.7), "all": Fixed(-1)}, 20).set_index("system")
    assert (found.filter(like="user as tenant", axis=0)["value"] == 0).all()
    assert (found.filter(like="one scope for all", axis=0)["value"] > 0.5).all()
    assert (found["n"] == 20).all()


def test_times_tell_what_the_own_scope_holds():
    found = attacks.timing(ENGLISH, "lexical", prompts=60, replicates=100).set_index("system")
    assert found[["value", "ci_low", "ci_high"]].stack().between(0, 1).all()
    assert found.loc["timing, own scope", "value"] > 0.8


def test_a_run_is_tidy_and_repeats_under_its_seed():
    def rows(seed):
        found = attacks.run(DATA, "lexical", {"0.6": Fixed(0.6)}, 6, 40, 2, 4, 6, seed)
        assert list(found) == COLUMNS and (found["metric"] == "attack_success").all()
        assert ((found["ci_low"] <= found["value"]) & (found["value"] <= found["ci_high"])).all()
        assert found["system"].is_unique
        return found[~found["system"].str.startswith("timing")]

    first = rows(1)
    assert first.equals(rows(1))
    assert not first.equals(rows(2))


def test_an_attack_that_fails_half_way_leaves_no_file_and_too_many_victims_are_refused():
    class Broken:
        slow, dimension, identity = False, 8, "broken"

        def encode(self, texts):
            raise RuntimeError("broken")

    for attack in (attacks.cross_tenant, attacks.timing):
        with pytest.raises(RuntimeError):
            attack(DATA, Broken())
    with pytest.raises(ToolkitError, match="victims were expected"):
        attacks.poisoning(DATA, "lexical", {}, victims=10_000)
    with pytest.raises(ToolkitError, match="prompts were expected"):
        attacks.timing(DATA, "lexical", prompts=10_000)
