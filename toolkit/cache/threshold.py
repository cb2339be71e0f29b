"""How similar is similar enough: a fixed threshold, or one whose share of wrong hits is bounded.

A hit is a request whose nearest cached prompt is served; it is wrong where that prompt's answer does not fit. What is
bounded here is FP/H, wrong hits over hits: a user who gets an answer from the cache cares how often those are wrong.
A bound on FP/N, over all requests, lets the hits be as bad as they like where they are few.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from toolkit.errors import ToolkitError

# Thresholds that are tried, strict to loose, fixed before any data is seen: the proof needs that.
GRID = tuple(np.round(np.arange(0.99, 0.495, -0.005), 3).tolist())
STARTS = (0.98, 0.95, 0.9, 0.85, 0.8, 0.7)


class Verdict(NamedTuple):
    """Whether the nearest entry is served, by which rule, and the sentence that says so."""

    serve: bool
    rule: str
    reason: str
    threshold: float = float("nan")


class Policy(Protocol):
    """Decides about the nearest entry of a request."""

    def decide(self, similarity: float, entry: int) -> Verdict: ...

    def observe(self, similarity: float, entry: int, correct: bool) -> None: ...


class _Threshold:
    """Base: serves from ``threshold_`` on; None serves nothing."""

    threshold_: float | None
    origin = ""

    def decide(self, similarity: float, entry: int) -> Verdict:
        """``entry`` does not matter here."""
        if self.threshold_ is None:
            return Verdict(False, "off", f"the semantic tier is off: {self.origin}")
        serve = similarity >= self.threshold_
        rule, sign = ("similar", ">=") if serve else ("dissimilar", "<")
        reason = f"similarity {similarity:.4f} {sign} {self.threshold_:g} ({self.origin})"
        return Verdict(serve, rule, reason, self.threshold_)

    def observe(self, similarity: float, entry: int, correct: bool) -> None:
        """Nothing is learned from single requests."""


class Fixed(_Threshold):
    """A number somebody chose; what share of its hits is wrong, nobody promises.

    Args:
        threshold: least inner product of unit vectors, -1 to 1.

    Raises:
        ToolkitError: another number.
    """

    origin = "fixed"

    def __init__(self, threshold: float):
        if not -1 <= threshold <= 1:
            raise ToolkitError(f"Fixed: a threshold from -1 to 1 was expected; got {threshold!r}.")
        self.threshold = threshold
        self.threshold_ = float(threshold)

    def __repr__(self) -> str:
        return f"Fixed({self.threshold!r})"


class Guaranteed(_Threshold):
    """The loosest threshold at which FP/H is at most ``delta``, with probability ``confidence`` over the calibration.

    Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052): each threshold of ``GRID`` is a hypothesis "FP/H is
    above delta", its p value the exact binomial P(Bin(H, delta) <= FP). They are tested from strict to loose, and a
    test passes its level on to the next as long as rejections go on (the fallback procedure, Wiens 2003), so that the
    chance that any threshold is wrongly accepted is at most 1 - confidence. The level is split evenly over ``STARTS``:
    at a strict threshold hits may be too few to prove anything, and a later start must still have its turn.

    The guarantee needs calibration requests that are exchangeable with later ones: drawn alike, independent (one
    request of each meaning), against a cache of the same size. A cache that has grown, or another mix of traffic, is
    not covered. Before ``fit``, and where no threshold qualifies, the semantic tier is off.

    Args:
        delta: largest share of wrong hits among hits, between 0 and 1.
        confidence: between 0 and 1.

    Attributes:
        threshold_: the threshold, None where none qualifies.
        requests_, hits_, wrong_: the calibration's counts at that threshold.

    Raises:
        ToolkitError: numbers out of range.
    """

    def __init__(self, delta: float = 0.05, confidence: float = 0.9):
        if not 0 < delta < 1 or not 0 < confidence < 1:
            raise ToolkitError(
                f"Guaranteed: delta and confidence between 0 and 1 were expected; got {delta!r}, {confidence!r}."
            )
        self.delta = delta
        self.confidence = confidence
        self.threshold_ = None
        self.requests_ = self.hits_ = self.wrong_ = 0

    def __repr__(self) -> str:
        return f"Guaranteed(delta={self.delta!r}, confidence={self.confidence!r})"

    @property
    def origin(self) -> str:
        """What the threshold rests on, in words."""
        promise = f"at most {self.delta:.3g} of hits wrong, confidence {self.confidence:.3g}"
        if not self.requests_:
            return f"{promise} was asked for, and nothing is calibrated yet"
        if self.threshold_ is None:
            return f"{promise}: no threshold qualifies on {self.requests_:,} requests"
        return f"{promise}, {self.wrong_:,} wrong of {self.hits_:,} hits on {self.requests_:,} requests"

    def fit(self, similarity: Sequence[float], correct: Sequence[bool]) -> "Guaranteed":
        """Calibrate; returns itself.

        Args:
            similarity: of each request to its nearest entry, (n,); -inf where nothing was found, or a guard objects.
            correct: whether that entry's answer fits, (n,); of no matter where nothing was found.

        Raises:
            ToolkitError: arrays of different shapes, no request, or a similarity that is no number.
        """
        similarity, correct = checked(similarity, correct)
        self.requests_ = len(similarity)
        self.threshold_, self.hits_, self.wrong_ = None, 0, 0
        hits, wrong = counts(similarity, correct, GRID)
        accepted = np.flatnonzero(accept(hits, wrong, self.delta, 1 - self.confidence))
        if accepted.size:
            loosest = accepted[-1]
            self.threshold_ = GRID[loosest]
            self.hits_, self.wrong_ = int(hits[loosest]), int(wrong[loosest])
        return self

    def state(self) -> dict[str, Any]:
        """What was learned, as JSON takes it."""
        names = ("delta", "confidence", "threshold_", "requests_", "hits_", "wrong_")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Guaranteed":
        """A calibrated policy again.

        Raises:
            ToolkitError: a value is missing or of another kind.
        """
        try:
            policy = cls(float(state["delta"]), float(state["confidence"]))
            policy.threshold_ = None if state["threshold_"] is None else Fixed(float(state["threshold_"])).threshold_
            policy.requests_, policy.hits_, policy.wrong_ = (int(state[f"{name}_"]) for name in _COUNTS)
        except (KeyError, TypeError, ValueError) as err:
            raise ToolkitError(f"Guaranteed: the state of a calibrated policy was expected; got {state!r}.") from err
        return policy


_COUNTS = ("requests", "hits", "wrong")


def checked(similarity: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, float64 and bool (n,).

    Raises:
        ToolkitError: see ``Guaranteed.fit``.
    """
    similarity, correct = np.asarray(similarity, dtype=float), np.asarray(correct)
    if similarity.ndim != 1 or similarity.shape != correct.shape or not similarity.size or np.isnan(similarity).any():
        raise ToolkitError(
            f"Calibration: similarity and correct of one value per request, no NaN, were expected; got shapes "
            f"{similarity.shape} and {correct.shape}."
        )
    return similarity, correct.astype(bool)


def counts(similarity: np.ndarray, correct: np.ndarray, thresholds: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Hits and wrong hits at each threshold, int64 (k,) both."""
    order = np.sort(similarity), np.sort(similarity[~correct])
    hits, wrong = (values.size - np.searchsorted(values, thresholds, side="left") for values in order)
    return hits, wrong


def accept(hits: np.ndarray, wrong: np.ndarray, delta: float, level: float) -> np.ndarray:
    """Which thresholds of ``GRID`` are proven, bool (k,): Wiens' fallback procedure on exact binomial p values."""
    from scipy.stats import binom

    p_values = binom.cdf(wrong, hits, delta)
    share = level / len(STARTS)
    accepted, passed_on = np.zeros(len(GRID), dtype=bool), 0.0
    for at, threshold in enumerate(GRID):
        here = passed_on + (share if threshold in STARTS else 0.0)
        accepted[at] = here > 0 and p_values[at] <= here
        passed_on = here if accepted[at] else 0.0
    return accepted
