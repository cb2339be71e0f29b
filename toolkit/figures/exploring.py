"""Figures of the explorer: curves with the chosen points on them, and the split of the calls over the models."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from toolkit.figures.comparison import cost_curves, strong_call_curves
from toolkit.figures.style import FAINT, INK, canvas, colours, small

_LEAST = 0.02  # share below which a model has no colour of its own
_WRITTEN = 0.07  # share from which a segment has room for its number


def marked_curves(
    curves: pd.DataFrame, marks: pd.DataFrame, title: str, source: str | None, note: str = "", budget: float = np.nan
) -> Figure:
    """Quality against cost, or against strong calls, with each router's chosen point ringed.

    Args:
        curves: as of ``cost_curves`` or ``strong_call_curves``; at least one system with a curve.
        marks: system, spent (USD per 1,000 prompts, or share of strong calls; NaN = no point), quality.
        source: where the costs come from; None draws against the share of strong calls.
        budget: dashed, in the units of ``spent``; NaN draws none.
    """
    strong = source is None
    figure = strong_call_curves(curves, title, note) if strong else cost_curves(curves, title, source, note)
    (axes,) = figure.axes
    shade = colours(curves["system"])
    for row in marks.dropna(subset=["spent", "quality"]).itertuples():
        axes.plot(row.spent, row.quality, "o", ms=11, mfc=shade[row.system], mec=INK, mew=1.6, zorder=8)
    if np.isfinite(budget):
        axes.axvline(budget, color=INK, lw=1.1, ls=(0, (4, 3)), zorder=1)
        axes.annotate("budget", (budget, 1), xycoords=("data", "axes fraction"), xytext=(4, -9),
                      textcoords="offset points", **small())  # fmt: skip
    return figure


def model_split(shares: pd.DataFrame, title: str, note: str = "") -> Figure:
    """The share of the calls that each model gets, one stacked bar per router.

    Args:
        shares: a row per router, a column per model from the cheapest on, rows sum to 1; models that get under two
            percent everywhere are put together.
    """
    rare = shares.max() < _LEAST
    drawn = shares.loc[:, ~rare]
    shade = [*sns.color_palette("crest", drawn.shape[1]).as_hex()]
    if rare.any():
        drawn, shade = drawn.assign(**{f"{rare.sum()} others": shares.loc[:, rare].sum(axis=1)}), [*shade, FAINT]
    figure, axes = canvas(title, note, height=1.4 + 0.36 * len(drawn))
    left = np.zeros(len(drawn))
    for place, (model, colour) in enumerate(zip(drawn.columns, shade, strict=True)):
        width = drawn[model].to_numpy()
        axes.barh(drawn.index, width, left=left, height=0.66, color=colour, edgecolor="white", lw=0.8, label=model)
        for at in np.flatnonzero(width >= _WRITTEN):
            ink = "white" if place >= len(shade) / 3 else INK
            axes.text(left[at] + width[at] / 2, at, f"{width[at]:.0%}", ha="center", va="center", fontsize=8, color=ink)
        left += width
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="Share of the calls")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=9, ncols=1 + drawn.shape[1] // 9)
    return figure
