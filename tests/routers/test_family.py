"""Routers of LLMRouter's family and their helpers against formulas, brute force and independent computations."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import expit, logit
from sklearn.svm import SVC

import toolkit
from tests.conftest import make_outcomes
from toolkit import cli, encoders, load_router, save_router
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import parameter_counts
from toolkit.routers import Router
from toolkit.routers.baselines import SingleModel
from toolkit.routers.calibrated import Calibrated
from toolkit.routers.catalogue import BASELINE, CATALOGUE, LEARNED, OTHER
from toolkit.routers.classical import RidgeRegression, SupportVectorMachine, as_classes, logistic
from toolkit.routers.clusters import Avengers, ClusterElo, ClusterMeans
from toolkit.routers.contrastive import RouterDC, best_and_worst
from toolkit.routers.crossfit import cross_fitted
from toolkit.routers.edges import GraphFree, expected_level, model_features
from toolkit.routers.hybrid import HybridLLM, widest_margin
from toolkit.routers.similarity import EloRating

WORDS = (("integral", "matrix", "prime", "proof"), ("sonnet", "rhyme", "verse", "ode"))
NEW = [f"{first} {second}" for words in WORDS for first in words for second in words]  # 16 of each kind
LEXICAL = encoders.get("lexical")


def toy(count: int = 400, chance: float = 0.95, **columns: object) -> Outcomes:
    """Model 0 knows mathematics, model 1 knows poetry; the words tell which is asked, row by row in turn."""
    rng = np.random.default_rng(0)
    about = np.arange(count) % 2
    texts = [" ".join(rng.choice(WORDS[kind], 3)) + f" {row}" for row, kind in enumerate(about)]
    right = np.where(about[:, None] == [0, 1], chance, 1 - chance)
    return make_outcomes((rng.random(right.shape) < right).astype(float), texts=texts, **columns)


def named(quality: np.ndarray, names: list[str], price: list[float] | None = None, **given: object) -> Outcomes:
    """Outcomes of models with names, and prices of input and output alike."""
    data = make_outcomes(quality, **given)
    prices = {} if price is None else {"input_usd_per_mtok": price, "output_usd_per_mtok": price}
    return replace(data, models=pd.DataFrame(prices, index=names))


# -- graded quality as two classes ----------------------------------------------------------------------------------


def test_graded_quality_is_that_share_of_a_right_answer():
    rows, label, weight = as_classes(np.array([1.0, 0.3, 0.0, np.nan]))
    assert sorted(zip(rows.tolist(), label.tolist(), weight.round(9).tolist(), strict=True)) == [
        (0, 1, 1.0), (1, 0, 0.7), (1, 1, 0.3), (2, 0, 1.0),
    ]  # fmt: skip


def test_three_tenths_are_ten_prompts_three_of_them_right():
    """Ten times the prompts at a tenth of C is the same objective; so for the regression as for the machine."""
    texts = toy(60).texts
    tenths = np.random.default_rng(0).integers(0, 8, 60) + 3 * (np.arange(60) % 2)  # one kind does better
    share, copies = tenths / 10, (np.arange(10) < tenths[:, None]).astype(float)
    vectors = LEXICAL.encode(texts)
    one, ten = logistic(vectors, share, 1.0), logistic(np.repeat(vectors, 10, axis=0), copies.ravel(), 0.1)
    np.testing.assert_allclose(one[0], ten[0], atol=2e-3)
    assert one[1] == pytest.approx(ten[1], abs=2e-3)
    graded, repeated = make_outcomes(share[:, None], texts=texts), np.repeat(texts, 10).tolist()
    machine = SupportVectorMachine(1.0, "lexical").fit(graded)
    many = SupportVectorMachine(0.1, "lexical").fit(make_outcomes(copies.reshape(-1, 1), texts=repeated))
    # Platt's smoothing depends on the number of labels, margins do not.
    np.testing.assert_allclose(margins(machine, texts), margins(many, texts), atol=5e-3)


# -- support vector machine -----------------------------------------------------------------------------------------


def margins(router: SupportVectorMachine, texts: list[str]) -> np.ndarray:
    """What Platt's map was applied to, (n, m)."""
    slope, offset = router.maps_.T
    assert (slope > 0).all()  # what the machine did not see agrees with it
    return (logit(router.predict(texts)) - offset) / slope


