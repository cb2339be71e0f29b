"""What all figures share: style, canvas, colours by name, files."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import PIL.Image
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

_CJK_FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei")
INK, FAINT, GRID = "#22262e", "#8a909c", "#e6e8ec"
REFERENCES = {"hindsight-oracle": "#9aa0ac", "bayes-optimal": "#5b6270"}
_PLAIN = {
    "random": "#b9a68f", "prompt-length": "#c8641b", "domain-mean": "#7a5bb5", "knn-lexical": "#1668a8",
    "length-rule": "#c2335b", "length-rule-shares": "#e2a3b5", "always-weak": "#3c4450", "always-strong": "#3c4450",
    "cheapest": "#3c4450", "best-single-model": "#3c4450",
}  # fmt: skip
MOST_COLOURS = 8  # single models that a legend can tell apart
COLOURS = ["#1b8a5a", "#d19a0d", "#0f8f9c", "#8c3d8c", "#5d7a1f", "#a0522d", "#2f7fd1", "#b5487f"]


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


def canvas(title: str, note: str, width: float = 8.6, height: float = 4.6) -> tuple[Figure, Axes]:
    """One pair of axes with a title and a note under it."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.set_title(title, pad=12)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    if note:
        axes.annotate(
            note, (0, 0), xycoords="axes fraction", xytext=(0, -46), textcoords="offset points", va="top", **small()
        )
    return figure, axes


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour per system: fixed for the common ones, else the next free."""
    fixed = REFERENCES | _PLAIN
    free = iter(COLOURS * 10)
    return {name: fixed[name] if name in fixed else next(free) for name in dict.fromkeys(names)}


def with_legend(figure: Figure, axes: Axes) -> Figure:
    """Put the legend beside the axes."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=9)
    return figure


def log_ticks(axes: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of every decade."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def beside() -> dict:
    """Where a label stands beside its point."""
    return {"textcoords": "offset points", "va": "center"}


def small() -> dict:
    """Type of notes."""
    return {"fontsize": 8, "color": FAINT}
