"""A data set at a glance: how good each model is, where models agree, what routing could win at most."""

import numpy as np
import pandas as pd

from toolkit.evaluation import statistics
from toolkit.evaluation.frontier import aiq, zero_router
from toolkit.evaluation.metrics import measured
from toolkit.outcomes import Outcomes
from toolkit.pricing import token_counts


def measure(outcomes: Outcomes, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Mean quality and cost of every model, best single model, oracle, Bayes-optimal: tidy rows with intervals."""
    seen = outcomes.observed()
    counts = statistics.bootstrap_counts(seen.groups, bootstraps, seed)
    models = statistics.resampled_means(counts, seen.quality.T)
    rows = [measured(name, "mean_quality", models[:, j]) for j, name in enumerate(seen.names)]
    if seen.complete(costs=True).any():
        priced = seen.subset(seen.complete(costs=True))
        groups = pd.factorize(priced.groups)[0]
        cost = 1000 * statistics.resampled_means(
            statistics.bootstrap_counts(groups, bootstraps, seed), priced.cost_usd.T
        )
        note = f"cost {seen.cost_source}, {len(priced)} prompts"
        rows += [measured(name, "cost_usd_per_1k", cost[:, j], note) for j, name in enumerate(seen.names)]
    best = int(models[0].argmax())
    oracle = statistics.resampled_means(counts, seen.quality.max(axis=1))
    rows.append(measured("best-single-model", "best_single", models[:, best], seen.names[best]))
    rows.append(measured("hindsight-oracle", "oracle", oracle, sees="outcomes"))
    if seen.expected_quality is not None:
        choice = seen.expected_quality.argmax(axis=1)
        bayes = statistics.resampled_means(counts, seen.realised(seen.quality, choice))
        rows.append(measured("bayes-optimal", "bayes_optimal", bayes, sees="true expectation"))
    frame = pd.DataFrame(rows).assign(n=len(seen))
    if seen.complete(costs=True).any():
        chain, cost, quality = zero_router(outcomes), np.nanmean(outcomes.cost_usd, axis=0), outcomes.mean_quality()
        area = aiq(cost[chain], quality[chain], cost.max()) if cost.max() > 0 else np.nan
        note = "hull on these very prompts: " + ", ".join(outcomes.names[column] for column in chain)
        frame = pd.concat(
            [frame, pd.DataFrame([measured("zero-router", "zero_aiq", np.array([area]), note)]).assign(n=len(outcomes))]
        )
    facts = {"prompts": len(outcomes), "duplicate_prompts": int(outcomes.prompts["text"].duplicated().sum())}
    plain = [measured("data", metric, np.array([value])) for metric, value in facts.items()]
    return pd.concat([frame, pd.DataFrame(plain).assign(n=len(outcomes))], ignore_index=True)


def agreement(outcomes: Outcomes) -> pd.DataFrame:
    """Share of prompts on which two models have the same quality, (m, m), models as index and columns."""
    quality = outcomes.observed().quality
    same = (quality[:, :, None] == quality[:, None, :]).mean(axis=0)
    return pd.DataFrame(same, index=outcomes.names, columns=outcomes.names)


def joint(outcomes: Outcomes) -> pd.DataFrame:
    """For a pair (weak, strong): prompts solved by both, one or neither; who is better, where quality is graded."""
    weak, strong = outcomes.observed().quality.T
    counts = {"strong better": strong > weak, "equal": strong == weak, "weak better": strong < weak}
    if np.isin(outcomes.observed().quality, (0, 1)).all():
        right = {"both": (weak == 1) & (strong == 1), "strong only": strong > weak, "weak only": strong < weak}
        counts = right | {"neither": (weak == 0) & (strong == 0)}
    return pd.DataFrame({"prompts": {name: int(hits.sum()) for name, hits in counts.items()}})


def lengths(outcomes: Outcomes) -> pd.DataFrame:
    """Characters and estimated tokens of every prompt, with its domain and language."""
    prompts = outcomes.prompts
    return pd.DataFrame(
        {
            "domain": prompts["domain"],
            "language": prompts["language"],
            "characters": prompts["text"].str.len(),
            "tokens": token_counts(outcomes.texts),
        }
    )


def by_part(outcomes: Outcomes, column: str) -> pd.DataFrame:
    """Prompts and mean quality of every model for each value of ``domain``, ``language`` or ``split``."""
    frame = pd.DataFrame(outcomes.quality.astype(float), columns=outcomes.names)
    grouped = frame.groupby(outcomes.prompts[column].to_numpy())
    return grouped.mean().assign(prompts=grouped.size()).rename_axis(column)


def front(outcomes: Outcomes) -> pd.DataFrame:
    """Mean cost and quality of the single models and of the oracle, and who is on the zero router's hull.

    Returns:
        Rows: system, ``cost_usd`` (mean of a call), ``quality``, ``on_hull``; means over what is observed.

    Raises:
        ToolkitError: costs are unknown.
    """
    chain = zero_router(outcomes)
    rows = pd.DataFrame(
        {
            "system": outcomes.names,
            "cost_usd": np.nanmean(outcomes.cost_usd, axis=0),
            "quality": outcomes.mean_quality(),
            "on_hull": [column in chain for column in range(len(outcomes.names))],
        }
    )
    priced = outcomes.subset(outcomes.complete(costs=True))
    best = priced.oracle()
    oracle = {
        "system": "hindsight-oracle",
        "cost_usd": priced.realised(priced.cost_usd, best).mean(),
        "quality": priced.realised(priced.quality, best).mean(dtype=float),
        "on_hull": False,
    }
    return pd.concat([rows, pd.DataFrame([oracle])], ignore_index=True)
