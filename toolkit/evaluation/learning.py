"""What labels buy and what training costs: routers fitted on fewer prompts, timed, with other encoders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd

from toolkit import datasets, encoders
from toolkit.evaluation.leaderboard import compare_pair
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import Predictions, cross_predict, holdout, two_parts
from toolkit.outcomes import Outcomes
from toolkit.policy import ExpectedCost
from toolkit.routers import EVERY_VIEW, LEARNED, ROUTERS
from toolkit.routers.base import Router

SIZES = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)


class FewLabels(Router):
    """A router that is given at most ``labels`` of the training prompts.

    Args:
        member: the router; cloned before it is fitted.
        labels: prompts it may see.
        seed: of the draw.
    """

    def __init__(self, member: Router, labels: int, seed: int = 0):
        self.member = member
        self.labels = labels
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        self._fitted = self.member.clone().fit(train.sample(self.labels, self.seed))

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return self._fitted.predict(texts)

    def kept(self) -> Router:
        return self._fitted.kept()


def candidates_on_cost(bert: Router, labels: int, selected: Router, seed: int = 0) -> dict[str, Router]:
    """Learned routers for any number of models: those whose work does not grow with the pairs of models."""
    names = (
        "knn",
        "cluster",
        "avengers",
        "ridge",
        "logistic",
        "mlp",
        "boosting",
        "mf",
        "graph-free",
        "ensemble",
        "elo",
    )
    return {name: LEARNED[name]() for name in names} | {
        "selected": selected,
        f"bert ({labels} labels)": FewLabels(bert, labels, seed),
    }


def on_cost(
    predictions: Predictions, marked: Outcomes, routers: Mapping[str, Router], seed: int = 0
) -> Predictions | None:
    """Predictions for a comparison in dollars among all models; None where no costs are known.

    Args:
        predictions: of a pair; taken over, expected costs added, where there are no other models.
        marked: all models, with the parts that the pair has.
        routers: fitted on all models, where there are more than two.
    """
    if marked.cost_source == "none":
        return None
    train, test, _ = two_parts(marked)
    if len(marked.names) > 2 or list(predictions.outcomes.names) != list(marked.names):
        return cross_predict(marked, routers, seed=seed, costs=True)
    if len(test) != len(predictions.outcomes) or not test.complete(costs=True).all():
        return cross_predict(marked, predictions.routers, seed=seed, costs=True)
    return replace(predictions, expected_cost=ExpectedCost().fit(train).predict(test.texts))


def learning_curve(
    marked: Outcomes, routers: Mapping[str, Router], sizes: Sequence[int] = SIZES, bootstraps: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """APGR of each router at each number of labels, all judged on the same test prompts.

    Args:
        marked: a pair with parts of its own (``protocol.holdout``).
        sizes: labels; those near or above the training part's own size are left out, and that is added.

    Returns:
        The tidy rows of metric ``apgr`` with a column ``labels``.
    """
    at_hand = int((marked.prompts["split"] == "train").sum())
    kept = [*(size for size in sizes if size < 0.7 * at_hand), at_hand]
    few = {f"{name}@{size}": FewLabels(router, size, seed) for size in kept for name, router in routers.items()}
    rows = compare_pair(cross_predict(marked, few, seed=seed), bootstraps, seed).measurements
    rows = rows[rows["metric"] == "apgr"]
    parts = rows["system"].str.rsplit("@", n=1, expand=True)
    return rows.assign(system=parts[0], labels=parts[1].astype(int))


def timings(predictions: Predictions, fitted_on: int) -> pd.DataFrame:
    """Rows ``fit_s`` and ``predict_ms`` of every router that learns; one run, so without intervals.

    Args:
        fitted_on: prompts of the fitting part, for the note.
    """
    found = []
    for name, (fit_s, predict_s) in predictions.seconds.items():
        router = predictions.routers[name]
        if not (router.trivial or router.uses_outcomes):
            per_prompt = 1000 * predict_s / len(predictions.outcomes)
            note = f"fitted on {fitted_on} prompts"
            found.append(measured(name, "fit_s", np.array([fit_s]), note))
            found.append(measured(name, "predict_ms", np.array([per_prompt]), note))
    return pd.DataFrame(found).assign(n=len(predictions.outcomes))


def catalogue_times(prompts: int = 1000, seed: int = 0) -> pd.DataFrame:
    """``fit_s`` and ``predict_ms`` of all registered routers on the embedded data, vectors at hand, with a ``name``.

    Half of the prompts are fitted on. bert, which a CPU trains for minutes, is left out.
    """
    data = holdout(datasets.load("synthetic").sample(prompts, seed), prompts // 2, seed)
    encoders.get(EVERY_VIEW).encode(data.texts)
    routers = {name: make() for name, make in ROUTERS.items() if name != "bert"}
    predictions = cross_predict(data, routers, seed=seed)
    judged = len(predictions.outcomes)
    rows = [(name, fit, 1000 * predict / judged) for name, (fit, predict) in predictions.seconds.items()]
    return pd.DataFrame(rows, columns=["name", "fit_s", "predict_ms"])


def encoding_times(texts: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Rows ``encode_ms`` of encoders by name, on texts that are encoded anew, after a few that do not count."""
    found = []
    for name in names:
        encoder = encoders.fresh(name)
        encoder.encode(list(texts[:2]))
        start = perf_counter()
        encoder.encode(texts)
        spent = 1000 * (perf_counter() - start) / len(texts)
        found.append(measured(name, "encode_ms", np.array([spent]), f"{len(texts)} prompts"))
    return pd.DataFrame(found).assign(n=len(texts))
