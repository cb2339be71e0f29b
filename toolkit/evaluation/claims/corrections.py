"""What the survey's figures of RouteLLM come to on RouteLLM's own outcomes, beside what its paper has published.

"95% of GPT-4" is little where Mixtral alone has nearly that, a share of calls is no saving, and a saving against always
the strong model is none against a random router.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from toolkit import datasets
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.evaluation import curves, statistics, systems
from toolkit.evaluation.claims import ledger, published
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import cross_predict
from toolkit.outcomes import Outcomes
from toolkit.routers import BASELINES

SETS = ("routellm/mt_bench", "routellm/mmlu", "routellm/gsm8k")
LEVEL = 0.95  # of the strong model's mean quality
LENGTH, RANDOM, WEAK = "prompt-length", "random, expected", "weak model alone"
DATA, PUBLISHED = "data", "published"
COLUMNS = ("dataset", "system", "metric", "value", "ci_low", "ci_high", "unit", "n", "note", "basis")


def at_hand() -> dict[str, Outcomes]:
    """Those of RouteLLM's sets whose files are in the mirror or in the cache; nothing is fetched."""
    return {name: datasets.load(name) for name in SETS if CATALOGUE[name].at_hand() != "no"}


def corrections(sets: Mapping[str, Outcomes], bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Tidy rows of every set, without any where none is at hand.

    Args:
        sets: of ``at_hand``, pairs with the weak model first.
        bootstraps: replicates for the intervals.

    Returns:
        ``COLUMNS``; metrics ``weak_over_strong``, ``apgr``, ``share_for_95``, ``cost_cut`` and ``over_random``. Basis
        ``data`` have the weak model, a random router, prompt length and the survey's own shares of calls; basis
        ``published`` have the paper's routers, whose share is interpolated: their intervals reach at least to what
        the published points on either side come to.
    """
    parts = [_rows(name, outcomes.pair(), bootstraps, seed) for name, outcomes in sets.items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _rows(name: str, pair: Outcomes, bootstraps: int, seed: int) -> pd.DataFrame:
    counts = statistics.bootstrap_counts(pair.groups, bootstraps, seed)
    weak, strong = statistics.resampled_means(counts, pair.quality.T).T
    # A random router's share of strong calls; none where the weak model alone has so much.
    needed = np.maximum(curves.pgr((LEVEL * strong)[:, None], weak, strong)[:, 0], 0)
    predictions = cross_predict(pair, {LENGTH: BASELINES[LENGTH]()}, seed=seed)
    by_length = systems.operate(predictions, np.array([0.0, 1.0]), counts)[LENGTH]
    share, quality = by_length.charge[:, systems.DECILES], by_length.quality[:, systems.DECILES]
    own = [
        measured(WEAK, "weak_over_strong", weak / strong),
        *_at(RANDOM, needed, needed),
        measured(LENGTH, "apgr", curves.apgr(share, quality, weak, strong)),
        *_at(LENGTH, curves.cpt(share, quality, weak, LEVEL * strong, 1.0), needed),
    ]
    for claimed in _claimed_shares(name):
        own += _at(f"{claimed:.0%} strong calls", np.array([claimed]), needed[:1])[1:]
    found = [
        pd.DataFrame(own).assign(n=len(pair), basis=DATA),
        pd.DataFrame(_published(name, needed)).assign(n=np.nan, basis=PUBLISHED),
    ]
    return pd.concat(found, ignore_index=True).assign(dataset=name)[list(COLUMNS)]


def _at(system: str, share: np.ndarray, random_share: np.ndarray, note: str = "") -> list[dict]:
    """Tidy rows of a share of strong calls and of what it saves, against always strong and against random."""
    return [
        measured(system, "share_for_95", share, note),
        measured(system, "cost_cut", published.cost_cut(share), note),
        measured(system, "over_random", published.over_random(share, random_share), note),
    ]


def _claimed_shares(name: str) -> list[float]:
    """The shares of strong calls that the survey names for a set, and those of its source."""
    rows = ledger().query("metric == 'strong calls' and dataset == @name")
    return sorted({share / 100 for share in (*rows["low"], *rows["published_high"].round())})


def _published(name: str, needed: np.ndarray) -> list[dict]:
    """Rows of the paper's routers; what they save is read off between their published points.

    Which PGR is meant by 95% of the strong model hangs on the outcomes: ``needed``, (B + 1,).
    """
    theirs, rows = published.table().query("dataset == @name"), []
    routers, chance = theirs[theirs["training"] != ""], theirs[theirs["training"] == ""].iloc[0]
    for _, row in routers.iterrows():
        system, note = f"{row['router']}, {row['training']}", f"interpolated between the CPT of {published.PAPER}"
        rows.append(measured(system, "apgr", np.array([row["apgr"]]), published.PAPER))
        read_off = _at(system, published.share_for(needed, row), needed, note)
        ends = [_at(system, end, needed[:1]) for end in published.around(needed[0], row)[:, None]]
        rows += [_widened(one, *other) for one, *other in zip(read_off, *ends, strict=True)]
    rows.append(measured("random", "apgr", np.array([chance["apgr"]]), published.PAPER))
    best = routers.loc[routers["cpt80"].idxmin()]
    saved = published.over_random(best["cpt80"], chance["cpt80"])
    system = f"{best['router']}, {best['training']}, at CPT(80%)"
    return [*rows, measured(system, "over_random", np.array([saved]), published.PAPER)]


def _widened(row: dict, *ends: dict) -> dict:
    """The row with an interval that reaches to the values of the others at least."""
    values = [row["value"], *(end["value"] for end in ends)]
    return row | {"ci_low": np.fmin(row["ci_low"], min(values)), "ci_high": np.fmax(row["ci_high"], max(values))}


def own(rows: pd.DataFrame) -> pd.DataFrame:
    """What was computed here, as a notebook keeps it: the set as ``outcomes``, published figures left out."""
    return rows[rows["basis"] == DATA].rename(columns={"dataset": "outcomes"}).drop(columns="basis")