def test_margins_are_those_of_scikit_learn(tmp_path):
    train, fresh = toy(150, chance=0.8), NEW
    quality = train.quality.copy()
    quality[::7, 1] = np.nan
    router = SupportVectorMachine(2.0, "lexical").fit(replace(train, quality=quality))
    vectors, asked = LEXICAL.encode(train.texts).astype(float), LEXICAL.encode(fresh).astype(float)
    for column, found in enumerate(margins(router, fresh).T):
        seen = ~np.isnan(quality[:, column])
        width = 1 / (vectors.shape[1] * vectors.var())
        fitted = SVC(C=2.0, gamma=width).fit(vectors[seen], quality[seen, column])
        np.testing.assert_allclose(found, fitted.decision_function(asked), atol=1e-4)
    saved = save_router(router, tmp_path / "svm")
    learned = [value for value in router.state().values() if value is not None]
    assert {np.asarray(value).dtype.kind for value in learned} == {"f"}  # figures, and no machine
    np.testing.assert_array_equal(load_router(saved).predict(fresh), router.predict(fresh))


def test_a_machine_with_nothing_to_tell_apart_answers_the_mean():
    """All right, all wrong, or one single prompt: no support vector anywhere."""
    router = SupportVectorMachine(encoder="lexical").fit(make_outcomes(np.tile([1.0, 0.0], (48, 1))))
    np.testing.assert_allclose(router.predict(["any"]), [[49 / 50, 1 / 50]], atol=1e-3)  # Platt's smoothed targets
    assert SupportVectorMachine(encoder="lexical").fit(make_outcomes([[1, 0.5]])).predict(["any"]).shape == (1, 2)
    with pytest.raises(ToolkitError, match="two folds or more were expected; got 1"):
        SupportVectorMachine(folds=1)


# -- Hybrid LLM -----------------------------------------------------------------------------------------------------


def test_the_widest_margin_of_a_strong_model_that_always_wins():
    """Gaps .1, .2, .3, .4: no margin below .2 or above .3 tells as many pairs of prompts apart."""
    gap = np.array([0.1, 0.2, 0.3, 0.4])
    found = widest_margin(gap, np.arange(4))
    assert ((gap <= found) == [True, True, False, False]).all()
    assert widest_margin(np.array([-1.0, 0, np.nan, 1]), np.arange(4)) == 0.0  # 0 is tried, and the least of equals
    # Two prompts of two samples: at .3 their labels are 1 and 0, at .1 they are 1/2 and 0, at 1 both are 1.
    assert widest_margin(np.array([0.1, 0.3, 1.0, 1.0]), np.array([5, 5, 9, 9]), candidates=4) == pytest.approx(0.3)


@given(
    st.lists(st.tuples(st.sampled_from(np.linspace(-1, 1, 9).tolist()), st.integers(0, 6)), min_size=1, max_size=25),
    st.integers(1, 12),
)
@settings(deadline=None)
def test_no_margin_tells_more_prompts_apart(rows, candidates):
    gap, prompt = np.array([gap for gap, _ in rows]), np.array([code for _, code in rows])

    def spread(margin: float) -> float:
        label = [np.mean(gap[prompt == code] <= margin) for code in set(prompt.tolist())]
        return float(np.mean([[abs(one - other) for other in label] for one in label]))

    tried = [0.0, *np.quantile(np.maximum(gap, 0), np.linspace(0, 1, candidates)).tolist()]
    found = widest_margin(gap, prompt, candidates)
    assert found in tried and spread(found) == pytest.approx(max(map(spread, tried)), abs=1e-12)


