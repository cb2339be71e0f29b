"""The decision from made-up tables whose answer is known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.evaluation.decision import Constraints, decide
from toolkit.evaluation.decision.candidates import halves
from toolkit.evaluation.metrics import METRICS

PROMPTS = 400
NAMES = [f"{row:016x}" for row in range(PROMPTS)]
HARD = np.arange(PROMPTS) % 4 == 0  # small fails on these, large on none
TOLD = ~halves(np.array(NAMES))  # prompts that report
CENT = 0.01
COLUMNS = ["dataset", "analysis", "system", "operating_point", "weight"]


def _system(
    system: str, point: str, large: np.ndarray, analysis: str = "trained_cost", dollars: bool = True
) -> pd.DataFrame:
    """One system's choices: ``large`` costs a cent and is always right, ``small`` a tenth of it."""
    return pd.DataFrame(
        {
            "prompt": NAMES, "group": NAMES, "dataset": "d", "analysis": analysis, "system": system, "seed": 0,
            "operating_point": point, "model": np.where(large, "large", "small"),
            "quality": np.where(large | ~HARD, 1.0, 0.0), "tokens": 1.0,
            "cost_usd": np.where(large, CENT, CENT / 10) if dollars else np.nan,
        }
    )  # fmt: skip


def _choices(**more: np.ndarray) -> pd.DataFrame:
    everything, nothing = np.ones(PROMPTS, bool), np.zeros(PROMPTS, bool)
    systems = {"large": everything, "small": nothing, "length-rule": np.arange(PROMPTS) % 4 == 1} | more
    frames = [_system(name, "rule", large) for name, large in systems.items()]
    rng = np.random.default_rng(0)
    frames += [_system("random", f"{share:.2f}", rng.random(PROMPTS) < share) for share in (0.5, 0.9, 1.0)]
    frames += [_system("knows", "0.30", HARD), _system("knows", "1.00", everything)]
    frames += [_system("hindsight-oracle", "0.30", HARD)]
    return pd.concat(frames, ignore_index=True)


def _row(analysis: str, system: str, metric: str, value: float, low: float, high: float, **params: object) -> dict:
    details = {key: params.pop(key) for key in ("sees", "opponent", "p_holm", "device", "note") if key in params}
    return {
        "notebook": "n", "dataset": "d", "split": "holdout", "system": system, "metric": metric, "value": value,
        "ci_low": low, "ci_high": high, "unit": METRICS[metric].unit, "n": 100, "device": "cpu", "note": "",
        "analysis": analysis, "params": json.dumps(params), "sees": np.nan, "opponent": np.nan, "p_holm": np.nan,
    } | details  # fmt: skip


def _measurements(*more: dict) -> pd.DataFrame:
    sees = {"large": "nothing", "small": "nothing", "random": "nothing", "hindsight-oracle": "outcomes"}
    names = ["large", "small", "length-rule", "random", "knows", "hindsight-oracle"]
    rows = [_row("trained_cost", name, "quality", 0.9, 0.8, 1.0, sees=sees.get(name, "text")) for name in names]
    return pd.DataFrame([*rows, *more])


CURVES = pd.DataFrame([("d", "trained_cost", "knows", "0.30", 12.5)], columns=COLUMNS)
FACTS = {"data": {"d": {"synthetic": True, "cost_source": "measured", "models": ["small", "large"]}}}


def _decided(*rows: dict, choices: pd.DataFrame | None = None, **constraints: object) -> dict:
    choices = _choices() if choices is None else choices
    return decide(_measurements(*rows), choices, CURVES, Constraints(**constraints), FACTS, bootstraps=100)


def _part(*rows: dict, **given: object) -> dict:
    return _decided(*rows, **given)["data"][0]


