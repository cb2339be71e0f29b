"""One function per kind of figure. They know frames, not routers, and every one names its axes and its data."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

_CJK_FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei")
INK, FAINT, GRID = "#22262e", "#8a909c", "#e6e8ec"
_REFERENCES = {"hindsight-oracle": "#9aa0ac", "bayes-optimal": "#5b6270"}
_PLAIN = {
    "random": "#b9a68f", "prompt-length": "#c8641b", "domain-mean": "#7a5bb5", "knn-lexical": "#1668a8",
    "length-rule": "#c2335b", "length-rule-shares": "#e2a3b5", "always-weak": "#3c4450", "always-strong": "#3c4450",
    "cheapest": "#3c4450", "best-single-model": "#3c4450",
}  # fmt: skip
_MOST_COLOURS = 8  # single models that a legend can tell apart
_COLOURS = ["#1b8a5a", "#d19a0d", "#0f8f9c", "#8c3d8c", "#5d7a1f", "#a0522d", "#2f7fd1", "#b5487f"]


def use_style() -> None:
    """Quiet axes, readable type, and SVG files that are the same bytes for the same data."""
    sns.set_theme(style="ticks", context="notebook", font_scale=0.95)
    installed = set(font_manager.get_font_names())
    mpl.rcParams.update(
        {
            # Names of domains and models are data: they may be Chinese, and a dollar sign starts no formula.
            "font.family": ["DejaVu Sans", *(name for name in _CJK_FONTS if name in installed)],
            "text.parse_math": False,
            "figure.dpi": 110,
            "savefig.dpi": 160,
            "savefig.bbox": "tight",
            "svg.hashsalt": "llm-routing-toolkit",
            "svg.fonttype": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 12,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": GRID,
            "legend.frameon": False,
        }
    )


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem``.png and ``stem``.svg without dates, and take the figure off pyplot's list."""
    paths = [stem.parent / f"{stem.name}.{kind}" for kind in ("png", "svg")]
    figure.savefig(paths[0], metadata={"Software": None})
    figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return paths


def page_width(png: Path) -> int:
    """Width in CSS pixels at which the type of a saved figure is as large as a page's."""
    with PIL.Image.open(png) as image:
        return round(image.width * 0.62)


