"""Notebook 05's experiments: what is asked of a cache in each profile, and the tidy rows that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.cache.guard import Guard
from toolkit.cache.online import Verified
from toolkit.cache.threshold import GRID, Fixed, Guaranteed, Policy
from toolkit.datasets import paraphrases
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.evaluation import caching, streams
from toolkit.evaluation.caching import RANDOM
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.promise import Design, Subject, Trial, trial
from toolkit.evaluation.streams import Stream

# GPTCache compares distances; its default of .8 lets through what has a cosine from .6 on in its faiss store.
GPTCACHE = 0.6
AGED = "requests of four days, cosine .9; the fact behind each class changes once in ten hours on average"
ENCODER = {"en": "minilm", "zh": "lexical"}  # MiniLM's vocabulary is English: most Chinese is [UNK] to it


@dataclass(frozen=True)
class Plan:
    """How much is drawn.

    Attributes:
        synthetic: classes of the set of our own.
        upstream: classes drawn from each set that is at hand, half of them of several texts; 0 leaves these out.
        entries, requests: of a world.
        runs: calibrations.
        growth: entries of the smallest of the caches that grow.
        stream: requests of a stream.
        victims: of each attack.
    """

    synthetic: int
    upstream: int
    entries: int
    requests: int
    runs: int
    growth: int
    stream: int
    victims: int

    def design(self, delta: float, confidence: float, bootstraps: int, seed: int) -> Design:
        """At most; see ``Design.fitting``."""
        return Design(self.entries, self.requests, delta, confidence, bootstraps=bootstraps, seed=seed)


PLANS = {
    "smoke": Plan(600, 0, 60, 120, 3, 30, 200, 3),
    "quick": Plan(4000, 3000, 500, 1000, 20, 200, 2000, 10),
    "full": Plan(6000, 120_000, 5000, 10_000, 100, 1000, 10_000, 30),
}


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


def richest(found: Sequence[Subject]) -> Subject:
    """What is looked at closely: English of real people where it is at hand, else our own."""
    return next((one for one in found if one.data.name == "qqp"), found[0])


def shown(one: Subject) -> str:
    """Name of a subject on a figure."""
    return one.name.replace("synthetic", "SYNTHETIC")


def caption(one: Subject, design: Design) -> str:
    """What a figure's note says of its data."""
    return (
        f"{shown(one)} · {design.entries:,} entries, {design.requests:,} requests, {design.answerable:.0%} of them "
        f"answerable · bands: 95% over classes"
    )


def rules(one: Subject, drawn: Trial, design: Design) -> tuple[pd.DataFrame, dict[str, Trial], dict[str, Guaranteed]]:
    """Rates of every rule on test traffic, with the threshold it uses.

    Returns:
        Tidy rows, and by score (the encoder's, with the guard, TF-IDF, a random one) its trial and calibrated policy.
    """
    trials = scores(one, drawn)
    rows = []
    for threshold, words in (
        (GPTCACHE, "GPTCache's default"),
        (0.8, "fixed 0.8"),
        (0.9, "fixed 0.9"),
        (0.95, "fixed 0.95"),
    ):
        rows.append(_at(drawn, Fixed(threshold), f"{one.encoder}, {words}", design))
    policies = {name: design.policy(each.seen) for name, each in trials.items()}
    rows += [_at(trials[name], policy, f"{name}, guaranteed", design) for name, policy in policies.items()]
    return pd.concat(rows, ignore_index=True), trials, policies


def scores(one: Subject, drawn: Trial) -> dict[str, Trial]:
    """The same worlds through the encoder, the encoder with the guard's say, TF-IDF and a random score."""
    guard = Guard()
    pairs = ((drawn.calibration, drawn.seen), (drawn.test, drawn.unseen))
    kept = [caching.guarded(one.data, world, found, guard) for world, found in pairs]
    others = [caching.alternatives(one.data, world, found, seed) for seed, (world, found) in enumerate(pairs)]
    found = {one.encoder: (drawn.seen, drawn.unseen), f"{one.encoder} and guard": kept}
    found |= {name: (others[0][name], others[1][name]) for name in others[0]}
    return {name: replace(drawn, seen=seen, unseen=unseen) for name, (seen, unseen) in found.items()}


def _at(drawn: Trial, policy: Fixed | Guaranteed, system: str, design: Design) -> pd.DataFrame:
    """Rates on test traffic, and the threshold itself; NaN where the tier is off."""
    used = np.nan if policy.threshold_ is None else policy.threshold_
    rows = caching.rates(drawn.unseen, np.inf if np.isnan(used) else used, system, design.bootstraps)
    row = measured(system, "threshold", np.array([used]), policy.origin) | {"n": getattr(policy, "requests_", 0)}
    return pd.concat([rows, pd.DataFrame([row])], ignore_index=True)


