"""A model that joins late: how many labelled prompts of it until a router knows what it is good for?"""

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import two_parts
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
    train, test, _ = two_parts(marked)
    model = model or train.names[int(train.mean_quality().argmax())]
    order = [*(name for name in train.names if name != model), model]
    train, test = train.subset(models=order), test.subset(models=order)
    counts = statistics.bootstrap_counts(test.groups, bootstraps, seed)
    drawn, found = _drawn(train, labels, draws, seed), []
    for name, router in routers.items():
        before = router.clone().fit(train.subset(models=order[:-1]))
        alone = _quality(test, _choices(before, test.subset(models=order[:-1])))
        for k, samples in drawn.items():
            if not k and not isinstance(router, GraphFree):
                continue
            choices = np.stack([_choices(_joined(before, train, rows), test) for rows in samples])
            gained, share = _quality(test, choices).mean(axis=0) - alone, (choices == len(order) - 1).mean(axis=0)
            for metric, values in (("joined_quality", gained), ("joined_share", share)):
                row = measured(name, metric, statistics.resampled_means(counts, values), f"newcomer {model}")
                found.append(row | {"labels": k, "n": len(test)})
    return pd.DataFrame(found)


def _drawn(train: Outcomes, labels: Sequence[int], draws: int, seed: int) -> dict[int, list[np.ndarray]]:
    """Rows of the last model that are known, by how many: as many draws of k, one of none, and all of them last."""
    rng, known = np.random.default_rng(seed), np.flatnonzero(~np.isnan(train.quality[:, -1]))
    few = [k for k in labels if k < len(known)]
    some = {k: [rng.choice(known, k, replace=False) for _ in range(draws if k else 1)] for k in few}
    return some | {len(known): [known]}


def _choices(router: Router, test: Outcomes) -> np.ndarray:
    return router.predict_outcomes(test).argmax(axis=1)


def _quality(test: Outcomes, choices: np.ndarray) -> np.ndarray:
    return test.realised(test.quality, choices).astype(float)


def _joined(before: Router, train: Outcomes, rows: np.ndarray) -> Router:
    """What a router fitted on the other models becomes with the last one's outcomes in some rows."""
    seen = without_labels(train, train.names[-1], rows)
    if isinstance(before, GraphFree):
        return copy(before).add_model(seen, train.names[-1])  # it replaces what it changes, so a shallow copy will do
    return before.clone().fit(seen)
