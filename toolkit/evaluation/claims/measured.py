"""Claims held against what this run measured: what confirms them, what contradicts them, when nothing here can say.

A measurement decides only where the claim's conditions are met; a figure of another network or of other prompts stands
beside the claim and decides nothing.
"""

from dataclasses import replace

import pandas as pd

from toolkit.evaluation.claims import corrections, published
from toolkit.evaluation.claims.judgement import (
    CONFIRMED,
    CONTRADICTED,
    NOT_COMPARABLE,
    NOT_TESTABLE,
    Evidence,
    Judgement,
    Point,
    cited,
    listed,
    of_any,
    of_either,
    point,
    told,
    undecided,
)
from toolkit.evaluation.claims.sourced import as_published

ACCURACIES = {
    "class_accuracy": "class accuracy",
    "best_model_hits": "best-model hits",
    "quality_retained": "quality retained",
}
_BERT_BASE, _OTHER_NETWORKS = r"^BERT-base classifier", r"^(?:XLM-RoBERTa-base|MiniLM) classifier"
_CLASSIFIER = "classifier, not learning"  # of notebook 06: trained on labels, as a BERT router is


def bert_latency(claim: pd.Series, evidence: Evidence) -> Judgement:
    """A BERT-base classifier on this CPU by every path that was timed; other networks stand beside it."""
    rows, others = evidence.rows("latency", "p50_ms", _BERT_BASE), evidence.rows("latency", "p50_ms", _OTHER_NETWORKS)
    return _timed(claim, claim, rows, others)


def bert_on_cpu(claim: pd.Series, evidence: Evidence) -> Judgement:
    """Whether a CPU suffices for it."""
    rows, others = evidence.rows("latency", "p50_ms", _BERT_BASE), evidence.rows("latency", "p50_ms", _OTHER_NETWORKS)
    return _suffices(claim, rows, others, evidence)


def rorf_on_cpu(claim: pd.Series, evidence: Evidence) -> Judgement:
    """Whether a CPU suffices for a forest's whole decision, with an embedding of MiniLM's: by the same limit."""
    return _suffices(claim, evidence.rows("latency", "p50_ms", r"^RoRF on MiniLM"), None, evidence)


def _timed(claim: pd.Series, limit: pd.Series, rows: pd.DataFrame, others: pd.DataFrame | None) -> Judgement:
    beside = [] if others is None else [point(row, "measured, other") for _, row in others.iterrows()]
    if rows.empty:
        why = f"{claim['system']} was not timed in this run. {claim['published']}"
        return Judgement(NOT_TESTABLE, why, "source", claim["source"], tuple(beside))
    points = [point(row, "measured") for _, row in rows.iterrows()]
    verdict = of_any(limit, points)
    why = f"{undecided(verdict)}Medians on this CPU: {listed(points, 'ms')}."
    why += "" if _by_fast_path(rows) else " Plain fp32 only: no faster path of it was timed."
    why += f" Of other networks: {listed(beside, 'ms')}." if beside else ""
    return Judgement(verdict, why, "measurement", cited(rows), (*points, *beside), timed=True)


def _suffices(claim: pd.Series, rows: pd.DataFrame, others: pd.DataFrame | None, evidence: Evidence) -> Judgement:
    """By the time that the survey has in mind for a CPU; that none suffices takes a fast path to say."""
    limit = evidence.claim("s3.1-bert-budget")
    given = _timed(claim, limit, rows, others)
    if not given.timed:
        return given
    why = f"{given.why} Held against {limit['high']:g} ms."
    if given.verdict == CONTRADICTED and not _by_fast_path(rows):
        return replace(given, verdict=NOT_COMPARABLE, why=undecided(NOT_COMPARABLE) + why)
    return replace(given, why=why)


def _by_fast_path(rows: pd.DataFrame) -> bool:
    return rows["system"].str.endswith("fast path").any()


def arch_latency(claim: pd.Series, evidence: Evidence) -> Judgement:
    """The 1.5B architecture on a GPU; without one, its authors' figure and this CPU's."""
    given = as_published(claim, evidence).points
    rows = evidence.rows("policy-latency", "p50_ms", r"^1\.5B .*CUDA")
    cpu = [point(row, "measured, other") for _, row in _generative_on_cpu(evidence).iterrows()]
    if rows.empty:
        here = f" On this CPU: {listed(cpu, 'ms')}." if cpu else ""
        why = f"Not measured on a GPU. {claim['published']}{here}"
        return Judgement(NOT_TESTABLE, why, "source", claim["source"], (*given, *cpu))
    points = [point(row, "measured") for _, row in rows.iterrows()]
    verdict = of_any(claim, points)
    why = f"{undecided(verdict)}Medians on this GPU: {listed(points, 'ms')}. {claim['published']}"
    return Judgement(verdict, why, "measurement", cited(rows), (*points, *given, *cpu), timed=True)


