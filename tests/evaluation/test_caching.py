"""Worlds and streams: who meets whom, what counts as wrong, and every share over its own denominator."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cache.threshold import GRID, Fixed
from toolkit.datasets import paraphrases
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.errors import ToolkitError
from toolkit.evaluation import caching, caching_study, promise, streams
from toolkit.evaluation.caching import Found, World

WIDTH = 16


def made(sizes: list[int], seed: int = 0, spread: float = 0.3) -> tuple[Paraphrases, np.ndarray]:
    """Classes of given sizes, their texts scattered around a direction of their own, in random order."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.normal(size=(len(sizes), WIDTH))
    vectors = (centres[classes] + spread * rng.normal(size=(len(classes), WIDTH))).astype(np.float32)
    texts = [f"text {row} of {code}" for row, code in enumerate(classes)]
    data = Paraphrases("made", texts, classes, np.full(len(texts), "en"), pd.DataFrame(
        {"first": [0], "second": [1], "same": [classes[0] == classes[1]]}), (), False)  # fmt: skip
    return data, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(seed=st.integers(0, 10_000), entries=st.integers(1, 20), answerable=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_world_has_one_request_a_class_and_knows_which_can_be_answered(seed, entries, answerable):
    data, vectors = made([3] * 30 + [1] * 40, seed)
    first, second = caching.parts(data, 0.6, seed)
    assert not set(first) & set(second) and len(first) + len(second) == 70
    requests = 15
    try:
        one = caching.world(data, first, entries, requests, answerable, seed)
    except ToolkitError as err:
        assert "Ask for fewer entries or requests" in str(err)
        return
    asked, cached = data.classes[one.requests], data.classes[one.entries]
    assert len(set(asked)) == requests and len(set(cached)) == entries and set(asked) | set(cached) <= set(first)
    assert not set(one.requests) & set(one.entries)
    np.testing.assert_array_equal(one.answerable, np.isin(asked, cached))
    assert one.answerable.sum() == round(answerable * requests)
    found = caching.find(data, vectors, one, block=4)
    scores = vectors[one.requests] @ vectors[one.entries].T
    np.testing.assert_allclose(found.similarity, scores.max(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.correct, data.classes[found.entry] == asked)
    assert not (found.correct & ~found.answerable).any()


def test_every_share_has_its_own_denominator():
    found = Found(
        similarity=np.array([0.95, 0.92, 0.91, 0.5, 0.9, 0.2, 0.3, -np.inf]),
        entry=np.arange(8),
        correct=np.array([True, True, False, True, False, False, False, True]),
        answerable=np.array([True, True, True, True, False, False, False, True]),
    )
    rows = caching.rates(found, 0.9, "x", 50).set_index("metric")
    expected = {
        "hits_per_request": (4 / 8, 8),
        "wrong_per_hit": (2 / 4, 4),
        "wrong_per_request": (2 / 8, 8),
        "recall_per_answerable": (2 / 5, 5),
        "wrong_per_unanswerable": (1 / 3, 3),
    }
    for metric, (value, whole) in expected.items():
        assert (rows.loc[metric, "value"], rows.loc[metric, "n"]) == (value, whole)
    assert np.isnan(caching.rates(found, 0.99, "x", 50).set_index("metric").loc["wrong_per_hit", "value"])
    assert caching.risk(found, 0.9) == (0.5, 0.5) and caching.risk(found, 0.99) == (0.0, 0.0)
    assert caching.empirical(found, 0.35, GRID) == 0.905 and caching.empirical(found, 0.4, GRID) == 0.5
    assert caching.empirical(replace(found, correct=~found.correct), 0.1, GRID) == np.inf
    both = caching.joined([found, found])
    assert caching.risk(both, 0.9) == caching.risk(found, 0.9) and len(both.entry) == 16


def test_classes_are_taken_whole():
    data, _ = made([4] * 20 + [1] * 30)
    part = caching.sampled(data, 20, seed=1)
    sizes = np.bincount(part.classes)
    assert sorted(sizes) == [1] * 10 + [4] * 10
    origin = [int(text.rsplit(" ", 1)[1]) for text in part.texts]
    assert len(set(zip(origin, part.classes, strict=True))) == 20
    for pair in caching.only(data, np.arange(50)).pairs.itertuples():
        assert data.classes[pair.first] == data.classes[pair.second] or not pair.same


def test_a_stream_is_judged_by_what_is_cached_at_that_moment():
    data, vectors = made([4] * 60 + [1] * 60, spread=0.15)
    sent = streams.stream(data, np.arange(120), 400, once=0.1, seed=2)
    assert (np.diff(sent.seconds) > 0).all() and len(sent.rows) == 400
    for policy in (None, Fixed(0.9), Fixed(-1.0)):
        happened = streams.simulate(data, vectors, sent, policy)
        stored: dict[int, int] = {}
        for row, one in zip(sent.rows, happened.itertuples(), strict=True):
            assert one.answerable == (data.classes[row] in stored.values())
            if one.rule == "exact":
                assert one.hit and one.correct and row in stored and one.entry == row
            if one.hit:
                assert one.correct == (data.classes[one.entry] == data.classes[row]) and one.entry in stored
            else:
                assert row not in stored
                stored[row] = data.classes[row]
    assert happened["hit"].iloc[1:].all() and not happened["hit"].iloc[0]  # all is similar enough: one entry serves all
    alone = streams.simulate(data, vectors, sent, None)
    assert set(alone["rule"]) == {"exact", "off"} and alone.loc[alone["hit"], "correct"].all()
    rows = streams.stream_rates(data, sent, alone, "exact", 50).set_index("metric")
    assert rows.loc["wrong_per_hit", "value"] == 0 and rows.loc["hits_per_request", "value"] == alone["hit"].mean()


def test_a_shorter_life_means_fewer_hits_and_fewer_stale_ones():
    data, vectors = made([4] * 60 + [1] * 60, spread=0.15)
    sent = streams.stream(data, np.arange(120), 600, once=0.1, per_hour=60, changes_per_hour=0.2, seed=2)
    assert sent.versions.max() > 0
    rows = streams.staleness(data, vectors, sent, Fixed(0.9), (60.0, 3600.0, 36_000.0))
    rows = rows.pivot(index="ttl_s", columns="metric", values="value")
    assert rows["hits_per_request"].is_monotonic_increasing and rows["stale_per_hit"].is_monotonic_increasing
    assert rows["stale_per_hit"].iloc[-1] > 0.1 > rows["stale_per_hit"].iloc[0]
    forever = streams.simulate(data, vectors, replace(sent, versions=np.zeros(600, dtype=np.int64)), Fixed(0.9))
    assert not forever["stale"].any()
    with pytest.raises(ToolkitError, match="classes were expected for 4000 requests"):
        streams.stream(data, np.arange(120), 4000)


def test_money_is_what_it_was_defined_as():
    rates = caching.rates_of(
        np.array([True] * 4 + [False] * 6), np.array([True] * 3 + [False] * 7), np.ones(10, bool),
        np.ones((2, 10), np.uint16), "x",
    )  # fmt: skip
    rows = caching_study.money(rates, 0.01, 0.02, lookup_ms=5, call_ms=500, encode_usd=0.001)
    value = rows.set_index("metric")["value"]
    assert value["saved_usd_per_1k"] == pytest.approx(1000 * (0.4 * 0.01 - 0.001 - 0.4 * 0.25 * 0.02))
    assert value["break_even_wrong"] == pytest.approx((0.01 - 0.001 / 0.4) / 0.02)
    assert value["break_even_hits"] == pytest.approx(0.01)


def test_a_growing_cache_goes_wrong_more_often_and_a_promise_needs_its_traffic():
    data, vectors = made([3] * 1200 + [1] * 300, spread=0.45)
    one = promise.Subject("made", data, vectors, "made")
    design = promise.Design(250, 500, 0.2, bootstraps=50)
    assert design.fitting(data) == design and promise.Design(5000, 9000).fitting(data).entries == 356
    rows = promise.growth(one, 100, {"fixed": 0.8}, design, steps=3)
    assert rows["value"].is_monotonic_increasing and list(rows["entries"]) == [100, 370, 1400]
    drawn = promise.trial(one, design)
    shares = promise.drift(one, design.policy(drawn.seen), design)
    wrong = shares[shares["metric"] == "wrong_per_hit"]["value"].tolist()
    assert wrong[0] < 0.2 < wrong[2] and wrong == sorted(wrong)  # fewer answerable requests: the promise is void
    runs = promise.calibrations(one, design, 4)
    rows = promise.promises(runs, "made", 0.2).set_index(["system", "metric"])
    assert rows.loc[("made: guaranteed", "found"), "n"] == 4
    assert isinstance(drawn.test, World)


@pytest.mark.parametrize("profile", caching_study.PLANS)
def test_every_profile_has_classes_enough_and_judges_on_those_that_calibration_never_saw(profile):
    """On the set that everybody has; the others are larger, or cut down to its plan."""
    plan = caching_study.PLANS[profile]
    own = paraphrases.load("synthetic", classes=plan.synthetic)
    for language in ("en", "zh"):
        data = caching.only(own, np.unique(own.classes[np.asarray(own.languages) == language]))
        one = promise.Subject(language, data, np.ones((len(data.texts), 1), np.float32), "none")
        design = plan.design(0.05, 0.9, 10, seed=3).fitting(data)
        seen = promise.trial(one, design).calibration
        known = set(data.classes[seen.requests]) | set(data.classes[seen.entries])
        asked = caching_study.sent(one, plan.stream, design, hours=7.0)
        assert not known & set(data.classes[asked.rows])
        assert len(asked.rows) >= 0.3 * plan.stream and asked.seconds[-1] == pytest.approx(7 * 3600, rel=0.2)
        promise.growth(one, plan.growth, {"fixed": 0.9}, design, steps=2)


def test_a_random_score_knows_nothing_of_the_world_before():
    data, vectors = made([3] * 60)
    one = promise.Subject("made", data, vectors, "made")
    drawn = caching_study.scores(one, promise.trial(one, promise.Design(10, 20)))[caching.RANDOM]
    assert set(drawn.seen.similarity).isdisjoint(drawn.unseen.similarity)
