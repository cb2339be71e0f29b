"""The audit of the survey for human eyes: verdicts by section, the corrections, the file beside the notebook."""

from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from toolkit.evaluation.claims import audit
from toolkit.evaluation.claims import corrections as recomputed
from toolkit.paths import write_text
from toolkit.reporting import present
from toolkit.reporting.reading import Run

CORRECTED = ("apgr", "share_for_95", "cost_cut", "over_random", "weak_over_strong")
_COLUMNS = ("claim", "verdict", "why", "basis", "evidence")
_COLOURS = {
    "confirmed": "#1b8a5a",
    "contradicted": "#c2335b",
    "not comparable": "#c8641b",
    "not testable here": "#8a909c",
}


def table(audited: pd.DataFrame) -> Styler:
    """Every claim with its verdict, why and on what evidence, by section; whole sentences, broken into lines."""
    shown = audited.set_index(["section", "id"])[list(_COLUMNS)]
    styled = shown.style.set_uuid("claims").map(lambda verdict: f"color: {_COLOURS[verdict]}", subset=["verdict"])
    wide = {"white-space": "normal", "vertical-align": "top", "text-align": "left"}
    styled = styled.set_properties(**wide).set_properties(subset=["claim", "evidence"], **{"min-width": "13em"})
    return styled.set_properties(subset=["why"], **{"min-width": "26em"}).map_index(
        lambda _: "white-space: nowrap; vertical-align: top; text-align: left", axis=0
    )


def corrected(rows: pd.DataFrame) -> pd.DataFrame | str:
    """What RouteLLM's figures come to, a block a set: the paper's routers and ours beside them."""
    if rows.empty:
        return "RouteLLM's outcomes are not at hand: set TOOLKIT_DATA_MIRROR, or load routellm/mmlu once."
    return present.stacked(dict(iter(rows.groupby("dataset", sort=False))), CORRECTED)


def caption(measurements: pd.DataFrame) -> str:
    """What a figure's note says of its data."""
    names = list(dict.fromkeys(measurements["dataset"].astype(str)))
    synthetic = [name for name in names if name.startswith("synthetic")]
    shown = ", ".join(f"{name} (SYNTHETIC outcomes)" if name in synthetic else name for name in names)
    return (
        f"measured: {shown} · bars: 95% intervals, of Arch-Router's published latency one standard deviation\n"
        "claims: a survey of open routers, 2026-04-17 · recomputed: RouteLLM's outcomes and published points,\n"
        "whose bars reach at least to the points on either side"
    )


def write(audited: pd.DataFrame, folder: Path) -> Path:
    """``claims.csv`` in a notebook's folder: the ledger with its verdicts."""
    target = folder / "claims.csv"
    write_text(target, audited.to_csv(index=False, lineterminator="\n"))
    return target


def of_run(run: Run, bootstraps: int = 1000) -> pd.DataFrame:
    """The ledger's verdicts for a run, corrections from the upstream sets that are at hand."""
    from toolkit.evaluation.claims import ledger

    found = recomputed.corrections(recomputed.at_hand(), bootstraps)
    return audit.audit(run.measurements, ledger(), found)
