"""Every metric of the tables: its unit, its direction and its definition, said once.

The definitions are printed in each report's glossary.
"""

import numpy as np

from toolkit.evaluation.metrics import caching, changes, claims, latency, online, policies, routing, transfer
from toolkit.evaluation.metrics.metric import Metric
from toolkit.evaluation.statistics import interval

__all__ = ["DETAILS", "METRICS", "TIMED", "Metric", "measured"]

METRICS: dict[str, Metric] = {
    **routing.METRICS,
    **latency.METRICS,
    **caching.METRICS,
    **online.METRICS,
    **policies.METRICS,
    **transfer.METRICS,
    **claims.METRICS,
    **changes.METRICS,
}
# Time, memory and what derives from them: they belong to the machine and the hour, and no second run repeats them.
# Nor does it repeat rows of other metrics whose ``params`` say ``timed``: verdicts on claims that rest on these.
TIMED = frozenset({*latency.METRICS, "ready_s"})
DETAILS = ("sees", "opponent", "test", "p_holm")  # fields of a row beside the published columns


def measured(system: str, metric: str, samples: np.ndarray, note: str = "", **details: object) -> dict:
    """One tidy row from an estimate and its replicates.

    Args:
        system: what was measured.
        metric: a key of ``METRICS``.
        samples: (B + 1,), the estimate first; or (1,), a figure without an interval.
        details: of ``DETAILS``: what a router sees, whom it is compared with, by which test, the adjusted p value.
    """
    low, high = interval(samples) if len(samples) > 1 else (np.nan, np.nan)
    row = {"system": system, "metric": metric, "value": float(samples[0]), "ci_low": float(low), "ci_high": float(high)}
    return row | {"unit": METRICS[metric].unit, "note": note} | details