def test_the_better_router_is_recommended_and_its_figures_are_those_of_the_other_half():
    part = _part()
    chosen = part["recommended"]
    assert (chosen["system"], chosen["point"], chosen["kind"], chosen["weight"]) == ("knows", "0.30", "router", 12.5)
    assert part["model"] == "large" and part["reported_on"] == TOLD.sum()
    assert chosen["kept"] == {"value": 1.0, "unit": "share", "low": 1.0, "high": 1.0} and chosen["floor"] == "kept"
    assert chosen["share"]["value"] == pytest.approx(np.where(HARD, 1, 0.1)[TOLD].mean())
    assert chosen["share"]["low"] < chosen["share"]["value"] < chosen["share"]["high"]
    saved = 1_000_000 * CENT * (1 - chosen["share"]["value"])
    assert chosen["money"]["saved_usd_per_month"]["value"] == pytest.approx(saved)
    assert chosen["against"]["baseline"]["spent_verdict"] == "less"
    assert part["sentences"][0]["say"] == "answer_router"


def test_bounds_are_told_and_never_recommended():
    part = _part(choices=_choices().query("system != 'knows'"))
    assert part["recommended"]["system"] != "hindsight-oracle"
    row = next(row for row in part["candidates"] if row["system"] == "hindsight-oracle")
    assert row["excluded_by"] == "sees" and row["kept"]["value"] == 1.0
    # Where the tables do not say what a reference sees, its class does.
    bare = decide(pd.DataFrame(columns=_measurements().columns), _choices(), CURVES, bootstraps=50)
    assert bare["data"][0]["recommended"]["system"] == "knows"


def test_baselines_win_where_they_are_cheaper_and_it_is_said():
    part = _part(choices=_choices().query("system != 'knows'"), quality_floor=0.9)
    assert part["recommended"]["kind"] == "baseline" and part["sentences"][0]["say"] == "answer_baseline"
    assert part["sentences"][-2]["say"] == "routers_none"
    single = _part(choices=_choices().query("system != 'knows'"), quality_floor=0.5)
    assert (single["recommended"]["model"], single["sentences"][0]["say"]) == ("small", "answer_single")
    best = _part(choices=_choices().query("system not in ['knows', 'random']"))
    assert (best["recommended"]["model"], best["sentences"][0]["say"]) == ("large", "answer_best")


def test_a_latency_budget_excludes_what_was_measured_to_be_slower():
    slow = _row("router_latency", "knows", "p50_ms", 7.0, 6.5, 7.5)
    part = _part(slow, quality_floor=0.9)
    assert part["recommended"]["system"] == "random"
    assert part["recommended"]["unhurried"]["system"] == "knows"
    assert next(row["excluded_by"] for row in part["candidates"] if row["system"] == "knows") == "latency"
    assert not any(point["admitted"] for point in part["points"] if point["system"] == "knows")
    assert _part(slow, latency_budget_ms=8)["recommended"]["system"] == "knows"
    on_gpu = _row("router_latency", "knows", "p50_ms", 2.0, 1.0, 3.0, device="cuda")
    assert _part(slow, on_gpu, gpu=True)["recommended"]["system"] == "knows"
    assert _part(slow, on_gpu)["recommended"]["system"] == "random"


def test_times_of_a_router_hold_whatever_its_name_adds_in_parentheses():
    choices = _choices().replace({"system": {"knows": "bert (100 labels)"}})
    part = _part(_row("router_latency", "bert", "p50_ms", 7.0, 6.5, 7.5), choices=choices)
    assert next(row["excluded_by"] for row in part["candidates"] if row["system"] == "bert (100 labels)") == "latency"


def test_a_floor_that_nobody_reaches_leaves_nobody_and_says_so():
    part = _part(quality_floor=1.1)
    assert part["recommended"] is None and part["prices"] is None
    said = part["sentences"][0]
    assert said["say"] == "answer_nobody" and said["with"]["best"]["value"] == pytest.approx(1.0)
    assert said["with"]["too_low"] == 5


def test_who_wants_to_be_sure_gets_what_keeps_the_floor_with_its_whole_interval():
    nearly = HARD.copy()
    nearly[np.flatnonzero(HARD & ~TOLD)[:8]] = False  # keeps .96 of the choosing half, with an interval below .95
    choices = pd.concat([_choices(), _system("nearly", "0.20", nearly)], ignore_index=True)
    part = _part(choices=choices)
    assert (part["recommended"]["system"], part["cautious"]["system"]) == ("nearly", "knows")


