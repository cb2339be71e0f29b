"""Routers under the policy: what each one chose at each operating point, and the frames that say so."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.evaluation import curves, statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import Predictions
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router

POINTS = 101  # operating points of a drawn curve; every tenth is a decile
DECILES = slice(0, POINTS, (POINTS - 1) // 10)
QUALITY_FIRST = "quality-first"
RULE = "rule"
_LABELS = [f"{point / (POINTS - 1):.2f}" for point in range(POINTS)]
_KEPT_POINTS = [*_LABELS[DECILES], QUALITY_FIRST, RULE]


@dataclass(frozen=True)
class System:
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
        """Whether it has scores, and so more than one operating point."""
        return len(self.labels) > 1

    @property
    def headline(self) -> int:
        """The point at which it is judged on cost, quality first or a rule's only one."""
        return self.labels.index(QUALITY_FIRST if self.is_curve else RULE)


def operate(
    predictions: Predictions, charge: np.ndarray, counts: np.ndarray, quality_first: bool = False
) -> dict[str, System]:
    """Every router under the policy that charges ``charge``, (n, m) or (m,), resampled by ``counts`` (B + 1, n)."""
    outcomes = predictions.outcomes
    charge = np.broadcast_to(charge, outcomes.quality.shape)
    costs_known = outcomes.complete(costs=True).all()
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
        systems[name] = System(
            router=router,
            labels=labels,
            weights=weights,
            choices=choices,
            quality=mean(outcomes.quality),
            charge=mean(charge),
            cost=mean(outcomes.cost_usd) if costs_known else None,
        )
    return systems


def quality_first(predictions: Predictions, name: str) -> np.ndarray:
    """Realised quality of the best predicted model on each judged prompt, float64 (n,)."""
    outcomes = predictions.outcomes
    return outcomes.realised(outcomes.quality, predictions.quality[name].argmax(axis=1)).astype(float)


def areas(predictions: Predictions, counts: np.ndarray, gap: bool = True) -> dict[str, np.ndarray]:
    """APGR of every router with scores on a pair, (B + 1,) by name.

    Args:
        predictions: of two models, the weak one first.
        counts: (B + 1, n) of ``statistics.bootstrap_counts``.
        gap: False gives the bare area under quality, which ranks as APGR would, where the stronger model leads not.
    """
    quality = predictions.outcomes.quality
    weak, strong = statistics.resampled_means(counts, quality.T).T if gap else (np.zeros(1), np.ones(1))
    systems = operate(predictions, np.array([0.0, 1.0]), counts)
    return {
        name: curves.apgr(system.charge[:, DECILES], system.quality[:, DECILES], weak, strong)
        for name, system in systems.items()
        if system.is_curve
    }


def at_share(system: System, outcomes: Outcomes, share: float) -> np.ndarray:
    """Expected quality of each prompt (n,) where exactly ``share`` of the calls are strong.

    Scores tie, so a threshold may reach no such share: the two neighbouring operating points are mixed.
    """
    shares = system.charge[0, :POINTS]
    above = int(np.searchsorted(shares, share))
    below = max(above - 1, 0)
    step = shares[above] - shares[below]
    part = (share - shares[below]) / step if step > 0 else 1.0
    low, high = (outcomes.realised(outcomes.quality, system.choices[k]) for k in (below, above))
    return (1 - part) * low.astype(float) + part * high


def best_trivial(systems: Mapping[str, System], values: Mapping[str, np.ndarray], chance: float = -np.inf) -> str:
    """Name of the best trivial baseline by its estimate, the first of values (B + 1,); "" where there is none.

    One that draws lots is chosen only where no other reaches ``chance``, what a draw is expected to give.
    """
    trivial = [name for name in values if systems[name].router.trivial]
    skilled = [name for name in trivial if not systems[name].router.by_chance and values[name][0] >= chance]
    return max(skilled or trivial, key=lambda name: values[name][0], default="")


def gains(
    metric: str,
    samples: Mapping[str, np.ndarray],
    systems: Mapping[str, System],
    opponent: str,
    realised: Mapping[str, np.ndarray] | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> list[dict]:
    """Paired differences to the opponent; the routers that are no trivial baselines are tested as one Holm family.

    Args:
        samples: resampled values (B + 1,) by name.
        realised: outcomes (n,) by name, for McNemar or the permutation test; else the paired bootstrap is the test.
    """
    others = [name for name in samples if name != opponent and not systems[name].router.uses_outcomes]
    tested = [name for name in others if not systems[name].router.trivial]
    results = []
    for name in tested:
        if realised is None:
            results.append((statistics.bootstrap_p(samples[name] - samples[opponent]), "paired bootstrap"))
        else:
            results.append(statistics.paired_p(realised[name], realised[opponent], groups, seed))
    adjusted = statistics.holm(np.array([p for p, _ in results]))
    details = {
        name: {"test": test, "p_holm": float(p)} for name, p, (_, test) in zip(tested, adjusted, results, strict=True)
    }
    return [
        measured(name, metric, samples[name] - samples[opponent], opponent=opponent, **details.get(name, {}))
        for name in others
    ]


def curve_frame(systems: Mapping[str, System], charge_name: str) -> pd.DataFrame:
    """Every operating point of every system, with intervals; ``charge_name`` is what the policy charged."""
    frames = []
    for name, system in systems.items():
        low, high = statistics.interval(system.quality)
        frame = pd.DataFrame({"system": name, "operating_point": system.labels, "weight": system.weights})
        for column in ("share_strong", "expected_cost_usd"):
            frame[column] = system.charge[0] if column == charge_name else np.nan
        frame["cost_usd"] = np.nan if system.cost is None else system.cost[0]
        frame["quality"] = system.quality[0]
        frame["quality_low"], frame["quality_high"] = low, high
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def choice_frame(systems: Mapping[str, System], outcomes: Outcomes) -> pd.DataFrame:
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
