"""What a learner gave away: regret, utility and spending of a replay, with intervals over seeds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.evaluation.metrics import METRICS
from toolkit.evaluation.replay import Played
from toolkit.evaluation.statistics import LEVEL


def over_seeds(system: str, metric: str, values: np.ndarray, note: str = "") -> dict:
    """A tidy row: the mean of values (seeds,) and Student's interval of it."""
    values = np.asarray(values, dtype=float)
    mean, low, high = float(values.mean()), np.nan, np.nan
    if len(values) > 1:
        half = stats.t.isf((1 - LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        low, high = mean - half, mean + half
    row = {"system": system, "metric": metric, "value": mean, "ci_low": float(low), "ci_high": float(high)}
    return row | {"unit": METRICS[metric].unit, "note": note, "n": len(values)}


def utilities(played: Played, weight: float, expected: bool = True) -> np.ndarray:
    """What each choice was worth, quality minus ``weight`` times the expected charge, float64 (T, S)."""
    return _along(played, lambda utility, rows, arms: utility[rows, arms], weight, expected)


def bayes(played: Played, weight: float) -> np.ndarray:
    """The best that each prompt allows, by true mean quality; by hindsight where none is known. (T, S)."""
    return _along(played, lambda utility, rows, arms: utility.max(axis=1)[rows], weight, True)


def best_fixed(played: Played, weight: float, expected: bool = True) -> np.ndarray:
    """The one arm that would have been best in each phase for each seed, (T, S); hindsight picks it."""
    parts = []
    for phase, span in played.spans():
        utility, rows = phase.utility(weight, expected), played.rows[span]
        total = np.stack([utility[rows[:, seed]].mean(axis=0) for seed in range(rows.shape[1])])
        parts.append(utility[rows, total.argmax(axis=1)[None, :]])
    return np.concatenate(parts)


def best_mixture(played: Played) -> np.ndarray:
    """True mean quality of the best lottery between two models whose mean cost is what each seed spent, (S,).

    Hindsight picks the two and the odds, on the prompts of that seed, from what the models really cost.
    """
    (phase,) = played.phases
    data, found = phase.outcomes, []
    quality = data.quality if data.expected_quality is None else data.expected_quality
    for rows, spent in zip(played.rows.T, played.cost_usd.mean(axis=0), strict=True):
        cost, value = data.cost_usd[rows].mean(axis=0)[phase.offered], quality[rows].mean(axis=0)[phase.offered]
        odds = np.clip((spent - cost[:, None]) / (cost[None, :] - cost[:, None] + 1e-300), 0, 1)
        mixed = (1 - odds) * value[:, None] + odds * value[None, :]
        paid = (1 - odds) * cost[:, None] + odds * cost[None, :]
        found.append(mixed[paid <= spent * (1 + 1e-9)].max())
    return np.array(found)


def _along(played: Played, pick: object, weight: float, expected: bool) -> np.ndarray:
    parts = [
        pick(phase.utility(weight, expected), played.rows[span], played.arms[span]) for phase, span in played.spans()
    ]
    return np.concatenate(parts)


def summary(runs: Mapping[str, Played], weight: float, last: float = 1 / 3) -> pd.DataFrame:
    """Tidy rows of every run.

    ``regret_per_round`` against Bayes-optimal, ``regret_to_fixed`` against the best fixed arm, ``utility`` over all
    rounds and ``utility_late`` over the last share of them; ``quality_online`` and ``cost_usd_per_1k`` as they were.
    """
    rows = []
    for name, played in runs.items():
        gained, start = utilities(played, weight), round((1 - last) * len(played.rows))
        values = {
            "regret_per_round": (bayes(played, weight) - gained).mean(axis=0),
            "regret_to_fixed": (best_fixed(played, weight) - gained).mean(axis=0),
            "utility": gained.mean(axis=0),
            "utility_late": gained[start:].mean(axis=0),
            "quality_online": played.reward.mean(axis=0),
            "cost_usd_per_1k": 1000 * played.cost_usd.mean(axis=0),
        }
        rows += [over_seeds(name, metric, each, f"weight {weight:g}") for metric, each in values.items()]
    return pd.DataFrame(rows)


def recovery(played: Played, weight: float, share: float = 0.95, window: int = 100) -> np.ndarray:
    """Rounds after the last change until ``window`` rounds earn ``share`` of what the last quarter earns, (S,).

    The measure is the learner's own level in the end: how good that is, ``utility_kept`` says.
    """
    _, span = played.spans()[-1]
    gained = utilities(played, weight)[span]
    window = min(window, len(gained) // 4)
    level = gained[-(len(gained) // 4) :].mean(axis=0)
    reached = moving(gained, window) >= share * level
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + window, np.nan)


def moving(values: np.ndarray, window: int) -> np.ndarray:
    """Means of so many rounds up to each, (T - window + 1, S)."""
    total = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), values]), axis=0)
    return (total[window:] - total[:-window]) / window
