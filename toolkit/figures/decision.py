"""Figures of a decision: cost against quality with the choice marked, and the prices at which it changes.

Every word comes from the caller, since the report has several languages.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from toolkit.figures.style import FAINT, GRID, INK, beside, canvas, colours, small

CHOICE, FRONT = "#c2335b", "#1668a8"


def reads_chinese() -> bool:
    """Whether a font for Chinese was found (``use_style`` puts it behind the first one)."""
    family = mpl.rcParams["font.family"]
    return not isinstance(family, str) and len(family) > 1


def decision_front(
    points: pd.DataFrame,
    chosen: Mapping[str, Any] | None,
    floor: float,
    words: Mapping[str, str],
    note: str = "",
    other: Mapping[str, Any] | None = None,
) -> Figure:
    """Every candidate by cost and quality, both relative to the reference model; front and choice marked.

    Args:
        points: ``system``, ``model`` (of single ones), ``kind``, ``share``, ``kept``, ``admitted``, ``front``.
        chosen: the recommendation with estimates ``share`` and ``kept``; None where there is none.
        floor: least quality kept.
        words: ``title``, ``x``, ``y``, ``floor``, ``admitted``, ``excluded``, ``reference``, ``front``, ``chosen``,
            ``other``.
        note: printed under the figure.
        other: the choice by the rule that was not asked for, as ``chosen``.
    """
    figure, axes = canvas(words["title"], note, height=4.9)
    shown = points.dropna(subset=["share", "kept"])
    bound = shown["kind"] == "reference"
    out = ~shown["admitted"] & ~bound
    style = {"ls": "", "mew": 0.8}
    axes.plot(*_xy(shown[bound]), "D", ms=4, mfc="none", mec=FAINT, label=words["reference"], **style)
    if out.any():
        axes.plot(*_xy(shown[out]), "o", ms=4.5, mfc="none", mec="#c9a227", label=words["excluded"], **style)
    axes.plot(
        *_xy(shown[shown["admitted"]]), "o", ms=4.5, color=FRONT, alpha=0.3, mec="none", label=words["admitted"], ls=""
    )
    line = shown[shown["front"]].sort_values("share")
    axes.step(*_xy(line), where="post", color=FRONT, lw=1.6, label=words["front"])
    _singles(axes, shown[shown["kind"] == "single"], chosen["system"] if chosen else "")
    if other:
        _mark(axes, other, words["other"], FRONT, 13)
    if chosen:
        _mark(axes, chosen, words["chosen"], CHOICE, 17)
    _floor(axes, floor, words["floor"])
    top = axes.get_ylim()[1]
    low = min(floor, *(shown.loc[shown["admitted"] | bound, "kept"]), top)  # what is not admitted may lie far below
    axes.set(xlim=(-0.02, max(1.06, shown["share"].max() + 0.04)), ylim=(low - 0.02, top))
    axes.set(xlabel=words["x"], ylabel=words["y"])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="lower right", fontsize=8.5, frameon=False)
    return figure


def _floor(axes: Axes, floor: float, word: str) -> None:
    axes.axhline(floor, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    where = {"xycoords": ("axes fraction", "data"), "xytext": (-2, -7), "ha": "right"}
    axes.annotate(word, (1, floor), **where, **beside(), **small())


def _xy(points: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return points["share"], points["kept"]


def _singles(axes: Axes, singles: pd.DataFrame, chosen: str) -> None:
    """Single models as squares; by name those that no other one beats on both axes; the choice is named anyway."""
    ranked = singles.sort_values(["share", "kept"], ascending=[True, False]).drop_duplicates("share")
    named = ranked[ranked["kept"] > ranked["kept"].cummax().shift(fill_value=-1.0)]
    axes.plot(*_xy(singles), "s", color=INK, ms=5, mec="white", mew=0.8, zorder=6, ls="")
    for row in named[named["system"] != chosen].itertuples():
        side = {"xytext": (4, 9), "ha": "right"} if row.share > 0.85 else {"xytext": (8, -8), "ha": "left"}
        axes.annotate(row.model, (row.share, row.kept), **side, **beside(), fontsize=8, zorder=7)


def _mark(axes: Axes, chosen: Mapping[str, Any], word: str, colour: str, size: float) -> None:
    """The choice with its two intervals, named in the legend: beside the point names would hide each other."""
    x, y = chosen["share"], chosen["kept"]
    if x["value"] is None or y["value"] is None:
        return
    if "low" in x and "low" in y:
        axes.plot([x["low"], x["high"]], [y["value"]] * 2, color=colour, lw=1.6, zorder=8)
        axes.plot([x["value"]] * 2, [y["low"], y["high"]], color=colour, lw=1.6, zorder=8)
    axes.plot(x["value"], y["value"], "*", color=colour, ms=size, mec="white", mew=1.2, zorder=9, label=word, ls="")


def decision_ranges(bands: Sequence[Mapping[str, Any]], title: str, note: str = "") -> Figure:
    """Which system is recommended along a price, one coloured strip a price, today's price marked.

    Args:
        bands: each with ``ranges`` (``from``, ``to`` or None, ``system``), ``now``, ``now_word``, ``xlabel``, and the
            ``ticks`` of its log axis, whose ends they are.
    """
    figure, rows = plt.subplots(len(bands), 1, figsize=(8.6, 0.9 + 1.25 * len(bands)), squeeze=False)
    shade = colours(dict.fromkeys(part["system"] for band in bands for part in band["ranges"]))
    for axes, band in zip(rows[:, 0], bands, strict=True):
        _strip(axes, band, shade)
    rows[0, 0].set_title(title, pad=26)
    if note:
        rows[-1, 0].annotate(
            note, (0, 0), xycoords="axes fraction", xytext=(0, -50), textcoords="offset points", va="top", **small()
        )
    figure.subplots_adjust(hspace=1.5)
    return figure


def _strip(axes: Axes, band: Mapping[str, Any], shade: Mapping[str, str]) -> None:
    """One band; a system whose name fits into none of its ranges stands in a legend."""
    named, narrow = set(), {}
    low, high = band["ticks"][0], band["ticks"][-1]
    width = np.log(high / low)
    for part in band["ranges"]:
        left, right = max(part["from"], low), min(part["to"] or high, high)
        if right <= left:
            continue
        axes.axvspan(left, right, color=shade[part["system"]], alpha=0.85, lw=0)
        narrow[part["system"]] = Patch(color=shade[part["system"]], label=part["system"], alpha=0.85, lw=0)
        share = np.log(right / left) / width
        if share > 0.012 * len(part["system"]):
            named.add(part["system"])
            axes.annotate(
                part["system"],
                (np.sqrt(left * right), 0.5),
                ha="center",
                va="center",
                fontsize=9,
                color="white",
                fontweight="bold",
            )
        axes.axvline(left, color="white", lw=1.5)
    axes.plot(band["now"], 1.07, "v", color=INK, ms=7, clip_on=False, zorder=5)
    axes.axvline(band["now"], color=INK, lw=0.9, alpha=0.45)
    axes.annotate(
        band["now_word"], (band["now"], 1.12), xytext=(0, 6), ha="center", **beside(), fontsize=8, annotation_clip=False
    )
    axes.set(xscale="log", xlim=(low, high), ylim=(0, 1), yticks=[], xlabel=band["xlabel"])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_locator(FixedLocator(band["ticks"]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    if handles := [patch for name, patch in narrow.items() if name not in named]:
        where = {"loc": "lower right", "bbox_to_anchor": (1, 1.0), "borderaxespad": 0.3}
        axes.legend(handles=handles, ncols=len(handles), fontsize=8.5, frameon=False, **where)