def test_rows_of_equal_text_are_samples_of_one_prompt():
    """Five samples each: one regression on shares, five times the weight of a single row."""
    rng = np.random.default_rng(1)
    texts = toy(80).texts
    wins = rng.integers(0, 6, 80)  # samples in which the weak model is good enough
    weak = (np.arange(5) < wins[:, None]).astype(float).ravel()
    samples = make_outcomes(np.stack([weak, np.ones(400)], axis=1), texts=np.repeat(texts, 5).tolist())
    router = HybridLLM(0.0, 0.2, "lexical").fit(samples)
    weights, intercept = logistic(LEXICAL.encode(texts), wins / 5, 1.0)
    enough = expit(LEXICAL.encode(NEW) @ weights + intercept)
    np.testing.assert_allclose(router.predict(NEW), np.stack([enough, 1 - enough], axis=1), atol=2e-3)


def test_a_margin_is_quality_that_may_be_given_up():
    """The strong model is always better, by .3 or by .6: without a margin the weak one is never good enough."""
    data = toy(chance=1.0)
    easy = data.quality[:, 0] == 1
    graded = replace(data, quality=np.stack([np.where(easy, 0.5, 0.2), np.full(len(data), 0.8)], axis=1))
    strict = HybridLLM(0.0, encoder="lexical").fit(graded).predict(NEW)
    assert strict[:, 0].max() < 0.01
    for margin in (0.3, None):  # .8 - .5 is .3, whatever float32 makes of it
        router = HybridLLM(margin, encoder="lexical").fit(graded)
        assert (router.predict(NEW)[:, 0] > 0.5).tolist() == [True] * 16 + [False] * 16
        assert router.margins_.tolist() == pytest.approx([0.3, 0.0])
    assert HybridLLM(0.6, encoder="lexical").fit(graded).predict(NEW)[:, 0].min() > 0.99
    with pytest.raises(ToolkitError, match=r"a margin from 0 to 1, or None, was expected; got 1\.5"):
        HybridLLM(1.5)


def test_of_several_models_the_strongest_stands_against_the_best_of_the_others(synthetic):
    train, test = synthetic.sample(300).split(0.3)
    router = HybridLLM(0.1, encoder="lexical").fit(train)
    predicted, top = router.predict(test.texts), int(train.mean_quality().argmax())
    others = np.delete(predicted, top, axis=1)
    np.testing.assert_allclose(predicted[:, top], 1 - others.max(axis=1))
    alone = HybridLLM(0.1, encoder="lexical").fit(train.subset(models=[train.names[0], train.names[top]]))
    np.testing.assert_allclose(alone.predict(test.texts)[:, 0], predicted[:, 0], atol=1e-6)  # a pair at a time


# -- RouterDC -------------------------------------------------------------------------------------------------------


def test_which_models_pull_and_which_push():
    quality = np.array([
        [1.0, 0.0, 0.5, 0.7],  # two of each at most: half the pool
        [1.0, 1.0, 0.0, 0.0],  # ties
        [1.0, 1.0, 1.0, 0.0],  # one bad model
        [0.5, 0.5, 0.5, 0.5],  # all alike: nothing to learn
        [np.nan, 0.0, np.nan, 1.0],
        [0.0, 0.0, 0.0, 0.0],
        [np.nan] * 4,
    ])  # fmt: skip
    pull, push = best_and_worst(quality, 3, 3)
    assert push.astype(int).tolist() == [
        [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0],
    ]  # fmt: skip
    assert pull[[0, 1, 2, 4, 5, 6]].astype(int).tolist() == [
        [1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0],
    ]  # fmt: skip


