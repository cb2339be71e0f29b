"""Does a score mean what it says? Reliability, calibration error, and whether a target share of strong calls is met."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from toolkit.calibration import CALIBRATORS, ShareThreshold, threshold_for_share
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.protocol import Predictions, two_parts
from toolkit.evaluation.systems import areas
from toolkit.outcomes import Outcomes
from toolkit.policy import ExpectedCost
from toolkit.prompt import Prompt, as_text
from toolkit.routers.base import Router
from toolkit.routers.calibrated import Calibrated
from toolkit.routers.crossfit import cross_fitted

BINS = 15


def calibration_error(counts: np.ndarray, predicted: np.ndarray, quality: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Expected calibration error in the form of Guo et al. 2017 (arXiv 1706.04599, equation 3), (B + 1,).

    The mean over prompts of ``|mean prediction - mean quality|`` of the bin that the prediction falls into, bins of
    equal width. Of a perfectly calibrated router it is not 0 but the noise of the bins' means, on 1,000 prompts .01
    (one score for all) to .04 (scores of every size), and a bootstrap adds its own: its interval reaches too high.

    Args:
        counts: (B + 1, n) of ``statistics.bootstrap_counts``.
        predicted, quality: (n,), both in [0, 1].
    """
    place = np.clip((np.asarray(predicted) * bins).astype(int), 0, bins - 1)
    member = np.eye(bins)[place].T * (predicted - quality)
    return np.abs(statistics.resampled_means(counts, member)).sum(axis=1)


def rows(predictions: Predictions, bootstraps: int = 1000, seed: int = 0) -> pd.DataFrame:
    """``ece`` and ``brier`` of every router with scores, averaged over models; ``apgr`` beside them for a pair."""
    outcomes = predictions.outcomes
    counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
    quality, found = outcomes.quality.astype(float), []
    ranked = areas(predictions, counts) if len(outcomes.names) == 2 else {}
    for name, router in predictions.routers.items():
        if not router.has_scores:
            continue
        predicted = predictions.quality[name]
        errors = [calibration_error(counts, *columns) for columns in zip(predicted.T, quality.T, strict=True)]
        squared = statistics.resampled_means(counts, ((predicted - quality) ** 2).mean(axis=1))
        found += [measured(name, "ece", np.mean(errors, axis=0)), measured(name, "brier", squared)]
        if name in ranked:
            found.append(measured(name, "apgr", ranked[name]))
    return pd.DataFrame(found).assign(n=len(outcomes))


def calibrated(marked: Outcomes, routers: Mapping[str, Router], folds: int = 5, seed: int = 0) -> Predictions:
    """Each router as it is, and with each map of ``toolkit.calibration`` behind it, named ``NAME, METHOD``.

    All maps of a router share its cross-fitted predictions and its last fit, so this takes half of the time of as many
    ``Calibrated`` routers, and predicts the same.

    Args:
        marked: with parts of its own (``protocol.holdout``, ``frozen.freeze``); routers and maps are fitted on the one.

    Raises:
        ToolkitError: there are no such parts, or too few prompts to hold any out.
    """
    train, test, split = two_parts(marked)
    made: dict[str, Router] = mapped(routers, folds, seed)
    quality: dict[str, np.ndarray] = {}
    for name, router in routers.items():
        fitted, unseen = router.clone().fit(train), cross_fitted(router, train, folds, seed)
        if unseen is None:
            raise ToolkitError(f"{marked.name}: calibration needs two different prompts to fit on, or more.")
        quality[name] = fitted.predict_outcomes(test)
        for method in CALIBRATORS:
            one = made[f"{name}, {method}"].fit_maps(fitted, unseen, train.quality.astype(float))
            quality[f"{name}, {method}"] = one.mapped(quality[name])
    return Predictions(test, split, made, quality, None)


def mapped(routers: Mapping[str, Router], folds: int = 5, seed: int = 0) -> dict[str, Router]:
    """The routers that ``calibrated`` judges, unfitted: each as it is, and with each map behind it."""
    made: dict[str, Router] = {}
    for name, router in routers.items():
        made[name] = router
        made |= {f"{name}, {method}": Calibrated(router, method, folds, seed) for method in CALIBRATORS}
    return made


def diagrams(predictions: Predictions) -> pd.DataFrame:
    """``diagram`` of every router with scores, under each other with a column ``system``."""
    named = [name for name, router in predictions.routers.items() if router.has_scores]
    return pd.concat([diagram(predictions, name).assign(system=name) for name in named], ignore_index=True)


