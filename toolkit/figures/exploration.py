"""Figures of a data set: models, agreement, domains, lengths."""

from itertools import pairwise

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from toolkit.figures.style import COLOURS, FAINT, GRID, INK, MOST_COLOURS, beside, canvas, log_ticks, small, with_legend


def front(points: pd.DataFrame, title: str, source: str, note: str = "") -> Figure:
    """Single models and the oracle in the plane of cost and quality, with the zero router's hull.

    Args:
        points: system, cost_usd, quality, on_hull (see ``evaluation.overview.front``).
        source: where the costs come from; written on the axis.
    """
    figure, axes = canvas(title, note)
    points = points.assign(cost=1000 * points["cost_usd"]).sort_values("cost")
    chain = points[points["on_hull"]]
    free = (points["cost"] <= 0).any()
    grid = [np.linspace(*pair, 60) for pair in pairwise(chain["cost"])]  # a straight mixture is curved on a log axis
    line = np.concatenate(grid) if grid else chain["cost"].to_numpy()
    axes.plot(line, np.interp(line, chain["cost"], chain["quality"]), color=FAINT, lw=1.4, ls="--", label="zero router")
    for _, point in points.iterrows():
        oracle = point["system"] == "hindsight-oracle"
        style = {"marker": "*", "ms": 12, "color": "#d19a0d"} if oracle else {"marker": "o", "ms": 7, "color": INK}
        if not (oracle or point["on_hull"]):
            style["color"] = FAINT
        axes.plot(point["cost"], point["quality"], ls="", mec="white", mew=0.8, **style)
        lift = 5 if oracle or point["on_hull"] else -6  # names of the hull above it, the others below
        label = axes.annotate(
            point["system"], (point["cost"], point["quality"]), xytext=(7, lift), **beside(), fontsize=7.5, zorder=5
        )
        label.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    axes.set(xlabel=f"Cost ({source}), USD per 1,000 prompts", ylabel="Mean quality")
    if not free:
        axes.set(xlabel=f"{axes.get_xlabel()}, log scale", xscale="log")
        log_ticks(axes)
    axes.margins(x=0.12)
    return with_legend(figure, axes)


def agreement(matrix: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Heat map of the share of prompts on which two models do equally well."""
    few = len(matrix) <= 14
    size = 1.8 + (0.5 if few else 0.17) * len(matrix)
    figure, axes = canvas(title, "", width=size + 2.4, height=size)
    sns.heatmap(
        matrix, ax=axes, cmap="crest", vmin=0, vmax=1, annot=few, fmt=".2f", square=True, linewidths=1 if few else 0.3,
        xticklabels=True, yticklabels=True, cbar_kws={"label": "share of prompts", "shrink": 0.7},
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0, labelsize=None if few else 7)
    axes.tick_params(axis="x", rotation=30 if few else 90)
    axes.tick_params(axis="y", rotation=0)
    figure.text(0.02, -0.16 if few else -0.06, note, **small())
    return figure


def lengths(frame: pd.DataFrame, title: str, note: str = "", borders: tuple[int, ...] = ()) -> Figure:
    """Histogram of estimated tokens by language, log scale, with the borders of the length rule."""
    figure, axes = canvas(title, note)
    shown = frame.assign(language=frame["language"].replace("", "unknown"))
    edges = np.geomspace(max(1, shown["tokens"].min()), shown["tokens"].max() * 1.01, 40)
    for colour, (language, part) in zip(COLOURS, shown.groupby("language"), strict=False):
        axes.hist(part["tokens"], bins=edges, alpha=0.6, color=colour, label=f"{language} ({len(part):,})", lw=0)
    for border in borders:
        axes.axvline(border, color=INK, lw=1, ls=(0, (4, 3)))
        axes.annotate(
            f"{border} tokens",
            (border, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
            **small(),
        )
    axes.set(xlabel="Estimated tokens (log scale)", ylabel="Prompts", xscale="log")
    log_ticks(axes)
    return with_legend(figure, axes)


def quality_by_domain(frame: pd.DataFrame, title: str, note: str = "", most: int = 20) -> Figure:
    """Mean quality of each model in the largest domains, one row a domain, models as dots.

    Args:
        frame: domains as index, models as columns, and ``prompts``.
    """
    shown = frame.nlargest(most, "prompts")
    models = [column for column in shown.columns if column != "prompts"]
    shown = shown.assign(order=shown[models].mean(axis=1)).sort_values("order")
    figure, axes = canvas(title, note, height=1.4 + 0.3 * len(shown))
    at = np.arange(len(shown))
    axes.hlines(at, shown[models].min(axis=1), shown[models].max(axis=1), color=GRID, lw=3, zorder=0)
    if len(models) > MOST_COLOURS:
        axes.plot(shown[models], at, "o", color=FAINT, ms=5, mec="white", mew=0.8)
        for row, name in enumerate(shown[models].idxmax(axis=1)):
            best = shown[models].iloc[row].max()
            axes.plot(best, row, "o", color=COLOURS[0], ms=7, mec="white", mew=0.8)
            axes.annotate(name, (best, row), xytext=(8, 0), **beside(), fontsize=8)
    else:
        for colour, model in zip(COLOURS, models, strict=False):
            axes.plot(shown[model], at, "o", color=colour, label=model, ms=6, mec="white", mew=0.8)
    labels = [f"{name or 'unknown'} ({count:,})" for name, count in shown["prompts"].items()]
    axes.set(yticks=at, yticklabels=labels, xlabel="Mean quality")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return with_legend(figure, axes) if len(models) <= MOST_COLOURS else figure
