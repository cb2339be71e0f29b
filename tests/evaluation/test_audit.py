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
from toolkit.evaluation.claims import audit, corrections
from toolkit.evaluation.claims.judgement import VERDICTS, Judgement, place

NOTHING = corrections.corrections({})
INSIDE, OUTSIDE, ACROSS, MISSING = "confirmed", "contradicted", "not comparable", "not testable here"


def _rows(*given: tuple) -> pd.DataFrame:
    """(analysis, system, metric, value, low, high[, language]) as an unfolded table of measurements."""
    columns = ["analysis", "system", "metric", "value", "ci_low", "ci_high"]
    frame = pd.DataFrame([row[:6] for row in given], columns=columns)
    params = [json.dumps({"analysis": row[0]} | ({"language": row[6]} if len(row) > 6 else {})) for row in given]
    return frame.assign(params=params, notebook="nb", dataset="synthetic")


def _verdicts(measurements: pd.DataFrame, corrected: pd.DataFrame = NOTHING) -> pd.DataFrame:
    return audit.audit(measurements, claims.ledger(), corrected).set_index("id")


BERT = ("latency", "BERT-base classifier, plain", "p50_ms")
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
        ("s2-bert-hardware", BERT, (60, 90), OUTSIDE),
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
    slow, fast = (*BERT, 80.0, 60.0, 90.0), (BERT[0], "BERT-base classifier, fast path", BERT[2], 3.0, 2.0, 4.0)
    assert _verdicts(_rows(slow, fast)).loc["s2-bert-latency", "verdict"] == INSIDE
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


@pytest.mark.parametrize(
    ("ridge", "mf", "verdict"),
    [((0.9, 0.99), (0.2, 0.5), INSIDE), ((0.2, 0.5), (0.3, 0.6), OUTSIDE), ((0.8, 0.9), (0.2, 0.5), ACROSS)],
)
def test_a_target_is_met_by_one_router_that_is_no_baseline(ridge, mf, verdict):
    measured = _rows(
        *(
            ("acceptance", name, "acceptance_accuracy", sum(bounds) / 2, *bounds, language)
            for name, bounds in (("ridge", ridge), ("mf", mf), ("prompt-length", (0.95, 0.99)))
            for language in ("all", "en")
        )
    )
    constant = _rows(
        ("acceptance", "elo", "simple_to_weak", 1.0, 1.0, 1.0, "all"),
        ("acceptance", "elo", "acceptance_auroc", 0.5, 0.5, 0.5, "all"),
    )
    judged = _verdicts(pd.concat([measured, constant], ignore_index=True))
    assert judged.loc["s5.1-accuracy", "verdict"] == verdict
    assert judged.loc["s5.1-simple", "verdict"] == MISSING, "sending all one way is no router's merit"
    assert judged.loc["s5.1-latency", "verdict"] == MISSING
    assert "of 2 routers" in judged.loc["s5.1-accuracy", "why"], "baselines and languages do not count"


def test_nothing_here_says_anything_of_tx402_and_the_emulation_is_named_as_such():
    measured = _rows(
        ("emulation", "tx402 emulation, served", "p50_ms", 3, 3, 3),
        ("accuracy", "tx402 emulation", "class_accuracy", 0.9, 0.89, 0.91),
    )
    judged = _verdicts(measured)
    judged = judged[judged["system"].str.startswith("tx402")]
    assert len(judged) == 6 and set(judged["verdict"]) == {MISSING} and set(judged["basis"]) == {"source"}
    assert "The emulation, another thing" in judged.loc["s4-tx402-classifier", "why"]


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
    assert verdict["s3.1-bert-cost"] == verdict["s1.1-best-router"] == ACROSS
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
    assert audit.counts(judged).loc["all", "claims"] == audit.count_rows(judged)["value"].sum() == len(judged)


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
    assert "random calls need 67.8%" in judged.loc["s1.1-mmlu-calls", "why"]


def test_the_figure_says_that_claims_were_not_measured():
    measured = _rows((*BERT, 80.0, 60.0, 90.0), (*LABELS, 300.0, 280.0, 320.0))
    judged = audit.audit(measured, claims.ledger(), NOTHING)
    rows = audit.drawn(judged, audit.points(measured, claims.ledger(), NOTHING))
    assert not rows.duplicated(["group", "label", "kind"]).any()
    figure = figures.claims_beside_findings(rows, "title", "SYNTHETIC")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend[0] == "claimed, not measured" and len(figure.axes) == 2
    assert figure.axes[0].get_xscale() == "log"
