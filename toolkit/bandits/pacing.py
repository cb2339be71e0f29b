"""A budget that is spent evenly and wholly: what a dollar costs in quality is learned from what is spent."""

import numpy as np

from toolkit.errors import ToolkitError


class BudgetPacer:
    """Chooses the weight of the policy so that spending meets a budget (primal-dual: Agrawal and Devanur 2014;
    ParetoBandit, arXiv 2604.00136, section 3).

    The weight is the dual variable of the budget. After each call it rises where the call cost more than what is left
    for a round, and falls where it cost less, in steps of a constant rate. What is left a round keeps account of all
    spending, so that no bias remains at the end. The weight is kept in logarithm, since a useful one may be 1 or
    10,000.

    Args:
        budget_usd: for all rounds.
        rounds: that it must last for.
        weight: to start from, quality given up per dollar; above 0. Default: a tenth of quality for what a round may
            cost.
        rate: of the steps.
        streams: independent copies, s.

    Attributes:
        spent_usd: float64 (s,).
    """

    def __init__(
        self, budget_usd: float, rounds: int, weight: float | None = None, rate: float = 0.02, streams: int = 1
    ):
        fine = 0 < budget_usd < np.inf and rounds >= 1 and rate > 0 and streams >= 1
        if not fine or not (weight is None or 0 < weight < np.inf):
            raise ToolkitError(
                f"BudgetPacer: a budget, rounds, rate and weight above 0 were expected; got {budget_usd!r}, "
                f"{rounds!r}, {rate!r}, {weight!r}."
            )
        self.budget_usd = budget_usd
        self.rounds = rounds
        self.rate = rate
        self.round = 0
        self.spent_usd = np.zeros(streams)
        self._first = np.log(0.1 * rounds / budget_usd if weight is None else weight)
        self._log = np.full(streams, self._first)

    @property
    def weight(self) -> np.ndarray:
        """Quality given up per dollar now, float64 (s,), for ``policy.choose``."""
        return np.exp(self._log)

    def spend(self, cost_usd: np.ndarray) -> None:
        """What the last round cost each stream, (s,); NaN where it is not known yet counts as what a round may cost.

        Raises:
            ToolkitError: costs below 0, or not one for each stream.
        """
        cost_usd = np.asarray(cost_usd, dtype=float)
        if cost_usd.shape not in ((), self.spent_usd.shape) or (cost_usd < 0).any():
            raise ToolkitError(f"BudgetPacer: costs from 0 of {len(self.spent_usd)} streams expected; got {cost_usd}.")
        even = self.budget_usd / self.rounds
        cost = np.where(np.isnan(cost_usd), even, cost_usd)
        self.spent_usd = self.spent_usd + cost
        self.round += 1
        left = max(1, self.rounds - self.round)
        may = np.maximum(self.budget_usd - self.spent_usd, 0) / left
        # Near the end what is left a round swings widely; it is felt no more than a round's even share allows.
        surplus = np.clip(cost / even - np.clip(may / even, 0.2, 5.0), -2.0, 5.0)
        self._log = np.clip(self._log + self.rate * surplus, self._first - 12, self._first + 12)
