"""What changed from one run to another: paired differences on the prompts that both judged, never two samples.

Frames in, tidy frames out. A is the earlier run, B the later one, and every difference is B minus A.
"""

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import METRICS, measured
from toolkit.evaluation.systems import QUALITY_FIRST, RULE

HEADLINES = (RULE, QUALITY_FIRST, "0.50")  # a system's headline point is the first of these that both runs kept
COLUMNS = [
    *("dataset", "analysis", "system", "operating_point", "metric", "a", "b", "value", "ci_low", "ci_high", "unit"),
    *("n", "dropped", "test", "p", "p_holm"),
]
_PLACE, _POINT = ["dataset", "analysis"], ["system", "operating_point"]
_CHANGES = {"quality_change": ("quality", 1), "cost_change_usd_per_1k": ("cost_usd", 1000)}
_OF_THE_RUN = {"profile", "bootstraps", "folds", "analysis", "sees", "p_holm"}  # no part of what is measured
_KEPT = ("value", "ci_low", "ci_high", "n")


def paired(
    a: pd.DataFrame, b: pd.DataFrame, all_points: bool = False, bootstraps: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Differences of quality and cost, B minus A, of every system and operating point that both runs have.

    Prompts are paired by name; those that one run lacks are left out (``coverage`` counts them), and so are pairs in
    which a quality or a cost is not known. A prompt that a run judged more than once counts by its mean. What either
    run holds together as a group is resampled whole.

    Args:
        a, b: choices of two runs: prompt, group, dataset, analysis, system, operating_point, quality, cost_usd.
        all_points: every common operating point instead of each system's headline one (``HEADLINES``).
        bootstraps: replicates for every interval; one set of counts serves a data set and analysis.
        seed: of resampling and permutations.

    Returns:
        ``COLUMNS``, one row per system, point and metric (``quality_change``, ``cost_change_usd_per_1k``): ``a`` and
        ``b`` are the means over the ``n`` pairs, ``value`` their difference, ``dropped`` the common prompts without a
        figure on one side, ``p_holm`` adjusted over the whole frame. Systems whose figures neither run knows have no
        row; where no pair is left, figures are NaN.
    """
    found = [row for ours, theirs in _common(a, b, all_points) for row in _differences(ours, theirs, bootstraps, seed)]
    family = sum(row["n"] > 0 for row in found)
    rows = []
    for row in found:
        pairs = row.pop("pairs")
        p = _sign_flip(*pairs, family, seed) if row["n"] else np.nan
        rows.append(row | {"p": p, "test": "paired permutation"})
    frame = pd.DataFrame(rows, columns=COLUMNS)
    tested = frame["p"].notna()
    frame.loc[tested, "p_holm"] = statistics.holm(frame.loc[tested, "p"].to_numpy(float))
    return frame.astype({"p": float, "p_holm": float})


def _common(a: pd.DataFrame, b: pd.DataFrame, all_points: bool) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Rows of both runs, one data set and analysis at a time, of the systems and points that both have."""
    points = _points(a).merge(_points(b))
    if not all_points:
        rank = points["operating_point"].map({name: rank for rank, name in enumerate(HEADLINES)})
        ranked = points.assign(rank=rank).dropna(subset="rank").sort_values("rank", kind="stable")
        points = ranked.drop_duplicates([*_PLACE, "system"]).drop(columns="rank").sort_index()
    for place, kept in points.groupby(_PLACE, sort=False):
        yield tuple(_rows(run, place).merge(kept[_POINT], on=_POINT) for run in (a, b))


def _rows(run: pd.DataFrame, place: tuple[str, str]) -> pd.DataFrame:
    rows = run[(run["dataset"] == place[0]) & (run["analysis"] == place[1])]
    return rows.astype(dict.fromkeys(("prompt", "group", *_POINT), str))


def _points(run: pd.DataFrame) -> pd.DataFrame:
    return run[[*_PLACE, *_POINT]].drop_duplicates().astype(str).reset_index(drop=True)


def _differences(a: pd.DataFrame, b: pd.DataFrame, bootstraps: int, seed: int) -> list[dict]:
    """Rows of one data set and analysis, each with ``pairs`` (B's values, A's values, groups) for its test."""
    groups = _merged_groups(a, b)
    if groups.empty:
        return []
    codes, place = groups.to_numpy(), {name: a[name].iloc[0] for name in _PLACE}
    counts = statistics.bootstrap_counts(codes, bootstraps, seed)
    rows = []
    for metric, (column, scale) in _CHANGES.items():
        before, after = (_wide(run, column, groups.index) * scale for run in (a, b))
        order = list(dict.fromkeys(zip(a["system"], a["operating_point"], strict=True)))
        for point in order:
            first, second = before[point].to_numpy(), after[point].to_numpy()
            if np.isnan(first).all() and np.isnan(second).all():
                continue
            known = ~np.isnan(first) & ~np.isnan(second)
            first, second = first[known], second[known]
            with np.errstate(invalid="ignore"):  # a replicate may draw none of few pairs
                replicates = statistics.resampled_means(counts[:, known], second - first) if known.any() else [np.nan]
            means = {"a": first.mean(), "b": second.mean()} if known.any() else {"a": np.nan, "b": np.nan}
            row = measured(point[0], metric, np.asarray(replicates)) | place | {"operating_point": point[1]} | means
            counted = {"n": int(known.sum()), "dropped": int((~known).sum())}
            rows.append(row | counted | {"pairs": (second, first, codes[known])})
    return rows


def _merged_groups(a: pd.DataFrame, b: pd.DataFrame) -> pd.Series:
    """Codes 0..g-1 of the prompts that both judged, by prompt: together where either run holds them together."""
    ours, theirs = (run.drop_duplicates("prompt").set_index("prompt")["group"] for run in (a, b))
    both = ours.index.intersection(theirs.index, sort=False)
    if both.empty:
        return pd.Series(dtype=int)
    left, right = pd.factorize(ours[both])[0], pd.factorize(theirs[both])[0]
    size, shift = left.max() + right.max() + 2, left.max() + 1
    graph = coo_array((np.ones(len(both)), (left, right + shift)), shape=(size, size))
    component = connected_components(graph, directed=False)[1][left]
    return pd.Series(pd.factorize(component)[0], index=both)


def _wide(run: pd.DataFrame, column: str, prompts: pd.Index) -> pd.DataFrame:
    """Prompts as rows, (system, operating point) as columns, float64; NaN where a figure is not known."""
    values = run[column].astype(float).groupby([run["prompt"], run["system"], run["operating_point"]]).mean()
    return values.unstack(["system", "operating_point"]).reindex(prompts)


def _sign_flip(second: np.ndarray, first: np.ndarray, groups: np.ndarray, family: int, seed: int) -> float:
    """A permutation p value that a family of this size can still show to be small.

    The least p of 9,999 permutations is lost on a family of hundreds, and as many as that needs are slow. So 999 sort
    out what lies above .05 anyway, and the rest is tested anew; that only takes rejections away.
    """
    rough = statistics.paired_permutation(second, first, groups, 999, seed)
    if rough > 0.05:
        return rough
    return statistics.paired_permutation(second, first, groups, max(9_999, 200 * family - 1), seed + 1)


def coverage(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """How many prompts each run judged: dataset, analysis, a, b, both; one row for each pair that both runs have."""
    prompts = [{place: set(rows["prompt"]) for place, rows in run.groupby(_PLACE, observed=True)} for run in (a, b)]
    rows = [
        (*place, len(ours), len(prompts[1][place]), len(ours & prompts[1][place]))
        for place, ours in prompts[0].items()
        if place in prompts[1]
    ]
    return pd.DataFrame(rows, columns=[*_PLACE, "a", "b", "both"])


def one_sided(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Systems that one run alone judged: dataset, analysis, system, ``run`` (A or B)."""
    ours, theirs = (_points(run)[[*_PLACE, "system"]].drop_duplicates() for run in (a, b))
    merged = ours.merge(theirs, how="outer", indicator="run", sort=False)
    alone = merged[merged["run"] != "both"]
    return alone.assign(run=alone["run"].map({"left_only": "A", "right_only": "B"}).astype(str)).reset_index(drop=True)


def unpaired(a: pd.DataFrame, b: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Measurements of two runs beside each other, each with its own interval: no difference, no test.

    Args:
        a, b: unfolded measurements of two runs.
        metrics: the names that are asked for.

    Returns:
        notebook, dataset, analysis, split, system, metric, conditions (parameters of the figure that are none of the
        run), unit, and ``value``, ``ci_low``, ``ci_high``, ``n`` with ``_a`` and ``_b``; NaN where a run lacks it.
    """
    keys = ["notebook", *_PLACE, "split", "system", "metric", "conditions"]
    sides = []
    for run in (a, b):
        rows = run[run["metric"].isin(metrics)].copy()
        rows["analysis"] = rows["analysis"].astype(object).where(rows["analysis"].notna(), "")
        rows["split"] = [re.sub(r"^cv\d+$", "cv", split) for split in rows["split"]]
        rows["conditions"] = [_conditions(text) for text in rows["params"]]
        sides.append(rows.assign(nth=rows.groupby(keys).cumcount())[[*keys, "nth", *_KEPT]])
    merged = sides[0].merge(sides[1], on=[*keys, "nth"], how="outer", suffixes=("_a", "_b"))
    merged = merged.sort_values("metric", key=lambda names: names.map(list(metrics).index), kind="stable")
    return merged.assign(unit=[METRICS[name].unit for name in merged["metric"]]).drop(columns="nth")


def _conditions(params: str) -> str:
    given = json.loads(params)
    left_out = _OF_THE_RUN | ({"test"} if "p_holm" in given else set())  # else the data set that a router is tested on
    kept = {name: given[name] for name in sorted(given) if name not in left_out}
    texts = {name: ", ".join(map(str, one)) if isinstance(one, list) else one for name, one in kept.items()}
    return "; ".join(f"{name} {text}" for name, text in texts.items())
