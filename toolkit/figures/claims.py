"""The figure of the audit: claimed ranges beside what was measured, recomputed or published."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from toolkit.figures.style import INK, beside, small

_CLAIM = "#7a5bb5"
_DASHES = (0, (3, 2))
_KINDS = {  # kind of a point: colour, marker, face, words
    "measured": ("#1b8a5a", "o", "#1b8a5a", "measured, the claim's conditions"),
    "measured, other": ("#1b8a5a", "o", "white", "measured, something else"),
    "data": ("#1668a8", "s", "#1668a8", "recomputed from upstream outcomes"),
    "published": ("#c8641b", "D", "#c8641b", "published by the source"),
}
_AXES = {"ms": "Milliseconds of one decision, log scale", "%": "Percent"}
_ROW = 0.19  # inches


def claims_beside_findings(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Every claim as a dashed range with the figures under it: milliseconds on a log axis, percentages below.

    Args:
        rows: group, unit (``ms`` or ``%``), label, value, low, high, kind (``claimed`` first in its group); of
            ``audit.drawn``.
    """
    parts = {unit: part for unit in _AXES if len(part := rows[rows["unit"] == unit])}
    heights = [len(part) + part["group"].nunique() / 2 for part in parts.values()]
    figure, panels = plt.subplots(
        len(parts), 1, figsize=(9.2, _ROW * sum(heights) + 1.6), height_ratios=heights, squeeze=False
    )
    for axes, (unit, part) in zip(panels[:, 0], parts.items(), strict=True):
        _panel(axes, part, unit)
    panels[0, 0].set_title(title, pad=12)
    if note:
        panels[-1, 0].annotate(
            note, (0, 0), xycoords="axes fraction", xytext=(0, -46), textcoords="offset points", va="top", **small()
        )
    handles = [Line2D([], [], color=_CLAIM, lw=1.6, ls=_DASHES, label="claimed, not measured")]
    for kind, (colour, marker, face, words) in _KINDS.items():
        if (rows["kind"] == kind).any():
            handles.append(Line2D([], [], color=colour, marker=marker, mfc=face, ls="", ms=6, label=words))
    panels[0, 0].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=9)
    figure.subplots_adjust(hspace=4.2 * _ROW / figure.get_figheight() * len(parts))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    places, labels, at = [], [], 0.0
    least, most = (rows[["low", "value"]].min().min(), rows[["high", "value"]].max().max())
    ends = (least / 2, 3 * most) if unit == "ms" else (0.0, max(100.0, most))
    for _, part in rows.groupby("group", sort=False):
        claim, top = part.iloc[0], at
        low = claim["low"] if pd.notna(claim["low"]) else ends[0]
        high = claim["high"] if pd.notna(claim["high"]) else ends[1]
        for _, row in part.iterrows():
            places.append(at)
            labels.append(row["label"])
            if row["kind"] == "claimed":
                axes.plot([low, high], [at, at], color=_CLAIM, lw=1.6, ls=_DASHES, marker="|", ms=9)
                axes.annotate(_range(claim), (high, at), xytext=(7, 0), **beside(), fontsize=7.5, color=_CLAIM)
            else:
                _point(axes, row, at)
            at += 1
        axes.fill_betweenx([top - 0.4, at - 0.6], low, high, color=_CLAIM, alpha=0.08, lw=0.8, zorder=0)
        at += 0.5
    axes.set(ylim=(at - 0.6, -0.9), xlim=ends if unit == "ms" else (-2, 1.1 * ends[1]), xlabel=_AXES[unit])
    if unit == "ms":
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(places, labels, fontsize=8)
    for text, kind in zip(axes.get_yticklabels(), rows["kind"], strict=True):
        text.set(color=_CLAIM if kind == "claimed" else INK, fontweight="bold" if kind == "claimed" else "normal")
    axes.grid(axis="x")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def _range(claim: pd.Series) -> str:
    low, high = claim["low"], claim["high"]
    if pd.isna(low) or pd.isna(high):
        return f"below {_number(high)}" if pd.isna(low) else f"{_number(low)} or more"
    return _number(low) if low == high else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _point(axes: Axes, row: pd.Series, at: float) -> None:
    colour, marker, face, _ = _KINDS[row["kind"]]
    axes.plot([row["low"], row["high"]], [at, at], color=colour, lw=2, solid_capstyle="round", zorder=3)
    axes.plot(row["value"], at, marker, color=colour, mfc=face, ms=5, zorder=4)
    axes.annotate(_number(row["value"]), (row["high"], at), xytext=(7, 0), **beside(), fontsize=7.5)
