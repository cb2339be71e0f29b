"""Notebook 05's experiments: what is asked of a cache in each profile, and the tidy rows that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from toolkit import encoders
from toolkit.cache.guard import Guard
from toolkit.cache.online import Verified
from toolkit.cache.threshold import GRID, Fixed, Guaranteed, Policy
from toolkit.datasets import paraphrases
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.evaluation import caching, streams
from toolkit.evaluation.caching import Found, World
from toolkit.evaluation.metrics import measured

DELTA, CONFIDENCE = 0.05, 0.9
ANSWERABLE = 0.5  # share of requests whose meaning is cached
# GPTCache compares distances; its default of .8 lets through what has a cosine from .6 on in its faiss store.
GPTCACHE = 0.6
ENCODER = {"en": "minilm", "zh": "lexical"}  # MiniLM's vocabulary is English: most Chinese is [UNK] to it


@dataclass(frozen=True)
class Plan:
    """How much is drawn.

    Attributes:
        synthetic: classes of the set of our own.
        upstream: classes drawn from each set that is at hand, half of them of several texts; 0 leaves these out.
        entries, requests: of a world.
        runs: calibrations.
        growth: entries at which wrong hits are counted.
        stream: requests of a stream.
        victims: of each attack.
    """

    synthetic: int
    upstream: int
    entries: int
    requests: int
    runs: int
    growth: tuple[int, ...]
    stream: int
    victims: int


PLANS = {
    "smoke": Plan(600, 0, 60, 120, 3, (30, 60), 200, 3),
    "quick": Plan(3000, 3000, 300, 600, 20, (75, 150, 300, 600), 2000, 10),
    "full": Plan(4000, 40_000, 400, 800, 100, (75, 150, 300, 600), 10_000, 30),
}
UPSTREAM_FULL = {"entries": 5000, "requests": 10_000, "growth": (1000, 3000, 10_000)}


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


def subject(data: Paraphrases, language: str, encoder: str = "") -> Subject:
    """The texts of one language through the encoder that can read it, or another."""
    encoder = encoder or ENCODER[language]
    codes = np.unique(data.classes[np.asarray(data.languages) == language])
    part = caching.only(data, codes)
    return Subject(f"{data.name} {language}, {encoder}", part, encoders.get(encoder).encode(part.texts), encoder)


def subjects(plan: Plan, seed: int = 0) -> list[Subject]:
    """English first, then Chinese; the sets that are not at hand are left out."""
    own = paraphrases.load("synthetic", classes=plan.synthetic)
    found = [subject(own, "en")]
    for name, language in (("qqp", "en"), ("afqmc", "zh")):
        if plan.upstream and paraphrases.at_hand(name):
            found.append(subject(caching.sampled(paraphrases.load(name), plan.upstream, seed), language))
    return [*found, subject(own, "zh"), subject(own, "zh", "minilm")]


@dataclass(frozen=True)
class Trial:
    """Calibration and test in worlds of disjoint classes, alike in size and traffic."""

    calibration: World
    test: World
    seen: Found
    unseen: Found


def trial(one: Subject, entries: int, requests: int, seed: int = 0, answerable: float = ANSWERABLE) -> Trial:
    """Draw both worlds and find the nearest entries."""
    first, second = caching.parts(one.data, 0.5, seed)
    worlds = [
        caching.world(one.data, codes, entries, requests, answerable, seed + number)
        for number, codes in enumerate((first, second))
    ]
    return Trial(*worlds, *(caching.find(one.data, one.vectors, each) for each in worlds))


def calibrations(one: Subject, entries: int, requests: int, runs: int, tests: int = 1, seed: int = 0) -> pd.DataFrame:
    """Calibrate again and again on fresh draws, and look at what each threshold does to fresh test traffic.

    Args:
        tests: worlds of ``entries`` and ``requests`` that a threshold is tested on, all of disjoint classes.

    Returns:
        Two rows a run, ``rule`` ``guaranteed`` and ``at delta``: ``threshold`` (NaN where none), ``wrong_per_hit`` and
        ``hits_per_request`` on the test traffic (0 where the tier is off).
    """
    rows = []
    for run in range(runs):
        first, rest = caching.parts(one.data, 1 / (1 + tests), seed + 1000 * run)
        codes = [first, *np.array_split(rest, tests)]
        found = [
            caching.find(
                one.data, one.vectors, caching.world(one.data, part, entries, requests, ANSWERABLE, seed + run)
            )
            for part in codes
        ]
        chosen = {
            "guaranteed": Guaranteed(DELTA, CONFIDENCE).fit(found[0].similarity, found[0].correct).threshold_,
            "at delta": caching.empirical(found[0], DELTA, GRID),
        }
        test = caching.joined(found[1:])
        for rule, threshold in chosen.items():
            known = threshold is not None and np.isfinite(threshold)
            wrong, hits = caching.risk(test, threshold) if known else (0.0, 0.0)
            rows.append((run, rule, threshold if known else np.nan, wrong, hits))
    return pd.DataFrame(rows, columns=["run", "rule", "threshold", "wrong_per_hit", "hits_per_request"])


def promises(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Tidy rows ``found``, ``violations`` and ``hits_per_request`` of ``calibrations``, for each rule."""
    rows = []
    for rule, part in runs.groupby("rule", sort=False):
        system, found = f"{name}: {rule}", part["threshold"].notna()
        for metric, times in (("found", found.sum()), ("violations", (part["wrong_per_hit"] > DELTA).sum())):
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


