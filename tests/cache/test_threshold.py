"""What a threshold promises, it keeps: known answers, and counted failures over many calibrations."""

import itertools
import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from toolkit.cache.lookup import Lookup
from toolkit.cache.online import Verified
from toolkit.cache.scope import Key
from toolkit.cache.threshold import GRID, STARTS, Fixed, Guaranteed, accept, counts
from toolkit.errors import ToolkitError


def test_how_many_clean_hits_prove_five_percent():
    """Each of six starts has a sixth of the level .1: .95^80 is below .1 / 6 and .95^79 is not."""
    clean = Guaranteed(0.05, 0.9).fit(np.ones(80), np.ones(80, bool))
    assert (clean.threshold_, clean.hits_, clean.wrong_) == (GRID[-1], 80, 0)
    few = Guaranteed(0.05, 0.9).fit(np.ones(79), np.ones(79, bool))
    assert few.threshold_ is None
    assert (
        few.decide(1.0, 7)[:2] == (False, "off")
        and "no threshold qualifies on 79 requests" in few.decide(1.0, 7).reason
    )
    assert "nothing is calibrated yet" in Guaranteed().decide(1.0, 7).reason


def test_a_later_start_has_its_turn_and_no_more_than_its_share():
    hits, wrong = np.zeros(len(GRID), int), np.zeros(len(GRID), int)
    late = GRID.index(0.9)
    hits[late:] = 80  # nothing is as similar as the first two starts ask for
    accepted = accept(hits, wrong, 0.05, 0.1)
    assert not accepted[:late].any() and accepted[late:].all()
    hits[late:] = 79
    assert not accept(hits, wrong, 0.05, 0.1).any()
    hits[GRID.index(0.85) :] = 80
    assert np.flatnonzero(accept(hits, wrong, 0.05, 0.1))[0] == GRID.index(0.85)


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.4])
def test_the_promise_is_broken_no_more_often_than_allowed(slope):
    """2,000 calibrations on traffic whose risk at every threshold is known, at or above delta from some point on."""
    rng, delta, broken, runs = np.random.default_rng(5), 0.05, 0, 2000
    grid = np.linspace(0.3, 1.0, 20_001)
    chance_wrong = np.clip(delta * 1.001 + slope * (0.8 - grid), 0, 1)  # of a request of that similarity
    true_risk = np.cumsum(chance_wrong[::-1])[::-1] / np.arange(len(grid), 0, -1)  # uniform similarities
    for _ in range(runs):
        similarity = rng.uniform(0.3, 1.0, 1500)
        correct = rng.random(1500) >= np.interp(similarity, grid, chance_wrong)
        threshold = Guaranteed(delta, 0.9).fit(similarity, correct).threshold_
        broken += threshold is not None and np.interp(threshold, grid, true_risk) > delta
    assert binomtest(broken, runs, 0.1, alternative="greater").pvalue > 0.001
    if slope:  # where there is something to be found, it is found, and the level is used
        assert broken > 0


@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), min_size=1, max_size=60))
def test_counts_are_those_of_a_plain_count(found):
    similarity, correct = np.array([one for one, _ in found]), np.array([one for _, one in found])
    hits, wrong = counts(similarity, correct, GRID)
    for at, threshold in enumerate(GRID):
        assert hits[at] == (similarity >= threshold).sum()
        assert wrong[at] == ((similarity >= threshold) & ~correct).sum()
    policy = Guaranteed(0.2, 0.5).fit(similarity, correct)
    if policy.threshold_ is not None:
        assert policy.wrong_ <= 0.2 * policy.hits_ and policy.threshold_ in GRID
    again = Guaranteed.from_state(json.loads(json.dumps(policy.state())))
    assert again.decide(0.91, 1) == policy.decide(0.91, 1) and again.state() == policy.state()


