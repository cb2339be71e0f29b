"""Figures of a semantic cache: what hits cost in wrong answers, what a promise is worth, growth, staleness."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator, PercentFormatter

from toolkit.figures.style import COLOURS, FAINT, INK, beside, canvas, colours, small, with_legend

_LIMIT = "#c2335b"
_RULES = {"guaranteed": "#1b8a5a", "at delta": "#c8641b"}
_RULE_WORDS = {"guaranteed": "guaranteed", "at delta": "calibration itself\nat delta"}


def risk_coverage(
    rows: pd.DataFrame, delta: float, title: str, note: str = "", marked: Mapping[str, float] | None = None
) -> Figure:
    """Wrong hits among hits against hits among requests, one line a score, the threshold running along it.

    Args:
        rows: system, threshold, metric (``hits_per_request`` and ``wrong_per_hit``), value, ci_low, ci_high.
        delta: the promised share, dashed.
        marked: system -> threshold that was chosen for it, drawn as a point.
    """
    figure, axes = canvas(title, note)
    shade, top = colours(rows["system"]), max(0.2, 4 * delta)
    for system, part in rows.groupby("system", sort=False):
        wide = part.pivot(index="threshold", columns="metric", values=["value", "ci_low", "ci_high"])
        line = pd.DataFrame({
            "hits": wide["value", "hits_per_request"], "wrong": wide["value", "wrong_per_hit"],
            "low": wide["ci_low", "wrong_per_hit"], "high": wide["ci_high", "wrong_per_hit"],
        }).dropna().sort_values("hits")  # fmt: skip
        beyond = "" if (line["wrong"] < top).any() else " (above the axis)"
        axes.plot(line["hits"], line["wrong"], color=shade[system], lw=1.8, label=system + beyond)
        axes.fill_between(line["hits"], line["low"], line["high"], color=shade[system], alpha=0.12, lw=0)
        if marked and system in marked and marked[system] in line.index:
            at = line.loc[marked[system]]
            axes.plot(at["hits"], at["wrong"], "o", color=shade[system], ms=9, mec="white", mew=1.2)
            axes.annotate(f"{marked[system]:g}", (at["hits"], at["wrong"]), xytext=(-4, 9), ha="right",
                          textcoords="offset points", fontsize=8, color=INK)  # fmt: skip
    _limit(axes, delta)
    _percent(axes.xaxis, axes.yaxis)
    axes.set(xlabel="Hits among requests", ylabel="Wrong hits among hits", xlim=(0, None), ylim=(0, top))
    return with_legend(figure, axes)


def promises(runs: pd.DataFrame, delta: float, title: str, note: str = "") -> Figure:
    """The share of wrong hits on test traffic of every calibration, one dot each, for each rule.

    Args:
        runs: rule (``guaranteed``, ``at delta``), wrong_per_hit; of ``caching_study.calibrations``.
    """
    figure, axes = canvas(title, note, height=3.4)
    rules = list(dict.fromkeys(runs["rule"]))
    jitter = np.random.default_rng(0)
    for at, rule in enumerate(reversed(rules)):
        wrong = runs.loc[runs["rule"] == rule, "wrong_per_hit"].to_numpy()
        broken = wrong > delta
        height = at + jitter.uniform(-0.24, 0.24, len(wrong))
        for chosen, face in ((broken, _LIMIT), (~broken, _RULES[rule])):
            axes.plot(wrong[chosen], height[chosen], "o", color=face, ms=5, alpha=0.75, mec="white", mew=0.5)
        axes.annotate(f"{broken.sum()} of {len(wrong)} above", (1, at), xycoords=("axes fraction", "data"),
                      xytext=(8, 0), **beside(), fontsize=9)  # fmt: skip
    axes.axvline(delta, color=_LIMIT, lw=1.2, ls=(0, (4, 2)))
    axes.annotate(f"promised: {delta:.0%}", (delta, 1), xycoords=("data", "axes fraction"), xytext=(4, -10),
                  textcoords="offset points", fontsize=8, color=_LIMIT)  # fmt: skip
    axes.set(xlabel="Wrong hits among hits, on test traffic", ylim=(-0.6, len(rules) - 0.4))
    axes.set_yticks(range(len(rules)), [_RULE_WORDS[rule] for rule in reversed(rules)])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    _percent(axes.xaxis)
    return figure


def wrong_by_entries(rows: pd.DataFrame, delta: float, title: str, note: str = "") -> Figure:
    """Wrong hits among hits while a cache grows, one line a threshold, with 95% intervals.

    Args:
        rows: system, entries, value, ci_low, ci_high.
    """
    figure, axes = canvas(title, note)
    for (system, part), colour in zip(rows.groupby("system", sort=False), COLOURS, strict=False):
        part = part.sort_values("entries")
        axes.plot(part["entries"], part["value"], "o-", color=colour, ms=5, mec="white", mew=0.8, label=system)
        axes.fill_between(part["entries"], part["ci_low"], part["ci_high"], color=colour, alpha=0.12, lw=0)
    _limit(axes, delta, left=True)
    axes.set(xscale="log", xlabel="Entries, log scale", ylabel="Wrong hits among hits", ylim=(0, None))
    _plain(axes, rows["entries"])
    _percent(axes.yaxis)
    return with_legend(figure, axes)


def staleness(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """What a lifetime of entries costs in hits and saves in stale answers.

    Args:
        rows: ttl_s, metric (``hits_per_request``, ``stale_per_hit``), value; of ``streams.staleness``.
    """
    figure, axes = canvas(title, note)
    for metric, words, colour in (
        ("hits_per_request", "hits among requests", "#1668a8"),
        ("stale_per_hit", "stale among hits", _LIMIT),
    ):
        part = rows[rows["metric"] == metric]
        axes.plot(part["ttl_s"] / 3600, part["value"], "o-", color=colour, ms=5, mec="white", mew=0.8, label=words)
    axes.set(xscale="log", xlabel="Lifetime of an entry in hours, log scale", ylabel="Share", ylim=(0, None))
    _plain(axes, rows["ttl_s"] / 3600)
    _percent(axes.yaxis)
    return with_legend(figure, axes)


def _limit(axes: Axes, delta: float, left: bool = False) -> None:
    axes.axhline(delta, color=_LIMIT, lw=1.2, ls=(0, (4, 2)))
    axes.annotate(f"promised: {delta:.0%}", (0 if left else 1, delta), xycoords=("axes fraction", "data"),
                  xytext=(4 if left else -2, 4), textcoords="offset points", ha="left" if left else "right",
                  **(small() | {"color": _LIMIT}))  # fmt: skip


def _percent(*axis: object) -> None:
    for one in axis:
        one.set_major_formatter(PercentFormatter(1))  # with the decimals that the ticks have


def _plain(axes: Axes, values: pd.Series) -> None:
    """Ticks at the values themselves."""
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(values))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.spines["bottom"].set_color(FAINT)