def arch_needs_gpu(claim: pd.Series, evidence: Evidence) -> Judgement:
    """Whether the fastest way on this CPU takes longer than the survey gives for a GPU."""
    rows = _generative_on_cpu(evidence)
    if rows.empty:
        why = f"The 1.5B architecture was not timed on a CPU in this run. {claim['published']}"
        return Judgement(NOT_TESTABLE, why, "source", claim["source"])
    fastest = rows.loc[[rows["value"].idxmin()]]
    best, bound = point(fastest.iloc[0], "measured"), evidence.claim("s1.2-arch-latency")["high"]
    verdict = CONFIRMED if best.low > bound else CONTRADICTED if best.high <= bound else NOT_COMPARABLE
    why = f"The fastest way on this CPU takes {told(best, 'ms')}; the survey gives a GPU {bound:g} ms at most."
    return Judgement(verdict, undecided(verdict) + why, "measurement", cited(fastest), (best,), timed=True)


def _generative_on_cpu(evidence: Evidence) -> pd.DataFrame:
    return evidence.rows("policy-latency", "p50_ms", r"^1\.5B .*CPU")


def tx402(claim: pd.Series, evidence: Evidence) -> Judgement:
    """Nobody here can ask tx402; the emulation of what is said of it is another thing, and named so."""
    found = {"latency": evidence.rows("emulation", "p50_ms"), "accuracy": _three(evidence, "tx402 emulation")}
    rows = found.get(claim["metric"], evidence.measurements.iloc[:0])
    beside = [_named(row, "measured, other", claim) for _, row in rows.iterrows()]
    emulated = f" The emulation, another thing: {listed(beside, claim['unit'])}." if beside else ""
    return Judgement(NOT_TESTABLE, claim["published"] + emulated, "source", claim["source"], tuple(beside))


def bert_accuracy(claim: pd.Series, evidence: Evidence) -> Judgement:
    """Accuracy of nothing in particular: what a classifier trained here gets, in three meanings."""
    rows = pd.concat([
        _three(evidence, _CLASSIFIER), evidence.rows("acceptance", "acceptance_accuracy", "^bert", language="all")
    ])  # fmt: skip
    if rows.empty:
        return Judgement(NOT_TESTABLE, claim["published"], "source", claim["source"])
    points = [_named(row, "measured, other", claim) for _, row in rows.iterrows()]
    why = f"{claim['published']} Of classifiers trained here, which are others: {listed(points, '%')}."
    return Judgement(NOT_COMPARABLE, why, "measurement", cited(rows), tuple(points))


def bert_over_length(claim: pd.Series, evidence: Evidence) -> Judgement:
    """The same, and what the paper's BERT and prompt length have in common: APGR on MMLU."""
    given = bert_accuracy(claim, evidence)
    length = evidence.corrected("routellm/mmlu", corrections.LENGTH, "apgr")
    if length is None:
        return given
    theirs = published.table().query("dataset == 'routellm/mmlu' and router == 'BERT'")
    listed = " and ".join(f"{row.apgr:.3f} ({row.training})" for row in theirs.itertuples())
    why = f"{given.why} On MMLU prompt length scores an APGR of {told(point(length, 'data'), '')}; BERT's are {listed}."
    return replace(given, why=why, evidence=f"{given.evidence}; {published.PAPER}; outcomes of routellm/mmlu")


def length_accuracy(claim: pd.Series, evidence: Evidence) -> Judgement:
    """The very rule on the prompts of this run, in every meaning of accuracy that is measured: one is meant."""
    meanings = {"opt_sel": "class accuracy", "opt_acc": "quality over the best possible"}
    rows = pd.concat([
        *(evidence.rows("cost", metric, "^length-rule$") for metric in meanings),
        evidence.rows("acceptance", "acceptance_accuracy", "^length-rule$", language="all"),
    ])  # fmt: skip
    retained = _with_best_single(evidence)
    if rows.empty and retained.empty:
        why = f"The length rule was not judged in this run. {claim['published']}"
        return Judgement(NOT_TESTABLE, why, "source", claim["source"])
    labels = meanings | {"acceptance_accuracy": "labelled queries"}
    points = [
        point(row, "measured", f"{labels[row['metric']]}, {row['dataset']}", 100) for _, row in rows.iterrows()
    ] + [
        point(row, "measured", f"quality retained, {row['dataset']}", 100 / row["single"])
        for _, row in retained.iterrows()
    ]
    verdict = of_either(claim, points)
    why = f"{undecided(verdict)}{claim['published']} Measured: {listed(points, '%')}."
    return Judgement(verdict, why, "measurement", cited(pd.concat([rows, retained])), tuple(points))


def _with_best_single(evidence: Evidence) -> pd.DataFrame:
    """The rule's quality, with that of the best single model beside it, whose own luck an interval leaves out."""
    quality, gain = (evidence.rows("cost", name, "^length-rule$") for name in ("quality", "gain_over_best_single"))
    joined = quality.merge(gain[["dataset", "value"]], on="dataset", suffixes=("", "_over"))
    return joined.assign(single=joined["value"] - joined["value_over"])


def _three(evidence: Evidence, system: str) -> pd.DataFrame:
    return pd.concat([evidence.rows("accuracy", metric, f"^{system}$") for metric in ACCURACIES])


def _named(row: pd.Series, kind: str, claim: pd.Series) -> Point:
    """A row as a point, the meaning of an accuracy in its label."""
    label = ACCURACIES.get(row["metric"]) or ("labelled queries" if "accuracy" in row["metric"] else "")
    return point(row, kind, f"{row['system']}, {label}" if label else "", 100 if claim["unit"] == "%" else 1)