@given(
    st.integers(1, 7).flatmap(
        lambda m: st.lists(
            st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, np.nan]), min_size=m, max_size=m), min_size=1, max_size=6
        )
    ),
    st.integers(1, 4),
    st.integers(1, 4),
)
@settings(deadline=None)
def test_every_positive_is_better_than_every_negative(rows, positives, negatives):
    quality = np.array(rows)
    half = max(1, quality.shape[1] // 2)
    pull, push = best_and_worst(quality, positives, negatives)
    assert not np.isnan(quality[pull | push]).any()
    assert pull.sum(axis=1).max() <= min(positives, half) and push.sum(axis=1).max() <= min(negatives, half)
    for values, good, bad in zip(quality, pull, push, strict=True):
        known = values[~np.isnan(values)]
        if good.any() and bad.any():
            assert values[good].min() > values[bad].max()
        if good.any():
            assert values[good].max() == known.max()
        if len(set(known.tolist())) > 1:  # there is something to learn, and it is learned
            assert good.any() and bad.any() and values[bad].min() == known.min()


def test_routerdc_learns_a_toy_world_and_chooses_by_its_cosines():
    train = toy(400)
    router = RouterDC("lexical", dimension=16, learning_rate=1e-2).fit(train)
    predicted = router.predict(NEW)
    assert predicted.argmax(axis=1).tolist() == [0] * 16 + [1] * 16
    prompt = LEXICAL.encode(NEW) @ router.projection_.T
    cosine = np.array([
        [row @ model / np.linalg.norm(row) / np.linalg.norm(model) for model in router.models_factors_]
        for row in prompt
    ])  # fmt: skip
    order = cosine.ravel().argsort()
    assert (np.diff(predicted.ravel()[order]) >= 0).all()  # one rising map for all models
    np.testing.assert_array_equal(predicted.argmax(axis=1), cosine.argmax(axis=1))
    assert abs(router.predict(train.texts).mean() - train.quality.mean()) < 0.02  # the map makes a quality of it


# -- clusters -------------------------------------------------------------------------------------------------------


def test_one_cluster_knows_what_the_whole_training_part_knows(synthetic):
    """Means are overall means; ratings are Elo's, whatever the shrinkage, since every two models met equally often."""
    train = synthetic.sample(300)
    overall = np.tile(train.mean_quality(), (2, 1))
    for router in (Avengers(1, 1, "lexical"), ClusterMeans((1,), "lexical", shrinkage=30.0)):
        np.testing.assert_allclose(router.fit(train).predict(["any", "prompt"]), overall, atol=1e-6)
    elo = EloRating().fit(train).predict(["any", "prompt"])
    for shrinkage in (0.0, 20.0):
        np.testing.assert_allclose(
            ClusterElo(1, "lexical", shrinkage).fit(train).predict(["any", "prompt"]), elo, atol=1e-6
        )
    certain = ClusterElo(6, "lexical", shrinkage=1e9).fit(train)  # clusters have no say any more
    np.testing.assert_allclose(certain.predict(train.texts[:9]), np.repeat(elo[:1], 9, axis=0), atol=1e-4)
    holes = np.where(np.random.default_rng(0).random(train.quality.shape) < 0.4, np.nan, train.quality)
    uneven = replace(train, quality=holes)
    elo = EloRating().fit(uneven).predict(["any"])
    np.testing.assert_allclose(ClusterElo(1, "lexical", 0.0).fit(uneven).predict(["any"]), elo, atol=1e-6)


def test_clusters_find_the_kinds_of_prompts():
    """Two kinds in two clusters: a prompt is told what its own kind did, and with both read all are told the same."""
    train, about = toy(400, chance=0.8), np.arange(400) % 2
    means = np.stack([train.quality[about == kind].mean(axis=0) for kind in (0, 1)])
    expected = np.repeat(means, 16, axis=0)
    own = Avengers(2, 1, "lexical", shrinkage=0.0).fit(train).predict(NEW)
    np.testing.assert_allclose(own, expected, atol=1e-6)
    drawn = Avengers(2, 1, "lexical", shrinkage=200.0).fit(train).predict(NEW)  # as many as a cluster has
    np.testing.assert_allclose(drawn, (expected + train.mean_quality()) / 2, atol=1e-6)
    both = Avengers(2, 2, "lexical", shrinkage=0.0).fit(train).predict(NEW)
    np.testing.assert_allclose(both, np.tile(means.mean(axis=0), (32, 1)), atol=1e-6)
    won = (np.sign(train.quality[:, 0] - train.quality[:, 1]) + 1) / 2
    rated = ClusterElo(2, "lexical", shrinkage=0.0).fit(train).predict(NEW)
    np.testing.assert_allclose(rated[:16, 0], won[about == 0].mean(), atol=2e-3)
    np.testing.assert_allclose(rated[16:, 0], won[about == 1].mean(), atol=2e-3)


def test_the_nearest_clusters_are_those_of_least_distance(synthetic):
    """Centres have lengths of their own, so the largest product is not the least distance."""
    train, test = synthetic.sample(400).split(0.4)
    router = Avengers(20, 3, "lexical").fit(train)
    nearest = cdist(LEXICAL.encode(test.texts), router.centres_).argsort(axis=1)[:, :3]
    np.testing.assert_allclose(router.predict(test.texts), router.means_[nearest].mean(axis=1), atol=1e-9)


def test_models_that_never_met_are_rated_alike():
    quality = np.where(np.arange(40)[:, None] % 2 == [0, 1], 1.0, np.nan)
    router = ClusterElo(2, "lexical").fit(make_outcomes(quality))
    np.testing.assert_allclose(router.predict(["any"]), [[0.5, 0.5]])
    np.testing.assert_allclose(ClusterElo(2, "lexical").fit(make_outcomes(quality[::2, :1])).predict(["any"]), [[0.5]])
    for made in (ClusterElo, Avengers):
        with pytest.raises(ToolkitError, match="one cluster or more was expected; got 0"):
            made(0)
    with pytest.raises(ToolkitError, match="sizes of one cluster or more"):
        ClusterMeans(())


# -- graph-free GraphRouter -----------------------------------------------------------------------------------------


def test_what_is_expected_of_a_model_is_a_line_over_the_logarithm_of_its_price():
    prices = [0.1, 1.0, 10.0, 10**0.5, 1e3, np.nan]
    quality = np.full((10, 6), np.nan)
    quality[:, :3] = [0.2, 0.5, 0.8]  # .5 + .3 * log10(price)
    known = model_features(named(quality, [f"m{column}" for column in range(6)], prices))
    np.testing.assert_allclose(known[:5, :2], np.log10(prices[:5])[:, None].repeat(2, axis=1))
    np.testing.assert_allclose(expected_level(quality, known), [0.2, 0.5, 0.8, 0.65, 1.0, 0.5], atol=1e-6)
    quality[:, 2] = np.nan  # two models make no line
    np.testing.assert_allclose(expected_level(quality, known), np.full(6, 0.35), atol=1e-6)
    assert model_features(named(quality, ["a", "b", "c", "d", "e", "x-7b"]))[5, 2] == pytest.approx(np.log10(7))


@pytest.fixture(scope="module")
def pool() -> Outcomes:
    """Two models that are good on one kind of prompts each, one that is fair on both, a newcomer that is always right.

    Without noise, so that what is chosen does not hang on it.
    """
    data = toy(300, chance=1.0, domain=["maths", "poetry"] * 150)
    quality = np.hstack([0.2 + 0.5 * data.quality, np.full((300, 1), 0.5), np.ones((300, 1))])
    cost = np.tile([1e-3, 2e-3, 3e-3, 4e-3], (300, 1))
    return named(quality, ["maths", "poetry", "plain", "new"], [1.0, 2.0, 3.0, 4.0], cost=cost, texts=data.texts,
                 domain=data.prompts["domain"].tolist())  # fmt: skip


@pytest.fixture(scope="module")
def before(pool) -> GraphFree:
    return GraphFree("lexical").fit(pool.subset(models=pool.names[:3]))


def joined(router: GraphFree, pool: Outcomes, labels: int, **changes: object) -> GraphFree:
    """A copy of the router after the newcomer, with so many labels, has joined."""
    quality = pool.quality.copy()
    quality[labels:, 3] = np.nan
    fresh = router.clone()
    fresh.models_, fresh.cost_table_ = router.models_, router.cost_table_
    fresh.restore(router.state())
    return fresh.add_model(replace(pool, quality=quality, **changes), "new")


@pytest.mark.parametrize("labels", [0, 7, 300])
def test_a_newcomer_changes_nothing_for_the_others(pool, before, labels, tmp_path):
    usual = before.predict(NEW)
    router = joined(before, pool, labels)
    predicted = router.predict(NEW)
    assert router.models_ == pool.names and predicted.shape == (32, 4)
    np.testing.assert_allclose(predicted[:, :3], usual, atol=1e-9)
    assert np.isfinite(predicted).all() and predicted.min() >= 0 and predicted.max() <= 1
    np.testing.assert_array_equal(before.predict(NEW), usual)  # nor did it touch the router that it was copied from
    loaded = load_router(save_router(router, tmp_path / "joined"))
    np.testing.assert_array_equal(loaded.predict(NEW), predicted)
    assert loaded.route(NEW[0], weight=np.inf).model == "maths"  # the cheapest
    again = loaded.add_model(replace(pool, models=pool.models.rename(index={"new": "newer"})), "newer")
    np.testing.assert_allclose(again.predict(NEW)[:, :4], predicted, atol=1e-9)


def test_a_newcomer_is_chosen_once_its_labels_say_that_it_is_better(pool, before):
    assert before.predict(NEW).argmax(axis=1).tolist() == [0] * 16 + [1] * 16
    shares = [(joined(before, pool, labels).predict(NEW).argmax(axis=1) == 3).mean() for labels in (0, 300)]
    assert shares[0] < 0.5 and shares[1] == 1.0
    bad = replace(pool, quality=np.where(np.arange(4) == 3, 0, pool.quality))
    assert joined(before, bad, 300).predict(NEW).argmax(axis=1).tolist() == [0] * 16 + [1] * 16


def test_who_may_join(pool, before):
    with pytest.raises(ToolkitError, match="not fitted"):
        GraphFree().add_model(pool, "new")
    with pytest.raises(ToolkitError, match="knows 'plain' already"):
        joined(before, pool, 0).add_model(pool, "plain")
    unknown = pool.models.assign(input_usd_per_mtok=np.nan)
    with pytest.raises(ToolkitError, match="a cost or a price of new was expected"):
        joined(before, pool, 5, models=unknown, cost_source="none")
    by_price = joined(before, pool, 0, cost_source="none")  # its calls are unknown, its price is not
    np.testing.assert_array_equal(by_price.cost_table_[:, :-1], before.cost_table_)
    per_token, per_call = by_price.cost_table_[1:, -1]
    assert per_token == pytest.approx(pool.models.loc["new", "input_usd_per_mtok"] / 1e6)
    assert per_call == pytest.approx(256 * pool.models.loc["new", "output_usd_per_mtok"] / 1e6)
    assert by_price.route(NEW[0], weight=np.inf).expected_cost_usd > 0
    for wrong in ({"neighbours": 0}, {"folds": 1}, {"components": -1}):
        with pytest.raises(ToolkitError, match="GraphFree: neighbours"):
            GraphFree(**wrong)


def test_domains_shape_the_tasks_of_training_alone(pool, before):
    assert before.tasks_.shape[0] == 2  # as many as there are domains
    vectors = LEXICAL.encode(pool.texts)
    for kind, centre in enumerate(before.tasks_):
        np.testing.assert_allclose(centre, vectors[kind::2].mean(axis=0), atol=1e-6)
    blank = replace(pool, prompts=pool.prompts.assign(domain=""))
    without = GraphFree("lexical").fit(blank.subset(models=pool.names[:3]))
    assert without.tasks_.shape[0] == 12 and (without.predict(NEW) != before.predict(NEW)).any()


# -- calibrated scores and out-of-fold predictions ------------------------------------------------------------------


class Memory(Router):
    """Knows every training prompt by heart and nothing else: what it foretells of one that it saw is the outcome."""

    def _fit(self, train):
        self._seen = dict(zip(train.texts, train.quality.astype(float), strict=True))

    def _predict(self, texts, metadata):
        return np.array([self._seen.get(text, np.full(len(self.models_), 0.25)) for text in texts]).reshape(
            len(texts), -1
        )


def test_out_of_fold_predictions_remember_nothing():
    """Each text twice under other ids: a copy in another fold would give the memory away."""
    once = toy(60)
    twice = make_outcomes(np.vstack([once.quality, once.quality]), texts=once.texts * 2)
    np.testing.assert_array_equal(Memory().fit(twice).predict(twice.texts), twice.quality)
    np.testing.assert_array_equal(cross_fitted(Memory(), twice, 5), np.full((120, 2), 0.25))
    calibrated = Calibrated(Memory()).fit(twice)
    # All that its maps ever saw is .25, so all that it can say is the mean.
    np.testing.assert_allclose(calibrated.predict(twice.texts), np.tile(once.mean_quality(), (120, 1)), atol=1e-6)
    linear = Calibrated(Memory(), "platt").fit(twice).predict(twice.texts)
    assert np.ptp(linear, axis=0).max() < 1e-9


def test_a_model_without_outcomes_elsewhere_cannot_be_held_out():
    one = make_outcomes(np.where(np.arange(20)[:, None] % [1, 20], np.nan, 1.0))
    for call in (lambda: cross_fitted(Memory(), one, 5), lambda: Calibrated(Memory()).fit(one)):
        with pytest.raises(ToolkitError, match="model m1 has outcomes in one of 5 folds alone"):
            call()
    same = make_outcomes([[1, 0]] * 3, texts=["same"] * 3)
    assert cross_fitted(Memory(), same, 5) is None
    with pytest.raises(ToolkitError, match="two different prompts or more"):
        Calibrated(Memory()).fit(same)
    with pytest.raises(ToolkitError, match="method platt or isotonic and two folds or more; got 'beta', 5"):
        Calibrated(Memory(), "beta")
    with pytest.raises(ToolkitError, match="got 'platt', 1"):
        Calibrated(Memory(), "platt", 1)
    for member in (SingleModel("strongest"), CATALOGUE["domain-mean"].make(), CATALOGUE["hindsight-oracle"].make()):
        with pytest.raises(ToolkitError, match="Calibrated: members with scores from the text alone were expected"):
            Calibrated(member)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_calibration_keeps_each_models_order_of_prompts(synthetic, tmp_path, method):
    train, test = synthetic.sample(400).split(0.4)
    member = RidgeRegression(encoder="lexical")
    router = Calibrated(member, method).fit(train)
    raw, mapped = member.clone().fit(train).predict(test.texts), router.predict(test.texts)
    for before, after in zip(raw.T, mapped.T, strict=True):
        assert (np.diff(after[before.argsort(kind="stable")]) >= 0).all() and len(np.unique(after)) > 2
    assert not hasattr(member, "models_")  # it was cloned
    # A map is fitted to be right on average where it was fitted: on predictions of folds that were held out.
    unseen = router.mapped(cross_fitted(member, train, 5))
    np.testing.assert_allclose(unseen.mean(axis=0), train.mean_quality(), atol=0.01)
    loaded = load_router(save_router(router, tmp_path / "calibrated"))
    np.testing.assert_array_equal(loaded.predict(test.texts), mapped)
    (tmp_path / "calibrated" / "member" / "router.json").write_text(
        re.sub(train.names[0], "another", (tmp_path / "calibrated" / "member" / "router.json").read_text())
    )
    with pytest.raises(ToolkitError, match="knows other models; save it again"):
        load_router(tmp_path / "calibrated")


# -- sizes in names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("llama-3-8b", 8), ("Qwen/Qwen2.5-72B-Instruct", 72), ("qwen2.5-0.5b", 0.5), ("mixtral-8x7b-instruct-v0.1", 56),
        ("Mixtral-8x22B", 176), ("llama-3.1-405b", 405), ("gemma_2b_it", 2), ("qwen3-30b-a3b", 30), ("7b", 7),
        ("gpt-4-1106-preview", np.nan), ("claude-3-opus", np.nan), ("phi-3-mini-128k", np.nan), ("model-b", np.nan),
        ("llama-4bit", np.nan), ("yi-34b-4bit", 34),
    ],
)  # fmt: skip
def test_parameters_as_names_state_them(name, billions):
    np.testing.assert_array_equal(parameter_counts([name]), [billions])


