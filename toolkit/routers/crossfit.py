"""Predictions of training prompts by routers that did not see them."""

import numpy as np

from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router


def cross_fitted(member: Router, train: Outcomes, folds: int, seed: int = 0) -> np.ndarray | None:
    """Predicted quality (n, m) of every training prompt by a clone fitted on the other folds.

    Groups (equal prompts) lie in one fold. None where there are no two folds, or where a model has no outcome outside
    of
    one: then nothing was held out, and the caller must do without.
    """
    count = min(folds, int(train.groups.max()) + 1)
    if count < 2:
        return None
    fold, predicted = train.folds(count, seed), np.empty(train.quality.shape)
    for part in range(count):
        if np.isnan(train.quality[fold != part]).all(axis=0).any():
            return None
    for part in range(count):
        held = train.subset(fold == part)
        predicted[fold == part] = member.clone().fit(train.subset(fold != part)).predict_outcomes(held)
    return predicted
