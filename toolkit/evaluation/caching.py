"""What a semantic cache does to traffic: hits, and wrong ones among them, each share with its denominator in its name.

Pairs are not the cache's task: a cache takes the nearest of n entries, so its wrong hits grow with n. Here a world is a
cache of entries and the requests that meet it, at most one request of each class of meaning, so that requests are
exchangeable; some have their class in the cache, the others should miss. A hit whose class differs from the request's
counts as wrong, whether or not somebody labelled that pair. N are requests, H hits, FP wrong hits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from toolkit.cache.guard import Guard
from toolkit.cache.threshold import counts
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.errors import ToolkitError
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.statistics import bootstrap_counts

RATES = (
    "hits_per_request",
    "wrong_per_hit",
    "wrong_per_request",
    "recall_per_answerable",
    "wrong_per_unanswerable",
)
RANDOM = "random score"


def only(data: Paraphrases, codes: np.ndarray) -> Paraphrases:
    """The texts of some classes, codes (k,), numbered anew."""
    rows = np.flatnonzero(np.isin(data.classes, codes))
    _, classes = np.unique(data.classes[rows], return_inverse=True)
    place = np.full(len(data.classes), -1)
    place[rows] = np.arange(len(rows))
    pairs = data.pairs.assign(first=place[data.pairs["first"]], second=place[data.pairs["second"]])
    pairs = pairs[(pairs["first"] >= 0) & (pairs["second"] >= 0)].reset_index(drop=True)
    texts, languages = [data.texts[row] for row in rows], np.asarray(data.languages)[rows]
    return replace(data, texts=texts, classes=classes, languages=languages, pairs=pairs)


def sampled(data: Paraphrases, classes: int, seed: int = 0) -> Paraphrases:
    """So many classes at most, half of them of several texts where there are as many: encoding all takes minutes."""
    codes = np.random.default_rng(seed).permutation(int(data.classes.max()) + 1)
    several = np.bincount(data.classes)[codes] > 1
    return only(data, np.concatenate([codes[several][: classes // 2], codes[~several][: classes - classes // 2]]))


@dataclass(frozen=True)
class World:
    """A cache and its traffic, as row numbers of the texts.

    Attributes:
        entries: int64 (c,), what is cached, one text a class.
        requests: int64 (n,), one text a class, none of them cached in the same words.
        answerable: whether an entry of the request's class is cached, bool (n,).
    """

    entries: np.ndarray
    requests: np.ndarray
    answerable: np.ndarray


def parts(data: Paraphrases, share: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Disjoint random parts of the classes, the first of that share, for calibration and test: codes, int64 (k,)."""
    order = np.random.default_rng(seed).permutation(int(data.classes.max()) + 1)
    first = round(share * len(order))
    return order[:first], order[first:]


def world(
    data: Paraphrases, classes: np.ndarray, entries: int, requests: int, answerable: float = 0.25, seed: int = 0
) -> World:
    """Draw a cache and its traffic from some of the classes.

    Entries are texts of classes that have several, since only these can be asked again in other words; requests that
    should miss come from all other classes.

    Args:
        classes: codes that may be drawn, (k,).
        entries: c.
        requests: n.
        answerable: share of requests whose class is cached.

    Raises:
        ToolkitError: too few classes.
    """
    rng = np.random.default_rng(seed)
    codes = rng.permutation(classes)
    several = codes[np.bincount(data.classes)[codes] > 1]
    again, cached = round(answerable * requests), several[:entries]
    others = np.setdiff1d(codes, cached, assume_unique=True)
    if len(cached) < max(entries, again) or len(others) < requests - again:
        raise ToolkitError(
            f"{data.name}: {entries} classes of several texts and {requests - again} others were expected; there are "
            f"{len(several)} and {len(others)}. Ask for fewer entries or requests."
        )
    members = Members(data.classes)
    entry, asked = members.two(cached, rng)
    fresh = members.one(rng.permutation(others)[: requests - again], rng)
    return World(entry, np.concatenate([asked[:again], fresh]), np.arange(requests) < again)