def test_the_largest_and_the_smallest_model():
    def chosen(data: Outcomes) -> tuple[int, ...]:
        return tuple(int(SingleModel(role).fit(data).choose(["any"])[0]) for role in ("largest", "smallest"))

    quality, cost = [[0.1, 0.9, 0.5]] * 3, np.array([[3.0, 2.0, 1.0]] * 3)
    stated = ["mixtral-8x7b", "llama-3-8b", "llama-2-70b"]
    assert chosen(named(quality, stated, cost=cost)) == (2, 1)  # by size: 56, 8, 70
    partly = ["mixtral-8x7b", "gpt-4", "llama-2-70b"]
    assert chosen(named(quality, partly, cost=cost)) == (0, 2)  # one is unknown: by price
    assert chosen(named(quality, partly)) == (1, 0)  # no prices: by quality


# -- the catalogue --------------------------------------------------------------------------------------------------

INNER = {
    "TreeRouter",
    "EmbeddingRouter",
    "NetworkRouter",
    "PolicyRouter",
    "FewLabels",
    "Among",
}  # bases, and helpers of studies
SINGLE_ROUND = [
    "knnrouter", "svmrouter", "mlprouter", "mfrouter", "elorouter", "routerdc", "automix", "hybrid_llm", "graphrouter",
    "causallm_router", "smallest_llm", "largest_llm",
]  # fmt: skip


