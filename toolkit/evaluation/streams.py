"""Traffic one request after the other: the cache fills as it misses, questions come again, and facts change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.cache.index import Index
from toolkit.cache.threshold import Policy
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.errors import ToolkitError
from toolkit.evaluation.caching import Members, rates_of
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.statistics import bootstrap_counts


@dataclass(frozen=True)
class Stream:
    """Requests in their order.

    Attributes:
        rows: of the texts, int64 (n,); the same words may come again.
        seconds: when, float64 (n,), rising.
        versions: of the fact that an answer states, int64 (n,): a cached answer of another version is stale.
    """

    rows: np.ndarray
    seconds: np.ndarray
    versions: np.ndarray


def stream(
    data: Paraphrases,
    classes: np.ndarray,
    requests: int,
    skew: float = 1.0,
    once: float = 0.3,
    per_hour: float = 1000.0,
    changes_per_hour: float = 0.0,
    seed: int = 0,
) -> Stream:
    """Draw requests: popular classes come often, in any of their wordings; a share of requests is never seen again.

    Args:
        classes: codes that may be drawn, (k,); a tenth of ``requests`` of them are popular.
        requests: n.
        skew: popularity falls with rank to this power (Zipf; web caches show .64 to .83, Breslau et al. 1999).
        once: share of requests from classes that come a single time.
        per_hour: requests; they arrive as a Poisson process.
        changes_per_hour: how often the fact behind a class changes, a Poisson process for each class.

    Raises:
        ToolkitError: too few classes.
    """
    rng = np.random.default_rng(seed)
    codes = rng.permutation(classes)
    popular, single = max(1, requests // 10), round(once * requests)
    if popular + single > len(codes):
        raise ToolkitError(
            f"{data.name}: {popular + single} classes were expected for {requests} requests; {len(codes)} given."
        )
    chance = np.arange(1, popular + 1) ** -skew
    drawn = np.concatenate(
        [rng.choice(codes[:popular], requests - single, p=chance / chance.sum()), codes[popular : popular + single]]
    )
    drawn = rng.permutation(drawn)
    rows = Members(data.classes).one(drawn, rng)
    seconds = np.cumsum(rng.exponential(3600 / per_hour, requests))
    versions = np.zeros(requests, dtype=np.int64)
    if changes_per_hour:
        for code in np.unique(drawn):
            at = np.flatnonzero(drawn == code)
            changed = rng.uniform(0, seconds[-1], rng.poisson(changes_per_hour * seconds[-1] / 3600))
            versions[at] = np.searchsorted(np.sort(changed), seconds[at])
    return Stream(rows, seconds, versions)


def simulate(
    data: Paraphrases, vectors: np.ndarray, one: Stream, policy: Policy | None, ttl_s: float = np.inf
) -> pd.DataFrame:
    """Send a stream through exact tier, nearest entry and policy; every miss is answered by the model and cached.

    The model's answer to a miss is the label that policies which learn may have: whether the nearest entry was right.

    Args:
        vectors: float32 (texts, d) of the texts.
        policy: of the semantic tier; None for the exact tier alone.
        ttl_s: seconds an entry lives.

    Returns:
        One row a request: ``hit``, ``rule``, ``similarity`` (NaN where nothing was compared), ``entry`` (row of the
        text), ``correct`` (class and version are the request's), ``stale`` (the class is, the version is not),
        ``answerable`` (an entry of its class and version was cached at that moment).
    """
    index, at_hand = Index(vectors.shape[1]), _AtHand()
    found = []
    for step, row in enumerate(one.rows):
        at_hand.expire(index, one.seconds[step] - ttl_s)
        meant = (int(data.classes[row]), int(one.versions[step]))
        answerable, key, similarity, rule, hit = at_hand.means(meant), at_hand.exact(row), np.nan, "exact", True
        if key is None:
            key, similarity, rule, hit = _nearest(index, vectors[row], policy)
        right = key is not None and at_hand.meaning[key] == meant
        same = key is not None and at_hand.meaning[key][0] == meant[0]
        entry = -1 if key is None else int(one.rows[key])
        found.append((hit, rule, similarity, entry, right, same and not right, answerable))
        if not hit:
            if policy is not None and key is not None:
                policy.observe(similarity, key, right)
            at_hand.add(index, step, row, meant, one.seconds[step], vectors[row])
    return pd.DataFrame(found, columns=["hit", "rule", "similarity", "entry", "correct", "stale", "answerable"])


def _nearest(index: Index, vector: np.ndarray, policy: Policy | None) -> tuple[int | None, float, str, bool]:
    if policy is None or not len(index):
        return None, np.nan, "empty" if policy else "off", False
    similarity, ids = index.search(vector[None])
    verdict = policy.decide(float(similarity[0, 0]), int(ids[0, 0]))
    return int(ids[0, 0]), float(similarity[0, 0]), verdict.rule, verdict.serve


class _AtHand:
    """What is cached at a moment, beside the vectors: entries are numbered by the step that stored them."""

    def __init__(self) -> None:
        self.meaning: dict[int, tuple[int, int]] = {}
        self._row: dict[int, int] = {}
        self._by_row: dict[int, int] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._stored: list[tuple[float, int]] = []
        self._first = 0

    def exact(self, row: int) -> int | None:
        return self._by_row.get(row)

    def means(self, meant: tuple[int, int]) -> bool:
        return self._known.get(meant, 0) > 0

    def add(self, index: Index, key: int, row: int, meant: tuple[int, int], now: float, vector: np.ndarray) -> None:
        index.add([key], vector[None])
        self.meaning[key], self._row[key], self._by_row[row] = meant, row, key
        self._known[meant] = self._known.get(meant, 0) + 1
        self._stored.append((now, key))

    def expire(self, index: Index, before: float) -> None:
        """Forget what was stored before a moment; entries were stored in the order of time."""
        while self._first < len(self._stored) and self._stored[self._first][0] <= before:
            key = self._stored[self._first][1]
            self._first += 1
            index.remove([key])
            self._known[self.meaning.pop(key)] -= 1
            if self._by_row.get(self._row[key]) == key:
                del self._by_row[self._row[key]]


def stream_rates(
    data: Paraphrases, one: Stream, happened: pd.DataFrame, system: str, bootstraps: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Tidy rows of ``caching.RATES`` of a simulated stream; classes are resampled whole, since they come again."""
    _, groups = np.unique(data.classes[one.rows], return_inverse=True)
    drawn = bootstrap_counts(groups, bootstraps, seed)
    hit, correct, answerable = (happened[name].to_numpy(bool) for name in ("hit", "correct", "answerable"))
    return rates_of(hit, correct, answerable, drawn, system)


def staleness(
    data: Paraphrases, vectors: np.ndarray, one: Stream, policy: Policy | None, ttls_s: Sequence[float]
) -> pd.DataFrame:
    """Tidy rows ``hits_per_request`` and ``stale_per_hit`` for each lifetime of entries, with a column ``ttl_s``.

    ``vectors`` are those of the texts, float32 (n, d).
    """
    rows = []
    for ttl_s in ttls_s:
        happened = simulate(data, vectors, one, policy, ttl_s)
        hits = happened[happened["hit"]]
        for metric, part, whole in (
            ("hits_per_request", len(hits), len(happened)),
            ("stale_per_hit", hits["stale"].sum(), len(hits)),
        ):
            share = np.array([part / whole if whole else np.nan])
            rows.append(measured("lifetime", metric, share) | {"n": whole, "ttl_s": ttl_s})
    return pd.DataFrame(rows)
