"""The one policy: predicted quality minus a weight times expected cost.

A router's threshold, a budget and a trade-off slider are the same mechanism. For prompt i the policy at weight w picks

    argmax_j  quality[i, j] - w * cost[i, j]

As w runs from minus to plus infinity the choice walks down the upper envelope of m lines, from the dearest model to
the cheapest. With m = 2 and unit costs (weak 0, strong 1) the weight is RouteLLM's threshold on the win-rate score
(Ong et al. 2024, arXiv 2406.18665, section 3), and the curve runs from 0% to 100% of strong calls.
Costs here are *expected* costs; what a choice really cost is only used to judge it.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import ASSUMED_OUTPUT_TOKENS, PRICE_COLUMNS, token_counts

FORBIDDEN = -np.inf  # predicted quality of a model that may not be chosen, whatever the weight


def check_weight(weight: float, priced: bool) -> float:
    """The weight itself.

    Raises:
        ToolkitError: it is no number, or costs are unknown and it is not 0.
    """
    if not isinstance(weight, int | float) or math.isnan(weight):
        raise ToolkitError(f"weight takes a number, quality given up per dollar; {weight!r} was given.")
    if weight and not priced:
        raise ToolkitError(
            f"weight {weight:g} needs costs, and this router knows none; give it prices or outcomes, or use 0."
        )
    return weight


def choose(quality: np.ndarray, cost: np.ndarray, weight: float) -> np.ndarray:
    """Model chosen for each prompt.

    Args:
        quality: predicted quality (n, m).
        cost: expected cost (n, m) or (m,).
        weight: quality given up per unit of cost; ``inf`` takes the cheapest model, ``-inf`` the dearest, and ties
            between equally dear models go to the better one. Ties at a finite weight go to the cheaper model.

    Returns:
        int64 (n,), columns.
    """
    cost = np.broadcast_to(cost, quality.shape)
    if np.isinf(weight):
        sign = 1.0 if weight > 0 else -1.0
        offered = np.where(quality > FORBIDDEN, sign * cost, np.inf)
        return np.where(offered == offered.min(axis=1, keepdims=True), quality, FORBIDDEN).argmax(axis=1)
    value = quality - weight * cost
    return np.where(value == value.max(axis=1, keepdims=True), cost, np.inf).argmin(axis=1)


def unit_utility(quality: np.ndarray, cost: np.ndarray, weight: float | np.ndarray, dearest: float) -> np.ndarray:
    """Quality minus weight times cost, from the worst there can be to the best, [-weight * dearest, 1], put on [0, 1].

    For learners that must be told one number; ``weight`` is 0 or more and ``dearest`` the largest cost. Any shape.
    """
    return (quality - weight * cost + weight * dearest) / (1 + weight * dearest)


def breakpoints(quality: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every weight at which some prompt's choice changes, and the expected cost that the change saves.

    ``quality`` (n, m) and ``cost`` (n, m) or (m,) as in ``choose``.

    Walks all prompts' envelopes at once, from the dearest model down; at most m - 1 steps.

    Returns:
        weights, savings: float64 (k,) each, in no particular order; savings > 0.
    """
    cost = np.broadcast_to(cost, quality.shape).astype(float)
    quality = quality.astype(float)
    rows = np.arange(len(quality))
    current = choose(quality, cost, -np.inf)
    weights, savings = [], []
    while rows.size:
        q, c = quality[rows], cost[rows]
        here = np.arange(rows.size), current
        drop = c[here][:, None] - c
        with np.errstate(divide="ignore", invalid="ignore"):
            overtaken_at = np.where(drop > 0, (q[here][:, None] - q) / drop, np.inf)
        first = overtaken_at.min(axis=1)
        going = np.isfinite(first)
        # Several lines may cross at one weight: the cheapest of them wins from there on.
        target = np.where(overtaken_at == first[:, None], drop, FORBIDDEN).argmax(axis=1)
        weights.append(first[going])
        savings.append(drop[np.arange(rows.size), target][going])
        rows, current = rows[going], target[going]
    return np.concatenate(weights), np.concatenate(savings)


def operating_weights(quality: np.ndarray, cost: np.ndarray, count: int = 101) -> np.ndarray:
    """Weights whose choices are evenly spaced in expected cost, from cheapest (+inf) to dearest (-inf).

    They depend on the predictions for these prompts, never on their outcomes: RouteLLM's thresholds are the deciles of
    the judged scores in the same way. ``quality`` (n, m) and ``cost`` (n, m) or (m,) as in ``choose``.

    Each lies between two neighbouring breakpoints, so prompts with equal scores always move together, as under
    "strong if score >= threshold". Where many scores tie, neighbouring weights give the same choices.

    Returns:
        float64 (count,), non-increasing.
    """
    at, saving = breakpoints(quality, cost)
    levels, inverse = np.unique(-at, return_inverse=True)
    if levels.size == 0:
        return np.concatenate([[np.inf], np.full(count - 1, -np.inf)])
    spent = np.cumsum(np.bincount(inverse, weights=saving))
    between = -np.append((levels[:-1] + levels[1:]) / 2, np.inf)
    targets = np.linspace(0, 1, count)[1:-1] * spent[-1]
    # A hair of slack keeps float noise in the running sum from pushing a decile to the next tie group.
    reached = np.searchsorted(spent, targets * (1 - 1e-12))
    return np.concatenate([[np.inf], between[reached], [-np.inf]])