def subclasses(cls: type) -> set[type]:
    return {cls}.union(*(subclasses(found) for found in cls.__subclasses__()))


def test_the_catalogue_has_every_router_and_nothing_else():
    for module in pkgutil.walk_packages(toolkit.__path__, "toolkit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    public = {
        f"{cls.__module__}.{cls.__qualname__}"
        for cls in subclasses(Router) - {Router}
        if cls.__module__.startswith("toolkit.") and not cls.__name__.startswith("_") and cls.__name__ not in INNER
    }
    assert {entry.home for entry in CATALOGUE.values()} == public
    for name, entry in CATALOGUE.items():
        module, _, found = entry.home.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), found), Router), name
        assert entry.kind in (BASELINE, LEARNED, OTHER) and (entry.make is None) == (entry.kind == OTHER), name
    assert sorted(entry.llmrouter for entry in CATALOGUE.values() if entry.llmrouter) == sorted(SINGLE_ROUND)


def test_the_command_line_lists_every_router(capsys):
    assert cli.main(["routers"]) == 0
    printed = capsys.readouterr().out
    for name in [*CATALOGUE, *SINGLE_ROUND]:
        assert re.search(rf"(^|\s){re.escape(name)}(\s|$)", printed, re.M), name


def test_a_saved_router_of_any_class_is_known_to_a_fresh_process(tmp_path):
    """Nothing has imported its module: the refusal of odd parameters shows that the class was found."""
    names = [entry.home.rpartition(".")[2] for entry in CATALOGUE.values()]
    for name in names:
        (tmp_path / name).mkdir(exist_ok=True)
        saved = {"format": 1, "models": ["m0"], "state": {}, "class": name, "params": {"no such": 1}}
        (tmp_path / name / "router.json").write_text(json.dumps(saved))
        np.savez(tmp_path / name / "state.npz", allow_pickle=False)
    code = (
        "import sys; from toolkit import ToolkitError, load_router\n"
        "for folder in sys.argv[1:]:\n"
        "    try: load_router(folder)\n"
        "    except ToolkitError as err: print(err)\n"
    )
    folders = [str(tmp_path / name) for name in names]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, check=True)
    for name, line in zip(names, done.stdout.splitlines(), strict=True):
        assert f"the parameters of {name} were expected" in line