class Members:
    """Draws texts of classes.

    Args:
        classes: int64 (texts,), codes of all texts.
    """

    def __init__(self, classes: np.ndarray):
        self._rows = np.argsort(classes, kind="stable")
        self.sizes = np.bincount(classes)
        self._start = np.cumsum(self.sizes) - self.sizes

    def one(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A text of each class, int64 (k,)."""
        return self._rows[self._start[codes] + rng.integers(self.sizes[codes])]

    def two(self, codes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Two different texts of each class of several, int64 (k,) both."""
        size = self.sizes[codes]
        first = rng.integers(size)
        second = (first + 1 + rng.integers(size - 1)) % size
        return self._rows[self._start[codes] + first], self._rows[self._start[codes] + second]


@dataclass(frozen=True)
class Found:
    """The nearest entry of every request.

    Attributes:
        similarity: float64 (n,), -inf where nothing may be served.
        entry: row of its text, int64 (n,).
        correct: whether its class is the request's, bool (n,).
        answerable: of the world, bool (n,).
    """

    similarity: np.ndarray
    entry: np.ndarray
    correct: np.ndarray
    answerable: np.ndarray


def find(data: Paraphrases, vectors: np.ndarray, one: World, block: int = 2000) -> Found:
    """The nearest entry of every request by inner product; ``vectors`` float32 (texts, d), or a sparse matrix."""
    kept = vectors[one.entries].T
    similarity, place = np.empty(len(one.requests)), np.empty(len(one.requests), dtype=np.int64)
    for start in range(0, len(one.requests), block):
        rows = slice(start, start + block)
        scores = vectors[one.requests[rows]] @ kept
        scores = scores if isinstance(scores, np.ndarray) else scores.toarray()
        place[rows] = scores.argmax(axis=1)
        similarity[rows] = scores[np.arange(len(scores)), place[rows]]
    entry = one.entries[place]
    correct = data.classes[entry] == data.classes[one.requests]
    return Found(similarity, entry, correct, one.answerable)


def joined(found: Sequence[Found]) -> Found:
    """Several worlds' requests as one; entries are rows of the same texts."""
    names = ("similarity", "entry", "correct", "answerable")
    return Found(*(np.concatenate([getattr(one, name) for one in found]) for name in names))


def rates(found: Found, threshold: float, system: str, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Tidy rows of ``RATES`` at a threshold, intervals by bootstrap over classes; a rate of nothing is NaN."""
    drawn = bootstrap_counts(np.arange(len(found.correct)), bootstraps, seed)
    return rates_of(found.similarity >= threshold, found.correct, found.answerable, drawn, system)


def rates_of(
    hit: np.ndarray, correct: np.ndarray, answerable: np.ndarray, drawn: np.ndarray, system: str
) -> pd.DataFrame:
    """As ``rates``, from what happened.

    Args:
        hit, correct, answerable: bool (n,) each.
        drawn: of ``bootstrap_counts``, (B + 1, n).
    """
    columns = [np.ones(len(hit)), hit, hit & ~correct, hit & correct, answerable, hit & ~answerable]
    totals = np.stack([_summed(drawn, column) for column in columns])
    size, hits, wrong, right, known, forbidden = totals
    shares = ((hits, size), (wrong, hits), (wrong, size), (right, known), (forbidden, size - known))
    rows = []
    for metric, (part, whole) in zip(RATES, shares, strict=True):
        samples = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
        rows.append(measured(system, metric, samples) | {"n": int(whole[0])})
    return pd.DataFrame(rows)


def _summed(drawn: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Sums over replicates, exact."""
    chosen = np.flatnonzero(column)
    return drawn[:, chosen].sum(axis=1, dtype=np.int64).astype(float)


def curve(found: Found, thresholds: Sequence[float], bootstraps: int = 300, seed: int = 0) -> pd.DataFrame:
    """``RATES`` at each threshold, columns threshold, metric, value, ci_low, ci_high."""
    drawn = bootstrap_counts(np.arange(len(found.correct)), bootstraps, seed)
    parts = [
        rates_of(found.similarity >= threshold, found.correct, found.answerable, drawn, "").assign(threshold=threshold)
        for threshold in thresholds
    ]
    return pd.concat(parts, ignore_index=True)


def empirical(found: Found, delta: float, grid: Sequence[float]) -> float:
    """The loosest threshold at which calibration itself shows FP/H of at most ``delta``; inf where there is none.

    What is usually done, and why it fails: about half of the time the true share lies above.
    """
    hits, wrong = counts(found.similarity, found.correct, grid)
    fit = np.flatnonzero((hits > 0) & (wrong <= delta * hits))
    return grid[fit[-1]] if fit.size else float("inf")


def risk(found: Found, threshold: float) -> tuple[float, float]:
    """FP/H and H/N at a threshold; no hit has no wrong one."""
    hits, wrong = (int(values[0]) for values in counts(found.similarity, found.correct, [threshold]))
    return wrong / hits if hits else 0.0, hits / len(found.similarity)


def alternatives(data: Paraphrases, one: World, found: Found, seed: int = 0) -> Mapping[str, Found]:
    """The same world through scores that know less: words (TF-IDF), and nothing (a random score for the same entry)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(token_pattern=r"[^\W_㐀-鿿]+|[㐀-鿿]", ngram_range=(1, 2))
    words.fit([data.texts[row] for row in one.entries])
    shuffled = np.random.default_rng(seed).random(len(found.similarity))
    by_words = find(data, words.transform(data.texts), one)
    return {"TF-IDF": by_words, RANDOM: replace(found, similarity=shuffled)}


def guarded(data: Paraphrases, one: World, found: Found, guard: Guard) -> Found:
    """The same world where the guard has its say: what it objects to is as far away as can be."""
    objects = [
        bool(guard.objection(data.texts[asked], data.texts[entry]))
        for asked, entry in zip(one.requests, found.entry, strict=True)
    ]
    return replace(found, similarity=np.where(objects, -np.inf, found.similarity))
