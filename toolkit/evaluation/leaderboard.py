"""Routers side by side: tidy measurements, curves and choices from one set of predictions.

Two views of one policy. ``compare_pair`` charges 0 for the weak and 1 for the strong model, so the x axis is the share
of strong calls and the measures are RouteLLM's. ``compare_on_cost`` charges expected dollars and judges by actual ones,
for any number of models. All systems share one set of bootstrap counts, so every difference is paired.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import benchmarks, curves, statistics
from toolkit.evaluation.metrics import DETAILS, measured
from toolkit.evaluation.protocol import Predictions, cross_predict, no_gap
from toolkit.evaluation.systems import (
    DECILES,
    POINTS,
    System,
    at_share,
    best_trivial,
    choice_frame,
    curve_frame,
    gains,
    operate,
)
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router


@dataclass(frozen=True)
class Comparison:
    """Three tidy frames.

    Attributes:
        measurements: system, metric, value, ci_low, ci_high, unit, n, note and ``metrics.DETAILS``.
        curves: system, operating_point, weight, share_strong, expected_cost_usd, cost_usd, quality and intervals.
        choices: row, system, operating_point, model, quality, tokens, cost_usd; ``row`` counts the judged prompts.
        opponent: name of the best trivial baseline; "" where no router is one.
    """

    measurements: pd.DataFrame
    curves: pd.DataFrame
    choices: pd.DataFrame
    opponent: str


def compare_pair(predictions: Predictions, bootstraps: int = 1000, seed: int = 0) -> Comparison:
    """RouteLLM's view of two models, weak first (see ``Outcomes.pair``).

    Args:
        predictions: of routers fitted on the pair.
        bootstraps: replicates for every interval.
        seed: of the resampling.

    Returns:
        ``apgr``, ``apgr_mean_of_ten``, ``cpt50``, ``cpt80``, ``quality_at_half`` and gains of routers with scores;
        ``quality`` and ``share_strong`` of rules.

    Raises:
        ToolkitError: not two models, or the second is no better than the first.
    """
    outcomes = predictions.outcomes
    if len(outcomes.names) != 2:
        raise ToolkitError(f"{outcomes.name}: a pair has two models; {len(outcomes.names)} were given (Outcomes.pair).")
    counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
    systems = operate(predictions, np.array([0.0, 1.0]), counts)
    weak, strong = statistics.resampled_means(counts, outcomes.quality.T).T
    if not weak[0] < strong[0]:
        raise ToolkitError(no_gap(outcomes))
    rows, areas, realised = [], {}, {}
    for name, system in systems.items():
        if not system.is_curve:
            rows.append(measured(name, "quality", system.quality[:, 0]))
            rows.append(measured(name, "share_strong", system.charge[:, 0]))
            continue
        share, quality = system.charge[:, DECILES], system.quality[:, DECILES]
        areas[name] = curves.apgr(share, quality, weak, strong)
        realised[name] = at_share(system, outcomes, 0.5)
        rows.append(measured(name, "apgr", areas[name]))
        rows.append(measured(name, "apgr_mean_of_ten", curves.apgr_mean_of_ten(share, quality, weak, strong)))
        for level in (0.5, 0.8):
            rows.append(measured(name, f"cpt{level * 100:.0f}", curves.cpt(share, quality, weak, strong, level)))
    half = {name: statistics.resampled_means(counts, values) for name, values in realised.items()}
    rows += [measured(name, "quality_at_half", values) for name, values in half.items()]
    opponent = best_trivial(systems, areas, chance=0.5)
    if opponent:
        rows += gains("apgr_gain", areas, systems, opponent)
        rows += gains("quality_at_half_gain", half, systems, opponent, realised, outcomes.groups, seed)
    notes = []
    if (strong <= weak)[1:].any():
        notes.append("the gap between the two models may be zero, so intervals are wide or cannot be given")
    cost = outcomes.cost_usd.mean(axis=0)
    if cost[1] <= cost[0]:
        notes.append("the strong model is no dearer than the weak one, so there is nothing to save")
    return _comparison(predictions, systems, rows, opponent, "share_strong", "; ".join(notes))


def compare_on_cost(predictions: Predictions, bootstraps: int = 1000, seed: int = 0) -> Comparison:
    """Quality against dollars for any number of models.

    Every router is read at weight 0 ("quality-first": the best predicted model, the cheaper of equals) and along its
    whole curve; rules are read at their one point.

    Args:
        predictions: made with ``cross_predict(..., costs=True)``.
        bootstraps: replicates for every interval.
        seed: of the resampling.

    Returns:
        ``quality``, ``cost_usd_per_1k``, ``gap_closed``, ``gain_over_share_matched`` and gains of every router;
        ``cost_at_equal_quality`` of routers with scores; and the measures of ``benchmarks.rows``.

    Raises:
        ToolkitError: expected costs are missing, or a judged prompt lacks a model's cost.
    """
    outcomes = predictions.outcomes
    if predictions.expected_cost is None or not outcomes.complete(costs=True).all():
        raise ToolkitError(
            f"{outcomes.name}: a comparison on cost needs every model's cost on every judged prompt (cost_source is "
            f"{outcomes.cost_source!r}); make the predictions with cross_predict(..., costs=True)."
        )
    counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
    systems = operate(predictions, predictions.expected_cost, counts, quality_first=True)
    models = statistics.resampled_means(counts, outcomes.quality.T)
    best = int(models[0].argmax())
    best_cost = float(outcomes.cost_usd[:, best].mean())
    oracle = statistics.resampled_means(counts, outcomes.quality.max(axis=1))
    rows, headline, realised = [], {}, {}
    for name, system in systems.items():
        choices = system.choices[system.headline]
        headline[name] = system.quality[:, system.headline]
        realised[name] = outcomes.realised(outcomes.quality, choices)
        shares = statistics.resampled_means(counts, np.stack([choices == j for j in range(len(outcomes.names))]))
        rows += [
            measured(name, "quality", headline[name]),
            measured(name, "cost_usd_per_1k", 1000 * system.cost[:, system.headline]),
            measured(name, "gap_closed", curves.gap_closed(headline[name], models[:, best], oracle)),
            measured(name, "gain_over_share_matched", headline[name] - (models * shares).sum(axis=1)),
        ]
        if system.is_curve and best_cost > 0:
            cost, quality = system.cost[:1, :POINTS], system.quality[:1, :POINTS]
            cheapest = curves.cost_at_quality(cost, quality, models[:1, best])
            rows.append(measured(name, "cost_at_equal_quality", cheapest / best_cost))
    opponent = best_trivial(systems, headline)
    if opponent:
        rows += gains("quality_gain", headline, systems, opponent, realised, outcomes.groups, seed)
    rows += benchmarks.rows(outcomes, systems, counts, seed)
    return _comparison(predictions, systems, rows, opponent, "expected_cost_usd")


def apgr_without_suspect(
    pair: Outcomes, routers: Mapping[str, Router], folds: int, bootstraps: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """APGR of every router without the rows marked ``suspect``, in fitting too; empty where none is marked."""
    suspect = pair.prompts["suspect"].to_numpy(bool)
    if not suspect.any():
        return pd.DataFrame(columns=["system", "metric", "value", "ci_low", "ci_high", "unit", "n", "note"])
    kept = pair.subset(~suspect)
    rows = compare_pair(cross_predict(kept, routers, folds, seed), bootstraps, seed).measurements
    return rows[rows["metric"] == "apgr"].assign(metric="apgr_without_suspect")


def _comparison(
    predictions: Predictions,
    systems: Mapping[str, System],
    rows: list[dict],
    opponent: str,
    charge_name: str,
    note: str = "",
) -> Comparison:
    measurements = pd.DataFrame(rows).reindex(
        columns=["system", "metric", "value", "ci_low", "ci_high", "unit", "n", "note", *DETAILS]
    )
    measurements["n"] = len(predictions.outcomes)
    sees = measurements["system"].map({name: system.router.sees for name, system in systems.items()})
    measurements["sees"] = sees.fillna(measurements["sees"])
    measurements["note"] = note
    return Comparison(
        measurements, curve_frame(systems, charge_name), choice_frame(systems, predictions.outcomes), opponent
    )