def rules(one: Subject, drawn: Trial, bootstraps: int) -> tuple[pd.DataFrame, dict[str, Guaranteed]]:
    """Rates of every rule on test traffic, and the calibrated policies by the score they rest on."""
    scores = {f"{one.encoder}": (drawn.seen, drawn.unseen)}
    guard = Guard()
    scores[f"{one.encoder} and guard"] = tuple(
        caching.guarded(one.data, world, found, guard)
        for world, found in ((drawn.calibration, drawn.seen), (drawn.test, drawn.unseen))
    )
    others = [
        caching.alternatives(one.data, world, found)
        for world, found in ((drawn.calibration, drawn.seen), (drawn.test, drawn.unseen))
    ]
    scores |= {name: (others[0][name], others[1][name]) for name in others[0]}
    rows, policies = [], {}
    for threshold, words in ((GPTCACHE, "GPTCache's default"), (0.8, "fixed"), (0.9, "fixed"), (0.95, "fixed")):
        rows.append(caching.rates(drawn.unseen, threshold, f"{one.encoder}, {words} {threshold:g}", bootstraps))
    for name, (seen, unseen) in scores.items():
        policy = Guaranteed(DELTA, CONFIDENCE).fit(seen.similarity, seen.correct)
        policies[name] = policy
        threshold = np.inf if policy.threshold_ is None else policy.threshold_
        words = "off: none qualifies" if policy.threshold_ is None else f"guaranteed {threshold:g}"
        rows.append(caching.rates(unseen, threshold, f"{name}, {words}", bootstraps))
    return pd.concat(rows, ignore_index=True), policies


def growth(one: Subject, sizes: Sequence[int], thresholds: Mapping[str, float], bootstraps: int) -> pd.DataFrame:
    """``wrong_per_hit`` of the same requests against more and more entries, with a column ``entries``.

    Each cache holds the entries of the smaller ones; the thresholds stay.
    """
    known = min(sizes)
    most = caching.world(one.data, np.unique(one.data.classes), max(sizes), 2 * known, 0.5, 0)
    found = []
    for size in sizes:
        part = World(most.entries[:size], most.requests, most.answerable)
        nearest = caching.find(one.data, one.vectors, part)
        for name, threshold in thresholds.items():
            rows = caching.rates(nearest, threshold, name, bootstraps)
            found.append(rows[rows["metric"] == "wrong_per_hit"].assign(entries=size))
    return pd.concat(found, ignore_index=True)