def curves(trials: Mapping[str, Trial], bootstraps: int) -> pd.DataFrame:
    """``caching.curve`` of every score that is a similarity, on test traffic, with a column ``system``."""
    parts = [
        caching.curve(each.unseen, GRID[::2], bootstraps).assign(system=name)
        for name, each in trials.items()
        if name != RANDOM
    ]
    return pd.concat(parts, ignore_index=True)


def languages(found: Sequence[Subject], design: Design) -> pd.DataFrame:
    """Rates of cosine .9 and of a calibrated threshold for every subject."""
    rows = []
    for one in found:
        drawn = trial(one, design.fitting(one.data))
        rules = {"fixed 0.9": Fixed(0.9), "guaranteed": design.policy(drawn.seen)}
        rows += [_at(drawn, policy, f"{one.name}, {words}", design) for words, policy in rules.items()]
    return pd.concat(rows, ignore_index=True)


def sent(one: Subject, requests: int, design: Design, hours: float = 2.0, changes_per_hour: float = 0.0) -> Stream:
    """A stream of classes that no threshold was chosen on, so many requests or as many as these are enough for."""
    _, codes = caching.parts(one.data, 0.5, design.seed)
    requests = min(requests, 2 * len(codes))
    return streams.stream(
        one.data,
        codes,
        requests,
        per_hour=requests / hours,
        changes_per_hour=changes_per_hour,
        seed=design.seed + 1,
    )


def traffic(one: Subject, policy: Guaranteed, requests: int, design: Design) -> pd.DataFrame:
    """Rates of policies on one stream that repeats itself, the cache filling as it goes."""
    asked = sent(one, requests, design)
    policies = {
        "exact tier alone": None,
        f"GPTCache's default {GPTCACHE:g}": Fixed(GPTCACHE),
        "fixed 0.9": Fixed(0.9),
        "guaranteed": policy,
        "vCache-style": Verified(design.delta, seed=design.seed),
    }
    rows = []
    for name, each in policies.items():
        happened = streams.simulate(one.data, one.vectors, asked, each)
        rows.append(streams.stream_rates(one.data, asked, happened, name, design.bootstraps))
    return pd.concat(rows, ignore_index=True)


def serving(policy: Guaranteed) -> Fixed | Guaranteed:
    """The policy, or a plain cosine of .8 where it is off: what becomes of a threshold can only be seen on one."""
    return Fixed(0.8) if policy.threshold_ is None else policy


def tried(policy: Guaranteed) -> dict[str, float]:
    """Thresholds that are followed while a cache grows."""
    own = {} if policy.threshold_ is None else {f"calibrated {policy.threshold_:g}": policy.threshold_}
    return own | {f"fixed {threshold:g}": threshold for threshold in (0.95, 0.9, 0.8)}


def aged(one: Subject, requests: int, design: Design) -> pd.DataFrame:
    """``streams.staleness`` from a quarter of an hour to four days."""
    asked = sent(one, requests, design, hours=96, changes_per_hour=0.1)
    lives = 3600 * np.array([0.25, 1.0, 4.0, 12.0, 24.0, 96.0])
    return streams.staleness(one.data, one.vectors, asked, Fixed(0.9), lives)


def defences(policy: Guaranteed) -> dict[str, Policy]:
    """Policies that attacks are run against."""
    return {"fixed 0.9": Fixed(0.9)} | ({} if policy.threshold_ is None else {"guaranteed": policy})


def conclusion(rows: pd.DataFrame, runs: pd.DataFrame, one: Subject, delta: float) -> str:
    """What was found, in three lines."""
    value = rows.pivot(index="system", columns="metric", values="value")
    own, plain = value.loc[f"{one.encoder}, guaranteed"], value.loc[f"{one.encoder}, fixed 0.9"]
    kept = runs[runs["rule"] == "guaranteed"]
    broken = int((kept["wrong_per_hit"] > delta).sum())
    what = (
        "no threshold could be proven to keep it, and the semantic tier stays off"
        if np.isnan(own["threshold"])
        else f"the threshold is {own['threshold']:g}: {own['hits_per_request']:.1%} of test requests hit, "
        f"{own['wrong_per_hit']:.1%} of these wrong"
    )
    return (
        f"{one.name}: asked for at most {delta:.0%} wrong hits, {what}.\n"
        f"A plain cosine of .9: {plain['hits_per_request']:.1%} hit, {plain['wrong_per_hit']:.1%} of these wrong.\n"
        f"Of {len(kept)} calibrations on new halves of the classes {broken} broke the promise on their test traffic."
    )


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
    size, rows = int(rates.loc[rates["metric"] == "hits_per_request", "n"].iloc[0]), []
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
    return pd.DataFrame(rows).assign(n=size)


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