@given(st.lists(st.text(), min_size=1, max_size=40))
def test_no_group_is_in_both_halves_and_halves_never_change(groups):
    names = np.array([*groups, *groups], dtype=object)
    sides = halves(names)
    assert (sides[: len(groups)] == sides[len(groups) :]).all()
    assert (halves(np.array(groups[::-1], dtype=object))[::-1] == sides[: len(groups)]).all()


def test_the_choice_knows_nothing_of_the_reporting_half():
    spoiled = _choices()
    spoiled.loc[spoiled["prompt"].isin(np.array(NAMES)[TOLD]) & (spoiled["system"] == "knows"), "quality"] = 0.0
    part = _part(choices=spoiled)
    assert part["recommended"]["system"] == "knows" and part["recommended"]["kept"]["value"] == 0.0
    assert part["recommended"]["floor"] == "missed"


def test_prices_flip_the_choice_at_the_known_factor():
    steady = _choices(steady=np.zeros(PROMPTS, bool))
    mine = steady["system"] == "steady"
    steady.loc[mine, ["model", "quality", "cost_usd"]] = ["middle", 1.0, 0.5 * CENT]
    part = _part(choices=steady, reference="large")
    hard = HARD[~TOLD].mean()
    flip = (0.5 - 0.1 * (1 - hard)) / hard  # where 0.1 (1 - h) + h r meets one half
    assert part["prices"]["model"] == "large"
    assert [row["system"] for row in part["prices"]["ranges"]][-2:] == ["knows", "steady"]
    assert part["prices"]["ranges"][-1]["from"] == pytest.approx(flip)
    assert 1 < flip < 2
    assert [row["system"] for row in part["prices"]["factors"]][2:] == ["knows", "steady", "steady"]
    assert part["prices"]["here"]["system"] == "knows"


def test_the_price_of_errors_flips_where_an_error_costs_what_it_saves():
    part = _part()
    ranges = part["errors"]["ranges"]
    assert [row["system"] for row in ranges] == ["small", "knows"]
    assert ranges[1]["from"] == pytest.approx(0.9 * CENT)  # one more cent-call for each error avoided
    assert ranges[1]["to"] is None
    assert [row["system"] for row in part["errors"]["grid"]][:1] == ["small"]


def test_without_costs_calls_of_the_strong_model_are_counted():
    everything, nothing = np.ones(PROMPTS, bool), np.zeros(PROMPTS, bool)
    systems = {"always-strong": everything, "always-weak": nothing}
    frames = [_system(name, "rule", large, "trained", dollars=False) for name, large in systems.items()]
    frames += [_system("knows", "0.30", HARD, "trained", dollars=False)]
    part = _part(choices=pd.concat(frames, ignore_index=True))
    assert not part["in_dollars"] and part["recommended"]["money"] is None and part["prices"] is None
    assert part["recommended"]["share"]["value"] == pytest.approx(HARD[TOLD].mean())


def test_the_checklist_says_ok_short_or_not_measured():
    def asked(system: str, value: float, metric: str = "acceptance_accuracy", language: str = "all") -> dict:
        given = {"language": language, "models": ["small", "large"]}
        return _row("acceptance", system, metric, value, value - 0.05, value + 0.04, **given)

    rows = [
        asked("knows", 0.9),
        asked("knows", 0.88, "simple_to_weak"),
        asked("random", 0.5),
        asked("knows", 0.95, language="zh"),
    ]
    rows.append(_row("router_latency", "knows", "p50_ms", 4.0, 3.0, 4.5))
    queries = [{"id": "seed-1", "text": "hi", "label": "simple", "prompt": "p1"}]
    went = pd.DataFrame(
        {"prompt": ["p1"], "dataset": "d", "analysis": "acceptance", "system": "knows", "model": ["large"]}
    )
    choices = pd.concat([_choices(), went], ignore_index=True)
    decision = decide(_measurements(*rows), choices, CURVES, None, FACTS | {"queries": queries}, 50)
    found = decision["data"][0]["checklist"]
    knows, lots = found["systems"]
    assert knows["system"] == "knows" and found["models"] == ["small", "large"] and found["stand_in"]
    assert (knows["all"]["accuracy"]["verdict"], knows["all"]["accuracy"]["sure"]) == ("ok", False)
    assert (knows["latency"]["verdict"], knows["latency"]["sure"]) == ("ok", True)
    assert knows["all"]["complex"]["verdict"] == "unmeasured" and knows["zh"]["accuracy"]["sure"]
    assert lots["all"]["accuracy"] | {"estimate": 0} == {"verdict": "short", "sure": True, "estimate": 0}
    assert knows["seed"] == [{"id": "seed-1", "model": "large", "strong": True, "right": False}]
    assert knows["accuracies"]["class_accuracy"]["value"] == knows["accuracies"]["best_model_hits"]["value"] == 1.0


