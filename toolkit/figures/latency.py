"""Figures of latency: who decides how fast, where the time goes, and how it grows with the prompt."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from toolkit.figures.style import COLOURS, FAINT, INK, beside, canvas, colours, log_ticks, small, with_legend

_PATHS = {"fast": "#1b8a5a", "plain": "#c8641b"}
_CLAIM = "#7a5bb5"


def latencies(
    rows: pd.DataFrame, title: str, note: str = "", claims: Mapping[str, tuple[float, float]] | None = None
) -> Figure:
    """Median time of each system on a log scale, with its 95% interval.

    Args:
        rows: system, path (fast or plain), value, ci_low, ci_high (ms).
        claims: what is claimed, not measured: label -> range in ms, drawn dashed.
    """
    rows = rows.sort_values("value", ascending=False).reset_index(drop=True)
    claims = dict(claims or {})
    figure, axes = canvas(title, note, width=9.2, height=1.4 + 0.3 * (len(rows) + len(claims)))
    for at, row in rows.iterrows():
        colour = _PATHS[row["path"]]
        axes.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=3, solid_capstyle="round")
        axes.plot(row["value"], at, "o", color=colour, ms=7, mec="white", mew=1)
        label = f"{row['value']:,.0f}" if row["value"] >= 100 else f"{row['value']:.3g}"
        axes.annotate(label, (row["ci_high"], at), xytext=(8, 0), **beside(), fontsize=8)
    for at, (low, high) in enumerate(claims.values(), start=len(rows)):
        axes.plot([low, high], [at, at], color=_CLAIM, lw=1.6, ls=(0, (3, 2)), marker="|", ms=8)
        words = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        axes.annotate(words, (high, at), xytext=(8, 0), **beside(), fontsize=8, color=_CLAIM)
    axes.set(xscale="log", xlabel="Milliseconds from text to decision, batch 1, log scale", ylim=(-0.7, None))
    axes.set_yticks(range(len(rows) + len(claims)), [*rows["system"], *claims])
    _room(axes, 1.9)
    low, high = axes.get_xlim()
    if high < 1000 * low:
        log_ticks(axes)
    else:  # three ticks a decade would run into each other
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    for path, words in (("fast", "fast path"), ("plain", "plain transformers")):
        if (rows["path"] == path).any():
            axes.plot([], [], "o", color=_PATHS[path], label=words)
    if claims:
        axes.plot([], [], color=_CLAIM, lw=1.6, ls=(0, (3, 2)), label="claimed, not measured")
    return with_legend(figure, axes)


def latency_by_length(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Median time against the prompt's length with 95% intervals, both axes log; solid the fast path, dashed plain.

    Args:
        rows: network, path (fast or plain), tokens, value, ci_low, ci_high.
    """
    figure, axes = canvas(title, note)
    shade = colours(rows["network"])
    for (network, path), part in rows.sort_values("tokens").groupby(["network", "path"], sort=False):
        style = {"color": shade[network], "ls": "-" if path == "fast" else (0, (4, 2)), "label": f"{network}, {path}"}
        axes.plot(part["tokens"], part["value"], marker="o", ms=5, mec="white", mew=0.8, **style)
        axes.fill_between(part["tokens"], part["ci_low"], part["ci_high"], color=shade[network], alpha=0.15, lw=0)
    axes.set(xscale="log", yscale="log", xlabel="Tokens of the prompt, log scale", ylabel="Milliseconds, log scale")
    axes.xaxis.set_major_locator(FixedLocator(sorted(rows["tokens"].unique())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return with_legend(figure, axes)


def stage_times(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Where the time of a decision goes: one bar a system, its stages one after the other.

    Args:
        rows: system, stage, value (ms), stages in their order.
    """
    systems, stages = list(dict.fromkeys(rows["system"])), list(dict.fromkeys(rows["stage"]))
    table = rows.pivot(index="system", columns="stage", values="value").loc[systems[::-1], stages]
    figure, axes = canvas(title, note, height=1.5 + 0.42 * len(table))
    left = pd.Series(0.0, index=table.index)
    for stage, colour in zip(stages, COLOURS, strict=False):
        axes.barh(
            table.index, table[stage], left=left, color=colour, height=0.55, label=stage, edgecolor="white", lw=0.6
        )
        left += table[stage]
    for at, total in enumerate(left):
        axes.annotate(f"{total:.2f} ms", (total, at), xytext=(6, 0), **beside(), fontsize=8, color=INK)
    axes.set(xlabel="Milliseconds, medians of each stage", xlim=(0, 1.18 * left.max()))
    axes.grid(axis="x")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    if len(table) == 1:
        axes.set_ylim(-0.8, 0.8)
    axes.annotate("one prompt at a time", (1, 0), xycoords="axes fraction", xytext=(-2, 5), textcoords="offset points",
                  ha="right", **small())  # fmt: skip
    axes.spines["left"].set_color(FAINT)
    return with_legend(figure, axes)


def _room(axes: Axes, factor: float) -> None:
    """Space on the right of a log axis for labels."""
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * factor)
