"""The decision from made-up tables whose answer is known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ToolkitError
from toolkit.evaluation.decision import Constraints, decide
from toolkit.evaluation.decision.candidates import Told, halves, read
from toolkit.evaluation.decision.sentences import headline
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


def _measurements(*more: dict, timed: tuple[str, ...] = ("knows", "nearly", "steady", "cheap")) -> pd.DataFrame:
    """Rows of the made-up systems; routers are fast where nothing else is said of their time."""
    sees = {"large": "nothing", "small": "nothing", "random": "nothing", "hindsight-oracle": "outcomes"}
    names = ["large", "small", "length-rule", "random", "knows", "hindsight-oracle"]
    rows = [_row("trained_cost", name, "quality", 0.9, 0.8, 1.0, sees=sees.get(name, "text")) for name in names]
    fast = [_row("router_latency", name, "p50_ms", 1.0, 0.9, 1.1) for name in timed]
    return pd.DataFrame([*rows, *more, *fast])


CURVES = pd.DataFrame([("d", "trained_cost", "knows", "0.30", 12.5)], columns=COLUMNS)
FACTS = {"data": {"d": {"synthetic": True, "cost_source": "measured", "models": ["small", "large"]}}}


def _decided(*rows: dict, choices: pd.DataFrame | None = None, timed: tuple | None = None, **wanted: object) -> dict:
    choices = _choices() if choices is None else choices
    measured = _measurements(*rows) if timed is None else _measurements(*rows, timed=timed)
    return decide(measured, choices, CURVES, Constraints(**wanted), FACTS, bootstraps=100)


def _part(*rows: dict, **given: object) -> dict:
    return _decided(*rows, **given)["data"][0]


def _said(part: dict) -> dict[str, dict]:
    """What stands in each of its sentences, by name."""
    return {one["say"]: one["with"] for one in part["sentences"]}


def _loud(part: dict) -> set[str]:
    return {doubt["say"] for doubt in part["doubts"] if doubt["loud"]}


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
    kinds = {row["system"]: row["kind"] for row in bare["data"][0]["candidates"]}
    assert kinds["hindsight-oracle"] == "reference" and bare["data"][0]["recommended"]["kind"] == "baseline"


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


def test_nobody_is_left_out_for_a_time_that_may_be_noise():
    """Its estimate lies above the budget and its interval reaches below: it is taken, and both places say so."""
    late = _row("router_latency", "knows", "p90_ms", 12.0, 9.0, 15.0)
    noisy = _part(_row("router_latency", "knows", "p50_ms", 7.0, 3.0, 9.0), late)
    assert noisy["recommended"]["system"] == "knows" and noisy["recommended"]["unhurried"] is None
    assert _said(noisy)["budget_unsure"]["ms"]["high"] == 9.0 and "doubt_latency" in _loud(noisy)
    assert [one["say"] for one in headline(noisy)] == ["answer_router", "budget_unsure"]
    slow = _part(_row("router_latency", "knows", "p50_ms", 7.0, 6.0, 9.0))
    assert [one["say"] for one in headline(slow)] == ["answer_baseline", "unhurried"]
    fast = _part(_row("router_latency", "knows", "p50_ms", 3.0, 2.0, 4.0))
    assert "budget_unsure" not in _said(fast) and [one["say"] for one in headline(fast)] == ["answer_router"]


def test_the_weight_is_told_where_it_is_of_dollars():
    assert _said(_part())["serve"]["weight"]["value"] == 12.5
    pair = [_system(name, "rule", large, "trained") for name, large in (("s", HARD | True), ("w", HARD & False))]
    part = _part(choices=pd.concat([*pair, _system("knows", "0.30", HARD, "trained")], ignore_index=True))
    assert part["recommended"]["system"] == "knows" and "serve" not in _said(part)


def test_a_saving_that_may_be_none_is_called_that():
    """Errors priced at what the cheaper calls save: which is more is chance."""
    sure = _part(_row("router_latency", "knows", "p50_ms", 1.0, 0.9, 1.1))
    assert _said(sure)["money"]["net"]["say"] == "net_saved"
    part = _part(choices=_spoiled(_choices(), "knows", 0.03), error_usd=0.00675 / 0.03)
    assert part["recommended"]["system"] == "knows"
    net = part["recommended"]["money"]["net_usd_per_month"]
    assert net["low"] < 0 < net["high"] and _said(part)["money"]["net"]["say"] == "net_unsure"
    assert "doubt_money" not in _loud(part)


def test_a_rule_that_happens_to_send_all_one_way_keeps_its_name():
    nothing = np.zeros(PROMPTS, bool)
    part = _part(choices=_choices(**{"length-rule": nothing}))
    rule = next(row for row in part["candidates"] if row["system"] == "length-rule")
    assert (rule["kind"], rule["model"]) == ("baseline", None)
    today = part["sentences"][0]["with"]["today"]
    assert today["say"] == "today_assumed" and today["with"]["who"]["with"]["system"] == "length-rule"
    assert _part(today="random@0.90")["sentences"][0]["with"]["today"]["say"] == "today"


def test_who_reads_nothing_is_no_router():
    blind = _row("trained_cost", "steady", "quality", 0.9, 0.8, 1.0, sees="nothing")
    part = _part(blind, choices=_choices().replace("knows", "steady"))
    assert part["recommended"]["system"] == "steady" and part["sentences"][0]["say"] == "answer_baseline"


def test_a_router_whose_time_was_not_measured_is_taken_only_where_nothing_else_saves():
    on_gpu = _row("router_latency", "knows", "p50_ms", 2.0, 1.0, 3.0, device="cuda")
    for part in (_part(timed=()), _part(on_gpu, timed=())):
        assert part["recommended"]["system"] == "random" and not part["recommended"]["unhurried"]["latency"]
        assert next(row["excluded_by"] for row in part["candidates"] if row["system"] == "knows") == "untimed"
        assert "unhurried_untimed" in _said(part)
    last = _part(timed=(), choices=_choices().query("system != 'random'"))
    assert last["recommended"]["system"] == "knows" and "doubt_latency_unmeasured" in _loud(last)


def test_a_router_that_reads_nothing_has_the_time_that_was_measured():
    blind = _row("trained_cost", "steady", "quality", 0.9, 0.8, 1.0, sees="nothing")
    slow, choices = _row("router_latency", "steady", "p50_ms", 7.0, 6.5, 7.5), _choices().replace("knows", "steady")
    by = {row["system"]: row["excluded_by"] for row in _part(blind, slow, choices=choices)["candidates"]}
    assert by["steady"] == "latency"
    assert _part(blind, choices=choices)["recommended"]["latency"]["value"] == 1.0


def test_what_was_timed_is_told_where_it_is_not_what_was_judged():
    note = "minilm-int8, fitted on 500 labels; 20 inputs in 4 rounds"
    part = _part(_row("router_latency", "knows", "p50_ms", 3.0, 2.5, 3.5, note=note))
    given = {"form": "minilm-int8", "labels": 500, "dataset": "d"}
    assert part["timed_as"] == [{"say": "form_labels", "with": given}] and "doubt_latency_form" in _loud(part)
    plain = _part(_row("router_latency", "knows", "p50_ms", 3.0, 2.5, 3.5, note="no network, fitted on 500 labels; 9"))
    assert plain["timed_as"] == [] and "doubt_latency_form" not in _loud(plain)


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
    safe, bold = (_part(choices=choices, surely=surely) for surely in (True, False))
    assert (safe["recommended"]["system"], safe["other"]["system"]) == ("knows", "nearly")
    assert (bold["recommended"]["system"], bold["other"]["system"]) == ("nearly", "knows")
    assert _said(bold)["cautious"]["floor"]["say"] == "its_floor_kept"
    assert _said(safe)["bold"]["who"]["with"]["system"] == "nearly"
    unsure = next(row for row in safe["candidates"] if row["system"] == "nearly")
    assert unsure["excluded_by"] == "unsure" and unsure["kept"], "its figures are told all the same"


def test_lower_bounds_hold_at_once_for_all_who_are_looked_at():
    rng, frames = np.random.default_rng(0), [_system("large", "rule", np.ones(PROMPTS, bool))]
    frames += [_system(f"s{k}", "0.50", np.ones(PROMPTS, bool)) for k in range(100)]
    choices = pd.concat(frames, ignore_index=True)
    mine = choices["system"] != "large"
    choices.loc[mine, "quality"] = (rng.random(mine.sum()) < 0.5).astype(float)
    found = read(choices)
    told, best, everyone = Told(found, ~found.chosen_on, 500), found.best_single("large"), np.ones(101, bool)
    ratio = told.ratio(told.quality, slice(None), best)
    error, one = ratio[1:].std(axis=0), np.arange(101) == 7
    of = lambda offered: ((ratio[0] - told.jointly_low(best, offered))[one] / error[one]).item()  # noqa: E731
    assert of(one) == pytest.approx(1.645, abs=0.25)  # one candidate: a normal's quantile
    assert of(everyone) == pytest.approx(3.29, abs=0.4)  # of the largest of a hundred: at .95 ** (1 / 100)
    assert told.jointly_low(best, everyone)[best] == 1.0  # what nothing is left to chance of


def test_an_estimate_below_the_floor_is_called_that():
    fewer = HARD.copy()
    fewer[np.flatnonzero(HARD & TOLD)[:11]] = False  # 1 is kept on the choosing half, .94 or so on the other
    part = _part(choices=_choices(cheap=fewer).query("system != 'knows'"))
    chosen = part["recommended"]
    assert chosen["system"] == "cheap" and chosen["kept"]["value"] < 0.95 < chosen["kept"]["high"]
    assert chosen["floor"] == "below" and "floor_below" in _said(part) and "doubt_floor_below" in _loud(part)


def _traded() -> pd.DataFrame:
    """``cheap`` keeps .85 for a fifth of the cost; the rule, a baseline, keeps everything for half of it."""
    some = HARD & (np.cumsum(HARD) % 5 < 2)
    choices = _choices(cheap=some, **{"length-rule": HARD | (np.arange(PROMPTS) % 4 == 1)})
    return choices.query("system not in ['random', 'knows']")


def test_saving_at_the_price_of_quality_is_called_that():
    part = _part(choices=_traded(), quality_floor=0.8)
    baseline = part["recommended"]["against"]["baseline"]
    assert part["recommended"]["system"] == "cheap" and baseline["system"] == "length-rule"
    assert (baseline["spent_verdict"], baseline["quality_verdict"]) == ("less", "less")
    assert "baseline_traded" in _said(part) and "doubt_baseline_traded" in _loud(part)
    assert _said(part)["baseline_traded"]["difference"]["with"]["difference"]["value"] > 0


def test_dollars_are_told_by_their_sign():
    cheap, dear = (_part(choices=_traded(), quality_floor=0.8, error_usd=price) for price in (0.01, 1.0))
    assert _said(cheap)["money"]["net"]["say"] == "net_saved" and "doubt_money" not in _loud(cheap)
    said = _said(dear)["money"]
    assert (said["quality"]["say"], said["net"]["say"]) == ("quality_lost", "net_lost") and "doubt_money" in _loud(dear)
    lost = dear["recommended"]["money"]["net_usd_per_month"]
    assert (
        said["net"]["with"]["usd"]["value"] == -lost["value"] > 0 and said["net"]["with"]["usd"]["low"] == -lost["high"]
    )
    better = _choices()
    better.loc[
        (better["model"] == "large") & (np.tile(np.arange(PROMPTS) % 10 == 1, len(better) // PROMPTS)), "quality"
    ] = 0
    won = _said(_part(choices=better))["money"]["quality"]
    assert won["say"] == "quality_won" and won["with"]["usd"]["value"] > 0


def test_a_choice_beside_a_dearer_router_costs_less():
    part = _part(quality_floor=0.5)
    told = _said(part)["routers_dearer"]
    assert part["recommended"]["model"] == "small" and told["difference"]["say"] == "dollars_less"
    assert told["difference"]["with"]["difference"]["value"] > 0


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


def _spoiled(choices: pd.DataFrame, system: str, share: float) -> pd.DataFrame:
    """So much of a system's quality lost on the prompts that report."""
    hit = (choices["system"] == system) & choices["prompt"].isin(np.array(NAMES)[TOLD][: int(share * TOLD.sum())])
    return choices.assign(quality=choices["quality"].where(~hit, 0.0))


