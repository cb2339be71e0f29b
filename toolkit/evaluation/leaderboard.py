"""Routers side by side: tidy measurements, curves and choices from one set of predictions.

Two views of one policy. ``compare_pair`` charges 0 for the weak and 1 for the strong model, so the x axis is the share
of strong calls and the measures are RouteLLM's. ``compare_on_cost`` charges expected dollars and judges by actual ones,
for any number of models. All systems share one set of bootstrap counts, so every difference is paired.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.evaluation import curves, statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import Predictions, cross_predict, no_gap
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router

POINTS = 101  # operating points of a drawn curve; every tenth is a decile
QUALITY_FIRST = "quality-first"
RULE = "rule"
_LABELS = [f"{point / (POINTS - 1):.2f}" for point in range(POINTS)]
_KEPT_POINTS = [*_LABELS[:: (POINTS - 1) // 10], QUALITY_FIRST, RULE]


@dataclass(frozen=True)
class Comparison:
    """Three tidy frames.

    Attributes:
        measurements: system, metric, value, ci_low, ci_high, unit, n, note.
        curves: system, operating_point, weight, share_strong, expected_cost_usd, cost_usd, quality and intervals.
        choices: row, system, operating_point, model, quality, tokens, cost_usd; ``row`` counts the judged prompts.
        opponent: name of the best trivial baseline.
    """

    measurements: pd.DataFrame
    curves: pd.DataFrame
    choices: pd.DataFrame
    opponent: str


@dataclass(frozen=True)
class _System:
    """One router under the policy: labels and weights (K,), choices (K, n), resampled means (B + 1, K)."""

    router: Router
    labels: list[str]
    weights: np.ndarray
    choices: np.ndarray
    quality: np.ndarray
    charge: np.ndarray
    cost: np.ndarray | None

    @property
    def is_curve(self) -> bool:
        return len(self.labels) > 1

    def at(self, label: str) -> int:
        return self.labels.index(label)


def compare_pair(predictions: Predictions, bootstraps: int = 1000, seed: int = 0) -> Comparison:
    """RouteLLM's view of two models, weak first (see ``Outcomes.pair``).

    Args:
        predictions: of routers fitted on the pair.
        bootstraps: replicates for every interval.
        seed: of the resampling.

    Raises:
        ToolkitError: not two models, or the second is no better than the first.
    """
    outcomes = predictions.outcomes
    if len(outcomes.names) != 2:
        raise ToolkitError(f"{outcomes.name}: a pair has two models; {len(outcomes.names)} were given (Outcomes.pair).")
    counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
    systems = _operate(predictions, np.array([0.0, 1.0]), counts)
    weak, strong = statistics.resampled_means(counts, outcomes.quality.T).T
    if not weak[0] < strong[0]:
        raise ToolkitError(no_gap(outcomes))
    rows, areas = [], {}
    for name, system in systems.items():
        if not system.is_curve:
            rows += [
                measured(name, "quality", system.quality[:, 0]),
                measured(name, "share_strong", system.charge[:, 0]),
            ]
            continue
        share, quality = system.charge[:, ::10], system.quality[:, ::10]
        areas[name] = curves.apgr(share, quality, weak, strong)
        rows.append(measured(name, "apgr", areas[name]))
        rows.append(measured(name, "apgr_mean_of_ten", curves.apgr_mean_of_ten(share, quality, weak, strong)))
        for level in (0.5, 0.8):
            rows.append(measured(name, f"cpt{level * 100:.0f}", curves.cpt(share, quality, weak, strong, level)))
        rows.append(measured(name, "quality_at_half", system.quality[:, POINTS // 2]))
    opponent = max(
        (name for name in areas if systems[name].router.trivial), key=lambda name: areas[name][0], default=""
    )
    if opponent:
        rows += _gains(areas, systems, opponent, "apgr_gain", "bootstrap")
        half = {name: systems[name].quality[:, POINTS // 2] for name in areas}
        realised = {name: outcomes.realised(outcomes.quality, systems[name].choices[POINTS // 2]) for name in areas}
        rows += _gains(half, systems, opponent, "quality_at_half_gain", realised, outcomes.groups, seed)
    return _comparison(predictions, systems, rows, opponent, "share_strong")


def compare_on_cost(predictions: Predictions, bootstraps: int = 1000, seed: int = 0) -> Comparison:
    """Quality against dollars for any number of models.

    Every router is read at weight 0 ("quality-first": the best predicted model, whatever it costs) and along its
    whole curve; rules are read at their one point.

    Raises:
        ToolkitError: a judged prompt lacks a model's cost.
    """
    outcomes = predictions.outcomes
    if not outcomes.complete(costs=True).all():
        raise ToolkitError(
            f"{outcomes.name}: a comparison on cost needs every model's cost on every judged prompt (cost_source is "
            f"{outcomes.cost_source!r}); make the predictions with cross_predict(..., costs=True)."
        )
    counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
    systems = _operate(predictions, predictions.expected_cost, counts, quality_first=True)
    models = statistics.resampled_means(counts, outcomes.quality.T)
    best = int(models[0].argmax())
    best_cost = statistics.resampled_means(counts, outcomes.cost_usd[:, best])
    oracle = statistics.resampled_means(counts, outcomes.quality.max(axis=1))
    rows, headline, realised = [], {}, {}
    for name, system in systems.items():
        point = system.at(QUALITY_FIRST if system.is_curve else RULE)
        headline[name] = system.quality[:, point]
        realised[name] = outcomes.realised(outcomes.quality, system.choices[point])
        shares = np.bincount(system.choices[point], minlength=len(outcomes.names)) / len(outcomes)
        rows += [
            measured(name, "quality", headline[name]),
            measured(name, "cost_usd_per_1k", 1000 * system.cost[:, point]),
            measured(name, "gap_closed", curves.gap_closed(headline[name], models[:, best], oracle)),
            measured(name, "gain_over_share_matched", headline[name] - models @ shares),
        ]
        if system.is_curve:
            cheapest = curves.cost_at_quality(system.cost[:, :POINTS], system.quality[:, :POINTS], models[:, best])
            rows.append(measured(name, "cost_at_equal_quality", cheapest / best_cost))
    opponent = max(
        (name for name in systems if systems[name].router.trivial), key=lambda name: headline[name][0], default=""
    )
    if opponent:
        rows += _gains(headline, systems, opponent, "quality_gain", realised, outcomes.groups, seed)
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


def _operate(
    predictions: Predictions, charge: np.ndarray, counts: np.ndarray, quality_first: bool = False
) -> dict[str, _System]:
    """Every router under the policy that charges ``charge``, (n, m) or (m,)."""
    outcomes = predictions.outcomes
    charge = np.broadcast_to(charge, outcomes.quality.shape)
    systems = {}
    for name, router in predictions.routers.items():
        predicted = predictions.quality[name]
        if router.has_scores or router.uses_outcomes:
            weights = policy.operating_weights(predicted, charge, POINTS)
            labels = _LABELS
            if quality_first:
                weights, labels = np.append(weights, 0.0), [*labels, QUALITY_FIRST]
            choices = policy.sweep(predicted, charge, weights)
        else:
            weights, labels, choices = np.array([np.nan]), [RULE], predicted.argmax(axis=1)[None]
        mean = lambda matrix, choices=choices: statistics.resampled_means(counts, outcomes.realised(matrix, choices))  # noqa: E731
        systems[name] = _System(
            router=router,
            labels=labels,
            weights=weights,
            choices=choices,
            quality=mean(outcomes.quality),
            charge=mean(charge),
            cost=None if outcomes.cost_source == "none" else mean(outcomes.cost_usd),
        )
    return systems


def _gains(samples, systems, opponent, metric, test, groups=None, seed=0) -> list[dict]:
    """Paired differences to the opponent with Holm-adjusted p values, references and the opponent left out.

    ``test`` is ``"bootstrap"`` or the realised outcomes (n,) by name for McNemar or the permutation test.
    """
    names = [name for name in samples if name != opponent and not systems[name].router.uses_outcomes]
    if not names:
        return []
    results = []
    for name in names:
        if isinstance(test, str):
            results.append((statistics.bootstrap_p(samples[name] - samples[opponent]), "paired bootstrap"))
        else:
            results.append(statistics.paired_p(test[name], test[opponent], groups, seed))
    adjusted = statistics.holm(np.array([p for p, _ in results]))
    return [
        measured(name, metric, samples[name] - samples[opponent], f"against {opponent}; {kind}, Holm p = {p:.3g}")
        for name, p, (_, kind) in zip(names, adjusted, results, strict=True)
    ]


def _comparison(
    predictions: Predictions, systems: dict[str, _System], rows: list[dict], opponent: str, charge_name: str
) -> Comparison:
    measurements = pd.DataFrame(rows)
    measurements["n"] = len(predictions.outcomes)
    sees = measurements["system"].map({name: f"sees {system.router.sees}" for name, system in systems.items()})
    measurements["note"] = sees.where(measurements["note"] == "", sees + "; " + measurements["note"])
    curve_frames = [_curve_frame(name, system, charge_name) for name, system in systems.items()]
    return Comparison(
        measurements, pd.concat(curve_frames, ignore_index=True), _choice_frame(systems, predictions.outcomes), opponent
    )


def _curve_frame(name: str, system: _System, charge_name: str) -> pd.DataFrame:
    low, high = statistics.interval(system.quality)
    frame = pd.DataFrame({"system": name, "operating_point": system.labels, "weight": system.weights})
    for column in ("share_strong", "expected_cost_usd"):
        frame[column] = system.charge[0] if column == charge_name else np.nan
    frame["cost_usd"] = np.nan if system.cost is None else system.cost[0]
    frame["quality"] = system.quality[0]
    frame["quality_low"], frame["quality_high"] = low, high
    return frame


def _choice_frame(systems: dict[str, _System], outcomes: Outcomes) -> pd.DataFrame:
    """Choices at the deciles and the named points only: enough to re-aggregate, a tenth of the size."""
    tokens = outcomes.input_tokens + outcomes.output_tokens
    frames = []
    for code, system in enumerate(systems.values()):
        kept = [k for k, label in enumerate(system.labels) if label in _KEPT_POINTS]
        choices = system.choices[kept]
        points = [_KEPT_POINTS.index(system.labels[k]) for k in kept]
        frames.append(
            pd.DataFrame(
                {
                    "row": np.tile(np.arange(len(outcomes), dtype=np.int32), len(kept)),
                    "system": pd.Categorical.from_codes(np.full(choices.size, code), list(systems)),
                    "operating_point": pd.Categorical.from_codes(np.repeat(points, len(outcomes)), _KEPT_POINTS),
                    "model": pd.Categorical.from_codes(choices.ravel(), outcomes.names),
                    "quality": outcomes.realised(outcomes.quality, choices).ravel(),
                    "tokens": outcomes.realised(tokens, choices).ravel(),
                    "cost_usd": outcomes.realised(outcomes.cost_usd, choices).ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
