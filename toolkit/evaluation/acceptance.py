"""Simple queries to the weak model, complex ones to the strong: a labelled list that every router is asked.

The labels say what an answer takes and not how long a query is (``data/acceptance_queries.yaml``), so a router that
goes by length is found out. No outcome of any model on these queries is known: this judges where they go, not what
comes of it.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import yaml

from toolkit import paths
from toolkit.calibration import threshold_for_share
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import Predictions
from toolkit.routers.base import Router

FILE = "acceptance_queries.yaml"
SIMPLE, MEDIUM, COMPLEX = "simple", "medium", "complex"
HALF = "half"  # the operating point: the threshold that sends half of the judged prompts to the strong model
LANGUAGES = ("en", "zh")


@cache
def queries() -> pd.DataFrame:
    """The committed queries: ``id``, ``text``, ``language``, ``label``; ``counted`` is False of the survey's three."""
    content = yaml.safe_load((paths.data_dir() / FILE).read_text(encoding="utf-8"))
    rows, number = [], 0
    for label in (SIMPLE, MEDIUM, COMPLEX):
        for text in content["seed"][label]:
            number += 1
            rows.append((f"seed-{number}", text, "zh", label, False))
    for language in LANGUAGES:
        for label in (SIMPLE, COMPLEX):
            texts = content[language][label]
            rows += [(f"{language}-{label}-{k + 1}", text, language, label, True) for k, text in enumerate(texts)]
    return pd.DataFrame(rows, columns=["id", "text", "language", "label", "counted"])


def answers(predictions: Predictions) -> pd.DataFrame:
    """Where every fitted router that reads text only sends every query.

    A router with scores calls the strong model where its lead is above the threshold that half of the judged prompts
    exceed (their outcomes play no part); a rule has its own choice.

    Args:
        predictions: of a pair, the weak model first, from one fitting part (``Predictions.fitted``).

    Returns:
        One row a router and query: ``system``, ``id``, ``lead`` (predicted quality of the strong model minus the weak
        one's; 1 or -1 of a rule), ``strong`` (bool).

    Raises:
        ToolkitError: not a pair, or routers fitted on folds.
    """
    names = predictions.outcomes.names
    if len(names) != 2 or not predictions.fitted:
        raise ToolkitError("Queries are asked of routers for two models, fitted on one part (protocol.holdout).")
    asked, found = queries(), []
    for name, router in predictions.fitted.items():
        if router.uses_metadata or router.uses_outcomes or router.uses_answers:
            continue
        lead = _leads(router, asked["text"].tolist())
        judged = predictions.quality[name] @ (-1, 1)
        bar = threshold_for_share(judged, 0.5).threshold if router.has_scores else 0.0
        found.append(pd.DataFrame({"system": name, "id": asked["id"], "lead": lead, "strong": lead > bar}))
    return pd.concat(found, ignore_index=True)


def _leads(router: Router, texts: list[str]) -> np.ndarray:
    scores = router.predict(texts) if router.has_scores else np.eye(2)[router.choose(texts)]
    return scores @ (-1, 1)


def rows(answered: pd.DataFrame, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """``simple_to_weak``, ``complex_to_strong``, ``acceptance_accuracy`` and ``acceptance_auroc`` of every router.

    Args:
        answered: of ``answers``.

    Returns:
        Tidy rows with a column ``language``: ``all``, ``en`` and ``zh``; 95% bootstrap intervals over queries, whose
        number in either label is fixed.
    """
    asked = queries().set_index("id")
    joined = answered.join(asked, on="id")
    joined = joined[joined["counted"]]
    found = []
    for language in ("all", *LANGUAGES):
        part = joined if language == "all" else joined[joined["language"] == language]
        for name, own in part.groupby("system", sort=False):
            for metric, samples in _samples(own, bootstraps, seed).items():
                note = "threshold: half of the judged prompts go to the strong model"
                found.append(measured(name, metric, samples, note) | {"n": len(own), "language": language})
    return pd.DataFrame(found)


def _samples(own: pd.DataFrame, bootstraps: int, seed: int) -> Mapping[str, np.ndarray]:
    """Of one router: each metric with its replicates, (B + 1,)."""
    sides = {label: own[own["label"] == label] for label in (SIMPLE, COMPLEX)}
    counts = {
        label: statistics.bootstrap_counts(np.arange(len(side)), bootstraps, seed + k).astype(float)
        for k, (label, side) in enumerate(sides.items())
    }
    shares = {label: counts[label] @ sides[label]["strong"] / len(sides[label]) for label in sides}
    leads = [sides[label]["lead"].to_numpy() for label in (COMPLEX, SIMPLE)]
    wins = np.sign(leads[0][:, None] - leads[1][None, :]) / 2 + 0.5
    above = ((counts[COMPLEX] @ wins) * counts[SIMPLE]).sum(axis=1) / wins.size
    return {
        "simple_to_weak": 1 - shares[SIMPLE],
        "complex_to_strong": shares[COMPLEX],
        "acceptance_accuracy": (1 - shares[SIMPLE] + shares[COMPLEX]) / 2,
        "acceptance_auroc": above,
    }


def choices(answered: pd.DataFrame, weak: str, strong: str) -> pd.DataFrame:
    """The answers as rows of choices, without outcomes: ``id``, ``system``, ``operating_point`` and ``model``."""
    model = np.where(answered["strong"], strong, weak)
    return answered[["id", "system"]].assign(operating_point=HALF, model=model)
