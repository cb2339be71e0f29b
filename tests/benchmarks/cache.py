"""Bars of the semantic cache: the guarantee, GPTCache's benchmark, lookups, scopes, the notebook.

``python -m tests.benchmarks.cache [NAME ...]``; no name runs all. ``guarantee``, ``mock``, ``lookup``, ``growth``
read upstream files; encoding QQP takes some minutes once. Run it on an idle machine.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.benchmarks import harness
from toolkit import encoders
from toolkit.cache.guard import Guard
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.datasets import paraphrases
from toolkit.evaluation import promise
from toolkit.evaluation.promise import Design, Subject

SCOPE = Scope("benchmark", "auto", "", {})
PUBLISHED = {0.450: 0.056, 0.882: 0.087, 0.997: 0.092}  # GPTCache's README: hit rate, share of hits that are false
MEASURED = {0.450: 0.024, 0.882: 0.047, 0.997: 0.055}  # plain MiniLM, the conformance figures


def _qqp() -> Subject:
    data = paraphrases.load("qqp")
    return Subject("qqp", data, encoders.get("minilm").encode(data.texts), "minilm")


def guarantee() -> None:
    """200 calibrations on QQP, caches of 5,000 entries, 20,000 test requests each."""
    design = Design(entries=5000, requests=10_000)
    runs = promise.calibrations(_qqp(), design, 200, tests=2)
    rows = promise.promises(runs, "qqp", design.delta).set_index(["system", "metric"])
    bars = {
        ("qqp: guaranteed", "found"): ">=0.9",
        ("qqp: guaranteed", "violations"): "-",
        ("qqp: at delta", "violations"): "-",
    }
    for (system, metric), bar in bars.items():
        row = rows.loc[(system, metric)]
        name = f"{system}_{metric}".replace(": ", "_").replace(" ", "_")
        harness.line(name, row["value"], row["ci_low"], row["ci_high"], bar)
    low = rows.loc[("qqp: guaranteed", "violations"), "ci_low"]
    harness.line("qqp_guaranteed_violations_clopper_pearson_low", low, np.nan, np.nan, "<=0.1")
    table = runs.pivot(index="run", columns="rule", values="hits_per_request")
    ratio = (table["guaranteed"] / table["at delta"]).to_numpy()
    low, high = np.quantile(ratio, [0.025, 0.975])
    harness.line("qqp_guaranteed_hits_over_those_at_delta", table["guaranteed"].mean() / table["at delta"].mean(), low,
                 high, ">=0.8")  # fmt: skip
    for rule, part in runs.groupby("rule"):
        harness.spread(f"qqp_{rule}_wrong_per_hit".replace(" ", "_"), part["wrong_per_hit"].to_numpy(), "-")


def mock() -> None:
    """GPTCache's own benchmark at its own hit rates: every query has its origin in the cache."""
    pairs, encode = paraphrases.mock(), encoders.get("minilm").encode
    origins = pairs["origin"].tolist()
    scores = encode(pairs["similar"].tolist()) @ encode(origins).T
    nearest = scores.argmax(axis=1)
    similarity = scores.max(axis=1)
    right = np.array([origins[place] == own for place, own in zip(nearest, origins, strict=True)])
    guard = Guard()
    asked = pairs["similar"].tolist()
    free = np.array([not guard.objection(text, origins[place]) for text, place in zip(asked, nearest, strict=True)])
    for rate, published in PUBLISHED.items():
        hits = np.argsort(-similarity, kind="stable")[: round(rate * len(asked))]
        wrong = float((~right[hits]).mean())
        name = f"mock_at_{rate:.1%}".replace("%", "")
        bar = f"{MEASURED[rate] - 0.002:.3f}..{MEASURED[rate] + 0.002:.3f}"
        harness.line(f"{name}_wrong_per_hit", wrong, np.nan, np.nan, bar)
        harness.line(f"{name}_wrong_per_hit_published", published, np.nan, np.nan, "-")
        kept = hits[free[hits]]
        harness.line(f"{name}_guard_wrong_per_hit", float((~right[kept]).mean()), np.nan, np.nan, "-")
        harness.line(f"{name}_guard_hits", len(kept) / len(asked), np.nan, np.nan, "-")


