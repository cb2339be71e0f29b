"""The survey's own bars for the router that replaces its length rule: one router has to pass them all.

Any router would do, so each passes at a level that is adjusted for their number (Bonferroni). That it must pass every
bar, on every set, needs no adjustment, nor does it that every router fails: there each has to hold by itself.
"""

import math

import pandas as pd
from scipy import stats

from toolkit.evaluation.claims.judgement import (
    CONFIRMED,
    CONTRADICTED,
    NOT_COMPARABLE,
    NOT_TESTABLE,
    Evidence,
    Judgement,
    Point,
    cited,
    of_all,
    point,
    told,
    undecided,
)
from toolkit.evaluation.statistics import LEVEL
from toolkit.routers import BASELINES

_TIME = "p50_ms"
_SIMPLE, _COMPLEX = "simple_to_weak", "complex_to_strong"
_PART = {_SIMPLE: 0.5, _COMPLEX: 0.5}  # of the labelled queries: half are simple
_LABELS = r" \(\d+ labels\)$"  # a router that learned from fewer labels says so in one table and not in the other


def target(claim: pd.Series, evidence: Evidence) -> Judgement:
    """A bar: confirmed if one learned router surely passes all of them, contradicted if each surely fails this one.

    A router that sends every query the same way does not count: it keeps one promise by breaking the other.
    """
    bars = {bar["metric"]: bar for _, bar in evidence.ledger[evidence.ledger["kind"] == "target"].iterrows()}
    found = {metric: _rows(evidence, metric) for metric in bars}
    rows = found[claim["metric"]]
    if rows.empty:
        why = f"No router was judged by this in this run. {claim['published']}"
        return Judgement(NOT_TESTABLE, why, "source", claim["source"])
    names = list(dict.fromkeys(pd.concat(found.values())["router"]))
    verdicts = {metric: _verdicts(found[metric], _limit(bar, evidence), len(names)) for metric, bar in bars.items()}
    here = verdicts[claim["metric"]]
    passed, failed = ([name for name, verdict in here.items() if verdict == one] for one in (CONFIRMED, CONTRADICTED))
    whole = [name for name in passed if all(own.get(name) == CONFIRMED for own in verdicts.values())]
    verdict = CONFIRMED if whole else CONTRADICTED if len(failed) == len(here) else NOT_COMPARABLE
    scale, unit = (1, "ms") if claim["metric"] == _TIME else (100, "%")
    points = [point(row, "measured", row["router"], scale) for _, row in rows.iterrows()]
    leading = [one for one in points if one.label in (whole or passed or here)]
    best = min(leading, key=lambda one: one.high) if unit == "ms" else max(leading, key=lambda one: one.low)
    why = (
        f"{undecided(verdict)}Of {len(here)} routers {len(passed)} surely pass, {len(failed)} surely fail; the "
        f"surest is {best.label}, {told(best, unit)}. All {len(bars)} bars are passed by {', '.join(whole) or 'none'}, "
        f"at {LEVEL:.0%} over {len(names)} routers."
    )
    why += " Times are of its fast form." if unit == "ms" else ""
    seen = pd.concat([own[own["router"] == best.label] for own in (found.values() if whole else [rows])])
    timed = not found.get(_TIME, rows.iloc[:0]).empty  # whoever passes all bars passes that of time
    return Judgement(verdict, why, "measurement", cited(seen), tuple(points), timed)


def _limit(bar: pd.Series, evidence: Evidence) -> pd.Series:
    """A bar without a number of its own takes that of the accuracy."""
    return bar if bar["unit"] else evidence.claim("s5.1-accuracy")


def _rows(evidence: Evidence, metric: str) -> pd.DataFrame:
    """Measured rows of learned routers, with a column ``router`` and those left out that send all one way."""
    rows = evidence.rows(*(("router_latency", _TIME) if metric == _TIME else ("acceptance", metric, "", "all")))
    rows = rows[~rows["system"].isin([*BASELINES, "always-weak", "always-strong", *_constant(evidence)])]
    return rows.assign(router=rows["system"].str.replace(_LABELS, "", regex=True))


def _constant(evidence: Evidence) -> list[str]:
    """Routers that send every labelled query the same way, on every set that they were judged on."""
    keys = ["dataset", "system"]
    sides = [evidence.rows("acceptance", metric, language="all") for metric in (_SIMPLE, _COMPLEX)]
    both = sides[0].merge(sides[1], on=keys)
    exact = (both["ci_low_x"] == both["ci_high_x"]) & (both["ci_low_y"] == both["ci_high_y"])
    one_way = exact & (both["value_x"] + both["value_y"] == 1)
    return [name for name, always in one_way.groupby(both["system"]).all().items() if always]


def _verdicts(rows: pd.DataFrame, bar: pd.Series, family: int) -> dict[str, str]:
    """Of every router, by name: passed among so many on every set, failed by itself on one, or neither."""
    found = {}
    for name, own in rows.groupby("router", sort=False):
        among, alone = (of_all(bar, [_bounded(row, count) for _, row in own.iterrows()]) for count in (family, 1))
        found[name] = CONFIRMED if among == CONFIRMED else CONTRADICTED if alone == CONTRADICTED else NOT_COMPARABLE
    return found


def _bounded(row: pd.Series, family: int) -> Point:
    """A row as a point whose interval holds for a family of so many.

    A share's is the exact binomial one (Clopper and Pearson 1934), which has a width where every query went right; a
    time's is widened as a normal one would be, each side by itself.
    """
    tail = (1 - LEVEL) / 2 / family
    if row["metric"] == _TIME:
        one = point(row, "measured")
        factor = stats.norm.isf(tail) / stats.norm.isf((1 - LEVEL) / 2)
        low, high = one.value - factor * (one.value - one.low), one.value + factor * (one.high - one.value)
        return Point(one.label, one.value, max(low, 0.0), high, one.kind)
    asked = round(row["n"] * _PART.get(row["metric"], 1)) if math.isfinite(row["n"]) else 0
    if not asked:
        return Point(row["router"], 100 * row["value"], -math.inf, math.inf, "measured")
    right = min(max(round(row["value"] * asked), 0), asked)
    exact = stats.binomtest(right, asked).proportion_ci(1 - 2 * tail, "exact")
    return Point(row["router"], 100 * row["value"], 100 * exact.low, 100 * exact.high, "measured")
