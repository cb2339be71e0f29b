"""A change of data and a late model: worlds in which the right answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import make_outcomes
from toolkit.errors import ToolkitError
from toolkit.evaluation import newcomer, transfer
from toolkit.evaluation.leaderboard import compare_pair
from toolkit.evaluation.protocol import cross_predict, holdout
from toolkit.evaluation.selection import CrossValidated
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.baselines import DomainMean, PromptLength
from toolkit.routers.classical import RidgeRegression
from toolkit.routers.edges import GraphFree

RIDGE = RidgeRegression(0.1, "lexical")


def world(words: tuple[str, str], count: int = 160, seed: int = 0) -> Outcomes:
    """The weak model fails where the second word stands; the strong one is right nearly always."""
    rng = np.random.default_rng(seed)
    hard = rng.integers(0, 2, count)
    texts = [f"{words[kind]} {words[kind]} number {seed}/{row}" for row, kind in enumerate(hard)]
    quality = np.stack([1 - hard, (rng.random(count) < 0.95)], axis=1)
    return replace(make_outcomes(quality, texts=texts), name=f"world {seed}")


@pytest.fixture(scope="module")
def sets() -> dict[str, Outcomes]:
    """Two worlds of the same words, and one in which they mean the opposite."""
    return {
        "a": world(("greet", "prove"), seed=1),
        "b": world(("greet", "prove"), seed=2),
        "c": world(("prove", "greet"), seed=3),
    }


def test_what_holds_elsewhere_travels_and_what_does_not_harms(sets):
    rows = transfer.matrix(sets, {"ridge": RIDGE}, bootstraps=50)
    apgr = rows[rows["metric"] == "apgr"].set_index(["train", "test"])["value"]
    for source, target in (("a", "a"), ("a", "b"), ("b", "a"), ("c", "c")):
        assert apgr[source, target] > 0.7
    for source, target in (("a", "c"), ("c", "a"), ("c", "b"), ("b", "c")):
        assert apgr[source, target] < 0.3
    lost = rows[rows["metric"] == "apgr_lost"].set_index(["train", "test"])
    for key, row in lost.iterrows():
        assert row["value"] == pytest.approx(apgr[key[1], key[1]] - apgr[key], abs=1e-6)
        assert row["value"] == 0 if key[0] == key[1] else True
    means = transfer.summary(rows).loc["ridge"]
    assert means["at home"] == pytest.approx(np.mean([apgr[one, one] for one in sets]), abs=1e-3)
    assert means["elsewhere"] == pytest.approx(apgr[[key for key in apgr.index if key[0] != key[1]]].mean(), abs=1e-3)


def test_at_home_it_is_the_comparison_that_everybody_knows(sets):
    rows = transfer.matrix({"a": sets["a"], "b": sets["b"]}, {"ridge": RIDGE}, bootstraps=200, seed=3)
    home = rows.query("metric == 'apgr' and train == 'b' and test == 'b'").iloc[0]
    usual = compare_pair(cross_predict(holdout(sets["b"], 80, 3), {"ridge": RIDGE}), 200, 3).measurements
    known = usual[usual["metric"] == "apgr"].iloc[0]
    np.testing.assert_allclose(
        home[["value", "ci_low", "ci_high"]].astype(float), known[["value", "ci_low", "ci_high"]].astype(float)
    )


def test_prompts_that_are_judged_elsewhere_are_not_fitted_on():
    fits = []

    class Spy(Router):
        def _fit(self, train):
            self.seen = set(train.texts)
            fits.append(len(train))

        def _predict(self, texts, metadata):
            assert not self.seen & set(texts)
            return np.tile([0.4, 0.6], (len(texts), 1))

    first = world(("greet", "prove"), seed=1)
    again = first.subset(np.arange(len(first))[::-1])  # the same prompts, cut otherwise
    transfer.crossed({"first": first, "again": again}, {"spy": Spy()})
    assert fits[:2] == [80, 80]
    assert len(fits) == 4 and max(fits[2:]) < 60  # fitted anew without what the other set judges


def test_groups_and_odd_names_travel_too():
    """Rows of one group are judged or fitted on, never both; a set may be called anything."""
    first = world(("greet", "prove"), seed=1)
    paired = first.prompts.assign(group=[f"g{row // 2}" for row in range(len(first))])
    again = replace(first, prompts=paired.assign(text=paired["text"] + " again"))
    sets = {"len < 100": replace(first, prompts=paired), "b": again}
    for target, (predictions, _) in transfer.crossed(sets, {"length": PromptLength()}).items():
        assert set(predictions.outcomes.prompts["text"]) <= set(sets[target].texts)
    shared = transfer._shared(sets["b"], sets["len < 100"].subset(np.arange(10)))
    assert list(np.flatnonzero(shared)) == list(range(10))
    rows = transfer.matrix(sets, {"ridge": RIDGE}, bootstraps=10)
    assert set(rows["train"]) == set(rows["test"]) == set(sets)


def test_a_set_keeps_its_options_and_needs_no_complete_rows(upstream, tmp_path):
    pair = upstream("routellm/gsm8k", decontaminate=False).pair()
    upstream("routellm/mmlu")
    found = transfer.siblings("routellm/gsm8k?decontaminate=false", pair)
    assert len(found["routellm/gsm8k?decontaminate=false"]) == len(pair) and "routellm/gsm8k" not in found
    holes = make_outcomes(np.where(np.arange(100)[:, None] < [50, 100], np.nan, 1.0), domain=["a"] * 50 + ["b"] * 50)
    assert transfer.siblings("own.csv", holes) == {}


def test_sets_without_a_gap_are_not_judged(sets):
    even = make_outcomes(np.tile([[1, 0], [0, 1]], (60, 1)))
    rows = transfer.matrix({"a": sets["a"], "even": even}, {"length": PromptLength()}, bootstraps=100)
    assert set(rows["test"]) == {"a"} and set(rows["train"]) == {"a", "even"}
    assert transfer.matrix({"even": even, "odd": even}, {"length": PromptLength()}, bootstraps=100).empty


def test_other_pairs_travel_by_their_roles(sets):
    other = replace(sets["b"], models=sets["b"].models.set_axis(["small", "large"]))
    with pytest.raises(ToolkitError, match="the same models"):
        transfer.matrix({"a": sets["a"], "b": other}, {"ridge": RIDGE})
    roles = {name: transfer.in_roles(data) for name, data in (("a", sets["a"]), ("b", other))}
    rows = transfer.matrix(roles, {"ridge": RIDGE}, bootstraps=20)
    assert rows.query("metric == 'apgr' and train == 'a' and test == 'b'")["value"].item() > 0.7
    with pytest.raises(ToolkitError, match="roles are those of two"):
        transfer.in_roles(make_outcomes(np.eye(3)))


def test_a_pool_is_held_against_the_best_model_of_the_fitted_set(synthetic):
    domains = transfer.siblings("synthetic", synthetic.sample(1500), most=2)
    assert len(domains) == 2 and all(len(set(data.prompts["domain"])) == 1 for data in domains.values())
    router = {"domain": DomainMean(shrinkage=0.0)}  # within one domain: always the best of the fitting part
    rows = transfer.matrix(domains, router, bootstraps=50)
    assert (rows.loc[rows["metric"] == "quality_over_single", "value"] == 0).all()


def test_siblings_are_the_family_that_is_at_hand(upstream):
    pair = upstream("routellm/gsm8k").pair()
    upstream("routellm/mmlu")
    found = transfer.siblings("routellm/gsm8k", pair, prompts=300)
    assert {"routellm/gsm8k", "routellm/mmlu"} <= set(found)
    assert all(data.names == pair.names and len(data) <= 300 for data in found.values())


def test_choosing_on_whole_domains_prefers_what_travels():
    """A domain's mean is the best guess at home; on domains that nobody labelled only length says anything."""
    rng = np.random.default_rng(0)
    domain = np.repeat(np.arange(8), 60)
    long = rng.random(480) < 0.5
    level = rng.permutation(np.linspace(0.05, 0.95, 8))[domain]
    weak = rng.random(480) < np.clip(level - 0.25 * long + 0.125, 0, 1)
    # What makes a prompt long are words that stand nowhere else, so that words tell of domains alone.
    texts = [f"word{domain[row]}" + f" filler{row}" * (2 + 30 * long[row]) for row in range(480)]
    data = make_outcomes(np.stack([weak, np.ones(480)], axis=1), texts=texts, domain=[f"d{kind}" for kind in domain])
    members = (PromptLength(), RidgeRegression(0.01, "lexical"))
    assert np.argmax(CrossValidated(members, "apgr").fit(data).scores_) == 1
    assert np.argmax(CrossValidated(members, "apgr", held_out="domains").fit(data).scores_) == 0
    with pytest.raises(ToolkitError, match="held_out prompts or domains"):
        CrossValidated(members, held_out="subjects")
    with pytest.raises(ToolkitError, match="hold out prompts"):
        CrossValidated(members, held_out="domains").fit(make_outcomes(np.eye(2)))


