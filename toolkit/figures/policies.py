"""Figures of routers of policies: what they get right, and how that falls as policies are added."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from toolkit.figures.style import COLOURS, FAINT, INK, beside, canvas, with_legend


def route_accuracy(rows: pd.DataFrame, chance: str, title: str, note: str = "") -> Figure:
    """The share of right routes by set and router with 95% intervals; a mark where drawing lots stands.

    Args:
        rows: set, system, value, ci_low, ci_high.
        chance: the system that draws lots.
    """
    sets = list(dict.fromkeys(rows["set"]))[::-1]
    systems = [name for name in dict.fromkeys(rows["system"]) if name != chance]
    figure, axes = canvas(title, note, height=1.6 + 0.62 * len(sets))
    for number, (system, colour) in enumerate(zip(systems, COLOURS, strict=False)):
        part = rows[rows["system"] == system].set_index("set")
        places = [place + 0.27 - 0.54 * number / max(1, len(systems) - 1) for place in range(len(sets))]
        known = [(place, name) for place, name in zip(places, sets, strict=True) if name in part.index]
        mine = part.loc[[name for _, name in known]]
        error = [mine["value"] - mine["ci_low"], mine["ci_high"] - mine["value"]]
        heights = [place for place, _ in known]
        axes.errorbar(mine["value"], heights, xerr=error, fmt="o", ms=5, color=colour, lw=1.4, label=system)
        for place, value, high in zip(heights, mine["value"], mine["ci_high"], strict=True):
            axes.annotate(f"{value:.0%}", (high, place), xytext=(6, 0), **beside(), fontsize=8, color=INK)
    lots = rows[rows["system"] == chance].set_index("set")["value"]
    for place, name in enumerate(sets):
        axes.plot([lots[name]] * 2, [place - 0.4, place + 0.4], color=FAINT, lw=1.6, label=None if place else chance)
    axes.set_yticks(range(len(sets)), sets)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set(
        xlabel="Requests that fit a route: the likeliest route is theirs", xlim=(0, 1.06), ylim=(-0.6, len(sets) - 0.4)
    )
    return with_legend(figure, axes)


def accuracy_by_routes(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """The share of right routes against the number of routes to choose among, with 95% intervals.

    Args:
        rows: system, routes, value, ci_low, ci_high.
    """
    figure, axes = canvas(title, note, height=4.0)
    for (system, part), colour in zip(rows.groupby("system", sort=False), COLOURS, strict=False):
        part = part.sort_values("routes")
        axes.plot(part["routes"], part["value"], marker="o", ms=5, mec="white", mew=0.8, color=colour, label=system)
        axes.fill_between(part["routes"], part["ci_low"], part["ci_high"], color=colour, alpha=0.15, lw=0)
    sizes = sorted(rows["routes"].unique())
    axes.plot(sizes, [1 / size for size in sizes], color=FAINT, lw=1.4, label="random route")
    axes.set(xscale="log", xlabel="Routes to choose among, log scale", ylabel="Right route", ylim=(0, 1.03))
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    return with_legend(figure, axes)
