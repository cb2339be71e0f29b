"""Scores that mean what they say: maps from a score to the quality to expect, and thresholds for a share of calls.

A map never turns an order around: what scored higher scores no lower. It is fitted on predictions of prompts that the
router was not fitted on (``routers.calibrated``), never on those that judge it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.errors import ToolkitError


class Platt:
    """sigmoid(slope * score + offset) by maximum likelihood (Platt 1999), slope >= 0.

    Two numbers, so it needs few labels, and it is right where scores are log-odds up to scale. A quality between 0
    and 1 counts as that share of a right answer; Platt's smoothed targets keep it from certainty.

    Args:
        array: slope and offset, (1, 2).
    """

    def __init__(self, array: np.ndarray):
        self.array = np.asarray(array, dtype=float).reshape(1, 2)

    @classmethod
    def fit(cls, scores: np.ndarray, quality: np.ndarray) -> "Platt":
        """From scores (n,) and what the answers were worth (n,), NaN left out."""
        from scipy.optimize import minimize
        from scipy.special import expit

        scores, quality = _seen(scores, quality)
        right = quality.sum()
        wrong = len(quality) - right
        high, low = (right + 1) / (right + 2), 1 / (wrong + 2)
        target = low + quality * (high - low)
        centre, scale = scores.mean(), scores.std()
        scale = scale if scale > 1e-9 * max(1.0, abs(centre)) else 1.0  # rounding is no spread
        unit = (scores - centre) / scale

        def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
            logit = line[0] * unit + line[1]
            slope = (expit(logit) - target) / len(unit)
            return float(np.mean(np.logaddexp(0, logit) - target * logit)), np.array([slope @ unit, slope.sum()])

        start = np.array([0.0, np.log(target.mean() / (1 - target.mean()))])
        line = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]).x
        return cls(np.array([line[0] / scale, line[1] - line[0] * centre / scale]))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        ((slope, offset),) = self.array
        return expit(slope * scores + offset)


class Isotonic:
    """The non-decreasing step function of least squared error (Zadrozny and Elkan 2002), linear between its knots.

    Args:
        array: (k, 2), score and value of each knot.
    """

    def __init__(self, array: np.ndarray):
        self.array = np.asarray(array, dtype=float)

    @classmethod
    def fit(cls, scores: np.ndarray, quality: np.ndarray) -> "Isotonic":
        """From scores (n,) and what the answers were worth (n,), NaN left out."""
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0, y_max=1).fit(*_seen(scores, quality))
        return cls(np.stack([fitted.X_thresholds_, fitted.y_thresholds_], axis=1))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return np.interp(scores, *self.array.T)


CALIBRATORS: dict[str, type[Platt] | type[Isotonic]] = {"platt": Platt, "isotonic": Isotonic}


def _seen(scores: np.ndarray, quality: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(quality)
    if not known.any():
        raise ToolkitError("Calibration needs at least one outcome of every model; found none.")
    return np.asarray(scores, dtype=float)[known], np.asarray(quality, dtype=float)[known]


@dataclass(frozen=True)
class ShareThreshold:
    """A threshold that sends a wanted share of a reference set to the strong model.

    RouteLLM's calibration: the quantile 1 - share of the reference's scores (released code), here half way between two
    neighbouring scores, so that "at least" and "above" mean the same. What new prompts of the same source will do is
    known without knowing the scores' distribution: their chance to lie above the k-th largest of N reference scores is
    Beta(k, N - k + 1) (coverage of an order statistic, Wilks 1941), above the next one Beta(k + 1, N - k), and the
    count among n new ones beta-binomial: wider than a binomial, since the reference was a draw too. Ties make the
    reached share another than the wanted one; ``reached`` says it.

    Attributes:
        threshold: the score; no reference score is equal to it.
        wanted: share of strong calls asked for.
        above: reference prompts above it.
        reference: reference prompts.
    """

    threshold: float
    wanted: float
    above: int
    reference: int

    @property
    def reached(self) -> float:
        """Share of the reference set that is sent to the strong model."""
        return self.above / self.reference

    def interval(self, new: int, level: float = 0.95) -> tuple[float, float]:
        """Bounds of the share of strong calls among ``new`` prompts of the same source, a hair wide.

        Raises:
            ToolkitError: no new prompts, or a level outside of (0, 1).
        """
        from scipy.stats import betabinom

        if new < 1 or not 0 < level < 1:
            raise ToolkitError(f"Some new prompts and a level between 0 and 1 were expected; got {new} and {level}.")
        above, below = self.above, self.reference - self.above
        tail = (1 - level) / 2
        low = betabinom.ppf(tail, new, above, below + 1) / new if above else 0.0
        high = betabinom.ppf(1 - tail, new, above + 1, below) / new if below else 1.0
        return float(low), float(high)


def threshold_for_share(scores: Sequence[float] | np.ndarray, share: float) -> ShareThreshold:
    """The threshold at which a share of the reference scores comes nearest to the wanted one.

    Args:
        scores: of the reference prompts, (n,): how much better the strong model is expected to be.
        share: of strong calls, 0 to 1.

    Raises:
        ToolkitError: no scores, one that is no number, or no such share.
    """
    values = np.asarray(scores, dtype=float)
    if not values.size or not np.isfinite(values).all():
        raise ToolkitError(f"Finite scores of reference prompts were expected; found {values.size} values.")
    if not 0 <= share <= 1:
        raise ToolkitError(f"A share of strong calls from 0 to 1 was expected; {share!r} was given.")
    levels, counts = np.unique(-values, return_counts=True)
    above = np.r_[0, np.cumsum(counts)]
    at = int(np.abs(above - share * len(values)).argmin())
    beyond = 1e-6 * max(1.0, float(np.abs(levels).max()))
    edges = -np.r_[levels[0] - beyond, (levels[:-1] + levels[1:]) / 2, levels[-1] + beyond]
    return ShareThreshold(float(edges[at]), float(share), int(above[at]), len(values))