def test_a_newcomer_that_is_always_right_is_found_with_labels(synthetic):
    data = synthetic.sample(1000)
    quality = np.hstack([data.quality, np.ones((1000, 1), dtype=np.float32)])
    prices = data.models.iloc[[-1]].set_axis(["perfect"])
    names = [*data.names, "perfect"]
    pool = Outcomes("pool", data.prompts, data.models.reindex(names).fillna(prices.iloc[0]), quality)
    marked = holdout(pool, 500)
    rows = newcomer.joining(marked, {"ridge": RidgeRegression(), "graph-free": GraphFree()}, draws=2, bootstraps=50)
    wide = rows.pivot(index=["system", "metric"], columns="labels", values="value")
    assert list(wide.columns) == [0, 10, 50, 200, 500] and (rows["note"] == "newcomer perfect").all()
    assert np.isnan(wide.loc[("ridge", "joined_share"), 0])  # without labels a router that knows names only has no idea
    assert wide.loc[("graph-free", "joined_share"), 200] > 0.9
    for name in ("ridge", "graph-free"):
        gained = wide.loc[(name, "joined_quality")]
        assert gained[200] > 0.1 and gained[200] >= gained[50] - 0.02 >= gained[10] - 0.1
    judged = marked.subset((marked.prompts["split"] != "train").to_numpy())
    alone = GraphFree().fit(marked.subset((marked.prompts["split"] == "train").to_numpy(), data.names))
    before = judged.realised(judged.quality, alone.predict(judged.texts).argmax(axis=1)).mean()
    all_new = wide.loc[("graph-free", "joined_share"), 200] == 1.0
    assert not all_new or wide.loc[("graph-free", "joined_quality"), 200] == pytest.approx(1 - before, abs=1e-5)
    leaked = replace(marked, prompts=marked.prompts.assign(text="the same"))
    with pytest.raises(ToolkitError):
        newcomer.joining(leaked, {"ridge": RIDGE})
    with pytest.raises(ToolkitError, match="cut it by freeze or holdout"):
        newcomer.joining(pool, {"ridge": RIDGE})
    with pytest.raises(ToolkitError, match="two other models"):
        newcomer.joining(marked.pair(), {"ridge": RIDGE})


def test_only_chosen_labels_of_the_newcomer_are_seen(synthetic):
    data = synthetic.sample(50)
    thinned = transfer.without_labels(data, data.names[1], [3, 7])
    assert list(np.flatnonzero(~np.isnan(thinned.quality[:, 1]))) == [3, 7]
    np.testing.assert_array_equal(thinned.quality[:, [0, 2]], data.quality[:, [0, 2]])
    assert not np.isnan(data.quality).any()