def strong_call_curves(curves: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Mean quality against the share of strong calls, with bootstrap bands.

    Args:
        curves: the ``curves`` frame of a pair comparison.
        note: what the reader must know (synthetic, split); printed under the figure.
    """
    figure, axes = _canvas(title, note)
    axes.plot([0, 1], _ends(curves), color=FAINT, lw=1, ls=(0, (1, 2)), zorder=1)
    _draw_systems(axes, curves, "share_strong")
    axes.set(xlabel="Share of calls to the strong model", ylabel="Mean quality", xlim=(-0.01, 1.01))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.text(0.99, 0.02, "dotted: the two models mixed at random", transform=axes.transAxes, ha="right", **_small())
    return _with_legend(figure, axes)


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
    figure, axes = _canvas(title, note)
    scaled = curves[curves["operating_point"] != "quality-first"]
    scaled = scaled.assign(**{axis: scaled[axis] * 1000})
    pool = scaled["system"].isin(models if len(models) > _MOST_COLOURS else [])
    _draw_pool(axes, scaled[pool], axis)
    _draw_systems(axes, scaled[~pool], axis)
    kind = "Actual" if axis == "cost_usd" else "Expected"
    axes.set(xlabel=f"{kind} cost ({source}), USD per 1,000 prompts", ylabel="Mean quality")
    if (scaled[axis] > 0).all():  # a free model has no place on a log scale
        axes.set(xlabel=f"{axes.get_xlabel()}, log scale", xscale="log")
        _log_ticks(axes)
    return _with_legend(figure, axes)


def front(points: pd.DataFrame, title: str, source: str, note: str = "") -> Figure:
    """Single models and the oracle in the plane of cost and quality, with the zero router's hull.

    Args:
        points: system, cost_usd, quality, on_hull (see ``evaluation.overview.front``).
        source: where the costs come from; written on the axis.
    """
    figure, axes = _canvas(title, note)
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
            point["system"], (point["cost"], point["quality"]), xytext=(7, lift), **_beside(), fontsize=7.5, zorder=5
        )
        label.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    axes.set(xlabel=f"Cost ({source}), USD per 1,000 prompts", ylabel="Mean quality")
    if not free:
        axes.set(xlabel=f"{axes.get_xlabel()}, log scale", xscale="log")
        _log_ticks(axes)
    axes.margins(x=0.12)
    return _with_legend(figure, axes)


def intervals(
    rows: pd.DataFrame, title: str, xlabel: str, note: str = "", lines: dict[str, float] | None = None
) -> Figure:
    """Estimates with their 95% intervals, one line a system, in the order given.

    Args:
        rows: system, value, ci_low, ci_high.
        lines: labelled vertical marks, such as a random router's value.
    """
    rows = rows.iloc[::-1].reset_index(drop=True)
    figure, axes = _canvas(title, note, height=1.3 + 0.36 * len(rows))
    colours = _colours(rows["system"][::-1])
    for at, row in rows.iterrows():
        colour, end = colours[row["system"]], np.nanmax([row["value"], row["ci_high"]])
        axes.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=2.4, solid_capstyle="round")
        axes.plot(row["value"], at, "o", color=colour, ms=7, mec="white", mew=1)
        axes.annotate(f"{row['value']:.3f}", (end, at), xytext=(8, 0), **_beside(), fontsize=8)
    for label, value in (lines or {}).items():
        axes.axvline(value, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.annotate(label, (value, len(rows) - 0.45), xytext=(3, 0), **_beside(), **_small())
    axes.set(yticks=range(len(rows)), yticklabels=rows["system"], xlabel=xlabel, ylim=(-0.6, len(rows) - 0.1))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    return figure


def agreement(matrix: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Heat map of the share of prompts on which two models do equally well."""
    few = len(matrix) <= 14
    size = 1.8 + (0.5 if few else 0.17) * len(matrix)
    figure, axes = _canvas(title, "", width=size + 2.4, height=size)
    sns.heatmap(
        matrix, ax=axes, cmap="crest", vmin=0, vmax=1, annot=few, fmt=".2f", square=True, linewidths=1 if few else 0.3,
        xticklabels=True, yticklabels=True, cbar_kws={"label": "share of prompts", "shrink": 0.7},
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0, labelsize=None if few else 7)
    axes.tick_params(axis="x", rotation=30 if few else 90)
    axes.tick_params(axis="y", rotation=0)
    figure.text(0.02, -0.06, note, **_small())
    return figure


def lengths(frame: pd.DataFrame, title: str, note: str = "", borders: tuple[int, ...] = ()) -> Figure:
    """Histogram of estimated tokens by language, log scale, with the borders of the length rule."""
    figure, axes = _canvas(title, note)
    shown = frame.assign(language=frame["language"].replace("", "unknown"))
    edges = np.geomspace(max(1, shown["tokens"].min()), shown["tokens"].max() * 1.01, 40)
    for colour, (language, part) in zip(_COLOURS, shown.groupby("language"), strict=False):
        axes.hist(part["tokens"], bins=edges, alpha=0.6, color=colour, label=f"{language} ({len(part):,})", lw=0)
    for border in borders:
        axes.axvline(border, color=INK, lw=1, ls=(0, (4, 3)))
        axes.annotate(
            f"{border} tokens",
            (border, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
            **_small(),
        )
    axes.set(xlabel="Estimated tokens (log scale)", ylabel="Prompts", xscale="log")
    _log_ticks(axes)
    return _with_legend(figure, axes)


def quality_by_domain(frame: pd.DataFrame, title: str, note: str = "", most: int = 20) -> Figure:
    """Mean quality of each model in the largest domains, one row a domain, models as dots.

    Args:
        frame: domains as index, models as columns, and ``prompts``.
    """
    shown = frame.nlargest(most, "prompts")
    models = [column for column in shown.columns if column != "prompts"]
    shown = shown.assign(order=shown[models].mean(axis=1)).sort_values("order")
    figure, axes = _canvas(title, note, height=1.4 + 0.3 * len(shown))
    at = np.arange(len(shown))
    axes.hlines(at, shown[models].min(axis=1), shown[models].max(axis=1), color=GRID, lw=3, zorder=0)
    if len(models) > _MOST_COLOURS:
        axes.plot(shown[models], at, "o", color=FAINT, ms=5, mec="white", mew=0.8)
        for row, name in enumerate(shown[models].idxmax(axis=1)):
            best = shown[models].iloc[row].max()
            axes.plot(best, row, "o", color=_COLOURS[0], ms=7, mec="white", mew=0.8)
            axes.annotate(name, (best, row), xytext=(8, 0), **_beside(), fontsize=8)
    else:
        for colour, model in zip(_COLOURS, models, strict=False):
            axes.plot(shown[model], at, "o", color=colour, label=model, ms=6, mec="white", mew=0.8)
    labels = [f"{name or 'unknown'} ({count:,})" for name, count in shown["prompts"].items()]
    axes.set(yticks=at, yticklabels=labels, xlabel="Mean quality")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return _with_legend(figure, axes) if len(models) <= _MOST_COLOURS else figure


def _canvas(title: str, note: str, width: float = 8.6, height: float = 4.6) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(width, height))
    axes.set_title(title, pad=12)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if note:
        axes.annotate(
            note, (0, 0), xycoords="axes fraction", xytext=(0, -46), textcoords="offset points", va="top", **_small()
        )
    return figure, axes


def _draw_systems(axes: Axes, curves: pd.DataFrame, x: str) -> None:
    names = list(dict.fromkeys(curves["system"]))
    colours = _colours(names)
    for name in names:
        part = curves[curves["system"] == name]
        if len(part) == 1:
            marker = dict(marker="D", ms=6.5, mec="white", mew=1, ls="")
            axes.vlines(part[x], part["quality_low"], part["quality_high"], color=colours[name], lw=1, zorder=4)
            axes.plot(part[x], part["quality"], color=colours[name], label=name, zorder=5, **marker)
            continue
        reference = name in _REFERENCES
        axes.plot(
            part[x],
            part["quality"],
            color=colours[name],
            lw=1.4 if reference else 2,
            ls="--" if reference else "-",
            label=name,
            zorder=3,
        )
        if not reference:
            axes.fill_between(
                part[x], part["quality_low"], part["quality_high"], color=colours[name], alpha=0.13, lw=0, zorder=2
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
            point["system"], (point[x], point["quality"]), xytext=(0, -11), **_beside(), ha="center", fontsize=7
        )


def _colours(names: Iterable[str]) -> dict[str, str]:
    fixed = _REFERENCES | _PLAIN
    free = iter(_COLOURS * 10)
    return {name: fixed[name] if name in fixed else next(free) for name in dict.fromkeys(names)}


def _ends(curves: pd.DataFrame) -> tuple[float, float]:
    """Quality with no and with only strong calls; every curve starts and ends there."""
    first = curves[curves["system"] == curves.loc[curves["operating_point"] == "0.00", "system"].iloc[0]]
    return first["quality"].iloc[0], first["quality"].iloc[-1]


def _with_legend(figure: Figure, axes: Axes) -> Figure:
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=9)
    return figure


def _log_ticks(axes: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of every decade."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _beside() -> dict:
    return {"textcoords": "offset points", "va": "center"}


def _small() -> dict:
    return {"fontsize": 8, "color": FAINT}
