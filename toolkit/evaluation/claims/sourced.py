"""Claims held against what was published: the ledger's sources, the paper's tables, RouteLLM's own outcomes.

What a source says of itself is no measurement: such a verdict tells whether the survey has it right, not whether it is
true.
"""

import math

import pandas as pd

from toolkit.evaluation.claims import corrections, published
from toolkit.evaluation.claims.judgement import (
    CONFIRMED,
    CONTRADICTED,
    NOT_TESTABLE,
    Evidence,
    Judgement,
    Point,
    listed,
    of_all,
    point,
    told,
    undecided,
)

_NAMES = {"routellm/mt_bench": "MT-Bench", "routellm/mmlu": "MMLU", "routellm/gsm8k": "GSM8K"}


def as_published(claim: pd.Series, evidence: Evidence) -> Judgement:
    """The survey held against its own source, as the ledger has it."""
    points = ()
    if math.isfinite(claim["published_low"]):
        low, high = claim["published_low"], claim["published_high"]
        points = (Point("published", (low + high) / 2, low, high, "published"),)
        verdict = of_all(claim, points)
    elif claim["published_value"]:
        verdict = CONFIRMED if claim["published_value"] == claim["value"] else CONTRADICTED
    else:
        verdict = NOT_TESTABLE
    return Judgement(verdict, claim["published"], "source", claim["source"], points)


def strong_calls(claim: pd.Series, evidence: Evidence) -> Judgement:
    """A share of calls as published, and what random calls and prompt length need on the same outcomes."""
    given, name = as_published(claim, evidence), claim["dataset"]
    rows = {
        system: evidence.corrected(name, system, metric)
        for system, metric in (
            (corrections.WEAK, "weak_over_strong"),
            (corrections.RANDOM, "share_for_95"),
            (corrections.LENGTH, "share_for_95"),
        )
    }
    if any(row is None for row in rows.values()):
        return given
    weak, random, length = (point(row, "data", scale=100) for row in rows.values())
    why = (
        f"{given.why} Mixtral alone has {told(weak, '%')} of GPT-4's score, so random calls need {told(random, '%')} "
        f"and prompt length {told(length, '%')}."
    )
    source = f"{claim['source']}; outcomes of {name}"
    return Judgement(given.verdict, why, "source", source, (*given.points, random, length))


def cost_of_calls(claim: pd.Series, evidence: Evidence) -> Judgement:
    """What the source's share of calls saves at the paper's prices, against both denominators."""
    given, name = as_published(claim, evidence), claim["dataset"]
    share = evidence.ledger.query("metric == 'strong calls' and dataset == @name")["published_high"].iloc[0] / 100
    cut = 100 * float(published.cost_cut(share))
    prices = f"${published.STRONG_USD:g} and ${published.WEAK_USD:g} per million tokens"
    why = f"{given.why} At {prices} {share:.1%} strong calls cost {cut:.1f}% less than always"
    random = evidence.corrected(name, corrections.RANDOM, "share_for_95")
    if random is None:
        return Judgement(given.verdict, f"{why}.", "source", claim["source"], given.points)
    times = float(published.over_random(share, random["value"]))
    why = f"{why}, and random calls of the same quality {times:.2f} times as much."
    return Judgement(given.verdict, why, "source", f"{claim['source']}; outcomes of {name}", given.points)


def bert_cost(claim: pd.Series, evidence: Evidence) -> Judgement:
    """What BERT's published points save at 95% of GPT-4 on each set; a cut without a set is meant of all."""
    rows = evidence.corrections
    rows = rows[rows["system"].str.startswith("BERT,") & (rows["metric"] == "cost_cut")]
    if rows.empty:
        return as_published(claim, evidence)
    best = rows.loc[rows.groupby("dataset", sort=False)["value"].idxmax()]
    points = [point(row, "data", f"BERT, {_NAMES[row['dataset']]}", 100) for _, row in best.iterrows()]
    why = (
        "85% is MF with judged data on MT-Bench. BERT's published points with its best training come, at 95% of GPT-4, "
        f"to cuts against always GPT-4 of: {listed(points, '%')}. Intervals: of the outcomes, and to the published "
        "points on either side."
    )
    verdict = of_all(claim, points)
    cited_as = f"{claim['source']}; outcomes of {', '.join(best['dataset'])}"
    return Judgement(verdict, undecided(verdict) + why, "data", cited_as, tuple(points))


def best_router(claim: pd.Series, evidence: Evidence) -> Judgement:
    """In how many of the published columns the named router has the highest APGR; the claim is meant of all."""
    rows = published.table()
    rows = rows[rows["training"] != ""]
    best = rows.loc[rows.groupby(["dataset", "training"], sort=False)["apgr"].idxmax()]
    wins = int((best["router"] == claim["value"]).sum())
    verdict = CONFIRMED if wins == len(best) else CONTRADICTED
    others = ", ".join(f"{row.router} on {_NAMES[row.dataset]} ({row.training})" for row in best.itertuples())
    why = f"The best by APGR in {wins} of {len(best)} published columns: {others}."
    return Judgement(verdict, why, "source", claim["source"])
