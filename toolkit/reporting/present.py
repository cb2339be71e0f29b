"""Frames for human eyes: wide tables with intervals, one-line conclusions. Pure functions from tidy rows."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache

import pandas as pd

from toolkit import paths
from toolkit.evaluation.metrics import METRICS
from toolkit.outcomes import Outcomes

PAIR_METRICS = ("apgr", "apgr_gain", "cpt50", "cpt80", "quality_at_half", "apgr_without_suspect")
ARENA_METRICS = ("arena_score", "opt_sel", "opt_cost", "opt_acc", "robustness")
FRONT_METRICS = (
    "aiq_over_zero",
    "aiq",
    "gain_over_random",
    "gain_over_best_single",
    "gap_to_oracle",
    "perf_gain",
    "pareto_distance",
)
CACHE_METRICS = ("threshold", "hits_per_request", "wrong_per_hit", "wrong_per_request", "recall_per_answerable")
ONLINE_METRICS = ("regret_per_round", "utility", "utility_late", "quality_online", "cost_usd_per_1k")
LATENCY_METRICS = ("p50_ms", "speedup", "usd_per_million")
ACCEPTANCE_METRICS = ("acceptance_accuracy", "simple_to_weak", "complex_to_strong", "acceptance_auroc")
RULE_METRICS = ("quality", "share_strong")
_THRESHOLDS = ("cpt50", "cpt80", "cost_at_equal_quality")
COST_METRICS = (
    "quality",
    "quality_gain",
    "cost_usd_per_1k",
    "cost_at_equal_quality",
    "gap_closed",
    "gain_over_share_matched",
)


def figure_texts(values: Sequence[float], unit: str = "") -> list[str]:
    """Numbers of one cell, with the decimals that the first needs for three significant figures; shares as percent."""
    percent = unit.startswith("share")
    scaled = [100 * value if percent else value for value in values]
    size = abs(scaled[0])
    decimals = 3 if size < 1 else max(0, 2 - math.floor(math.log10(size)))
    if 0 < size < 0.1:
        decimals = min(6, 1 - math.floor(math.log10(size)))
    if percent:
        decimals = 1
    if 0 < size < 1e-4 or size >= 1e7:
        return [f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in scaled]
    texts = [f"{value:,.{decimals}f}" + ("%" if percent and k == 0 else "") for k, value in enumerate(scaled)]
    return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


def interval(value: float, low: float, high: float, unit: str = "") -> str:
    """``value [low, high]``, the value alone where nothing was left to chance, a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(low) or low == high:
        return figure_texts([value], unit)[0]
    texts = figure_texts([value, low, high], unit)
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def estimate(row: pd.Series) -> str:
    """``value [low, high]``; a gain carries its sign, and a star where its adjusted p value is below .05."""
    if not math.isfinite(row["value"]):
        return "never reached" if row["metric"] in _THRESHOLDS else "–"
    gain = row["metric"].endswith(("_gain", "_over_zero")) or row["metric"].startswith("gain_")
    text = interval(row["value"], row["ci_low"], row["ci_high"], row["unit"])
    return ("+" if gain and row["value"] > 0 else "") + text + (" *" if row.get("p_holm", math.nan) < 0.05 else "")