def test_a_point_that_misses_its_target_where_it_is_told_is_marked():
    choices = _spoiled(_choices().replace("knows", "rorf"), "rorf", 0.5)
    found = _decided(_row("trained_cost", "rorf", "quality", 0.9, 0.8, 1.0), choices=choices)["families"]
    cell = next(row for row in found if row["family"] == "rorf")["dimensions"]["saving"]
    assert [(told["say"], told["with"]["what"]["say"]) for told in cell["measured"]] == [("off_target", "saving_cost")]
    everything = np.ones(PROMPTS, bool)
    pair = [_system(name, "rule", large, "trained") for name, large in (("s", everything), ("w", ~everything))]
    pair = pd.concat([*pair, _system("knows", "0.30", HARD, "trained")], ignore_index=True)
    found = [_decided(choices=one)["strong_calls"][0]["systems"][0] for one in (pair, _spoiled(pair, "knows", 0.5))]
    assert [row["floor"] for row in found] == ["kept", "missed"]


def test_what_another_data_set_measured_is_named_by_it():
    there = _row("emulation", "tx402", "p50_ms", 9.0, 8.0, 10.0) | {"dataset": "e"}
    for row, name in ((there, "on_other"), (there | {"dataset": "d"}, "latency_served")):
        found = next(one for one in _decided(row)["families"] if one["family"] == "tx402-emulation")
        assert found["dimensions"]["latency"]["measured"][0]["say"] == name


