"""The survey's ledger held against what was measured, recomputed and published: one verdict a claim.

Frames in, frames out; nothing here reads a run or fetches data.
"""

from collections.abc import Callable

import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation.claims import SECTIONS, measured, sourced, targets
from toolkit.evaluation.claims.judgement import BASES, VERDICTS, Evidence, Judgement
from toolkit.evaluation.metrics import METRICS

Check = Callable[[pd.Series, Evidence], Judgement]
_ALL: tuple[Check, ...] = (
    sourced.as_published,
    sourced.strong_calls,
    sourced.cost_of_calls,
    sourced.bert_cost,
    sourced.best_router,
    measured.bert_latency,
    measured.bert_on_cpu,
    measured.bert_accuracy,
    measured.bert_over_length,
    measured.length_accuracy,
    measured.arch_latency,
    measured.arch_needs_gpu,
    measured.rorf_on_cpu,
    measured.tx402,
    targets.target,
)
CHECKS: dict[str, Check] = {check.__name__: check for check in _ALL}  # as the ledger's column ``check`` names them
SAID = ("verdict", "why", "basis", "evidence", "timed")


def _judged(measurements: pd.DataFrame, ledger: pd.DataFrame, corrections: pd.DataFrame) -> list[Judgement]:
    evidence = Evidence(measurements, corrections, ledger)
    found = []
    for number, (_, claim) in enumerate(ledger.iterrows(), start=1):
        if claim["check"] not in CHECKS:
            raise ToolkitError(
                f"Ledger, row {number}, field check: one of {', '.join(CHECKS)} was expected; found {claim['check']!r}."
            )
        found.append(CHECKS[claim["check"]](claim, evidence))
    return found


def audit(measurements: pd.DataFrame, ledger: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """A verdict for every claim.

    Args:
        measurements: of a run, unfolded (``reading.Run.measurements``).
        ledger: of ``claims.ledger``.
        corrections: of ``corrections.corrections``; without rows where no upstream data is at hand.

    Returns:
        The ledger's rows in their order, with ``verdict`` (of ``judgement.VERDICTS``), ``why``, ``basis`` (measurement,
        data or source: what the verdict rests on), ``evidence`` (the rows or the citation) and ``timed`` (whether it
        rests on times).

    Raises:
        ToolkitError: the ledger names a check that there is not, or a verdict rests on nothing.
    """
    judged = _judged(measurements, ledger, corrections)
    return ledger.reset_index(drop=True).assign(**{name: [getattr(one, name) for one in judged] for name in SAID})


def points(measurements: pd.DataFrame, ledger: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    """The figures that stand beside each claim, in the claim's unit.

    Returns:
        id, label, value, low, high, kind (``judgement.Point``).
    """
    judged = zip(ledger["id"], _judged(measurements, ledger, corrections), strict=True)
    rows = [
        (name, one.label, one.value, one.low, one.high, one.kind) for name, verdict in judged for one in verdict.points
    ]
    return pd.DataFrame(rows, columns=["id", "label", "value", "low", "high", "kind"])


def counts(audited: pd.DataFrame) -> pd.DataFrame:
    """Claims by section and verdict, with their totals."""
    table = pd.crosstab(audited["section"], audited["verdict"]).reindex(
        index=list(SECTIONS), columns=list(VERDICTS), fill_value=0
    )
    table.loc["all"] = table.sum()
    return table.assign(claims=table.sum(axis=1)).rename_axis(index="section", columns=None)


def count_rows(audited: pd.DataFrame) -> pd.DataFrame:
    """The same as tidy rows: ``claims`` of each verdict, with columns ``section``, ``basis`` and ``timed``.

    A second run repeats those that rest on no times to the byte. Of the others it repeats which rows there are, for
    they are told of every verdict, also of none.
    """
    keys = ["section", "basis", "timed"]
    number = audited.groupby(keys, sort=False)["verdict"].value_counts().unstack(fill_value=0)
    table = number.reindex(columns=list(VERDICTS), fill_value=0).reset_index()
    table = table.melt(keys, var_name="system", value_name="value").query("value > 0 or timed")
    table = table.assign(metric="claims", unit=METRICS["claims"].unit, note="", n=len(audited))
    return table.assign(ci_low=float("nan"), ci_high=float("nan"))


def conclusion(audited: pd.DataFrame) -> str:
    """What came of it, in a few lines."""
    number = audited["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
    basis = audited["basis"].value_counts().reindex(list(BASES), fill_value=0)
    broken = audited[audited["verdict"] == "contradicted"].drop_duplicates(["system", "metric", "low", "high", "value"])
    lines = [
        f"{len(audited)} claims: " + ", ".join(f"{count} {verdict}" for verdict, count in number.items()) + ".",
        f"{basis['measurement']} verdicts rest on this run, {basis['data']} on upstream outcomes, {basis['source']} on "
        "what was published.",
        *(["Contradicted:"] if len(broken) else []),
        *(f"  {claim}" for claim in broken["claim"]),
    ]
    return "\n".join(lines)


def drawn(audited: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Claims in ms or percent, each once, and the figures beside them, for ``figures.claims_beside_findings``.

    Args:
        audited: of ``audit``.
        found: of ``points``.

    Returns:
        group (the claim), unit, label, value, low, high, kind (``claimed`` or a point's); targets are left out.
    """
    ranged = audited[audited["unit"].isin(["ms", "%"]) & (audited["kind"] == "claim")]
    ranged = ranged.drop_duplicates(["system", "metric", "dataset"])
    rows = []
    for _, claim in ranged.iterrows():
        where = f", {claim['dataset'].partition('/')[2]}" if claim["dataset"] else ""
        group = f"{claim['system']}: {claim['metric']}{where}"
        rows.append((group, claim["unit"], group, float("nan"), claim["low"], claim["high"], "claimed"))
        rows += [
            (group, claim["unit"], one.label, one.value, one.low, one.high, one.kind)
            for one in found[found["id"] == claim["id"]].itertuples()
        ]
    return pd.DataFrame(rows, columns=["group", "unit", "label", "value", "low", "high", "kind"])
