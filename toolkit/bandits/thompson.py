"""Thompson sampling (Thompson 1933; Russo et al. 2018, arXiv 1707.02038): act by one draw from what is believed."""

import threading

import numpy as np

from toolkit.errors import ToolkitError


class GaussianThompson:
    """How far each arm's reward lies from its prediction, believed normal and drawn once a decision.

    A router predicts reward f_a(x) of arm a; the arm's true mean is f_a(x) + b_a with b_a ~ N(0, ``prior_sd``^2), and
    rewards scatter around it with ``noise_sd``. The posterior of b_a is normal in closed form (conjugate prior, known
    noise), so a prediction that is wrong for every prompt in the same way is unlearned from rewards. Any thread may
    call it.

    Args:
        arms: number of arms.
        prior_sd: standard deviation of b_a before any reward.
        noise_sd: standard deviation of a reward.
        seed: of the draws.

    Raises:
        ToolkitError: a number that is not positive.
    """

    def __init__(self, arms: int, prior_sd: float = 0.1, noise_sd: float = 0.5, seed: int = 0):
        if arms < 1 or not 0 < prior_sd < np.inf or not 0 < noise_sd < np.inf:
            raise ToolkitError(
                f"GaussianThompson: finite arms, prior_sd and noise_sd above 0 were expected; got {arms}, {prior_sd} "
                f"and {noise_sd}."
            )
        self.arms = arms
        self.prior_sd = prior_sd
        self.noise_sd = noise_sd
        self.seed = seed
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._count = np.zeros(arms)
        self._surplus = np.zeros(arms)  # sum of reward - prediction

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of b, float64 (arms,) each."""
        precision = self.prior_sd**-2 + self._count * self.noise_sd**-2
        return self._surplus * self.noise_sd**-2 / precision, precision**-0.5

    def draw(self, predicted: np.ndarray) -> np.ndarray:
        """One draw of every arm's mean reward, float64 of the shape of ``predicted``, (arms,) or (n, arms)."""
        with self._lock:
            mean, sd = self.posterior()
            noise = self._rng.standard_normal(np.shape(predicted))
        return predicted + mean + sd * noise

    def update(self, arm: int, reward: float, predicted: float) -> None:
        """Learn from the reward of an arm whose prediction was ``predicted``.

        Raises:
            ToolkitError: no such arm, or a reward that is no number.
        """
        if int(arm) != arm or not 0 <= arm < self.arms or not np.isfinite(reward - predicted):
            raise ToolkitError(
                f"GaussianThompson: an arm from 0 to {self.arms - 1} and finite numbers were expected; got arm {arm}, "
                f"reward {reward}, predicted {predicted}."
            )
        with self._lock:
            self._count[int(arm)] += 1
            self._surplus[int(arm)] += reward - predicted