def test_mistakes_are_told():
    assert set(STARTS) <= set(GRID)
    for make in (lambda: Fixed(1.1), lambda: Fixed(float("nan")), lambda: Fixed("0.9"), lambda: Guaranteed(None),
                 lambda: Verified(0.1, float("nan")), lambda: Guaranteed(0.0), lambda: Guaranteed(0.1, 1.0),
                 lambda: Verified(2.0), lambda: Verified(0.1, 0)):  # fmt: skip
        with pytest.raises(ToolkitError, match="expected; got"):
            make()
    for similarity, correct in (([], []), ([0.5], [True, False]), ([float("nan")], [True]), ([[0.5]], [[True]])):
        with pytest.raises(ToolkitError, match="expected"):
            Guaranteed().fit(similarity, correct)
    for labels in (np.full(200, np.nan), ["no"] * 200, [-1] * 200, [0.2] * 200, [None] * 200):
        with pytest.raises(ToolkitError, match="labels True and False"):
            Guaranteed().fit([0.9] * 200, labels)
    for similarity in ([93.0], [float("inf")], ["a"], [None]):
        with pytest.raises(ToolkitError, match="Calibration: "):
            Guaranteed().fit(similarity, [True])
    with pytest.raises(ToolkitError, match="True or False"):
        Verified().observe(0.9, "entry", "no")
    for state in (None, {"entry": 3}, {"entry": [[0.9, "no"]]}, {"entry": [[2.0, True]]}):
        with pytest.raises(ToolkitError, match="Verified: "):
            Verified().restore(state)
    whole = Guaranteed().fit([0.9] * 200, [True] * 200).state()
    Guaranteed.from_state(whole)
    for state in ({}, {**whole, "threshold_": "x"}, {**whole, "delta": None}, {**whole, "threshold_": -1.0},
                  {**whole, "wrong_": 201}, {**whole, "hits_": 201}, {**whole, "requests_": float("inf")}):  # fmt: skip
        with pytest.raises(ToolkitError, match="state of a calibrated policy"):
            Guaranteed.from_state(state)


def test_the_online_policy_learns_whom_to_serve_and_keeps_its_bound():
    """Two entries whose truth is known: one is right for similar prompts, one never is."""
    rng, policy, delta = np.random.default_rng(3), Verified(0.05, seed=1), 0.05
    requests, wrong, served = 6000, 0, {"good": 0, "bad": 0}
    for step in range(requests):
        entry, similarity = ("good", "bad")[step % 2], rng.uniform(0.7, 1.0)
        correct = bool(entry == "good" and rng.random() < 1 / (1 + np.exp(-80 * (similarity - 0.85))))
        dry = policy.decide(similarity, entry, dry_run=True)
        verdict = policy.decide(similarity, entry)
        assert dry == verdict  # it took nobody's draw
        assert step >= 8 or not verdict.serve  # nobody is served before four labels
        if verdict.serve:
            served[entry] += 1
            wrong += not correct
        else:
            assert verdict.rule == "explore"
            policy.observe(similarity, entry, correct)
    assert wrong / requests <= delta and served["good"] > 0.3 * requests / 2 > 3 * served["bad"]
    again = Verified(0.05, seed=1).restore(json.loads(json.dumps(policy.state())))
    taus = [[one._tau(similarity, "good") for similarity in (0.8, 0.9, 0.99)] for one in (policy, again)]
    np.testing.assert_allclose(*taus)
    assert taus[0] == sorted(taus[0], reverse=True)


found_or_not = st.tuples(st.floats(0.4, 1.0), st.booleans(), st.sampled_from(["off", "off", "guard", "empty", "exact"]))


@given(st.lists(found_or_not, min_size=1, max_size=60))
@settings(deadline=None)
def test_lookups_calibrate_as_they_would_have_been_served(found):
    """An exact hit is nobody's risk here; what was objected to, or not found, is a request that is never served."""
    lookups, key = [], Key("", "", "")
    for similarity, _, rule in found:
        entry, said = (None if rule == "empty" else "entry"), ("no" if rule == "guard" else "")
        similarity = {"exact": 1.0, "empty": math.nan}.get(rule, similarity)
        lookups.append(Lookup(False, None, rule, "", key, entry=entry, similarity=similarity, objection=said))
    left = [
        (-math.inf if rule in ("guard", "empty") else similarity, right and rule == "off")
        for similarity, right, rule in found
        if rule != "exact"
    ]
    labels = [None if rule in ("exact", "empty") else right for _, right, rule in found]
    if not left:
        with pytest.raises(ToolkitError, match="Calibration"):
            Guaranteed(0.3, 0.5).fit_lookups(lookups, labels)
        return
    plain = Guaranteed(0.3, 0.5).fit(*map(list, zip(*left, strict=True)))
    assert Guaranteed(0.3, 0.5).fit_lookups(lookups, labels).state() == plain.state()


def test_labels_can_be_saved_while_they_come():
    policy, stop = Verified(), threading.Event()

    def observe():
        for number in itertools.count():
            if stop.is_set():
                return
            policy.observe(0.9, f"entry {number}", True)

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(observe)
        states = [policy.state() for _ in range(50)]
        stop.set()
        busy.result()
    assert states[0].keys() <= states[-1].keys() <= policy.state().keys()
