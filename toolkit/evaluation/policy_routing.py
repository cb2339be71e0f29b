"""How right routers of policies are: by request, turn, span and conversation, and what makes them change their mind."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from toolkit.datasets.intents import Conversations
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.perturbations import PERTURBATIONS
from toolkit.evaluation.statistics import bootstrap_counts, resampled_means
from toolkit.prompt import Prompt
from toolkit.routers.policies import PolicyRouter
from toolkit.routes.table import OTHER, RouteTable


def requests(
    router: PolicyRouter, prompts: Sequence[Prompt], routes: Sequence[str], system: str, bootstraps: int, seed: int = 0
) -> pd.DataFrame:
    """Tidy rows of single requests: turns right, and what of it is closed accuracy, domains and irrelevance.

    Args:
        prompts, routes: n requests and the routes they belong to, or ``other``; judged only, never learned from.
    """
    table, chances, truth = router.table, router.probabilities(prompts), np.array(routes)
    chosen = np.array(router.settled_names(chances))
    fits = truth != OTHER
    likeliest = np.array([*table.names, OTHER])[chances[:, :-1].argmax(axis=1)]
    likeliest[chances[:, :-1].max(axis=1) == 0] = OTHER  # written answers have no second choice
    values = {
        "turn_accuracy": (chosen == truth, np.ones(len(truth), bool)),
        "closed_accuracy": (likeliest == truth, fits),
    }
    if len(table.models) - 1 < len(table.names):  # several routes belong to one model
        model = {route.name: route.model for route in table.routes} | {OTHER: OTHER}
        same = [model[one] == model[other] for one, other in zip(likeliest, truth, strict=True)]
        values["coarse_accuracy"] = (np.array(same), fits)
    values["other_recall"] = (chosen == OTHER, ~fits)
    rows = []
    for metric, (right, among) in values.items():
        if among.any():
            values = right[among].astype(float)
            rows.append(_row(system, metric, values, np.arange(len(values)), bootstraps, seed))
    if fits.any() and not fits.all():
        rows.append(measured(system, "other_auroc", auroc(chances[:, -1], ~fits, bootstraps, seed)) | {"n": len(truth)})
    return pd.DataFrame(rows)


def auroc(scores: np.ndarray, positive: np.ndarray, bootstraps: int, seed: int = 0) -> np.ndarray:
    """Area under the ROC curve, ties counting half, float64 (B + 1,), the estimate first (Hanley and McNeil 1982).

    Args:
        scores: float64 (n,).
        positive: bool (n,), both kinds present.
    """
    counts = bootstrap_counts(np.arange(len(scores)), bootstraps, seed)
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) > 0))
    yes, no = (
        np.add.reduceat(counts[:, order] * kind[order], starts, axis=1, dtype=float) for kind in (positive, ~positive)
    )
    below = np.cumsum(no, axis=1) - no
    pairs = yes.sum(axis=1) * no.sum(axis=1)
    return (yes * (below + no / 2)).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)


def conversations(
    router: PolicyRouter, data: Conversations, system: str, bootstraps: int, seed: int = 0
) -> pd.DataFrame:
    """Tidy rows of turn, span and conversation accuracy, intervals over conversations."""
    prompts, routes, whole, spans = data.prompts()
    right = np.array(router.choose_routes(prompts)) == np.array(routes)
    rows = []
    for name, unit in (("turn", np.arange(len(right))), ("span", spans), ("conversation", whole)):
        _, first = np.unique(unit, return_index=True)
        complete = np.bincount(unit, weights=~right) == 0
        rows.append(_row(system, f"{name}_accuracy", complete.astype(float), whole[first], bootstraps, seed))
    return pd.DataFrame(rows)


def share(same: np.ndarray, system: str, metric: str, note: str, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """One tidy row: the share of true values, bool (n,) or (n, repeats); interval over n."""
    per_request = np.asarray(same, float).reshape(len(same), -1).mean(axis=1)
    return pd.DataFrame([_row(system, metric, per_request, np.arange(len(same)), bootstraps, seed, note)])


def _row(
    system: str, metric: str, values: np.ndarray, groups: np.ndarray, bootstraps: int, seed: int, note: str = ""
) -> dict:
    """A share with its bootstrap interval over groups, integer codes 0..g-1.

    Where all are right, or none, resampling knows no doubt, and the exact interval stands (Clopper and Pearson 1934).
    """
    samples = resampled_means(bootstrap_counts(groups, bootstraps, seed), values)
    row = measured(system, metric, samples, note) | {"n": len(values)}
    if values.min() == values.max() and values[0] in (0, 1):
        independent = int(groups.max()) + 1
        exact = binomtest(int(values[0]) * independent, independent).proportion_ci()
        row |= {"ci_low": float(exact.low), "ci_high": float(exact.high)}
    return row


def flips(
    make: Callable[[RouteTable], PolicyRouter],
    tables: Sequence[RouteTable],
    texts: Sequence[str],
    system: str,
    bootstraps: int,
    orders: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy rows ``route_flips``: under other orders of the routes, other wordings of the policies, and typos.

    Args:
        make: a router of a table, made ready as it would be used.
        tables: wordings of the same routes, the usual one first.
        orders: orders drawn by lot.
    """
    rng, router = np.random.default_rng(seed), make(tables[0])
    usual = np.array(router.choose_routes(texts))
    typed = [PERTURBATIONS["typos"](text, rng) for text in texts]
    shuffled = [tables[0].ordered(rng.permutation(len(tables[0].routes)).tolist()) for _ in range(orders)]

    def chosen(table: RouteTable) -> np.ndarray:
        return np.array(make(table).choose_routes(texts))

    changed = {
        f"{orders} other order{'s' * (orders > 1)}": [chosen(table) for table in shuffled],
        f"{len(tables) - 1} other wording{'s' * (len(tables) > 2)}": [chosen(table) for table in tables[1:]],
        "a typo in one word of ten": [np.array(router.choose_routes(typed))],
    }
    rows = []
    for words, found in changed.items():
        if found:
            other = np.stack([one != usual for one in found], axis=1)
            rows.append(share(other, f"{system}, {words}", "route_flips", words, bootstraps, seed))
    return pd.concat(rows, ignore_index=True)
