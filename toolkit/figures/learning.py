"""Figures of training: what labels buy, and what quality costs in time."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from toolkit.figures.style import FAINT, INK, beside, canvas, colours, log_ticks, small, with_legend


def learning_curves(rows: pd.DataFrame, title: str, ylabel: str, note: str = "", line: float | None = None) -> Figure:
    """A measure against the number of labelled prompts, one line a router, with 95% intervals.

    Args:
        rows: system, labels, value, ci_low, ci_high.
        line: value of the best baseline without labels, dotted.
    """
    figure, axes = canvas(title, note)
    shade = colours(rows["system"])
    for name, part in rows.sort_values("labels").groupby("system", sort=False):
        axes.plot(part["labels"], part["value"], "o-", color=shade[name], ms=5, mec="white", mew=0.8, label=name)
        axes.fill_between(part["labels"], part["ci_low"], part["ci_high"], color=shade[name], alpha=0.05, lw=0)
    if line is not None:
        axes.axhline(line, color=FAINT, lw=1.2, ls=(0, (1, 2)))
        axes.annotate("best without labels", (1, line), xycoords=("axes fraction", "data"), xytext=(-2, -9),
                      textcoords="offset points", ha="right", **small())  # fmt: skip
    axes.set(xlabel="Labelled prompts", ylabel=ylabel, xscale="log")
    axes.set_xticks(sorted(rows["labels"].unique()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return with_legend(figure, axes)


def quality_against_time(rows: pd.DataFrame, title: str, xlabel: str, ylabel: str, note: str = "") -> Figure:
    """A measure against time per prompt, one named point a router, log scale.

    Args:
        rows: system, time, value, ci_low, ci_high.
    """
    figure, axes = canvas(title, note)
    shade = colours(rows["system"])
    ordered = rows.sort_values("time")
    slowest, span = ordered["time"].max(), np.ptp(ordered["value"]) or 1.0
    before = None
    for row in ordered.itertuples():
        # Names stand on the right of their points; one that would cover its neighbour's goes below, the last one left.
        close = before and row.time < 2 * before.time and abs(row.value - before.value) < 0.05 * span
        side = {"xytext": (-8, 0), "ha": "right"} if row.time == slowest else {"xytext": (7, -9 if close else 0)}
        before = row
        axes.vlines(row.time, row.ci_low, row.ci_high, color=shade[row.system], lw=1, alpha=0.6)
        axes.plot(row.time, row.value, "o", color=shade[row.system], ms=7, mec="white", mew=1)
        axes.annotate(row.system, (row.time, row.value), **side, **beside(), fontsize=8, color=INK)
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale="log")
    if rows["time"].max() > 1000 * rows["time"].min():  # three ticks a decade would run into each other
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        log_ticks(axes)
    return figure