def diagram(predictions: Predictions, name: str, bins: int = 10) -> pd.DataFrame:
    """A reliability diagram: mean prediction and mean quality in bins of equal numbers, all models together.

    Args:
        bins: at most, and no more than leave 20 predictions in each.

    Returns:
        One row a bin: ``predicted``, ``quality``, ``low`` and ``high`` (95% for the bin's mean, Wilson 1927, prompts
        and models taken for independent), ``n``.
    """
    predicted, quality = predictions.quality[name].ravel(), predictions.outcomes.quality.astype(float).ravel()
    order = np.argsort(predicted, kind="stable")
    found = []
    for part in np.array_split(order, max(1, min(bins, len(order) // 20))):
        mean, size = quality[part].mean(), len(part)
        spread = 1.96**2 / size
        centre = (mean + spread / 2) / (1 + spread)
        half = 1.96 / (1 + spread) * np.sqrt(mean * (1 - mean) / size + spread / (4 * size))
        found.append((predicted[part].mean(), mean, centre - half, centre + half, size))
    return pd.DataFrame(found, columns=["predicted", "quality", "low", "high", "n"])


def share_threshold(router: Router, prompts: Sequence[Prompt], share: float) -> ShareThreshold:
    """The threshold that sends a share of reference prompts to a pair's second model, on the scale of ``strength``.

    Of a router that knows costs it is the weight of ``Router.route``: the same share of strong calls, by the one
    policy. Without costs, a prompt goes to the second model where ``strength(router, [prompt])[0] > found.threshold``.

    Args:
        router: fitted on two models, the weak one first (``Outcomes.pair``): the second is taken for the strong one.
        prompts: of the source whose traffic is to be routed, none of which it was fitted on.
    """
    return threshold_for_share(strength(router, prompts), share)


def strength(router: Router, prompts: Sequence[Prompt]) -> np.ndarray:
    """How much better a pair's second model is expected to be on each prompt, (n,): what a threshold is set on.

    Per dollar that it costs more, where the router knows costs. Of routers of win probabilities without costs it is
    twice the probability minus 1, so shares are those of RouteLLM's thresholds.

    Raises:
        ToolkitError: not two models, no scores, or a second model that costs no more than the first.
    """
    if len(router.models_) != 2 or not router.has_scores or router.uses_metadata:
        raise ToolkitError(f"A threshold needs a router with scores for two models from the text; {router!r} is none.")
    lead = np.diff(router.predict(prompts), axis=1)[:, 0]
    if router.cost_table_ is None:
        return lead
    dearer = np.diff(ExpectedCost(router.cost_table_).predict([as_text(prompt) for prompt in prompts]), axis=1)[:, 0]
    if not (dearer > 0).all():
        raise ToolkitError(
            f"{router.models_[1]}: a strong model that costs more than {router.models_[0]} was expected; without that "
            f"no weight parts them."
        )
    return lead / dearer


def shares_met(
    scores: np.ndarray, groups: np.ndarray, shares: Sequence[float], reference: int, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Thresholds from one part of the prompts, held against the shares of strong calls on the others, many times.

    Args:
        scores: how much better the strong model is expected to be, (n,), by a router that saw none of these prompts.
        groups: codes (n,); a group lies on one side. What is foretold takes prompts for independent: with many copies
            it is too narrow.
        shares: wanted.
        reference: prompts that a threshold is taken from.

    Returns:
        One row a draw and share: ``wanted``, ``threshold``, ``reached`` (on the reference), ``share`` (on the rest),
        ``low`` and ``high`` (what was foretold for it), ``new`` (prompts of the rest).

    Raises:
        ToolkitError: nothing would be left to hold it against.
    """
    sizes = np.bincount(groups)
    if not 0 < reference < len(scores) or len(sizes) < 2:
        raise ToolkitError(f"A reference of 1 to {len(scores) - 1} of {len(scores)} prompts was expected: {reference}.")
    rng, found = np.random.default_rng(seed), []
    for _ in range(draws):
        order = rng.permutation(len(sizes))
        taken = np.zeros(len(sizes), dtype=bool)
        count = int(np.searchsorted(np.cumsum(sizes[order]), reference)) + 1
        taken[order[: min(count, len(sizes) - 1)]] = True
        known = taken[groups]
        for share in shares:
            one = threshold_for_share(scores[known], share)
            low, high = one.interval(int((~known).sum()))
            met = float((scores[~known] > one.threshold).mean())
            found.append((share, one.threshold, one.reached, met, low, high, int((~known).sum())))
    return pd.DataFrame(found, columns=["wanted", "threshold", "reached", "share", "low", "high", "new"])


def share_rows(drawn: pd.DataFrame, name: str, wanted: float, reference: int) -> pd.DataFrame:
    """``share_off`` (distance to the wanted share: median, least, that of 95 draws in 100) and ``share_covered``.

    Args:
        drawn: of ``shares_met``; its rows of the wanted share.
    """
    drawn = drawn[drawn["wanted"] == wanted]
    off = (drawn["share"] - wanted).abs()
    inside = ((drawn["share"] >= drawn["low"]) & (drawn["share"] <= drawn["high"])).mean()
    note = f"{wanted:.0%} wanted, threshold from {reference:,} prompts"
    typical = measured(name, "share_off", np.array([off.median()]), note) | {
        "ci_low": off.min(),
        "ci_high": off.quantile(0.95),
    }
    return pd.DataFrame([typical, measured(name, "share_covered", np.array([inside]), note)]).assign(n=len(drawn))
