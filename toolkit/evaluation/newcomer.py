"""A model that joins late: how many labelled prompts of it until a router knows what it is good for?"""

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import plan
from toolkit.evaluation.transfer import without_labels
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.edges import GraphFree

LABELS = (0, 10, 50, 200)


def joining(
    marked: Outcomes,
    routers: Mapping[str, Router],
    model: str = "",
    labels: Sequence[int] = LABELS,
    draws: int = 5,
    bootstraps: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Quality of the best predicted model when one model of the pool has only k labelled prompts.

    The others have all labels of the training part. A router takes unobserved outcomes as they come; ``GraphFree`` is
    fitted without the newcomer, which then joins by ``add_model``, as it may with no label at all. Values are means
    over draws of the k prompts; intervals are over judged prompts.

    Args:
        marked: three models or more, with parts of its own (``protocol.holdout``).
        model: the newcomer; the best of the judged prompts' pool by training quality where empty, since with it most is
            at stake.
        labels: k; those beyond the training part are left out.

    Returns:
        Rows ``joined_quality`` (minus that of the same router without the newcomer, paired) and ``joined_share`` (calls
        to it), with a column ``labels``; k = all is the last.

    Raises:
        ToolkitError: fewer than three models.
    """
    if len(marked.names) < 3:
        raise ToolkitError(f"{marked.name}: a newcomer needs two other models; there are {len(marked.names)} in all.")
    parts, _ = plan(marked, 2, seed)
    if len(parts) > 1:
        raise ToolkitError(f"{marked.name}: a fitting and a judged part were expected; cut it by freeze or holdout.")
    ((fitting, judged),) = parts
    train, test = marked.subset(fitting), marked.subset(judged).observed()
    model = model or train.names[int(train.mean_quality().argmax())]
    others = [name for name in train.names if name != model]
    order = [*others, model]
    train, test = train.subset(models=order), test.subset(models=order)
    counts = statistics.bootstrap_counts(test.groups, bootstraps, seed)
    rng, found = np.random.default_rng(seed), []
    known = np.flatnonzero(~np.isnan(train.quality[:, -1]))
    drawn = {
        k: [rng.choice(known, k, replace=False) for _ in range(draws if k else 1)] for k in labels if k < len(known)
    }
    drawn[len(known)] = [known]
    for name, router in routers.items():
        before = router.clone().fit(train.subset(models=others))
        chosen = before.predict_outcomes(test.subset(models=others)).argmax(axis=1)
        alone = test.realised(test.quality, chosen).astype(float)
        for k, samples in drawn.items():
            if not k and not isinstance(router, GraphFree):
                continue
            fitted = [_joined(before, train, model, rows) for rows in samples]
            choices = np.stack([one.predict_outcomes(test).argmax(axis=1) for one in fitted])
            gained = test.realised(test.quality, choices).astype(float).mean(axis=0) - alone
            share = (choices == len(others)).mean(axis=0)
            for metric, values in (("joined_quality", gained), ("joined_share", share)):
                row = measured(name, metric, statistics.resampled_means(counts, values), f"newcomer {model}")
                found.append(row | {"labels": k, "n": len(test)})
    return pd.DataFrame(found)


def _joined(before: Router, train: Outcomes, model: str, rows: np.ndarray) -> Router:
    """What a router fitted on the others becomes with the newcomer's outcomes in some rows."""
    seen = without_labels(train, model, rows)
    if isinstance(before, GraphFree):
        return copy(before).add_model(seen, model)  # which replaces what it changes, so a shallow copy will do
    return before.clone().fit(seen)
