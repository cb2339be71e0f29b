"""Planning and stopping an A/B test of two routers: how many requests it takes, and a test one may look at any time."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from toolkit.errors import ToolkitError


def sample_size(difference: float, sd: float, power: float = 0.8, alpha: float = 0.05, share: float = 0.5) -> int:
    """Requests in both arms together, so that a difference of means is found with chance ``power``.

    Two-sided z test of two independent means with a common standard deviation (Cohen 1988, chapter 2). It serves
    quality and cost alike: what differs is the standard deviation, which for costs is often larger than the mean.

    Args:
        difference: to be found, in the unit of the means.
        sd: of one request.
        share: of requests that the new router gets.

    Raises:
        ToolkitError: a number out of range.
    """
    shares = all(0 < value < 1 for value in (power, alpha, share))
    _check(bool(np.isfinite(difference)) and difference != 0 and 0 < sd < np.inf and shares,
           "a difference, an sd above 0, and power, alpha and share between 0 and 1")  # fmt: skip
    needed = (stats.norm.isf(alpha / 2) + stats.norm.ppf(power)) * sd / difference
    return max(2, int(np.ceil(needed**2 / (share * (1 - share)))))


def power(difference: float, sd: float, requests: int, alpha: float = 0.05, share: float = 0.5) -> float:
    """Chance that the test of ``sample_size`` finds a difference with so many requests."""
    _check(sd > 0 and requests >= 2 and 0 < alpha < 1 and 0 < share < 1, "an sd above 0, requests from 2, shares")
    shift = difference / (sd / np.sqrt(requests * share * (1 - share)))
    limit = stats.norm.isf(alpha / 2)
    return float(stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift))


@dataclass
class _Sums:
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)

    @property
    def variance_of_mean(self) -> float:
        return self.squares / max(1, self.count - 1) / max(1, self.count)


class SequentialTest:
    """A difference of two means that may be looked at after every request, and stopped at any look.

    The mixture sequential probability ratio test (Robbins 1970; Johari et al. 2022, Operations Research 70, section
    4.2) with a normal mixture N(0, tau^2) and variances as estimated: the chance of ever rejecting a true null is at
    most alpha, in the limit of many requests. A fixed-size test that is looked at daily rejects it several times as
    often.

    Args:
        tau: standard deviation of the differences that are expected, in the unit of the means.
        alpha: chance of a false alarm over the whole test.
        least: requests of each arm before anything is said, since variances are estimated.
    """

    def __init__(self, tau: float, alpha: float = 0.05, least: int = 50):
        _check(tau > 0 and 0 < alpha < 1 and least >= 2, "a tau above 0, alpha between 0 and 1, least from 2")
        self.tau = tau
        self.alpha = alpha
        self.least = least
        self._arms = (_Sums(), _Sums())
        self.p_value = 1.0

    def add(self, new: bool, value: float) -> float:
        """Take in a request's quality or cost; the p value, which never rises."""
        _check(bool(np.isfinite(value)), f"a finite value; got {value!r}")
        self._arms[bool(new)].add(float(value))
        if min(arm.count for arm in self._arms) >= self.least and (variance := self._variance()) > 0:
            ratio = variance + self.tau**2
            log = 0.5 * np.log(variance / ratio) + self.difference**2 * self.tau**2 / (2 * variance * ratio)
            self.p_value = min(self.p_value, float(np.exp(min(0.0, -log))))
        return self.p_value

    @property
    def difference(self) -> float:
        """Mean of the new router minus that of the old one."""
        return self._arms[1].mean - self._arms[0].mean

    def interval(self) -> tuple[float, float]:
        """Bounds that hold at every look together, with chance 1 - alpha; infinite before ``least``, and where nothing
        varies.
        """
        variance = self._variance()
        if min(arm.count for arm in self._arms) < self.least or not variance > 0:
            return -np.inf, np.inf
        ratio = variance + self.tau**2
        far = np.log(1 / self.alpha) + 0.5 * np.log(ratio / variance)
        half = np.sqrt(2 * variance * ratio / self.tau**2 * far)
        return self.difference - half, self.difference + half

    @property
    def decided(self) -> bool:
        """Whether the null is rejected, so that the test may stop."""
        return self.p_value <= self.alpha

    def _variance(self) -> float:
        return self._arms[0].variance_of_mean + self._arms[1].variance_of_mean


def _check(fine: bool, expected: str) -> None:
    if not fine:
        raise ToolkitError(f"Experiment: expected {expected}.")
