"""Where a calibrated threshold keeps its promise and where it cannot: new halves, growth, another mix of traffic."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from toolkit.cache.threshold import GRID, Fixed, Guaranteed
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.evaluation import caching
from toolkit.evaluation.caching import Found, World
from toolkit.evaluation.metrics import measured


@dataclass(frozen=True)
class Design:
    """What is drawn, and what is promised.

    Attributes:
        entries, requests: of a world.
        delta, confidence: of ``Guaranteed``.
        answerable: share of requests whose meaning is cached.
        bootstraps: replicates of intervals.
        seed: of all draws.
    """

    entries: int
    requests: int
    delta: float = 0.05
    confidence: float = 0.9
    answerable: float = 0.5
    bootstraps: int = 1000
    seed: int = 0

    def policy(self, found: Found) -> Guaranteed:
        """Calibrated on a world."""
        return Guaranteed(self.delta, self.confidence).fit(found.similarity, found.correct)

    def fitting(self, data: Paraphrases) -> "Design":
        """As large as two worlds of disjoint classes can be, at most this."""
        sizes = np.bincount(data.classes)
        half, several = (int(0.95 * count / 2) for count in (len(sizes), (sizes > 1).sum()))  # halves are not equal
        entries = min(self.entries, several, half // 2)
        return replace(self, entries=entries, requests=min(self.requests, 2 * entries))


@dataclass(frozen=True)
class Subject:
    """A set of texts through an encoder.

    Attributes:
        name: for tables: set, language, encoder.
        data: texts of one language.
        vectors: float32 (texts, d).
        encoder: its name.
    """

    name: str
    data: Paraphrases
    vectors: np.ndarray
    encoder: str


@dataclass(frozen=True)
class Trial:
    """Calibration and test in worlds of disjoint classes, alike in size and traffic."""

    calibration: World
    test: World
    seen: Found
    unseen: Found


def drawn(one: Subject, codes: np.ndarray, design: Design) -> World:
    """A world of some classes, codes (k,), as the design says."""
    return caching.world(one.data, codes, design.entries, design.requests, design.answerable, design.seed)


def trial(one: Subject, design: Design) -> Trial:
    """Draw both worlds and find the nearest entries."""
    worlds = [drawn(one, codes, design) for codes in caching.parts(one.data, 0.5, design.seed)]
    return Trial(*worlds, *(caching.find(one.data, one.vectors, each) for each in worlds))


def calibrations(one: Subject, design: Design, runs: int, tests: int = 1) -> pd.DataFrame:
    """Calibrate again and again on new random parts of the classes, and test each threshold on the other parts.

    The runs share one pool of texts, so intervals over runs speak of this pool and not of other texts.

    Args:
        tests: worlds that a threshold is tested on, all of disjoint classes.

    Returns:
        Two rows a run, ``rule`` ``guaranteed`` and ``at delta``: ``threshold`` (NaN where none), ``wrong_per_hit`` and
        ``hits_per_request`` on the test traffic (0 where the tier is off).
    """
    rows = []
    for run in range(runs):
        each = replace(design, seed=design.seed + 1000 * run)
        first, rest = caching.parts(one.data, 1 / (1 + tests), each.seed)
        codes = [first, *np.array_split(rest, tests)]
        found = [caching.find(one.data, one.vectors, drawn(one, part, each)) for part in codes]
        chosen = {
            "guaranteed": design.policy(found[0]).threshold_,
            "at delta": caching.empirical(found[0], design.delta, GRID),
        }
        test = caching.joined(found[1:])
        for rule, threshold in chosen.items():
            known = threshold is not None and np.isfinite(threshold)
            wrong, hits = caching.risk(test, threshold) if known else (0.0, 0.0)
            rows.append((run, rule, threshold if known else np.nan, wrong, hits))
    return pd.DataFrame(rows, columns=["run", "rule", "threshold", "wrong_per_hit", "hits_per_request"])


def promises(runs: pd.DataFrame, name: str, delta: float) -> pd.DataFrame:
    """Tidy rows ``found``, ``violations`` and ``hits_per_request`` of ``calibrations``, for each rule."""
    rows = []
    for rule, part in runs.groupby("rule", sort=False):
        system, found = f"{name}: {rule}", part["threshold"].notna()
        for metric, times in (("found", found.sum()), ("violations", (part["wrong_per_hit"] > delta).sum())):
            rows.append(share(system, metric, int(times), len(part)))
        hits = part["hits_per_request"].to_numpy()
        spread = np.quantile(hits, [0.025, 0.975])
        rows.append(
            measured(system, "hits_per_request", hits.mean(keepdims=True), "mean and 95% range of the calibrations")
            | {"ci_low": spread[0], "ci_high": spread[1], "n": len(part)}
        )
    return pd.DataFrame(rows)


def share(system: str, metric: str, times: int, trials: int, note: str = "") -> dict:
    """A tidy row of a share of trials, 95% interval by Clopper and Pearson (1934)."""
    bounds = binomtest(times, trials).proportion_ci()
    row = measured(system, metric, np.array([times / trials]), note)
    return row | {"ci_low": bounds.low, "ci_high": bounds.high, "n": trials}


def growth(
    one: Subject, smallest: int, thresholds: Mapping[str, float], design: Design, steps: int = 5
) -> pd.DataFrame:
    """``wrong_per_hit`` of the same requests against more and more entries, with a column ``entries``.

    The smallest cache answers half of the requests, all of classes that no threshold was chosen on; what is added are
    texts of all classes that nobody asks for.

    Args:
        smallest: entries to begin with; fewer where there are too few classes.
        thresholds: by name; they stay.
        steps: caches, up to all the classes there are.
    """
    _, codes = caching.parts(one.data, 0.5, design.seed)
    smallest = min(smallest, len(codes) // 2, int((np.bincount(one.data.classes)[codes] > 1).sum()))
    base = drawn(one, codes, replace(design, entries=smallest, requests=2 * smallest, answerable=0.5))
    others = np.setdiff1d(one.data.classes, one.data.classes[np.concatenate([base.entries, base.requests])])
    rng = np.random.default_rng(design.seed)
    filler = caching.Members(one.data.classes).one(rng.permutation(others), rng)
    sizes = np.geomspace(smallest, smallest + len(filler), steps).astype(int)
    found = []
    for size in (float(f"{size:.2g}") for size in sizes):
        kept = np.concatenate([base.entries, filler[: max(0, int(size) - smallest)]])
        nearest = caching.find(one.data, one.vectors, World(kept, base.requests, base.answerable))
        for name, threshold in thresholds.items():
            rows = caching.rates(nearest, threshold, name, design.bootstraps)
            found.append(rows[rows["metric"] == "wrong_per_hit"].assign(entries=len(kept)))
    return pd.concat(found, ignore_index=True)


def drift(one: Subject, policy: Fixed | Guaranteed, design: Design) -> pd.DataFrame:
    """Rates of a threshold when the mix of traffic changes after it was chosen: fewer requests are answerable."""
    _, codes = caching.parts(one.data, 0.5, design.seed)
    threshold, found = np.inf if policy.threshold_ is None else policy.threshold_, []
    for answerable in (design.answerable, design.answerable / 2, design.answerable / 5):
        # Requests that should miss come from classes that are not cached, and these may be few.
        most = int((len(codes) - design.entries) / (1 - answerable))
        mix = replace(design, answerable=answerable, requests=min(design.requests, most))
        nearest = caching.find(one.data, one.vectors, drawn(one, codes, mix))
        system = f"{threshold:g}, {answerable:.0%} answerable"
        found.append(caching.rates(nearest, threshold, system, design.bootstraps))
    return pd.concat(found, ignore_index=True)
