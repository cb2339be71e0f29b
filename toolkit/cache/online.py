"""A policy that learns while it serves, entry by entry, after vCache (Schroeder et al. 2025, arXiv 2502.03771)."""

import copy
import threading
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from toolkit.cache.threshold import Verdict
from toolkit.errors import ToolkitError

_CENTRE, _SCALE = 0.85, 0.05  # similarities as the logistic curve sees them
_PRIOR = 0.05  # precision of its two parameters: keeps them finite where labels are separable
_DOUBT = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3])


class Verified:
    """Each entry learns from labels of its own when it may be served; written from the paper's description.

    Labels (similarity s, correct) of an entry give a logistic curve of the chance that it is right at s. With
    probability 1 - e the chance is at least L(e), the bound of the curve at s under the normal approximation. Serving
    with probability 1 - tau makes an error with probability at most (1 - tau)(1 - (1 - e) L(e)), so the smallest tau
    that keeps this within ``delta`` is

        tau = min over e of 1 - delta / (1 - (1 - e) L(e)), at least 0,

    and the entry is served when a uniform draw exceeds tau. What is bounded is wrong hits over all requests (FP/N), and
    each entry needs labels, which are calls of the model, before it can serve.

    Args:
        delta: largest share of wrong hits among requests, between 0 and 1.
        least: labels of an entry before it is served at all.
        seed: of the draws.

    Raises:
        ToolkitError: numbers out of range.
    """

    def __init__(self, delta: float = 0.05, least: int = 4, seed: int = 0):
        if not isinstance(delta, Real) or not 0 < delta < 1 or not isinstance(least, int) or least < 1:
            raise ToolkitError(
                f"Verified: delta between 0 and 1 and least from 1 were expected; got {delta!r}, {least!r}."
            )
        self.delta = delta
        self.least = least
        self.seed = seed
        self._rng = np.random.default_rng(seed)
        self._labels: dict[str, list[tuple[float, bool]]] = {}
        self._curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Verified(delta={self.delta!r}, least={self.least!r}, seed={self.seed!r})"

    def decide(self, similarity: float, entry: str, dry_run: bool = False) -> Verdict:
        """Serve, or explore: let the model answer and tell ``observe`` whether the entry was right.

        Args:
            similarity: of the entry, or of its nearest wording.
            entry: ``Lookup.entry``, which no entry of another file has.
            dry_run: leave the next draw to others.
        """
        with self._lock:
            rng = copy.deepcopy(self._rng) if dry_run else self._rng
            tau, draw = self._tau(similarity, entry), float(rng.random())
            labels = len(self._labels.get(entry, ()))
        serve = draw > tau
        said = f"{draw:.3f} {'>' if serve else '<='} tau {tau:.3f} after {labels} labels (delta {self.delta:g})"
        return Verdict(serve, "similar" if serve else "explore", f"similarity {similarity:.4f}, {said}")

    def observe(self, similarity: float, entry: str, correct: bool) -> None:
        """A label of an entry.

        Raises:
            ToolkitError: it is neither true nor false, or the similarity is none.
        """
        if not isinstance(correct, bool | np.bool_) or not -1.001 <= similarity <= 1.001:
            raise ToolkitError(f"Verified: a similarity, and True or False, expected; got {similarity}, {correct!r}.")
        with self._lock:
            labels = self._labels.setdefault(entry, [])
            labels.append((float(similarity), bool(correct)))
            if len(labels) >= self.least:
                self._curves[entry] = _fit(np.array(labels))

    def _tau(self, similarity: float, entry: str) -> float:
        if entry not in self._curves:
            return 1.0
        mean, covariance = self._curves[entry]
        at = np.array([1.0, (similarity - _CENTRE) / _SCALE])
        low = expit(at @ mean - norm.isf(_DOUBT) * np.sqrt(at @ covariance @ at))
        wrong = 1 - (1 - _DOUBT) * low
        return float(np.clip(1 - self.delta / wrong, 0, 1).min())

    def state(self) -> dict[str, Any]:
        """The labels, as JSON takes them."""
        with self._lock:
            return {entry: list(labels) for entry, labels in self._labels.items()}

    def restore(self, state: Mapping[str, Any]) -> "Verified":
        """Take up saved labels; returns itself.

        Raises:
            ToolkitError: it is no state of such a policy.
        """
        try:
            for entry, labels in state.items():
                for similarity, correct in labels:
                    self.observe(similarity, entry, correct)
        except (AttributeError, TypeError, ValueError) as err:
            raise ToolkitError(f"Verified: the state of such a policy was expected; got {state!r}.") from err
        return self


def _fit(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mode and covariance (2,), (2, 2) of a logistic curve with a weak normal prior, by Newton's method."""
    design = np.column_stack([np.ones(len(labels)), (labels[:, 0] - _CENTRE) / _SCALE])
    weights, prior = np.zeros(2), _PRIOR * np.eye(2)
    for _ in range(25):
        chance = expit(design @ weights)
        gradient = design.T @ (labels[:, 1] - chance) - prior @ weights
        hessian = (design * (chance * (1 - chance))[:, None]).T @ design + prior
        step = np.linalg.solve(hessian, gradient)
        weights = weights + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    return weights, np.linalg.inv(hessian)
