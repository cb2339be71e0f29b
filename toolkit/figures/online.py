"""Figures of learning online: regret, fronts, recovery, accuracy told three ways, estimates from logs."""

from itertools import pairwise

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from toolkit.evaluation.metrics import METRICS
from toolkit.figures.style import COLOURS, FAINT, INK, beside, canvas, small, with_legend

_CLAIM = "#c2335b"


def regret_curves(rows: pd.DataFrame, title: str, note: str = "", most: int = len(COLOURS)) -> Figure:
    """Cumulative regret along the rounds with 95% intervals over seeds; names at the ends of the lines.

    Args:
        rows: system, round, value, ci_low, ci_high.
        most: lines drawn, those of the least regret.
    """
    figure, axes = canvas(title, note, height=5.2)
    last = rows[rows["round"] == rows["round"].max()].set_index("system")["value"].sort_values()
    kept, top = list(last.index[:most]), float(last.iloc[:most].max())
    spots = _apart([float(last[name]) for name in kept], 0.045 * top)
    for name, colour, spot in zip(kept, COLOURS, spots, strict=False):
        part = rows[rows["system"] == name]
        axes.plot(part["round"], part["value"], color=colour, lw=1.8)
        axes.fill_between(part["round"], part["ci_low"], part["ci_high"], color=colour, alpha=0.12, lw=0)
        axes.annotate(name, (part["round"].iloc[-1], spot), xytext=(6, 0), color=colour, fontsize=8.5, **beside())
    axes.set(xlabel="Requests", ylabel="Utility given away, total", xlim=(0, None), ylim=(0, 1.05 * top))
    return figure


def online_front(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Quality against dollars of 1,000 calls, a point for each weight of the policy.

    Args:
        rows: system, weight, quality, cost_usd_per_1k.
    """
    figure, axes = canvas(title, note)
    for (name, part), colour in zip(rows.groupby("system", sort=False), COLOURS * 3, strict=False):
        part = part.sort_values("cost_usd_per_1k")
        axes.plot(part["cost_usd_per_1k"], part["quality"], "o-", color=colour, ms=5, mec="white", mew=0.8, label=name)
    axes.set(xlabel="USD per 1,000 requests", ylabel="Mean quality", xlim=(0, None))
    return with_legend(figure, axes)


def recovery(rows: pd.DataFrame, change_at: int, title: str, note: str = "") -> Figure:
    """Utility as a share of the best policy's along the rounds, a line for each change and learner.

    Args:
        rows: system, change, round, value.
        change_at: round of the change.
    """
    figure, axes = canvas(title, note)
    styles = ("-", (0, (3, 1.5)), ":")
    for (change, part), colour in zip(rows.groupby("change", sort=False), COLOURS, strict=False):
        for (name, line), style in zip(part.groupby("system", sort=False), styles, strict=False):
            axes.plot(line["round"], line["value"], color=colour, ls=style, lw=1.7, label=f"{change}\n({name})")
    axes.axvline(change_at, color=FAINT, lw=1)
    axes.annotate("the world changes", (change_at, 1), xycoords=("data", "axes fraction"), xytext=(4, -8),
                  textcoords="offset points", **small())  # fmt: skip
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel="Requests", ylabel="Utility over the best policy's", xlim=(0, None), ylim=(None, 1.0))
    return with_legend(figure, axes)


def three_accuracies(rows: pd.DataFrame, claim: float, title: str, note: str = "") -> Figure:
    """The same choices by three measures that are all called accuracy; a claim as a dashed line.

    Args:
        rows: system, metric, value, ci_low, ci_high; metrics ``class_accuracy``, ``best_model_hits``,
            ``quality_retained``.
        claim: of a vendor, of which of them it does not say.
    """
    metrics = ("class_accuracy", "best_model_hits", "quality_retained")
    order = rows[rows["metric"] == metrics[-1]].sort_values("value")["system"].tolist()
    figure, axes = canvas(title, note, height=1.8 + 0.34 * len(order))
    for shift, metric, colour in zip((0.24, 0.0, -0.24), metrics, COLOURS[:3], strict=True):
        part = rows[rows["metric"] == metric].set_index("system").loc[order]
        places = [place + shift for place in range(len(order))]
        error = [part["value"] - part["ci_low"], part["ci_high"] - part["value"]]
        axes.errorbar(
            part["value"], places, xerr=error, fmt="o", ms=4.5, color=colour, lw=1.2, label=METRICS[metric].label
        )
    axes.axvline(claim, color=_CLAIM, lw=1.2, ls=(0, (4, 2)))
    axes.annotate(f"{claim:.0%}: claimed, not measured", (claim, 1), xycoords=("data", "axes fraction"), xytext=(-4, 4),
                  textcoords="offset points", ha="right", **(small() | {"color": _CLAIM}))  # fmt: skip
    axes.set_yticks(range(len(order)), order)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set(xlabel="Share, last third of the rounds")
    return with_legend(figure, axes)


def policy_values(rows: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Estimates of policies from a log with 95% intervals, and the truth where it is known.

    Args:
        rows: policy, estimator, value, ci_low, ci_high, truth (NaN where unknown).
    """
    policies, estimators = list(dict.fromkeys(rows["policy"])), list(dict.fromkeys(rows["estimator"]))
    figure, axes = canvas(title, note, height=1.6 + 0.55 * len(policies))
    for number, (name, colour) in enumerate(zip(estimators, COLOURS, strict=False)):
        part = rows[rows["estimator"] == name].set_index("policy").loc[policies[::-1]]
        places = [place + 0.3 - 0.6 * number / max(1, len(estimators) - 1) for place in range(len(policies))]
        error = [part["value"] - part["ci_low"], part["ci_high"] - part["value"]]
        axes.errorbar(part["value"], places, xerr=error, fmt="o", ms=4.5, color=colour, lw=1.3, label=name)
    truth = rows.drop_duplicates("policy").set_index("policy").loc[policies[::-1], "truth"]
    for place, value in enumerate(truth):
        axes.plot([value, value], [place - 0.42, place + 0.42], color=INK, lw=1.6, label="truth" if not place else None)
    axes.set_yticks(range(len(policies)), policies[::-1])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    axes.set(xlabel="Mean quality of an answer")
    return with_legend(figure, axes)


def _apart(values: list[float], least: float) -> list[float]:
    """The same heights in their order, none nearer to the one below than ``least``."""
    order = sorted(range(len(values)), key=values.__getitem__)
    placed = list(values)
    for before, after in pairwise(order):
        placed[after] = max(placed[after], placed[before] + least)
    return placed
