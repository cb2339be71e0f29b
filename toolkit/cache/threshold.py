"""How similar is similar enough: a fixed threshold, or one whose share of wrong hits is bounded.

A hit is a request whose nearest cached prompt is served; it is wrong where that prompt's answer does not fit. What is
bounded here is FP/H, wrong hits over hits: a user who gets an answer from the cache cares how often those are wrong.
A bound on FP/N, over all requests, lets the hits be as bad as they like where they are few.
"""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, Protocol

import numpy as np

from toolkit.cache.lookup import Lookup
from toolkit.errors import ToolkitError

# Thresholds that are tried, strict to loose, fixed before any data is seen: the proof needs that.
GRID = tuple(np.round(np.arange(0.99, 0.495, -0.005), 3).tolist())
STARTS = (0.98, 0.95, 0.9, 0.85, 0.8, 0.7)
_LARGEST = 1.001  # vectors of length 1 within rounding


class Verdict(NamedTuple):
    """Whether the nearest entry is served, by which rule, and the sentence that says so."""

    serve: bool
    rule: str
    reason: str
    threshold: float = float("nan")


class Policy(Protocol):
    """Decides about the nearest entry of a request."""

    def decide(self, similarity: float, entry: str, dry_run: bool = False) -> Verdict: ...

    def observe(self, similarity: float, entry: str, correct: bool) -> None: ...


class _Threshold:
    """Base: serves from ``threshold_`` on; None serves nothing."""

    threshold_: float | None
    origin = ""

    def decide(self, similarity: float, entry: str = "", dry_run: bool = False) -> Verdict:
        """By the similarity alone."""
        if self.threshold_ is None:
            return Verdict(False, "off", f"the semantic tier is off: {self.origin}")
        serve = similarity >= self.threshold_
        rule, sign = ("similar", ">=") if serve else ("dissimilar", "<")
        reason = f"similarity {similarity:.4f} {sign} {self.threshold_:g} ({self.origin})"
        return Verdict(serve, rule, reason, self.threshold_)

    def observe(self, similarity: float, entry: str, correct: bool) -> None:
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
        if not isinstance(threshold, Real) or not -1 <= threshold <= 1:
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
    request of each meaning), and met by the same entries, guard and encoder. A cache that has grown, whose entries are
    others though as many, or another mix of traffic is not covered: calibrate again. Before ``fit``, and where no
    threshold qualifies, the semantic tier is off.

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
        if not all(isinstance(share, Real) and 0 < share < 1 for share in (delta, confidence)):
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
            correct: whether that entry's answer fits, True or False (1 or 0), (n,); False where nothing was found.

        Raises:
            ToolkitError: arrays of different shapes, no request, a similarity that is no number or above 1, or a label
                that is neither true nor false.
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

    def fit_lookups(self, lookups: Sequence[Lookup], correct: Sequence[bool]) -> "Guaranteed":
        """Calibrate on what the cache itself found in dry runs, its guard and its encoder's limits included.

        Requests that the exact tier answered are left out: what is bounded are the hits of the semantic tier. So are
        none of the others: a request that found nothing, or could not be read, is one that is never served.

        Args:
            lookups: of ``SemanticCache.get(..., dry_run=True)``, one of each meaning.
            correct: whether the matched entry's answer would have done, (n,); anything where there is none.

        Raises:
            ToolkitError: as ``fit``.
        """
        if len(lookups) != len(correct) or not all(isinstance(found, Lookup) for found in lookups):
            raise ToolkitError("Guaranteed: lookups of a cache, and one label each, were expected.")
        asked = [(found, label) for found, label in zip(lookups, correct, strict=True) if found.rule != "exact"]
        far = [found.entry is None or bool(found.objection) for found, _ in asked]
        similarity = [-np.inf if away else found.similarity for (found, _), away in zip(asked, far, strict=True)]
        return self.fit(similarity, [False if away else label for (_, label), away in zip(asked, far, strict=True)])

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
            if policy.threshold_ not in (None, *GRID) or not 0 <= policy.wrong_ <= policy.hits_ <= policy.requests_:
                raise ValueError("counts and threshold do not agree")
        except (KeyError, TypeError, ValueError, OverflowError) as err:
            raise ToolkitError(f"Guaranteed: the state of a calibrated policy was expected; got {state!r}.") from err
        return policy


_COUNTS = ("requests", "hits", "wrong")


def checked(similarity: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, float64 and bool (n,).

    Raises:
        ToolkitError: see ``Guaranteed.fit``.
    """
    try:
        similarity, correct = np.asarray(similarity, dtype=float), np.asarray(correct)
    except (TypeError, ValueError) as err:
        raise ToolkitError(f"Calibration: one similarity per request was expected ({err}).") from err
    if similarity.ndim != 1 or similarity.shape != correct.shape or not similarity.size:
        raise ToolkitError(
            f"Calibration: one similarity and one label per request were expected; got shapes {similarity.shape} and "
            f"{correct.shape}."
        )
    if not (similarity <= _LARGEST).all():  # NaN neither
        found = similarity[~(similarity <= _LARGEST)][0]
        raise ToolkitError(f"Calibration: similarities up to 1, -inf for none, were expected; found {found:g}.")
    if correct.dtype.kind not in "bui" or not np.isin(correct, (0, 1)).all():
        raise ToolkitError("Calibration: labels True and False, or 1 and 0, were expected; found others.")
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