def drift(one: Subject, policy: Policy, entries: int, requests: int, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Rates of a calibrated policy when the mix of traffic changes after calibration: fewer requests are answerable."""
    _, codes = caching.parts(one.data, 0.5, seed)
    found = []
    for answerable in (ANSWERABLE, 0.25, 0.1):
        drawn = caching.world(one.data, codes, entries, requests, answerable, seed + 1)
        threshold = np.inf if policy.threshold_ is None else policy.threshold_
        words = " (as calibrated)" if answerable == ANSWERABLE else ""
        nearest = caching.find(one.data, one.vectors, drawn)
        found.append(caching.rates(nearest, threshold, f"{answerable:.0%} answerable{words}", bootstraps))
    return pd.concat(found, ignore_index=True)


def traffic(one: Subject, policy: Guaranteed, requests: int, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Rates of policies on one stream that repeats itself, the cache filling as it goes."""
    sent = streams.stream(one.data, np.unique(one.data.classes), requests, seed=seed)
    policies = {
        "exact tier alone": None,
        f"GPTCache's default {GPTCACHE:g}": Fixed(GPTCACHE),
        "fixed 0.9": Fixed(0.9),
        "guaranteed": policy,
        "vCache-style": Verified(DELTA, seed=seed),
    }
    rows = [
        streams.stream_rates(
            one.data, sent, streams.simulate(one.data, one.vectors, sent, each), f"{name}", bootstraps, seed
        )
        for name, each in policies.items()
    ]
    return pd.concat(rows, ignore_index=True)


def money(
    rates: pd.DataFrame, call_usd: float, error_usd: float, lookup_ms: float, call_ms: float, encode_usd: float = 0.0
) -> pd.DataFrame:
    """Rows ``saved_usd_per_1k`` and ``break_even_wrong`` of every system, and ``break_even_hits`` of the lookup.

    A request saves h C_call - C_encode - h f C_error, with h hits per request and f wrong ones among them; f* at which
    that is nothing is (C_call - C_encode / h) / C_error. In time a lookup is paid back from h* = t_lookup / t_call on.

    Args:
        rates: rows of ``caching.RATES``.
        call_usd, error_usd, encode_usd: of a call of the model, of a wrong answer, of encoding a request.
        lookup_ms, call_ms: milliseconds of encoding and looking up, and of a call.
    """
    value = rates.pivot(index="system", columns="metric", values="value")
    rows = []
    for system, row in value.loc[list(dict.fromkeys(rates["system"]))].iterrows():
        hits, wrong = row["hits_per_request"], np.nan_to_num(row["wrong_per_hit"])
        note = f"{call_usd:g} USD a call, {error_usd:g} USD an error"
        saved = 1000 * (hits * call_usd - encode_usd - hits * wrong * error_usd)
        rows.append(measured(str(system), "saved_usd_per_1k", np.array([saved]), note))
        if hits:
            bearable = (call_usd - encode_usd / hits) / error_usd
            rows.append(measured(str(system), "break_even_wrong", np.array([bearable]), note))
    even = np.array([lookup_ms / call_ms])
    rows.append(measured("a lookup", "break_even_hits", even, f"{lookup_ms:.3g} ms against {call_ms:g} ms"))
    return pd.DataFrame(rows)


def worst(one: Subject, drawn: Trial, most: int = 8) -> pd.DataFrame:
    """The wrong hits of the highest similarity: ``asked``, ``cached``, ``similarity``, ``guard`` (what it says)."""
    guard, found, world = Guard(), drawn.unseen, drawn.test
    wrong = np.flatnonzero(~found.correct)
    order = wrong[np.argsort(-found.similarity[wrong], kind="stable")][:most]
    texts = [(one.data.texts[world.requests[row]], one.data.texts[found.entry[row]]) for row in order]
    return pd.DataFrame(
        [
            (asked, cached, round(float(found.similarity[row]), 3), guard.objection(asked, cached) or "–")
            for (asked, cached), row in zip(texts, order, strict=True)
        ],
        columns=["asked", "cached", "similarity", "guard"],
    )
