"""Verdicts: they follow what was measured, stand on something, and the corrections are the published ones."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import make_outcomes
from toolkit import figures
from toolkit.errors import ToolkitError
from toolkit.evaluation import claims
from toolkit.evaluation.claims import audit, corrections, judgement, published, targets
from toolkit.evaluation.claims.judgement import VERDICTS, Judgement, place

NOTHING = corrections.corrections({})
INSIDE, OUTSIDE, ACROSS, MISSING = "confirmed", "contradicted", "not comparable", "not testable here"


def _rows(*given: tuple) -> pd.DataFrame:
    """(analysis, system, metric, value, low, high[, language]) as an unfolded table of measurements."""
    columns = ["analysis", "system", "metric", "value", "ci_low", "ci_high"]
    frame = pd.DataFrame([row[:6] for row in given], columns=columns)
    params = [json.dumps({"analysis": row[0]} | ({"language": row[6]} if len(row) > 6 else {})) for row in given]
    return frame.assign(params=params, notebook="nb", dataset="synthetic", n=72)


def _verdicts(measurements: pd.DataFrame, corrected: pd.DataFrame = NOTHING) -> pd.DataFrame:
    return audit.audit(measurements, claims.ledger(), corrected).set_index("id")


BERT = ("latency", "BERT-base classifier, plain", "p50_ms")
BERT_FAST = ("latency", "BERT-base classifier, fast path", "p50_ms")
RORF = ("latency", "RoRF on MiniLM, fast path", "p50_ms")
GENERATED = ("policy-latency", "1.5B generated, whole prompt, CUDA bf16", "p50_ms")
LABELS = ("policy-latency", "1.5B scored labels, CPU bf16", "p50_ms")


@pytest.mark.parametrize(
    ("claim", "row", "bounds", "verdict"),
    [
        ("s1.1-bert-latency", BERT, (2, 4), INSIDE),
        ("s1.1-bert-latency", BERT, (60, 90), OUTSIDE),
        ("s1.1-bert-latency", BERT, (0.1, 0.5), OUTSIDE),
        ("s1.1-bert-latency", BERT, (4, 6), ACROSS),
        ("s3.1-bert-latency", BERT, (0.1, 0.5), INSIDE),
        ("s3.1-bert-budget", BERT, (6, 9), INSIDE),
        ("s2-bert-hardware", BERT, (6, 9), INSIDE),
        ("s2-bert-hardware", BERT, (60, 90), ACROSS),
        ("s2-bert-hardware", BERT_FAST, (60, 90), OUTSIDE),
        ("s2-rorf-hardware", RORF, (6, 9), INSIDE),
        ("s2-rorf-hardware", RORF, (5, 60), ACROSS),
        ("s2-rorf-hardware", RORF, (11, 60), OUTSIDE),
        ("s0-arch-latency", GENERATED, (60, 70), INSIDE),
        ("s0-arch-latency", GENERATED, (200, 300), OUTSIDE),
        ("s0-arch-latency", GENERATED, (90, 120), ACROSS),
        ("s0-arch-latency", LABELS, (60, 70), MISSING),
        ("s2-arch-hardware", LABELS, (200, 300), INSIDE),
        ("s2-arch-hardware", LABELS, (20, 30), OUTSIDE),
        ("s2-arch-hardware", LABELS, (90, 120), ACROSS),
        ("s1.1-bert-latency", ("latency", "MiniLM classifier, fast path", "p50_ms"), (2, 4), MISSING),
    ],
)
def test_a_measurement_decides_only_with_its_whole_interval(claim, row, bounds, verdict):
    judged = _verdicts(_rows((*row, sum(bounds) / 2, *bounds))).loc[claim]
    assert judged["verdict"] == verdict
    assert judged["basis"] == ("source" if verdict == MISSING else "measurement")
    if verdict != MISSING:
        assert row[1] in judged["evidence"]


def test_the_fastest_path_decides_and_one_that_never_arrives_does_not():
    slow, fast = (*BERT, 80.0, 60.0, 90.0), (*BERT_FAST, 3.0, 2.0, 4.0)
    judged = _verdicts(_rows(slow, fast)).loc["s2-bert-latency"]
    assert judged["verdict"] == INSIDE and "fp32 only" not in judged["why"]
    assert "Plain fp32 only" in _verdicts(_rows(slow)).loc["s2-bert-latency", "why"]
    unknown = (*BERT, np.nan, np.nan, np.nan)
    assert _verdicts(_rows(slow, unknown)).loc["s2-bert-latency", "verdict"] == OUTSIDE


@pytest.mark.parametrize(
    ("others", "verdict"),
    [((0.66, 0.74), INSIDE), ((0.3, 0.5), OUTSIDE), ((0.6, 0.74), ACROSS), ((0.95, 0.99), ACROSS)],
)
def test_an_accuracy_of_nothing_named_needs_every_meaning(others, verdict):
    middle = sum(others) / 2
    measured = _rows(
        ("cost", "length-rule", "opt_sel", middle, *others),
        ("cost", "length-rule", "opt_acc", middle, *others),
        ("cost", "length-rule", "quality", 0.7 if verdict != OUTSIDE else 0.5, np.nan, np.nan),
        ("cost", "length-rule", "gain_over_best_single", -0.3 if verdict != OUTSIDE else -0.5, np.nan, np.nan),
    )
    judged = _verdicts(measured).loc["s3.1-length-accuracy"]
    assert judged["verdict"] == verdict and "does not say what counts as right" in judged["why"]


SIMPLE, COMPLEX, RIGHT, TIME = "s5.1-simple", "s5.1-complex", "s5.1-accuracy", "s5.1-latency"


def _judged_on_queries(name: str, simple: float, complex_: float, exact: bool = False) -> list[tuple]:
    """A router's rows of analysis acceptance, 36 queries a side, with the bootstrap's intervals roughly."""
    shares = {"simple_to_weak": simple, "complex_to_strong": complex_, "acceptance_accuracy": (simple + complex_) / 2}
    rows = []
    for metric, share in shares.items():
        half = 0.0 if exact else 2 * np.sqrt(share * (1 - share) / 36)
        rows.append(("acceptance", name, metric, share, max(share - half, 0.0), min(share + half, 1.0), "all"))
    return rows


def _served(name: str, low: float, high: float) -> tuple:
    return "router_latency", name, "p50_ms", (low + high) / 2, low, high


FILLERS = [row for k in range(3) for row in (*_judged_on_queries(f"r{k}", 0.5, 0.5), _served(f"r{k}", 8.0, 9.0))]


def test_a_target_is_met_only_by_one_router_that_passes_all_of_them():
    good = _judged_on_queries("bert (100 labels)", 1.0, 1.0)
    verdict = _verdicts(_rows(*good, _served("bert", 2.0, 3.0), *FILLERS))["verdict"]
    assert set(verdict[[SIMPLE, COMPLEX, RIGHT, TIME]]) == {INSIDE}
    slow = _verdicts(_rows(*good, _served("bert", 6.0, 7.0), _served("ridge", 2.0, 3.0), *FILLERS))
    assert set(slow.loc[[SIMPLE, COMPLEX, RIGHT, TIME], "verdict"]) == {ACROSS}, "each by another router"
    assert "All 4 bars are passed by none" in slow.loc[SIMPLE, "why"]
    poor = _verdicts(_rows(*FILLERS, *_judged_on_queries("prompt-length", 1.0, 1.0), _served("prompt-length", 1, 1)))
    assert set(poor.loc[[SIMPLE, COMPLEX, RIGHT, TIME], "verdict"]) == {OUTSIDE}, "baselines and languages do not count"
    assert "Of 3 routers" in poor.loc[RIGHT, "why"]


def test_what_one_router_passes_the_best_of_many_does_not():
    one = [*_judged_on_queries("ridge", 35 / 36, 1.0), _served("ridge", 4.0, 4.9)]
    assert targets._bounded(_row_of(one[2], n=72), 1).low > 85 > targets._bounded(_row_of(one[0], n=72), 20).low
    assert targets._bounded(_row_of(one[3]), 1).high < 5 < targets._bounded(_row_of(one[3]), 1000).high
    certain = targets._bounded(_row_of(_judged_on_queries("ridge", 1.0, 1.0)[0], n=72), 18)
    assert certain.low < 85 < certain.high == 100, "36 of 36 right are no certainty"


def _row_of(given: tuple, n: int = 5) -> pd.Series:
    return _rows(given).assign(router=given[1], n=n).iloc[0]


def test_constant_is_who_sends_all_one_way_and_no_one_else():
    perfect = _judged_on_queries("perfect", 1.0, 1.0, exact=True)
    perfect.append(("acceptance", "perfect", "acceptance_auroc", 1.0, 1.0, 1.0, "all"))
    weak_only = _judged_on_queries("elo", 1.0, 0.0, exact=True)
    weak_only.append(("acceptance", "elo", "acceptance_auroc", 0.6, 0.5, 0.7, "all"))  # whose leads differ
    judged = _verdicts(_rows(*perfect, *weak_only, _served("perfect", 1.0, 2.0), _served("elo", 0.1, 0.1)))
    assert judged.loc[RIGHT, "verdict"] == INSIDE and "the surest is perfect" in judged.loc[RIGHT, "why"]
    alone = _verdicts(_rows(*weak_only, _served("elo", 0.1, 0.1)))
    assert set(alone.loc[[SIMPLE, COMPLEX, RIGHT, TIME], "verdict"]) == {MISSING}, "it keeps one promise by the other"


def test_a_target_is_meant_of_every_set():
    both = _rows(*_judged_on_queries("ridge", 1.0, 1.0), _served("ridge", 1, 2), *_judged_on_queries("ridge", 0.5, 0.5))
    both.loc[4:, "dataset"] = "routellm/mmlu"
    assert _verdicts(both).loc[RIGHT, "verdict"] == OUTSIDE


def test_nothing_here_says_anything_of_tx402_and_the_emulation_is_named_as_such():
    measured = _rows(
        ("emulation", "tx402 emulation, served", "p50_ms", 3, 3, 3),
        ("accuracy", "tx402 emulation", "class_accuracy", 0.9, 0.89, 0.91),
    )
    judged = _verdicts(measured)
    judged = judged[judged["system"].str.startswith("tx402")]
    assert len(judged) == 6 and set(judged["verdict"]) == {MISSING} and set(judged["basis"]) == {"source"}
    assert "The emulation, another thing" in judged.loc["s4-tx402-classifier", "why"]
    beside = _verdicts(pd.concat([measured, _rows((*BERT, 3.0, 2.0, 4.0))]))["verdict"]
    assert beside["s4-bert-latency"] == INSIDE and beside["s4-bert-faster"] == MISSING, "no range compares two"
    assert not claims.ledger().query("check != 'tx402'")["claim"].str.contains("tx402").any()


def test_a_source_confirms_what_it_has_and_contradicts_the_rest():
    judged = _verdicts(_rows(("x", "y", "z", 1, 1, 1)))
    verdict = judged["verdict"]
    for name in ("s1.1-mt-calls", "s1.1-mt-cost", "s1.1-gsm8k-cost", "s1.2-arch-training", "s1.2-arch-checkpoint"):
        assert verdict[name] == INSIDE, name
    for name in (
        "s1.1-mmlu-cost",
        "s1.1-gsm8k-calls",
        "s1.1-bert-parameters",
        "s1.1-bert-classes",
        "s1.2-gpt4-accuracy",
    ):
        assert verdict[name] == OUTSIDE, name
    for name in (
        "s1.1-bert-labels",
        "s1.1-bert-checkpoint",
        "s2-rorf-models",
        "s0-bert-cost",
        "s1.2-arch-architecture",
    ):
        assert verdict[name] == OUTSIDE, name
    assert verdict["s3.1-bert-cost"] == ACROSS
    assert verdict["s1.1-best-router"] == OUTSIDE, "meant of every set and training"
    assert "2 of 6" in judged.loc["s1.1-best-router", "why"]
    assert verdict["s0-bert-accuracy"] == MISSING, "nobody publishes it and nothing was measured"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["latency", "policy-latency", "cost", "acceptance", "accuracy", "router_latency"]),
            st.sampled_from([BERT[1], GENERATED[1], LABELS[1], "length-rule", "bert (50 labels)", "tx402 emulation"]),
            st.sampled_from(["p50_ms", "opt_sel", "acceptance_accuracy", "class_accuracy", "simple_to_weak"]),
            st.floats(0, 500), st.floats(0, 500), st.floats(0, 500), st.sampled_from(["", "all"]),
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_whatever_was_measured_no_verdict_stands_on_nothing(found):
    ordered = [(*row[:3], *np.take(sorted(row[3:6]), [1, 0, 2]), *row[6:]) for row in found]
    judged = audit.audit(_rows(*ordered), claims.ledger(), NOTHING)
    assert judged["id"].tolist() == claims.ledger()["id"].tolist()
    assert judged["verdict"].isin(VERDICTS).all()
    assert (judged[["why", "evidence"]].map(str.strip) != "").all(axis=None)
    counted = audit.count_rows(judged)
    assert audit.counts(judged).loc["all", "claims"] == counted["value"].sum() == len(judged)
    assert (judged["basis"] == "measurement")[judged["timed"]].all(), "a source tells no times of this run"
    assert (counted[counted["timed"]].groupby("section").size() == len(VERDICTS)).all()


def test_what_rests_on_no_times_is_counted_alike_whatever_the_clock_says():
    counted = []
    for low in (2.0, 60.0):
        rows = _rows((*BERT, low + 1, low, low + 2), *_judged_on_queries("ridge", 1.0, 1.0), _served("ridge", low, low))
        counted.append(audit.count_rows(_verdicts(rows).reset_index()))
    timed = [table["timed"].to_numpy(bool) for table in counted]
    first, second = (table[~rests].reset_index(drop=True) for table, rests in zip(counted, timed, strict=True))
    pd.testing.assert_frame_equal(first, second)
    assert timed[0].sum() == timed[1].sum() > 0, "a second run has as many rows that need not repeat"
    values = [table.loc[rests, "value"].tolist() for table, rests in zip(counted, timed, strict=True)]
    assert values[0] != values[1]


def test_a_verdict_on_nothing_is_refused():
    for verdict, why, basis, evidence in (
        ("true", "why", "source", "here"),
        (INSIDE, "why", "hearsay", "here"),
        (INSIDE, "", "source", "here"),
        (INSIDE, "why", "source", " "),
    ):
        with pytest.raises(ToolkitError):
            Judgement(verdict, why, basis, evidence)
    ledger = claims.ledger()
    ledger.loc[3, "source"] = ""
    with pytest.raises(ToolkitError, match="a measurement or source"):
        audit.audit(_rows(("x", "y", "z", 1, 1, 1)), ledger, NOTHING)
    ledger = claims.ledger()
    ledger.loc[3, "check"] = "belief"
    with pytest.raises(ToolkitError, match=r"row 4, field check: one of as_published.*'belief'"):
        audit.audit(_rows(("x", "y", "z", 1, 1, 1)), ledger, NOTHING)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_inside_outside_and_across_are_the_only_places(a, b, c, d):
    (low, high), (least, most) = sorted((a, b)), sorted((c, d))
    claim = pd.Series({"low": least, "high": most, "within": 0.0})
    where = place(claim, low, high)
    assert (where == "inside") == (least <= low and high <= most)
    assert (where == "outside") == (high < least or low > most)
    half_open = pd.Series({"low": np.nan, "high": most, "within": 0.0})
    assert place(half_open, low, most) == "inside"


def test_corrections_of_a_made_up_pair():
    texts = ["a" * (row + 1) for row in range(100)]
    quality = np.stack([np.arange(100) < 50, np.ones(100)], axis=1).astype(float)
    pair = make_outcomes(quality, np.tile([1.0, 2.0], (100, 1)), texts)
    rows = corrections.corrections({"routellm/mmlu": pair}, bootstraps=20).set_index(["system", "metric"])["value"]
    assert rows["weak model alone", "weak_over_strong"] == 0.5
    assert rows["random, expected", "share_for_95"] == pytest.approx(0.9)
    assert rows["prompt-length", "share_for_95"] == pytest.approx(0.45), "the longer half is what the weak model fails"
    assert rows["prompt-length", "over_random"] == pytest.approx(
        (0.9 * 24.7 + 0.1 * 0.24) / (0.45 * 24.7 + 0.55 * 0.24)
    )


def test_corrections_are_the_published_ones(upstream):
    sets = {name: upstream(name) for name in corrections.SETS}
    corrected = corrections.corrections(sets, bootstraps=100)
    rows = corrected.set_index(["dataset", "system", "metric"])
    value = rows["value"]
    mt, mmlu, gsm8k = corrections.SETS
    assert value[mt, corrections.WEAK, "weak_over_strong"] == pytest.approx(0.899, abs=5e-4)
    needed = [value[name, corrections.RANDOM, "share_for_95"] for name in corrections.SETS]
    assert needed == pytest.approx([0.505, 0.678, 0.805], abs=1e-3)
    assert [value[name, corrections.LENGTH, "apgr"] for name in corrections.SETS] == pytest.approx(
        [0.556, 0.583, 0.598], abs=5e-3
    )
    for name, training in ((mmlu, "arena"), (gsm8k, "arena"), (gsm8k, "arena and judge")):
        theirs = value[name, f"BERT, {training}", "apgr"]
        assert theirs < rows.loc[(name, corrections.LENGTH, "apgr"), "ci_low"], "length beats the published BERT"
    assert value[mt, "14% strong calls", "cost_cut"] == pytest.approx(0.85, abs=5e-3)
    assert value[mmlu, "54% strong calls", "cost_cut"] == pytest.approx(0.45, abs=6e-3)
    assert value[gsm8k, "65% strong calls", "cost_cut"] == pytest.approx(0.35, abs=5e-3)
    judged = _verdicts(_rows(("x", "y", "z", 1, 1, 1)), corrected)
    assert judged.loc["s0-bert-cost", "verdict"] == OUTSIDE and judged.loc["s0-bert-cost", "basis"] == "data"
    assert judged.loc["s3.1-bert-cost", "verdict"] == OUTSIDE, "20% on GSM8K is no cut of 50 to 85%"
    assert "random calls need 67.8%" in judged.loc["s1.1-mmlu-calls", "why"]
    cut = rows.loc[(slice(None), ["BERT, arena and judge", "BERT, arena and gold"], "cost_cut"), ["ci_low", "ci_high"]]
    low, high = cut.loc[mt].iloc[0]
    assert low < 0.72 and high > 0.9, "95% of GPT-4 on 72 questions is hardly a PGR at all"
    low, high = cut.loc[mmlu].iloc[0]
    assert low < 0.28 and high == pytest.approx(0.58, abs=5e-3), "all that is known there is CPT(50%) and CPT(80%)"


def test_a_figure_between_two_known_ones_is_not_beyond_them():
    row = published.table().iloc[0]
    for recovered in (0.0, 0.3, 0.5, 0.67, 0.8, 0.95, 1.0):
        below, above = published.around(recovered, row)
        assert below <= published.share_for(recovered, row) <= above
    assert published.around(0.6, row).tolist() == [row["cpt50"], row["cpt80"]]


def test_one_figure_surely_outside_breaks_a_claim_of_all_and_not_one_of_an_unsaid_one():
    claim = pd.Series({"low": 50.0, "high": 85.0, "within": 1.0})
    points = [judgement.Point("x", value, value, value, "data") for value in (20.0, 60.0)]
    assert judgement.of_all(claim, points) == OUTSIDE
    assert judgement.of_either(claim, points) == ACROSS
    assert judgement.of_all(claim, [points[1], judgement.Point("x", 60, 40, 70, "data")]) == ACROSS


def test_the_figure_says_that_claims_were_not_measured():
    measured = _rows((*BERT, 80.0, 60.0, 90.0), (*LABELS, 300.0, 280.0, 320.0))
    judged = audit.audit(measured, claims.ledger(), NOTHING)
    rows = audit.drawn(judged, audit.points(measured, claims.ledger(), NOTHING))
    assert not rows.duplicated(["group", "label", "kind"]).any()
    figure = figures.claims_beside_findings(rows, "title", "SYNTHETIC")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[0] == "claimed, not measured" and len(figure.axes) == 2
    assert figure.axes[0].get_xscale() == "log"