def sweep(quality: np.ndarray, cost: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Choices at every weight, int16 (len(weights), n)."""
    return np.stack([choose(quality, cost, weight).astype(np.int16) for weight in weights])


class ExpectedCost:
    """What a call to each model is expected to cost, from the text alone.

    Input tokens are estimated from the text and scaled by the ratio seen in training; output tokens are the model's
    mean in training. Where tokens or prices are unknown, the model's mean cost in training stands for every prompt.
    Actual costs of the prompts that are decided upon are never used.

    Args:
        table: what ``fit`` learned, float64 (3, m): mean dollars of a call, dollars per estimated input token, dollars
            per call for the output; the last two NaN where tokens or prices are unknown.
    """

    def __init__(self, table: np.ndarray | None = None):
        self.table = table

    @classmethod
    def from_prices(
        cls, prices: pd.DataFrame, models: Sequence[str], output_tokens: float = ASSUMED_OUTPUT_TOKENS
    ) -> "ExpectedCost":
        """From a price list alone, where nothing was measured.

        Args:
            prices: indexed by model, ``pricing.PRICE_COLUMNS`` in dollars per million tokens.
            models: in column order.
            output_tokens: of a call.

        Raises:
            ToolkitError: a model has no price.
        """
        if missing := [name for name in models if name not in prices.index]:
            raise ToolkitError(f"ExpectedCost: prices of all models were expected; {', '.join(missing)} missing.")
        per_token, per_output = prices.loc[list(models), list(PRICE_COLUMNS)].to_numpy(float).T / 1e6
        return cls(np.stack([np.full(len(models), np.nan), per_token, per_output * output_tokens]))

    def fit(self, train: Outcomes) -> "ExpectedCost":
        """Learn token ratios and mean outputs per model, ignoring unobserved cells."""
        train.require_cost()
        prices = train.models[list(PRICE_COLUMNS)].to_numpy(float)
        estimated = train.estimated_tokens[:, None]
        self.table = np.full((3, len(train.names)), np.nan)
        self.table[0] = np.nanmean(train.cost_usd, axis=0)
        known = np.isfinite(prices).all() and np.isfinite(train.input_tokens).any(axis=0).all()
        known = known and np.isfinite(train.output_tokens).any(axis=0).all()
        if known:
            seen = np.where(np.isfinite(train.input_tokens), estimated, np.nan)
            ratio = np.nansum(train.input_tokens, axis=0) / np.nansum(seen, axis=0)
            self.table[1] = ratio * prices[:, 0] / 1e6
            self.table[2] = np.nanmean(train.output_tokens, axis=0) * prices[:, 1] / 1e6
        return self

    def joined(self, newcomer: Outcomes) -> np.ndarray | None:
        """The table (3, m + 1) with one more model; None where the others have no costs.

        What it costs is learned from its calls, else taken from its price with tokens as assumed in ``pricing``.

        Raises:
            ToolkitError: the others have costs, and it has neither calls nor a price: no weight could be kept.
        """
        if self.table is None:
            return None
        if newcomer.cost_source != "none" and np.isfinite(newcomer.cost_usd).any():
            return np.hstack([self.table, ExpectedCost().fit(newcomer).table])
        if not np.isfinite(newcomer.models[list(PRICE_COLUMNS)].to_numpy(float)).all():
            raise ToolkitError(
                f"{newcomer.name}: a cost or a price of {newcomer.names[0]} was expected, since the router knows those "
                f"of its other models; there is neither (Outcomes.reprice, or cost_usd in the table)."
            )
        priced = ExpectedCost.from_prices(newcomer.models, newcomer.names).table
        priced[0] = priced[1] * newcomer.estimated_tokens.mean() + priced[2]
        return np.hstack([self.table, priced])

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Expected dollars per call, shape (n, m).

        Raises:
            ToolkitError: not fitted.
        """
        if self.table is None:
            raise ToolkitError("ExpectedCost is not fitted; call fit(outcomes) first.")
        mean, per_token, per_call = self.table
        if np.isnan(per_call).any():
            return np.tile(mean, (len(texts), 1))
        return token_counts(texts)[:, None] * per_token + per_call