def test_a_stand_in_is_never_called_by_the_name_it_stands_for():
    choices = _choices().replace({"system": {"knows": "bert (100 labels)"}})
    timed = _row("router_latency", "bert", "p50_ms", 1.0, 0.9, 1.1)
    judged = _row("trained", "bert (100 labels)", "apgr", 0.6, 0.5, 0.7)
    found = _decided(timed, judged, choices=choices)["families"]
    cells = next(row for row in found if row["family"] == "routellm-bert")["dimensions"]
    told = [one for name in ("latency", "accuracy", "saving") for one in cells[name]["measured"]]
    assert len(told) == 3 and {one["say"] for one in told} == {"stand_in_bert"}


def test_phases_follow_the_evidence():
    def bert(value: float, gain: float, p: float, name: str = "bert (100 labels)") -> list[dict]:
        return [
            _row("trained", name, "apgr", value, value - 0.02, value + 0.02, sees="text"),
            _row("trained", name, "apgr_gain", gain, gain - 0.02, gain + 0.02, opponent="length", p_holm=p),
            _row("learning_curve", "knn", "apgr", 0.6, 0.58, 0.62, labels=100),
        ]

    good, bad = (_part(*rows)["roadmap"] for rows in (bert(0.8, 0.2, 0.01), bert(0.4, -0.2, 0.01)))
    assert [phase["verdict"] for phase in good] == ["open", "for", "open", "sooner"]  # MiniLM only stands in for BERT
    assert [phase["verdict"] for phase in bad] == ["open", "for", "open", "open"]
    released = [_part(*bert(0.8, gain, 0.01, "bert by its authors"))["roadmap"][0] for gain in (0.2, -0.2)]
    assert [phase["verdict"] for phase in released] == ["for", "against"]
    slow = _row("latency", "XLM-RoBERTa-base classifier, plain", "p50_ms", 300.0, 290.0, 310.0)
    assert _part(*bert(0.8, 0.2, 0.01), slow)["roadmap"][0]["verdict"] == "against"
    assert _part(*bert(0.8, 0.2, 0.01), slow, gpu=True)["roadmap"][0]["verdict"] == "open"


