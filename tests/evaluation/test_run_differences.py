"""Known answers, zeros against oneself, groups that stay whole, and coverage that is counted."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.evaluation import run_differences
from toolkit.evaluation.metrics import METRICS, TIMED


def choices(quality, cost=None, groups=None, system="knn", point="quality-first", analysis="cost", **changes):
    """Choices of one system: prompts are p0, p1, ..., each its own group unless told otherwise."""
    prompts = [f"p{row}" for row in range(len(quality))]
    cost = np.full(len(quality), np.nan) if cost is None else cost
    columns = {
        "prompt": prompts, "group": prompts if groups is None else groups, "dataset": "d", "analysis": analysis,
        "system": system, "operating_point": point, "quality": np.asarray(quality, dtype=np.float32), "cost_usd": cost,
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def test_a_shift_is_found_to_the_digit_in_quality_and_dollars():
    rng = np.random.default_rng(0)
    quality, cost = rng.integers(0, 3, 50) / 4, rng.random(50) / 1000
    before, after = choices(quality, cost), choices(quality + 0.25, cost + 0.002).sample(frac=1, random_state=1)
    found = run_differences.paired(before, after).set_index("metric")
    assert list(found.reset_index().columns.sort_values()) == sorted(run_differences.COLUMNS)
    for metric, shift, mean in (
        ("quality_change", 0.25, quality.mean()),
        ("cost_change_usd_per_1k", 2.0, 1000 * cost.mean()),
    ):
        row = found.loc[metric]
        np.testing.assert_allclose(row[["value", "ci_low", "ci_high"]].astype(float), shift, rtol=1e-6)
        assert row["a"] == pytest.approx(mean) and row["b"] == pytest.approx(mean + shift)
        assert (row["n"], row["dropped"], row["unit"]) == (50, 0, METRICS[metric].unit)
        assert row["p_holm"] < 0.001


def test_a_run_against_itself_is_nothing():
    run = choices(np.random.default_rng(0).random(30), np.random.default_rng(1).random(30))
    found = run_differences.paired(run, run)
    assert (found[["value", "ci_low", "ci_high"]] == 0).all(axis=None)
    assert (found[["p", "p_holm"]] == 1).all(axis=None)


def test_differences_are_paired_and_cover_the_truth():
    """200 systems whose true change is .1, on prompts whose difficulty varies three times as much as that."""
    rng = np.random.default_rng(5)
    difficulty = rng.normal(0, 0.3, 60)
    names = [f"s{system}" for system in range(200)]
    before = pd.concat([choices(difficulty, system=name) for name in names])
    after = pd.concat([choices(difficulty + 0.1 + rng.normal(0, 0.2, 60), system=name) for name in names])
    found = run_differences.paired(before, after, bootstraps=400)
    covered = ((found["ci_low"] <= 0.1) & (found["ci_high"] >= 0.1)).mean()
    assert 0.90 <= covered <= 0.98
    assert (found["ci_high"] - found["ci_low"]).median() < 0.12, "the prompts' own variation must cancel"
    null = pd.concat([choices(difficulty + rng.normal(0, 0.2, 60), system=name) for name in names])
    chance = run_differences.paired(before, null, bootstraps=10)
    assert 0.02 <= (chance["p"] < 0.05).mean() <= 0.08
    assert (chance["p_holm"] < 0.05).sum() <= 1


QUALITY = st.sampled_from([0, 0.25, 0.5, 1])


@settings(max_examples=15, deadline=None)
@given(
    pairs=st.lists(st.tuples(QUALITY, QUALITY), min_size=2, max_size=12),
    groups=st.lists(st.sampled_from("abcd"), min_size=12, max_size=12),
)
def test_to_swap_the_runs_swaps_the_signs(pairs, groups):
    first, second = (choices([pair[side] for pair in pairs], groups=groups[: len(pairs)]) for side in (0, 1))
    there = run_differences.paired(first, second, bootstraps=50).iloc[0]
    back = run_differences.paired(second, first, bootstraps=50).iloc[0]
    assert there[["value", "ci_low"]].tolist() == pytest.approx([-back["value"], -back["ci_high"]], abs=1e-6)
    assert there["p"] == back["p"]
    assert there["value"] == pytest.approx(there["b"] - there["a"])


def test_holm_over_all_that_is_shown():
    """Holm by hand: the smallest p times the number of tests, the next times one less, never falling."""
    rng = np.random.default_rng(2)
    quality = rng.random(40)
    before = pd.concat([choices(quality, system=name) for name in "abcd"])
    shifts = {"a": 0.06, "b": 0.08, "c": 0.3, "d": 0.0}
    after = pd.concat(
        [choices(quality + shift + rng.normal(0, 0.2, 40), system=name) for name, shift in shifts.items()]
    )
    found = run_differences.paired(before, after)
    p = found["p"].to_numpy()
    order, worst, expected = p.argsort(), 0.0, np.empty(4)
    for rank, index in enumerate(order):
        worst = max(worst, p[index] * (4 - rank))
        expected[index] = min(1, worst)
    np.testing.assert_allclose(found["p_holm"], expected)
    assert found.set_index("system").loc["c", "p_holm"] < 0.001


def test_a_family_of_hundreds_can_still_find_something():
    """The least p of 9,999 permutations times 300 would be .03; what is certain must not be lost like that."""
    quality = np.zeros(60)
    before = pd.concat([choices(quality, system=f"s{number}") for number in range(300)])
    after = before.assign(quality=np.where(before["system"] == "s7", 1.0, before["quality"]))
    found = run_differences.paired(before, after, bootstraps=10).set_index("system")
    assert found.loc["s7", "p_holm"] <= 0.006
    assert (found.drop("s7")["p_holm"] == 1).all()


def test_groups_of_either_run_stay_whole():
    """Four copies of a prompt are one prompt; and groups of two runs that overlap are one group."""
    rng = np.random.default_rng(0)
    base, change = rng.random(12), rng.normal(0, 0.3, 12)
    once = run_differences.paired(choices(base), choices(base + change)).iloc[0]
    names = np.repeat([f"g{row}" for row in range(12)], 4)
    copies = [choices(np.repeat(quality, 4), groups=names) for quality in (base, base + change)]
    fourfold = run_differences.paired(*copies).iloc[0]
    columns = ["value", "ci_low", "ci_high"]
    np.testing.assert_allclose(fourfold[columns].astype(float), once[columns].astype(float), atol=1e-6)
    assert fourfold["p"] == pytest.approx(once["p"], abs=0.04), "signs are drawn anew for the groups' sums"

    before = choices([0, 0, 0, 0], groups=["x", "x", "y", "y"])
    after = choices([1, 1, 1, 1], groups=["u", "v", "v", "w"])
    assert run_differences.paired(before, after)["p"].tolist() == [1.0], "all four hang together"


def test_only_common_prompts_count_and_gaps_are_counted():
    before, after = choices([0, 1, np.nan, 0.5, 1], cost=np.full(5, 0.001)), choices([1, 1, 1, np.nan, 0, 1])
    found = run_differences.paired(before, after).set_index("metric")
    assert found.loc["quality_change", ["n", "dropped"]].tolist() == [3, 2]
    assert found.loc["quality_change", ["a", "b", "value"]].tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    cost = found.loc["cost_change_usd_per_1k"]
    assert (cost["n"], cost["dropped"]) == (0, 5) and np.isnan(cost["value"]) and np.isnan(cost["p_holm"])
    assert found.loc["quality_change", "p_holm"] == found.loc["quality_change", "p"], "what is not tested is no family"
    counted = run_differences.coverage(before, after)
    assert counted.to_dict("records") == [{"dataset": "d", "analysis": "cost", "a": 5, "b": 6, "both": 5}]
    unknown = choices([np.nan, np.nan], analysis="acceptance", point="rule")
    assert run_differences.paired(unknown, unknown).empty, "figures that neither run knows are no row"
    strangers = choices([1.0], prompt="other")
    assert run_differences.paired(before, strangers).empty


def test_a_prompt_that_was_judged_twice_counts_by_its_mean():
    before = choices([0.0, 1.0])
    after = pd.concat([choices([0.0, 1.0]), choices([1.0, 1.0])])
    found = run_differences.paired(before, after).iloc[0]
    assert (found["n"], found["value"]) == (2, 0.25)


def test_headline_points_and_systems_of_one_run():
    def run(**points):
        return pd.concat(
            [choices([0, 1], system=name, point=point) for name, kept in points.items() for point in kept]
        ).astype({"system": "category", "operating_point": "category"})

    before = run(rule=["rule"], scored=["0.00", "0.50", "quality-first"], pair=["0.50", "1.00"], gone=["rule"])
    after = run(rule=["rule"], scored=["0.00", "0.50", "quality-first"], pair=["0.50", "1.00"], new=["0.50"])
    headline = run_differences.paired(before, after)
    shown = dict(zip(headline["system"], headline["operating_point"], strict=True))
    assert shown == {"rule": "rule", "scored": "quality-first", "pair": "0.50"}
    assert len(run_differences.paired(before, after, all_points=True)) == 6
    alone = run_differences.one_sided(before, after)
    assert sorted(zip(alone["system"], alone["run"], strict=True)) == [("gone", "A"), ("new", "B")]
    nothing = before.iloc[:0]
    assert run_differences.paired(nothing, after).empty and run_differences.coverage(nothing, after).empty


def test_measurements_stand_beside_each_other_whatever_the_profile():
    def rows(value, **params):
        row = {"notebook": "n", "dataset": "d", "analysis": np.nan, "system": "knn", "metric": "apgr", "n": 9}
        row |= {"split": f"cv{params.get('folds', 5)}", "ci_low": value - 1, "ci_high": value + 1, "value": value}
        return row | {"params": json.dumps(params)}

    few, many = {"profile": "smoke", "folds": 3, "labels": 50}, {"profile": "quick", "folds": 5, "labels": 50}
    before = pd.DataFrame([rows(0.5, **few), rows(0.6, train="x", test="y")])
    after = pd.DataFrame([rows(0.7, **many), rows(0.8, train="x", test="z")])
    found = run_differences.unpaired(before, after, ["apgr"]).set_index("conditions")
    assert found.loc["labels 50", ["value_a", "value_b", "ci_high_b"]].tolist() == [0.5, 0.7, 1.7]
    assert np.isnan(found.loc["test y; train x", "value_b"]) and found.loc["test z; train x", "value_b"] == 0.8
    assert run_differences.unpaired(before, after, ["cpt50"]).empty


def test_what_the_clock_or_the_memory_decides_is_timed():
    by_unit = {name for name, metric in METRICS.items() if metric.unit in ("ms", "s", "prompts/s", "MB")}
    assert by_unit < TIMED
    assert {"speedup", "usd_per_million", "break_even_share"} < TIMED
    assert not TIMED & {"apgr", "quality", "cost_usd_per_1k", "break_even_hits", "saved_usd_per_1k"}
