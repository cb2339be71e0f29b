"""Choosing by cross-validation: what is chosen, and that test prompts play no part."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit import load_router, save_router
from toolkit.errors import ToolkitError
from toolkit.evaluation.learning import FewLabels, learning_curve, timings
from toolkit.evaluation.protocol import cross_predict, holdout
from toolkit.evaluation.selection import CrossValidated, candidates
from toolkit.outcomes import Outcomes
from toolkit.routers.baselines import DomainMean, HindsightOracle, PromptLength, RandomScore, SingleModel
from toolkit.routers.classical import RidgeRegression
from toolkit.routers.ensemble import Ensemble
from toolkit.routers.local import KNearestNeighbours

MEMBERS = (RandomScore(), RidgeRegression(1.0, "lexical"), PromptLength())


def kinds(count: int = 300, copies: int = 1) -> Outcomes:
    """The word decides which of two models is right; length and chance know nothing."""
    rng = np.random.default_rng(0)
    hard = np.repeat(rng.integers(0, 2, count), copies)
    texts = [f"{'prove' if kind else 'greet'} {row // copies}" for row, kind in enumerate(hard)]
    quality = np.stack([1 - hard, 0.9 * hard + 0.4 * (1 - hard)], axis=1)
    return make_outcomes(quality, np.tile([1.0, 5.0], (len(hard), 1)), texts)


@pytest.mark.parametrize("score", ["quality", "apgr", "aiq"])
def test_the_one_that_knows_is_chosen_and_fitted_on_everything(score, tmp_path):
    data = kinds()
    router = CrossValidated(MEMBERS, score).fit(data)
    assert np.argmax(router.scores_) == 1
    np.testing.assert_array_equal(
        router.predict(data.texts), RidgeRegression(1.0, "lexical").fit(data).predict(data.texts)
    )
    folder = save_router(router, tmp_path / score)
    np.testing.assert_array_equal(load_router(folder).predict(data.texts), router.predict(data.texts))
    asked = [sys.executable, "-m", "toolkit", "route", "--router", str(folder), "--json", data.texts[0]]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # in a process that has not seen the class
    assert json.loads(done.stdout)["model"] == router.route(data.texts[0]).model


def test_the_best_are_averaged_and_ties_go_to_the_simpler():
    data = kinds()
    twins = (RidgeRegression(1.0, "lexical"), RidgeRegression(1.001, "lexical"), RandomScore())
    one, other = (member.clone().fit(data).predict(data.texts) for member in twins[:2])
    kept = CrossValidated(twins, keep=2).fit(data)
    np.testing.assert_allclose(kept.predict(data.texts), (one + other) / 2)
    backwards = CrossValidated((twins[2], twins[1], twins[0]), tolerance=1.0).fit(data)
    np.testing.assert_array_equal(backwards.predict(data.texts), other)


def test_a_draw_in_which_the_weak_model_leads_is_ranked_all_the_same():
    data = kinds()
    turned = data.subset(models=["m1", "m0"])
    assert np.diff(turned.mean_quality())[0] < 0
    assert np.argmax(CrossValidated(MEMBERS, "apgr").fit(turned).scores_) == 1


def test_selection_never_sees_the_judged_prompts():
    """With outcomes of the judged part turned round, the same router is chosen and says the same."""
    marked = holdout(kinds(), 150)
    judged = (marked.prompts["split"] == "holdout").to_numpy()
    turned = Outcomes(
        "turned", marked.prompts, marked.models, np.where(judged[:, None], 1 - marked.quality, marked.quality)
    )
    routers = {"selected": CrossValidated(MEMBERS)}
    np.testing.assert_array_equal(
        cross_predict(marked, routers).quality["selected"], cross_predict(turned, routers).quality["selected"]
    )


def test_parts_of_the_source_play_no_role_inside():
    """Fitted on data with a test part, the choice is the one made without the column."""
    data = kinds()
    marked = holdout(data, 250)
    assert CrossValidated(MEMBERS).fit(marked).scores_ == CrossValidated(MEMBERS).fit(data).scores_


@pytest.mark.parametrize("wrong", [HindsightOracle(), DomainMean(), SingleModel()])
def test_members_read_the_text_and_nothing_else(wrong):
    for owner in (CrossValidated, Ensemble):
        with pytest.raises(ToolkitError, match="members with scores from the text alone"):
            owner((wrong, PromptLength()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "luck"}, "got 'luck'"),
        ({"tolerance": 1.0, "score": "apgr"}, "a tolerance needs"),
        ({"keep": 9}, "got 9"),
    ],
)
def test_bad_options_are_told(options, message):
    with pytest.raises(ToolkitError, match=message):
        CrossValidated(MEMBERS, **options)
    with pytest.raises(ToolkitError, match="compares two models; found 1"):
        CrossValidated(MEMBERS, "apgr").fit(kinds().subset(models=["m0"]))


def test_candidates_can_all_be_fitted(synthetic):
    train, test = synthetic.pair().sample(200).split(0.5)
    for router in candidates("lexical"):
        assert router.clone().fit(train).predict(test.texts).shape == (len(test), 2)


def test_holdout_keeps_copies_together():
    data = kinds(50, copies=3)
    marked = holdout(data, 60, seed=1)
    train = (marked.prompts["split"] == "train").to_numpy()
    assert 60 <= train.sum() <= 63
    assert not set(data.groups[train]) & set(data.groups[~train])
    for labels in (0, 150):
        with pytest.raises(ToolkitError, match="leave an empty part"):
            holdout(data, labels)


def test_more_labels_are_seen_by_the_points_to_the_right(tmp_path):
    marked = holdout(kinds(), 150)
    routers = {"knn": KNearestNeighbours(5, "lexical"), "length": PromptLength()}
    rows = learning_curve(marked, routers, sizes=(10, 40, 140, 1000), bootstraps=100)
    assert sorted(set(rows["labels"])) == [10, 40, 150]
    apgr = rows.set_index(["system", "labels"])["value"]
    assert min(apgr["knn", 150], apgr["knn", 10]) > apgr["length", 150] + 0.2
    few = FewLabels(KNearestNeighbours(5, "lexical"), 10).fit(marked)
    assert len(few._fitted.vectors_) == 10
    loaded = load_router(save_router(few, tmp_path / "few"))
    assert isinstance(loaded, KNearestNeighbours)  # what fed it is no part of it
    np.testing.assert_array_equal(loaded.predict(["prove 1"]), few.predict(["prove 1"]))
    spent = timings(cross_predict(marked, routers), 150)
    assert set(spent["system"]) == {"knn"} and (spent["value"] > 0).all()
