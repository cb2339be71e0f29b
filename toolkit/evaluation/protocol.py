"""Who may see what: routers are fitted on some prompts and judged on others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from toolkit.outcomes import Outcomes
from toolkit.pricing import ExpectedCost
from toolkit.routers.base import Router


@dataclass(frozen=True)
class Predictions:
    """What every router said about prompts it was not fitted on.

    Attributes:
        outcomes: the judged rows, all models observed.
        split: ``test`` (upstream part) or ``cvK`` (K-fold cross-fitting: every row judged once).
        routers: by name, in the order of the tables.
        quality: predicted quality (n, m) by name; routers without scores give 1 to their choice.
        expected_cost: (n, m) dollars, learned on the fitting rows only; None where costs are unknown.
    """

    outcomes: Outcomes
    split: str
    routers: Mapping[str, Router]
    quality: Mapping[str, np.ndarray]
    expected_cost: np.ndarray | None


def cross_predict(outcomes: Outcomes, routers: Mapping[str, Router], folds: int = 5, seed: int = 0) -> Predictions:
    """Predictions on rows that the predicting router never saw.

    Where the source has train and test parts, routers are fitted on the one and judged on the other. Else every row
    is judged once, by a router fitted on the other folds; groups (equal prompts) lie in one fold. Rows with an
    unobserved outcome help fitting and are not judged.

    Intervals made from the result hold for the fitted routers: they contain the luck of the prompts judged, not that
    of the training draw.
    """
    parts = outcomes.prompts["split"].to_numpy()
    if {"train", "test"} <= set(parts):
        plan, split = [(parts == "train", parts == "test")], "test"
    else:
        count = min(folds, int(outcomes.groups.max()) + 1)
        fold = outcomes.folds(count, seed)
        plan, split = [(fold != k, fold == k) for k in range(count)], f"cv{count}"
    shape = outcomes.quality.shape
    quality = {name: np.full(shape, np.nan) for name in routers}
    expected = None if outcomes.cost_source == "none" else np.full(shape, np.nan)
    for train_rows, test_rows in plan:
        train, test = outcomes.subset(train_rows), outcomes.subset(test_rows)
        if expected is not None:
            expected[test_rows] = ExpectedCost().fit(train).predict(test.texts)
        for name, router in routers.items():
            quality[name][test_rows] = router.clone().fit(train).predict_outcomes(test)
    offered = np.logical_or.reduce([rows for _, rows in plan])
    judged = offered & ~np.isnan(outcomes.quality).any(axis=1)
    unjudged = int((offered & ~judged).sum())
    note = (f"{unjudged} prompts with an unobserved outcome are not judged.",) if unjudged else ()
    kept = outcomes.subset(judged)
    return Predictions(
        outcomes=replace(kept, notes=kept.notes + note),
        split=split,
        routers=dict(routers),
        quality={name: values[judged] for name, values in quality.items()},
        expected_cost=None if expected is None else expected[judged],
    )