def lookup() -> None:
    """Beyond encoding, at 10,000 and 100,000 questions of QQP; opening; putting."""
    one = _qqp()
    vectors, queries = one.vectors[:100_000], one.vectors[100_000:]
    with tempfile.TemporaryDirectory() as folder:
        for count, bar in ((10_000, "<=0.3"), (100_000, "<=5")):
            path = Path(folder) / f"{count}.sqlite"
            with SemanticCache(path, "minilm") as cache:
                seconds = _fill(cache, one.data.texts[:count], vectors[:count])
                harness.line(f"puts_per_s_to_{count}", count / seconds, np.nan, np.nan, ">=1000")
                _time_lookups(cache, queries, f"lookup_{count}_exact_p50_ms", bar)
        start = time.perf_counter()
        with SemanticCache(path, "minilm"):
            harness.line("open_100000_s", time.perf_counter() - start, np.nan, np.nan, "<=3")
        start = time.perf_counter()
        with SemanticCache(path, "minilm", approximate=True) as cache:
            harness.line("open_100000_hnsw_s", time.perf_counter() - start, np.nan, np.nan, "-")
            _time_lookups(cache, queries, "lookup_100000_hnsw_p50_ms", "<=0.5")
            asked = np.random.default_rng(0).permutation(len(queries))[:2000]
            best = (queries[asked] @ vectors.T).max(axis=1)
            found = [cache.get(f"? {row}", SCOPE, queries[row : row + 1]).similarity for row in asked]
            harness.line("hnsw_recall", float((np.array(found) >= best - 1e-5).mean()), np.nan, np.nan, ">=0.99")


def _fill(cache: SemanticCache, texts: list[str], vectors: np.ndarray, batch: int = 1000) -> float:
    start = time.perf_counter()
    for at in range(0, len(texts), batch):
        rows = slice(at, at + batch)
        cache.put_many([(text, {"text": "an answer of usual length " * 20}) for text in texts[rows]], SCOPE,
                       vectors=vectors[rows])  # fmt: skip
    return time.perf_counter() - start


def _time_lookups(cache: SemanticCache, queries: np.ndarray, name: str, bar: str) -> None:
    taken = []
    for number, row in enumerate(np.random.default_rng(1).permutation(len(queries))[:1000]):
        start = time.perf_counter()
        cache.get(f"question {number}", SCOPE, queries[row : row + 1])
        taken.append(1000 * (time.perf_counter() - start))
    low, high = np.quantile(taken, [0.05, 0.95])
    harness.line(name, float(np.median(taken)), low, high, bar)


def growth() -> None:
    """The same 2,000 requests of QQP against 1,000 to 100,000 entries."""
    design = Design(entries=1000, requests=2000)
    rows = promise.growth(_qqp(), 1000, {"0.95": 0.95, "0.9": 0.9, "0.8": 0.8}, design)
    for row in rows.to_dict("records"):
        name = f"qqp_cosine_{row['system']}_wrong_per_hit_of_{row['entries']}"
        harness.line(name, row["value"], row["ci_low"], row["ci_high"], "-")


def scopes() -> None:
    """10,000 lookups that should cross a border between scopes."""
    from toolkit.evaluation import attacks

    data = paraphrases.load("synthetic", classes=600)
    for row in attacks.cross_tenant(data, lookups=10_000).to_dict("records"):
        bar = "<=0" if "with scopes" in row["system"] else "-"
        harness.line(row["system"].replace(" ", "_"), row["value"], row["ci_low"], row["ci_high"], bar)


def notebook() -> None:
    """Notebook 05, quick, cold and warm."""
    harness.notebook("05", "<=40")


BARS: dict[str, Callable[[], None]] = {
    "guarantee": guarantee,
    "mock": mock,
    "lookup": lookup,
    "growth": growth,
    "scopes": scopes,
    "notebook": notebook,
}
NEEDS = {"guarantee": "qqp", "mock": "mock", "lookup": "qqp", "growth": "qqp"}


def lacks(name: str) -> str:
    """What a bar needs and is not there."""
    missing = name in NEEDS and not paraphrases.at_hand(NEEDS[name])
    return f"{NEEDS[name]} is not at hand (set TOOLKIT_DATA_MIRROR)" if missing else ""


if __name__ == "__main__":
    harness.main(BARS, sys.argv[1:], lacks)
