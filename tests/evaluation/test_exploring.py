"""What a run offers at a weight or within a budget: known points, and rules that no table may break."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.evaluation import exploring

# Ten prompts; "sly" goes from the cheap model to the dear one, "big" is the dear one alone, "rule" takes half of each.
POINTS = [
    ("sly", "0.00", np.inf, 0.001, 0.50), ("sly", "0.05", 40.0, 0.002, 0.55), ("sly", "0.10", 20.0, 0.004, 0.80),
    ("sly", "1.00", -np.inf, 0.010, 0.70), ("sly", "quality-first", 0.0, 0.006, 0.75),
    ("big", "rule", np.nan, 0.010, 0.70), ("rule", "rule", np.nan, 0.0055, 0.60),
]  # fmt: skip
STRONG_CALLS = {("sly", "0.00"): 0, ("sly", "0.10"): 4, ("sly", "1.00"): 10, ("sly", "quality-first"): 6} | {
    ("big", "rule"): 10, ("rule", "rule"): 5,
}  # fmt: skip


def tables(analysis: str = "cost", cost: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves and choices; in a view of calls the same points, a strong call for every 0.001 USD."""
    curves = pd.DataFrame(POINTS, columns=["system", "operating_point", "weight", "expected_cost_usd", "quality"])
    share = 100 * curves["expected_cost_usd"]
    curves = curves.assign(
        dataset="d", analysis=analysis, cost_usd=curves["expected_cost_usd"] if cost else np.nan,
        quality_low=curves["quality"] - 0.1, quality_high=curves["quality"] + 0.1,
        share_strong=np.nan if analysis == "cost" else share,
    )  # fmt: skip
    if analysis != "cost":
        curves["expected_cost_usd"] = np.nan
    made = [
        {"dataset": "d", "analysis": analysis, "system": system, "operating_point": point,
         "model": "dear" if call < strong else "cheap",
         "cost_usd": (0.010 if call < strong else 0.001) if cost else np.nan}
        for (system, point), strong in STRONG_CALLS.items() for call in range(10)
    ]  # fmt: skip
    return curves, pd.DataFrame(made).astype({"model": "category", "system": "category"})


def offered(analysis: str = "cost", cost: bool = True) -> exploring.Tradeoffs:
    return exploring.tradeoffs(*tables(analysis, cost), "d", analysis)


@pytest.mark.parametrize(
    ("asked", "point"),
    [
        ({"weight": 0}, "quality-first"),
        ({"weight": 20}, "0.10"),
        ({"weight": 21}, "0.05"),  # never dearer than the weight allows
        ({"weight": 1e9}, "0.00"),
        ({"budget": 0.5}, ""),
        ({"budget": 2}, "0.05"),  # its very cost
        ({"budget": 100}, "0.10"),  # the best, not the dearest
    ],
)
def test_the_point_of_a_router(asked, point):
    assert exploring.chosen(offered(), ["sly"], **asked)["operating_point"].item() == point


def test_figures_of_the_point_beside_the_best_single_model():
    offer = offered()
    assert (offer.best_single["system"], offer.best_single["model"], offer.prompts) == ("big", "dear", 10)
    at = exploring.chosen(offer, ["sly", "rule", "big"], budget=5.5, monthly_requests=1000).set_index("system")
    assert at.loc["sly", ["quality", "quality_low", "quality_high"]].tolist() == pytest.approx([0.80, 0.70, 0.90])
    assert at.loc["sly", "quality_kept"] == pytest.approx(0.80 / 0.70)
    assert at.loc["sly", ["cost_usd_per_1k", "saving"]].tolist() == pytest.approx([4.0, 0.6])
    assert at.loc["sly", ["usd_per_month", "saved_usd_per_month"]].tolist() == pytest.approx([4.0, 6.0])
    assert at.loc["rule", "operating_point"] == "rule", "a rule has one point, whatever is asked"
    assert at.loc["big", "operating_point"] == "" and np.isnan(at.loc["big", "quality"])
    shares = exploring.split(offer, at.reset_index())
    assert list(shares.columns) == ["cheap", "dear"] and list(shares.index) == ["sly", "rule"]
    assert shares.to_numpy().ravel().tolist() == pytest.approx([0.6, 0.4, 0.5, 0.5])


def test_a_split_of_a_neighbouring_point_says_so():
    offer = offered()
    at = exploring.chosen(offer, ["sly"], weight=40)
    assert at[["operating_point", "split_point", "split_exact"]].iloc[0].tolist() == ["0.05", "0.00", False]
    assert exploring.split(offer, at).loc["sly", "cheap"] == 1
    assert exploring.chosen(offer, ["sly"], weight=0)["split_exact"].item()


def test_two_models_without_costs_are_told_in_calls():
    offer = offered("pair", cost=False)
    at = exploring.chosen(offer, ["sly"], budget=0.45, monthly_requests=1000)
    assert at[["operating_point", "share_strong"]].iloc[0].tolist() == ["0.10", pytest.approx(0.4)]
    assert at[["cost_usd_per_1k", "saving", "usd_per_month", "saved_usd_per_month"]].isna().all(axis=None)
    assert offer.budgets() == pytest.approx((0.1, 1.0))


def test_what_nobody_could_use_does_not_lead():
    curves, choices = tables()
    best = curves[curves["system"] == "sly"].assign(system="oracle", quality=0.9)
    offer = exploring.tradeoffs(pd.concat([best, curves]), choices, "d", "cost")
    assert offer.systems == ["oracle", "sly", "big", "rule"]
    assert exploring.leading(offer, {"oracle": "outcomes", "sly": "text"}) == ["sly"]
    away = exploring.chosen(offer, ["oracle"], weight=0)
    assert away["split_point"].item() == "" and exploring.split(offer, away).empty


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 20), min_size=2, max_size=6).map(sorted), st.sampled_from(["cost", "pair"]))
def test_more_money_never_buys_less(budgets, analysis):
    offer = offered(analysis)
    at = pd.concat([exploring.chosen(offer, ["sly"], budget=budget) for budget in budgets])
    assert (np.diff(at["quality"].fillna(-1)) >= 0).all()
    spent = at["cost_usd_per_1k"] if analysis == "cost" else at["share_strong"]
    assert (spent.isna() | (spent <= np.array(budgets) * (1 + 1e-6))).all()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=6).map(sorted))
def test_a_higher_weight_is_never_expected_to_spend_more(weights):
    offer = offered()
    at = pd.concat([exploring.chosen(offer, ["sly"], weight=weight) for weight in weights])
    assert (np.diff(at["cost_usd_per_1k"]) <= 0).all()


def test_what_cannot_be_asked():
    offer = offered()
    with pytest.raises(ToolkitError, match="give one of them"):
        exploring.chosen(offer, ["sly"])
    with pytest.raises(ToolkitError, match="no shy in cost"):
        exploring.chosen(offer, ["shy"], weight=0)
    with pytest.raises(ToolkitError, match=r"0 or more was expected.*found -1"):
        exploring.chosen(offer, ["sly"], weight=-1)
    with pytest.raises(ToolkitError, match=r"no curves of 'pair'; there are {'d': \['cost'\]}"):
        exploring.tradeoffs(*tables(), "d", "pair")
    with pytest.raises(ToolkitError, match="found cascade"):
        exploring.available(tables("cascade")[0])
