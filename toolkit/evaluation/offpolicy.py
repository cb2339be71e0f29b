"""What another policy would have earned on logged traffic, before it serves anyone.

The log says what was chosen, with which chance, and what it was worth. w is the chance that the judged policy gives to
the logged choice, over the chance that it was logged with. ::

    IPS    mean of w r: unbiased where every chance is known and above 0, wide where w is large (Horvitz and
           Thompson 1952)
    SNIPS  sum of w r over sum of w: a little biased, much narrower (Swaminathan and Joachims 2015)
    DM     mean of what a model of the rewards predicts for the judged policy: as biased as the model
    DR     DM plus the mean of w (r - predicted): unbiased where chances or model are right (Dudik et al. 2011)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.errors import ToolkitError
from toolkit.evaluation.metrics import METRICS
from toolkit.evaluation.statistics import LEVEL
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router

ESTIMATORS = ("IPS", "SNIPS", "DM", "DR")
_FEW = 100  # effective rewards below which a normal interval is not believed


@dataclass(frozen=True)
class Logged:
    """A log as arrays.

    Attributes:
        models: the m models, in column order.
        arm: chosen column, int64 (n,).
        reward: float64 (n,).
        propensity: float64 (n,), above 0.
    """

    models: tuple[str, ...]
    arm: np.ndarray
    reward: np.ndarray
    propensity: np.ndarray

    @classmethod
    def of(cls, log: pd.DataFrame, models: Sequence[str]) -> "Logged":
        """From rows that ``logs.check_log`` let through.

        Raises:
            ToolkitError: a model that is not in the pool.
        """
        columns = {name: column for column, name in enumerate(models)}
        if unknown := sorted(set(log["model"]) - set(columns)):
            raise ToolkitError(f"Off-policy: models of the pool were expected; the log names {', '.join(unknown)}.")
        return cls(tuple(models), log["model"].map(columns).to_numpy(np.int64), log["reward"].to_numpy(float),
                   log["propensity"].to_numpy(float))  # fmt: skip

    def weights(self, chances: np.ndarray) -> np.ndarray:
        """w of every row, float64 (n,), for the chances (n, m) of a judged policy."""
        return chances[np.arange(len(self.arm)), self.arm] / self.propensity


def rewards_of(log: pd.DataFrame, models: Sequence[str], name: str = "log") -> Outcomes:
    """A log with texts as outcomes in which one model a prompt is observed: what a router can be fitted on.

    Raises:
        ToolkitError: a prompt's text is missing.
    """
    if "text" not in log.columns or log["text"].isna().any():
        raise ToolkitError(f"{name}: the prompts' texts are needed to fit a router; keep them in the log.")
    seen = Logged.of(log, models)
    quality = np.full((len(log), len(models)), np.nan)
    quality[np.arange(len(log)), seen.arm] = seen.reward
    prompts = pd.DataFrame({"prompt_id": log["decision_id"].astype(str), "text": log["text"]})
    return Outcomes(name, prompts.reset_index(drop=True), pd.DataFrame(index=list(models)), quality)


def cross_fitted(rewards: Outcomes, router: Router, folds: int = 5, seed: int = 0) -> np.ndarray:
    """Predicted reward (n, m) of every row by a router that was not fitted on it, for DM and DR.

    A model without a reward in a fitting part is predicted the mean reward of that part.

    Raises:
        ToolkitError: fewer than two different prompts.
    """
    count = min(folds, int(rewards.groups.max()) + 1)
    if count < 2:
        raise ToolkitError(f"{rewards.name}: at least two different prompts were expected.")
    fold, predicted = rewards.folds(count, seed), np.empty(rewards.quality.shape)
    for part in range(count):
        train, test = rewards.subset(fold != part), rewards.subset(fold == part)
        known = ~np.isnan(train.quality).all(axis=0)
        names = [name for name, there in zip(train.names, known, strict=True) if there]
        block = np.full(test.quality.shape, np.nanmean(train.quality))
        block[:, known] = router.clone().fit(train.subset(models=names)).predict(test.texts)
        predicted[fold == part] = block
    return predicted


def estimate(
    logged: Logged, chances: np.ndarray, predicted: np.ndarray | None = None, system: str = "policy"
) -> pd.DataFrame:
    """Tidy rows of metric ``policy_value``, one an estimator, and ``effective_rewards``; a note warns.

    Args:
        chances: of each model under the judged policy, (n, m), rows that sum to 1: one-hot where it does not draw.
        predicted: reward of each model, (n, m), of ``cross_fitted``; without it DM and DR are left out.
        system: name of the judged policy.

    Raises:
        ToolkitError: shapes that do not fit, rows that are no chances, or propensities that are none.
    """
    chances, predicted = np.asarray(chances, dtype=float), None if predicted is None else np.asarray(predicted, float)
    _check(logged, chances, predicted)
    weight = logged.weights(chances)
    found = {"IPS": weight * logged.reward}
    total = weight.mean()
    if total > 0:
        ratio = (weight * logged.reward).mean() / total
        found["SNIPS"] = ratio + weight * (logged.reward - ratio) / total  # its mean is the ratio, its SD that of it
    if predicted is not None:
        found["DM"] = (chances * predicted).sum(axis=1)
        found["DR"] = doubly_robust(logged, chances, predicted)
    warning = support(logged, chances)
    notes = {"DM": "; ".join(filter(None, [warning, "its interval leaves out the error of the model of rewards"]))}
    table = [_row(f"{system}, {name}", values, notes.get(name, warning)) for name, values in found.items()]
    size = {
        "system": system,
        "metric": "effective_rewards",
        "value": _effective(weight),
        "ci_low": np.nan,
        "ci_high": np.nan,
    }
    table.append(size | {"unit": METRICS["effective_rewards"].unit, "note": warning, "n": len(weight)})
    return pd.DataFrame(table)


def doubly_robust(logged: Logged, chances: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """A value for each row, (n,), whose mean is DR: two policies on one log are compared by their difference."""
    seen = predicted[np.arange(len(logged.arm)), logged.arm]
    return (chances * predicted).sum(axis=1) + logged.weights(chances) * (logged.reward - seen)


def support(logged: Logged, chances: np.ndarray) -> str:
    """What speaks against believing an estimate for a policy's chances (n, m); "" for nothing.

    Weights have mean 1 wherever the log could have chosen what the judged policy chooses; a mean below that means
    traffic of which the log says nothing.
    """
    weight = logged.weights(chances)
    never = np.bincount(logged.arm, minlength=len(logged.models)) == 0
    told = []
    if (lost := float(chances[:, never].sum(axis=1).mean())) > 0:
        names = ", ".join(np.array(logged.models)[never & (chances.sum(axis=0) > 0)])
        told.append(f"no support: {lost:.1%} of its choices are models that the log never chose ({names})")
    error = weight.std(ddof=1) / np.sqrt(len(weight)) if len(weight) > 1 else np.inf
    if not told and weight.mean() + 3 * error < 1:
        told.append(f"missing support: weights have mean {weight.mean():.2f} instead of 1")
    if (effective := _effective(weight)) < _FEW:
        told.append(f"only {effective:.0f} effective rewards: the interval is too narrow to believe")
    return "; ".join(told)


def _effective(weight: np.ndarray) -> float:
    """Kish's effective sample size of weights (n,)."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of (n,) values and its normal interval."""
    half = stats.norm.isf((1 - LEVEL) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return mean, mean - half, mean + half


def _row(system: str, values: np.ndarray, note: str) -> dict:
    mean, low, high = mean_interval(values)
    row = {"system": system, "metric": "policy_value", "value": mean, "ci_low": low, "ci_high": high}
    return row | {"unit": METRICS["policy_value"].unit, "note": note, "n": len(values)}


def _check(logged: Logged, chances: np.ndarray, predicted: np.ndarray | None) -> None:
    shape = len(logged.arm), len(logged.models)
    if len(logged.arm) < 2:
        raise ToolkitError(f"Off-policy: at least two logged decisions were expected; got {len(logged.arm)}.")
    for values, what in ((chances, "chances"), (predicted, "predictions")):
        if values is not None and (values.shape != shape or not np.isfinite(values).all()):
            raise ToolkitError(f"Off-policy: finite {what} of shape {shape} were expected; got {values.shape}.")
    if (chances < 0).any() or not np.allclose(chances.sum(axis=1), 1):
        raise ToolkitError("Off-policy: chances from 0 that sum to 1 for each prompt were expected; found others.")
    if not ((logged.propensity > 0) & (logged.propensity <= 1)).all():
        raise ToolkitError("Off-policy: propensities above 0 and up to 1 were expected; found others (logs.check_log).")
