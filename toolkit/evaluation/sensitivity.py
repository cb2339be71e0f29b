"""At which price does the winner change? Exact, from the choices alone: nothing is fitted again."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics


def price_sensitivity(
    choices: pd.DataFrame,
    model: str,
    value_usd: float,
    groups: np.ndarray | None = None,
    systems: Sequence[str] | None = None,
    bootstraps: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """The best system as one model's price is multiplied by r, for every r from 0 to infinity.

    A system at an operating point is worth ``value_usd`` x quality - cost; its cost is a line in r, so the winner is
    the upper envelope of lines, the same mechanism as the policy's. Systems keep their choices: what a router would do
    differently under other prices is another comparison (``Outcomes.reprice``).

    Args:
        choices: the ``choices`` frame of a comparison on cost, or the rows of one data set and analysis of a run's
            choices.parquet.
        model: whose price changes.
        value_usd: what an answer of quality 1 is worth.
        groups: codes of the judged prompts, (n,), ``Outcomes.groups``; taken from the table where it has them.
        systems: who takes part; everyone where None.
        bootstraps, seed: for the support.

    Returns:
        One row per winner, from the lowest price up: ``ratio_from``, ``ratio_to``, ``winner`` (system and operating
        point), ``quality``, ``cost_usd_per_1k`` at today's price, and ``support``, the share of bootstrap replicates in
        which the same system wins, at any of its points, at the middle of the range.

    Raises:
        ToolkitError: no such model or system, or a value that is not positive.
    """
    kept, groups = _prepared(choices, model, value_usd, groups, systems)
    names, owners, quality, cost, own = _matrices(kept, model)
    counts = statistics.bootstrap_counts(groups, bootstraps, seed)
    means = [statistics.resampled_means(counts, matrix) for matrix in (quality, cost, own)]
    worth, slope = value_usd * means[0] - (means[1] - means[2]), means[2]
    edges = np.unique(np.maximum(policy.breakpoints(worth[:1], slope[:1])[0], 0.0))
    edges = np.r_[0.0, edges[edges > 0], np.inf]
    found = []
    for low, high in pairwise(edges):
        middle = low + 1.0 if np.isinf(high) else (low + high) / 2
        winners = policy.choose(worth, slope, middle)
        best = int(winners[0])
        found.append(
            {
                "ratio_from": low,
                "ratio_to": high,
                "winner": names[best],
                "quality": means[0][0, best],
                "cost_usd_per_1k": 1000 * means[1][0, best],
                "support": float((owners[winners[1:]] == owners[best]).mean()),
            }
        )
    return pd.DataFrame(found)


def _prepared(
    choices: pd.DataFrame, model: str, value_usd: float, groups: np.ndarray | None, systems: Sequence[str] | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """The choices of the systems that take part, with ``row``, and the groups of the rows."""
    if not value_usd > 0:
        raise ToolkitError(f"value_usd > 0 was expected: what a right answer is worth; {value_usd!r} was given.")
    known = list(choices["model"].astype("category").cat.categories)
    if model not in known:
        raise ToolkitError(f"No model {model!r} in these choices; there are {', '.join(known)}.")
    present = list(choices["system"].unique())
    if unknown := [name for name in systems or () if name not in present]:
        raise ToolkitError(f"No system {unknown[0]!r} in these choices; there are {', '.join(present)}.")
    kept = choices if systems is None else choices[choices["system"].isin(systems)]
    if kept.empty or kept["cost_usd"].isna().any():
        raise ToolkitError("A sensitivity to prices needs at least one system, and the cost of every choice.")
    kept = kept if "row" in kept.columns else kept.assign(row=pd.factorize(kept["prompt"])[0])
    rows = int(kept["row"].max()) + 1
    if groups is None:
        named = kept.drop_duplicates("row").sort_values("row")
        groups = pd.factorize(named["group"])[0] if "group" in named.columns else np.arange(rows)
    if len(groups) != rows:
        raise ToolkitError(f"groups of the {rows} judged prompts were expected; {len(groups)} codes were given.")
    return kept, groups


def _matrices(choices: pd.DataFrame, model: str) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """S systems at their points: names, codes of systems (S,); quality, cost, cost of the model's calls (S, n) each."""
    names, systems, parts = [], [], []
    for (system, point), part in choices.groupby(["system", "operating_point"], observed=True, sort=False):
        part = part.sort_values("row")
        names.append(f"{system} at {point}" if str(point)[0].isdigit() else str(system))
        systems.append(str(system))
        paid = part["cost_usd"].to_numpy(float)
        parts.append((part["quality"].to_numpy(float), paid, np.where(part["model"] == model, paid, 0.0)))
    quality, cost, own = (np.stack(matrix) for matrix in zip(*parts, strict=True))
    return names, pd.factorize(np.array(systems))[0], quality, cost, own
