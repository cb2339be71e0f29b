"""How right routers of policies are: by request, turn, span and conversation, and what makes them change their mind."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

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
    likeliest = np.array(table.names)[chances[:, :-1].argmax(axis=1)]
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
            counts = bootstrap_counts(np.arange(int(among.sum())), bootstraps, seed)
            samples = resampled_means(counts, right[among].astype(float))
            rows.append(measured(system, metric, samples) | {"n": int(among.sum())})
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
    for metric, unit in (
        ("turn_accuracy", np.arange(len(right))),
        ("span_accuracy", spans),
        ("conversation_accuracy", whole),
    ):
        _, first = np.unique(unit, return_index=True)
        complete = np.bincount(unit, weights=~right) == 0
        counts = bootstrap_counts(whole[first], bootstraps, seed)
        rows.append(measured(system, metric, resampled_means(counts, complete.astype(float))) | {"n": len(first)})
    return pd.DataFrame(rows)


def share(same: np.ndarray, system: str, metric: str, note: str, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """One tidy row: the share of true values, bool (n,) or (n, repeats); interval over n."""
    per_request = np.asarray(same, float).reshape(len(same), -1).mean(axis=1)
    counts = bootstrap_counts(np.arange(len(same)), bootstraps, seed)
    row = measured(system, metric, resampled_means(counts, per_request), note) | {"n": len(same)}
    return pd.DataFrame([row])


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
    changed = {
        f"{orders} other orders": [np.array(make(table).choose_routes(texts)) for table in shuffled],
        f"{len(tables) - 1} other wordings": [np.array(make(table).choose_routes(texts)) for table in tables[1:]],
        "a typo in one word of ten": [np.array(router.choose_routes(typed))],
    }
    rows = [
        share(
            np.stack([one != usual for one in found], axis=1),
            f"{system}, {words}",
            "route_flips",
            words,
            bootstraps,
            seed,
        )
        for words, found in changed.items()
        if found
    ]
    return pd.concat(rows, ignore_index=True)
