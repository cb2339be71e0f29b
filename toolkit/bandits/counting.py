"""Bandits that see no prompt: what an arm was worth on average decides."""

import math
from collections.abc import Sequence

import numpy as np

from toolkit.bandits.base import Bandit, Seen


class _Means(Bandit):
    """Base: rewards minus what was predicted, counted and summed for each arm.

    Attributes:
        pulls_, total_: float64 (s, m).
    """

    _start = 0.0  # stands for a prediction where there is none

    def __init__(self, arms: int | Sequence[str], streams: int = 1, memory: float = math.inf, seed: int = 0):
        super().__init__(arms, streams, memory, seed)
        self.pulls_ = np.zeros((streams, len(self.arms)))
        self.total_ = np.zeros((streams, len(self.arms)))

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"pulls_": self.pulls_, "total_": self.total_}

    def _learn(self, seen: Seen) -> None:
        if self.memory < math.inf:
            self.pulls_[seen.stream] *= self.kept
            self.total_[seen.stream] *= self.kept
        self.pulls_[seen.stream, seen.arm] += 1
        self.total_[seen.stream, seen.arm] += seen.reward - (self._start if seen.predicted is None else seen.predicted)

    def _mean(self, predicted: np.ndarray | None) -> np.ndarray:
        """Mean reward, or prediction and mean error; before any, 0 or the prediction."""
        return (0.0 if predicted is None else predicted) + self.total_ / np.maximum(self.pulls_, 1e-12)


class BetaThompson(_Means):
    """One draw from Beta(a + rewards, b + pulls - rewards) of each arm (Thompson 1933; Chapelle and Li 2011).

    A reward between 0 and 1 counts as that share of a success. A router's prediction p, where there is one, stands for
    a prior of ``weight`` pulls with mean p instead of (a, b), so the posterior mean moves from the prediction to what
    the arm was worth.

    Args:
        prior: (a, b) where nothing is predicted.
        weight: pulls that a prediction counts for.
        most: largest a + b with that prior: past it what was seen is scaled down, so that an arm keeps learning.
    """

    def __init__(
        self, arms: int | Sequence[str], prior: tuple[float, float] = (1.0, 1.0), weight: float = 10.0,
        most: float = math.inf, streams: int = 1, memory: float = math.inf, seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        fine = min(prior) > 0 and weight > 0 and most > sum(prior)
        self._check(fine, f"a prior and weight above 0 and a larger most; got {prior!r}, {weight!r}, {most!r}")
        self.prior = tuple(prior)
        self.weight = weight
        self.most = most

    def _learn(self, seen: Seen) -> None:
        super()._learn(seen._replace(predicted=None))
        if self.most < math.inf:
            over = np.maximum(self.pulls_[seen.stream, seen.arm] / (self.most - sum(self.prior)), 1)
            self.pulls_[seen.stream, seen.arm] /= over
            self.total_[seen.stream, seen.arm] /= over

    def posterior(self, predicted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """a and b, float64 (s, m) both."""
        first, second = self.prior
        if predicted is not None:
            known = np.clip(predicted, 1e-3, 1 - 1e-3)
            first, second = self.weight * known, self.weight * (1 - known)
        return first + self.total_, second + np.maximum(self.pulls_ - self.total_, 0)

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        a, b = self.posterior(predicted)
        return self._rng.beta(a, b, size=(count, *a.shape))


class GaussianThompson(_Means):
    """How far each arm's reward lies from its prediction, believed normal and drawn once a decision.

    A router predicts reward f_a(x) of arm a; the arm's true mean is f_a(x) + b_a with b_a ~ N(0, ``prior_sd``^2), and
    rewards scatter around it with ``noise_sd``. The posterior of b_a is normal in closed form (conjugate prior, known
    noise; Russo et al. 2018, arXiv 1707.02038), so a prediction that is wrong for every prompt in the same way is
    unlearned from rewards.

    Args:
        prior_sd: standard deviation of b_a before any reward.
        noise_sd: standard deviation of a reward.
        prior_mean: of an arm where nothing is predicted.
    """

    def __init__(
        self, arms: int | Sequence[str], prior_sd: float = 0.1, noise_sd: float = 0.5, prior_mean: float = 0.5,
        streams: int = 1, memory: float = math.inf, seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        self._check(0 < prior_sd < math.inf and 0 < noise_sd < math.inf, f"finite prior_sd and noise_sd above 0; got "
                    f"{prior_sd!r}, {noise_sd!r}")  # fmt: skip
        self.prior_sd = prior_sd
        self.noise_sd = noise_sd
        self.prior_mean = self._start = prior_mean

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of b, float64 (s, m) each."""
        precision = self.prior_sd**-2 + self.pulls_ * self.noise_sd**-2
        return self.total_ * self.noise_sd**-2 / precision, precision**-0.5

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        mean, sd = self.posterior()
        start = self.prior_mean if predicted is None else predicted
        return start + mean + sd * self._rng.standard_normal((count, *mean.shape))


class UCB1(_Means):
    """Mean plus ``alpha`` sqrt(2 ln t / pulls), unpulled arms first (Auer et al. 2002, Machine Learning 47).

    Args:
        alpha: 1 is the bound of the paper.
    """

    def __init__(
        self, arms: int | Sequence[str], alpha: float = 1.0, streams: int = 1, memory: float = math.inf, seed: int = 0
    ):
        super().__init__(arms, streams, memory, seed)
        self._check(alpha >= 0, f"an alpha of 0 or more; got {alpha!r}")
        self.alpha = alpha

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        rounds = np.maximum(self.pulls_.sum(axis=1, keepdims=True), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            width = self.alpha * np.sqrt(2 * np.log(rounds) / self.pulls_)
        scores = np.where(self.pulls_ > 0, self._mean(predicted) + width, np.inf)
        return np.broadcast_to(scores, (count, *scores.shape))


class EpsilonGreedy(_Means):
    """The best mean so far; with chance epsilon, any arm (Sutton and Barto 2018, section 2.4).

    Args:
        epsilon: chance at the start.
        decay: epsilon falls as 1 / (1 + decay * rounds).
    """

    def __init__(
        self, arms: int | Sequence[str], epsilon: float = 0.1, decay: float = 0.0, streams: int = 1,
        memory: float = math.inf, seed: int = 0,
    ):  # fmt: skip
        super().__init__(arms, streams, memory, seed)
        self._check(
            0 <= epsilon <= 1 and decay >= 0, f"epsilon from 0 to 1 and decay from 0; got {epsilon!r}, {decay!r}"
        )
        self.epsilon = epsilon
        self.decay = decay

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        scores = np.tile(self._mean(predicted) + np.zeros_like(self.pulls_), (count, 1, 1))
        chance = self.epsilon / (1 + self.decay * self.pulls_.sum(axis=1))
        explore = np.nonzero(self._rng.random((count, self.streams)) < chance)
        scores[*explore, self._rng.choice(np.flatnonzero(self.active), len(explore[0]))] = np.inf  # whatever it costs
        return scores
