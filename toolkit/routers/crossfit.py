"""Predictions of training prompts by routers that did not see them."""

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router


def cross_fitted(member: Router, train: Outcomes, folds: int, seed: int = 0) -> np.ndarray | None:
    """Predicted quality (n, m) of every training prompt by a clone fitted on the other folds.

    Groups (equal prompts) lie in one fold. None where there are no two folds: nothing was held out, and the caller must
    do without.

    Raises:
        ToolkitError: a model has no outcome outside of one fold.
    """
    count = min(folds, int(train.groups.max()) + 1)
    if count < 2:
        return None
    fold, predicted = train.folds(count, seed), np.empty(train.quality.shape)
    for part in range(count):
        if (alone := np.isnan(train.quality[fold != part]).all(axis=0)).any():
            raise ToolkitError(
                f"{train.name}: model {train.names[alone.argmax()]} has outcomes in one of {count} folds alone, so "
                f"nothing can be held out; give it more labels, or leave it out."
            )
        held = train.subset(fold == part)
        predicted[fold == part] = member.clone().fit(train.subset(fold != part)).predict_outcomes(held)
    return predicted