def test_it_is_json_and_comes_back_the_same():
    found = _decided()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("wrong", ["reference", "today"])
def test_names_that_no_data_set_has_are_refused(wrong):
    with pytest.raises(ToolkitError, match=f"{wrong} is one of .*large"):
        _part(**{wrong: "nobody"})


def test_a_system_in_use_is_one_operating_point():
    with pytest.raises(ToolkitError, match=r"random@POINT, of 0\.50, 0\.90, 1\.00"):
        _part(today="random")
    part = _part(today="random@0.90")
    assert part["recommended"]["against"]["today"]["point"] == "0.90"
    assert _said(part)["answer_router"]["today"]["with"]["who"]["with"]["point"] == "0.90"


def test_what_everything_is_relative_to_is_told_by_what_it_is():
    assert _said(_part())["answer_router"]["reference"]["say"] == "reference_best"
    given = _part(reference="small")
    assert given["model"] == "small" and given["sentences"][0]["with"]["reference"]["say"] == "reference_given"
    other = _choices().replace({"model": {"large": "huge"}}).assign(dataset="e")
    here, there = _decided(choices=pd.concat([_choices(), other], ignore_index=True), reference="large")["data"]
    assert (here["reference"], there["reference"], there["model"]) == ("given", "missing", "huge")
    assert "doubt_reference" in _loud(there) - _loud(here)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"latency_budget_ms": -1}, "latency_budget_ms"),
        ({"error_usd": float("inf")}, "error_usd takes a finite number"),
        ({"quality_floor": float("nan")}, "quality_floor"),
        ({"monthly_requests": 0}, "monthly_requests"),
        ({"gpu": 1}, "gpu"),
        ({"error_usd": "much"}, "error_usd"),
    ],
)
def test_constraints_that_are_none_are_refused(wrong, named):
    with pytest.raises(ToolkitError, match=named):
        Constraints(**wrong)
