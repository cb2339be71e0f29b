"""Figures of calibration and transfer: does a score mean what it says, and does it survive a change of data?"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from toolkit.figures.style import FAINT, GRID, INK, canvas, colours, small, with_legend

_PER_ROW = 3


def reliability(rows: pd.DataFrame, title: str, note: str = "", values: dict[str, float] | None = None) -> Figure:
    """Reliability diagrams side by side, one panel a router, one line a map; on the diagonal a score is what it says.

    Args:
        rows: system (``ROUTER`` or ``ROUTER, MAP``), predicted, quality, low, high.
        values: calibration error by system, for the legend.
    """
    named = rows.assign(router=rows["system"].str.split(", ").str[0])
    names = list(dict.fromkeys(named["router"]))
    figure, grid = _panels(len(names), 2 if len(names) == 4 else _PER_ROW, (3.3, 3.5), (0.4, 0.5))
    shade = colours(["as it is", "platt", "isotonic", *named["system"].str.partition(", ")[2]])
    for axes, name in zip(grid, names, strict=True):
        axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (1, 2)))
        for system, part in named[named["router"] == name].groupby("system", sort=False):
            kind = system.partition(", ")[2] or "as it is"
            error = "" if not values or system not in values else f"  {values[system]:.3f}"
            axes.vlines(part["predicted"], part["low"], part["high"], color=shade[kind], lw=1, alpha=0.4)
            axes.plot(part["predicted"], part["quality"], "o-", color=shade[kind], ms=4, lw=1.4, mec="white", mew=0.6,
                      label=f"{kind}{error}")  # fmt: skip
        axes.set_title(name, fontsize=10)
        axes.grid(color=GRID)
        axes.set_aspect("equal")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.legend(
            loc="lower right", fontsize=7.5, title="calibration error" if values else None, title_fontsize=7.5,
            alignment="left",
        )  # fmt: skip
    return _titled(figure, title, "Predicted quality", "Realised quality", note)


def transfer_matrix(rows: pd.DataFrame, title: str, what: str, note: str = "", middle: float = 0.0) -> Figure:
    """What a router is worth on each set after it was fitted on each: one panel a router, home on the diagonal.

    Args:
        rows: system, train, test, value.
        what: name of the value, for the axis.
        middle: of the colours: what knowing nothing is worth.
    """
    names, sets = list(dict.fromkeys(rows["system"])), list(dict.fromkeys(rows["test"]))
    sources = list(dict.fromkeys(rows["train"]))
    cell, most = (0.75, _PER_ROW) if len(sources) <= 5 else (0.6, 1)  # many sets need a row for each router
    size = max(2.6, cell * len(sets) + 0.8), max(2.6, cell * len(sources) + 0.8)
    figure, grid = _panels(len(names), most, size, (1.6, 0.9))
    reach = max(0.05, float(np.nanmax(np.abs(rows["value"] - middle))))
    short = {name: name.rpartition("/")[2] for name in (*sources, *sets)}
    for axes, system in zip(grid, names, strict=True):
        wide = rows[rows["system"] == system].pivot(index="train", columns="test", values="value").loc[sources, sets]
        sns.heatmap(
            wide, ax=axes, annot=True, fmt=".2f", cmap="PuOr", vmin=middle - reach, vmax=middle + reach, cbar=False,
            square=True, linewidths=1.5, linecolor="white", annot_kws={"fontsize": 9},
            xticklabels=[short[name] for name in sets], yticklabels=[short[name] for name in sources],
        )  # fmt: skip
        for place, name in enumerate(sets):
            home = (place, sources.index(name))
            axes.add_patch(plt.Rectangle(home, 1, 1, fill=False, edgecolor=INK, lw=1.3))
        axes.set_title(system, fontsize=10)
        axes.set(xlabel="", ylabel="")
        axes.tick_params(axis="both", length=0, labelsize=8.5)
        axes.tick_params(axis="x", rotation=30)
        axes.tick_params(axis="y", rotation=0)
    return _titled(figure, title, f"Judged on ({what}; framed: at home)", "Fitted on", note)


def newcomer_curves(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """What a new model brings against its labelled prompts, one line a router, with 95% intervals.

    Args:
        rows: system, labels (0 or more), value, ci_low, ci_high.
    """
    figure, axes = canvas(title, note)
    shade = colours(rows["system"])
    for name, part in rows.sort_values("labels").groupby("system", sort=False):
        axes.plot(part["labels"], part["value"], "o-", color=shade[name], ms=5, mec="white", mew=0.8, label=name)
        axes.fill_between(part["labels"], part["ci_low"], part["ci_high"], color=shade[name], alpha=0.06, lw=0)
    axes.axhline(0, color=FAINT, lw=1.2, ls=(0, (1, 2)))
    axes.annotate("without the newcomer", (1, 0), xycoords=("axes fraction", "data"), xytext=(-2, -9),
                  textcoords="offset points", ha="right", **small())  # fmt: skip
    axes.set_xscale("symlog", linthresh=10)
    axes.set(xlabel="Labelled prompts of the newcomer", ylabel="Quality gained", xlim=(-1, None))
    axes.set_xticks(sorted(rows["labels"].unique()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return with_legend(figure, axes)


def share_targets(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Shares of strong calls on new prompts against those that were wanted, with the band that was foretold.

    Args:
        rows: system, wanted, reached, share, low, high, new: one row a draw. The band is that of routers whose scores
            do not tie, which reach a share to within one prompt.
    """
    figure, axes = canvas(title, note, height=3.8)
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (1, 2)))
    shade = colours(rows["system"])
    for name, part in rows.groupby("system", sort=False):
        found = part.groupby("wanted")
        spread = found["share"].quantile([0.025, 0.975]).unstack()
        axes.fill_between(spread.index, spread[0.025], spread[0.975], color=shade[name], alpha=0.12, lw=0)
        axes.plot(found["share"].median(), "o-", color=shade[name], ms=4, mec="white", mew=0.7, label=name)
    untied = rows[(rows["reached"] - rows["wanted"]).abs() <= 0.005 + 1 / rows["new"]]
    foretold = untied.groupby("wanted")[["low", "high"]].median()
    for bound in ("low", "high") if len(foretold) else ():
        axes.plot(foretold[bound], color=INK, lw=0.9, ls="--", label="foretold, 95%" if bound == "low" else None)
    axes.set(xlabel="Wanted share of strong calls", ylabel="Share on new prompts")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    return with_legend(figure, axes)


def _panels(count: int, most: int, size: tuple[float, float], margin: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """So many panels of a size, ``most`` of them beside each other."""
    across = min(most, count)
    down = -(-count // across)
    inches = (size[0] * across + margin[0], size[1] * down + margin[1])
    figure, grid = plt.subplots(
        down, across, figsize=inches, sharex=True, sharey=True, squeeze=False, layout="compressed"
    )
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, list(grid.flat[:count])


def _titled(figure: Figure, title: str, xlabel: str, ylabel: str, note: str) -> Figure:
    """One title, one label an axis and one note for all panels."""
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    figure.suptitle(title, x=0.02, ha="left", fontweight="bold", fontsize=12)
    figure.text(0.02, -0.02, note, va="top", **small())
    return figure