def wide(measurements: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Systems as rows, metrics as columns, every cell an estimate with its interval.

    Args:
        measurements: tidy rows of one data set and analysis.
        metrics: columns, left to right, rows sorted by the first; a system with none of them is left out.
    """
    rows = measurements[measurements["metric"].isin(metrics)]
    if rows.empty:
        return pd.DataFrame()
    metrics = tuple(name for name in metrics if name in set(rows["metric"]))
    cells = rows.assign(cell=rows.apply(estimate, axis=1))
    table = cells.pivot(index="system", columns="metric", values="cell").reindex(columns=list(metrics)).fillna("–")
    key = rows[rows["metric"] == metrics[0]].set_index("system")["value"]
    order = key.sort_values(ascending=not METRICS[metrics[0]].higher_is_better).index
    order = [*order, *(name for name in table.index if name not in order)]
    table = table.loc[order].rename(columns={name: METRICS[name].label for name in metrics})
    if "sees" in rows.columns and rows["sees"].notna().any():
        sees = rows.drop_duplicates("system").set_index("system")["sees"].fillna("")
        table.insert(0, "sees", sees.loc[order])
    return table.rename_axis(index=None, columns=None)


def as_markdown(table: pd.DataFrame) -> str:
    """Columns and rows as a Markdown table, its index left out."""
    clean = lambda cell: str(cell).replace("|", "\\|").replace("\n", " ")  # noqa: E731
    rows = [table.columns, ["---"] * table.shape[1], *table.to_numpy(object)]
    return "\n".join(f"| {' | '.join(map(clean, row))} |" for row in rows)


def with_notes(rows: pd.DataFrame, table: pd.DataFrame, heading: str) -> pd.DataFrame:
    """A ``wide`` table of the rows with the notes of its systems in a last column."""
    return table.assign(**{heading: rows.drop_duplicates("system").set_index("system")["note"]})


def masked(texts: pd.DataFrame, width: int = 46) -> pd.DataFrame:
    """The same table, words of ``data/masked_words.txt`` hidden but for their first letter, texts cut to a width."""
    return texts.map(lambda cell: _cut(_offensive().sub(_hidden, cell), width) if isinstance(cell, str) else cell)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


@cache
def _offensive() -> re.Pattern:
    lines = (paths.data_dir() / "masked_words.txt").read_text(encoding="utf-8").splitlines()
    stems = [line for line in lines if line and not line.startswith("#")]
    ending = r"(?:e?s|e?d|e?rs?|ing|y)?\b"
    words = [rf"\b{stem[:-1]}\w*" if stem.endswith("*") else rf"\b{stem}{ending}" for stem in stems if stem.isascii()]
    return re.compile("|".join([*words, *(stem for stem in stems if not stem.isascii())]), re.IGNORECASE)


def _hidden(word: re.Match) -> str:
    return word[0][0] + "*" * (len(word[0]) - 1)


def side_by_side(measurements: pd.DataFrame, column: str, metrics: tuple[str, ...], nothing: str) -> pd.DataFrame | str:
    """A ``wide`` table for each value of a column, beside each other; ``nothing`` where nothing was measured."""
    if measurements.empty:
        return nothing
    tables = [
        wide(part, metrics).rename(columns=lambda label, value=value: f"{label}, {column} {value}")
        for value, part in measurements.groupby(column)
    ]
    return pd.concat(tables, axis=1)


def stacked(measurements: Mapping[str, pd.DataFrame], metrics: tuple[str, ...]) -> pd.DataFrame:
    """The ``wide`` tables of several sets under each other, the set as the first level of the index."""
    return pd.concat({name: wide(rows, metrics) for name, rows in measurements.items()}).fillna("–")


def leading(measurements: pd.DataFrame, count: int = 5) -> list[str]:
    """Names of so many systems with the best quality among those that read text only, and of the bounds above them."""
    rows = measurements[measurements["metric"] == "quality"].sort_values("value", ascending=False)
    text_only = rows["sees"].isin(["text", "nothing"])
    return [
        *rows["system"][text_only][:count],
        *rows["system"][~text_only & rows["system"].str.contains("oracle|bayes")],
    ]


def conclusion(measurements: pd.DataFrame, metric: str, gain: str, what: str) -> str:
    """One sentence: the best router that sees text only, and whether it beats the best trivial baseline."""
    if measurements.empty:
        return ""
    text_only = measurements[measurements["sees"].isin(["text", "nothing"])]
    values = text_only[text_only["metric"] == metric].set_index("system")
    gains = text_only[(text_only["metric"] == gain) & text_only["p_holm"].notna()].set_index("system")
    if gains.empty:
        return ""
    row = gains.loc[gains["value"].idxmax()]
    opponent, p = row["opponent"], row["p_holm"]
    if row["value"] <= 0:
        return (
            f"No router that reads text only is better than {opponent}, the best trivial baseline: "
            f"{what} {estimate(values.loc[opponent])}."
        )
    head = f"Best router that reads text only: {row.name}, {what} {estimate(values.loc[row.name])}"
    verdict = "a gain that holds" if p < 0.05 and row["ci_low"] > 0 else "a difference that could be chance"
    gained = estimate(row).removesuffix(" *")
    return f"{head}; against {opponent}, the best trivial baseline, {gained} (Holm p = {p:.2g}): {verdict}."


def saving(measurements: pd.DataFrame) -> str:
    """One sentence: the cheapest way to the best single model's quality among routers that read text only."""
    if measurements.empty:
        return ""
    rows = measurements[(measurements["metric"] == "cost_at_equal_quality") & measurements["value"].notna()]
    text_only = rows[rows["sees"] == "text"].set_index("system")["value"]
    if text_only.empty:
        return ""
    name = text_only.idxmin()
    random = rows.loc[rows["system"] == "random", "value"]
    beside = f" (random: {random.iloc[0]:.0%})" if len(random) else ""
    return f"In hindsight {name} equals the best single model at {text_only[name]:.0%} of its cost{beside}."


def caption(outcomes: Outcomes, split: str = "", cost: bool = False, intervals: bool = True) -> str:
    """What must stand under a figure: the data, synthetic or not, who was judged, where the costs come from."""
    parts = [f"{outcomes.name}, {len(outcomes):,} prompts"]
    if outcomes.synthetic:
        parts.append("SYNTHETIC outcomes")
    if split:
        known = {"test": "upstream test part", "holdout": "held out, never fitted on"}
        parts.append(known.get(split) or f"cross-fitted over {split.removeprefix('cv')} folds")
    if cost:
        parts.append(f"costs {outcomes.cost_source}")
    if intervals:
        parts.append("bands and bars: 95% bootstrap over prompts")
    return " · ".join(parts)


def glossary(names: list[str]) -> list[tuple[str, str, str]]:
    """(label, unit, definition) of the metrics that a report shows."""
    return [
        (METRICS[name].label, METRICS[name].unit, METRICS[name].definition) for name in METRICS if name in set(names)
    ]
