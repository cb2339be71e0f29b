"""Figures of a comparison: curves, intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from toolkit.figures.style import (
    FAINT,
    INK,
    MOST_COLOURS,
    REFERENCES,
    beside,
    canvas,
    colours,
    log_ticks,
    small,
    with_legend,
)


def strong_call_curves(curves: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Mean quality against the share of strong calls, with bootstrap bands.

    Args:
        curves: the ``curves`` frame of a pair comparison.
        note: what the reader must know (synthetic, split); printed under the figure.
    """
    figure, axes = canvas(title, note)
    axes.plot([0, 1], _ends(curves), color=FAINT, lw=1, ls=(0, (1, 2)), zorder=1)
    _draw_systems(axes, curves, "share_strong")
    axes.set(xlabel="Share of calls to the strong model", ylabel="Mean quality", xlim=(-0.01, 1.01))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.text(0.99, 0.02, "dotted: the two models mixed at random", transform=axes.transAxes, ha="right", **small())
    return with_legend(figure, axes)


def cost_curves(
    curves: pd.DataFrame, title: str, source: str, note: str = "", axis: str = "cost_usd", models: Sequence[str] = ()
) -> Figure:
    """Mean quality against dollars per 1,000 prompts, log scale.

    Args:
        curves: the ``curves`` frame of a cost comparison.
        source: where the costs come from (``Outcomes.cost_source``); written on the axis.
        axis: ``cost_usd`` (what the calls cost) or ``expected_cost_usd`` (what the policy believed).
        models: systems that are single models; a large pool is drawn in one colour, and only those that no other one
            beats on both axes are named.
    """
    figure, axes = canvas(title, note)
    scaled = curves[curves["operating_point"] != "quality-first"]
    scaled = scaled.assign(**{axis: scaled[axis] * 1000})
    pool = scaled["system"].isin(models if len(models) > MOST_COLOURS else [])
    _draw_pool(axes, scaled[pool], axis)
    _draw_systems(axes, scaled[~pool], axis)
    kind = "Actual" if axis == "cost_usd" else "Expected"
    axes.set(xlabel=f"{kind} cost ({source}), USD per 1,000 prompts", ylabel="Mean quality")
    if (scaled[axis] > 0).all():  # a free model has no place on a log scale
        axes.set(xlabel=f"{axes.get_xlabel()}, log scale", xscale="log")
        log_ticks(axes)
    return with_legend(figure, axes)


def intervals(
    rows: pd.DataFrame, title: str, xlabel: str, note: str = "", lines: dict[str, float] | None = None
) -> Figure:
    """Estimates with their 95% intervals, one line a system, in the order given.

    Args:
        rows: system, value, ci_low, ci_high.
        lines: labelled vertical marks, such as a random router's value.
    """
    rows = rows.iloc[::-1].reset_index(drop=True)
    figure, axes = canvas(title, note, height=1.3 + 0.36 * len(rows))
    shade = colours(rows["system"][::-1])
    for at, row in rows.iterrows():
        colour, end = shade[row["system"]], np.nanmax([row["value"], row["ci_high"]])
        axes.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=2.4, solid_capstyle="round")
        axes.plot(row["value"], at, "o", color=colour, ms=7, mec="white", mew=1)
        axes.annotate(f"{row['value']:.3f}", (end, at), xytext=(8, 0), **beside(), fontsize=8)
    for label, value in (lines or {}).items():
        axes.axvline(value, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.annotate(label, (value, len(rows) - 0.45), xytext=(3, 0), **beside(), **small())
    axes.set(yticks=range(len(rows)), yticklabels=rows["system"], xlabel=xlabel, ylim=(-0.6, len(rows) - 0.1))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    return figure


def _draw_systems(axes: Axes, curves: pd.DataFrame, x: str) -> None:
    names = list(dict.fromkeys(curves["system"]))
    shade = colours(names)
    for name in names:
        part = curves[curves["system"] == name]
        if len(part) == 1:
            marker = dict(marker="D", ms=6.5, mec="white", mew=1, ls="")
            axes.vlines(part[x], part["quality_low"], part["quality_high"], color=shade[name], lw=1, zorder=4)
            axes.plot(part[x], part["quality"], color=shade[name], label=name, zorder=5, **marker)
            continue
        reference = name in REFERENCES
        axes.plot(
            part[x],
            part["quality"],
            color=shade[name],
            lw=1.4 if reference else 2,
            ls="--" if reference else "-",
            label=name,
            zorder=3,
        )
        if not reference:
            axes.fill_between(
                part[x], part["quality_low"], part["quality_high"], color=shade[name], alpha=0.13, lw=0, zorder=2
            )


def _draw_pool(axes: Axes, points: pd.DataFrame, x: str) -> None:
    """Single models as dots of one colour; those on the front of cost and quality by name."""
    if points.empty:
        return
    axes.plot(
        points[x], points["quality"], "o", color=FAINT, alpha=0.7, ms=5, mec="white", mew=0.8, label="single models"
    )
    ranked = points.sort_values([x, "quality"], ascending=[True, False])
    front = ranked[ranked["quality"] > ranked["quality"].cummax().shift(fill_value=-1.0)]
    for _, point in front.iterrows():
        axes.plot(point[x], point["quality"], "o", color=INK, ms=5, mec="white", mew=0.8, zorder=6)
        axes.annotate(
            point["system"], (point[x], point["quality"]), xytext=(0, -11), **beside(), ha="center", fontsize=7
        )


def _ends(curves: pd.DataFrame) -> tuple[float, float]:
    """Quality with no and with only strong calls; every curve starts and ends there."""
    first = curves[curves["system"] == curves.loc[curves["operating_point"] == "0.00", "system"].iloc[0]]
    return first["quality"].iloc[0], first["quality"].iloc[-1]