def test_what_was_not_measured_is_called_that_and_nothing_raises():
    empty = decide(pd.DataFrame(), pd.DataFrame(columns=_choices().columns), pd.DataFrame(columns=COLUMNS))
    assert empty["data"] == [] and empty["primary"] is None
    told = {name for family in empty["families"] for cell in family["dimensions"].values() if (name := cell["why"])}
    assert {"why_notebook_03", "why_notebook_08", "why_live"} <= told
    few = _part(choices=_choices()[lambda frame: frame["prompt"].isin(NAMES[:12])])
    assert few["recommended"] is None and few["sentences"][0]["say"] == "nothing_judged"
    names = {doubt["say"] for doubt in _part()["doubts"]}
    assert {
        "doubt_synthetic",
        "doubt_latency_unmeasured",
        "doubt_transfer_unmeasured",
        "doubt_cache_unmeasured",
    } <= names
    phases = _part()["roadmap"]
    assert [phase["phase"] for phase in phases] == [1, 2, 3, 4] and phases[0]["verdict"] == "open"


def test_claimed_measured_and_not_measured_stand_apart():
    claims = [
        {"section": "4", "system": "tx402", "metric": "accuracy", "low": 90.0, "high": 90.0, "unit": "%", "value": ""}
    ]
    found = decide(_measurements(), _choices(), CURVES, None, FACTS | {"claims": claims}, 50)
    cells = {row["family"]: row["dimensions"]["accuracy"] for row in found["families"]}
    assert cells["tx402-claims"]["claimed"][0]["with"]["low"] == 90.0 and not cells["tx402-claims"]["measured"]
    assert not cells["tx402-emulation"]["claimed"] and not cells["tx402-live"]["measured"]


def test_phases_follow_the_evidence():
    name = "bert (100 labels)"

    def bert(value: float, gain: float, p: float) -> list[dict]:
        return [
            _row("trained", name, "apgr", value, value - 0.02, value + 0.02, sees="text"),
            _row("trained", name, "apgr_gain", gain, gain - 0.02, gain + 0.02, opponent="length", p_holm=p),
            _row("learning_curve", "knn", "apgr", 0.6, 0.58, 0.62, labels=100),
        ]

    good, bad = (_part(*rows)["roadmap"] for rows in (bert(0.8, 0.2, 0.01), bert(0.4, -0.2, 0.01)))
    assert [phase["verdict"] for phase in good] == ["for", "for", "for", "sooner"]
    assert [phase["verdict"] for phase in bad] == ["against", "for", "against", "open"]
    assert bad[0]["because"][0]["say"] == "because_1_gain"


def test_it_is_json_and_comes_back_the_same():
    found = _decided()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("wrong", ["reference", "today"])
def test_names_that_no_data_set_has_are_refused(wrong):
    with pytest.raises(ToolkitError, match=f"{wrong} is one of .*large"):
        _part(**{wrong: "nobody"})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"latency_budget_ms": -1}, "latency_budget_ms"),
        ({"quality_floor": float("nan")}, "quality_floor"),
        ({"monthly_requests": 0}, "monthly_requests"),
        ({"gpu": 1}, "gpu"),
        ({"error_usd": "much"}, "error_usd"),
    ],
)
def test_constraints_that_are_none_are_refused(wrong, named):
    with pytest.raises(ToolkitError, match=named):
        Constraints(**wrong)
