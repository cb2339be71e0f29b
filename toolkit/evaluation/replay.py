"""Online learning replayed on outcomes: prompts come one after the other, and only what was chosen is seen.

All seeds run side by side: a stream of the bandit for each, with an order of the prompts of its own. Because the
outcomes of all models are known to us, what was not chosen can still be judged, and regret is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from toolkit import policy
from toolkit.bandits.base import Bandit
from toolkit.bandits.pacing import BudgetPacer
from toolkit.errors import ToolkitError
from toolkit.hardware import one_blas_thread
from toolkit.outcomes import Outcomes


@dataclass(frozen=True)
class Phase:
    """The world from a round on.

    Attributes:
        outcomes: complete, all phases with the same prompts and models.
        charge: dollars that the policy expects of each call, (n, m) or (m,).
        start: first round.
        out: models that are not offered.
    """

    outcomes: Outcomes
    charge: np.ndarray
    start: int = 0
    out: tuple[str, ...] = ()

    @property
    def offered(self) -> np.ndarray:
        """Which models may be chosen, bool (m,)."""
        return ~np.isin(self.outcomes.names, self.out)

    def utility(self, weight: float, expected: bool = True) -> np.ndarray:
        """Quality minus ``weight`` times the charge, (n, m), -inf where not offered.

        Args:
            expected: by the true mean quality, where a generator knows it; else by the outcomes.
        """
        known = expected and self.outcomes.expected_quality is not None
        quality = self.outcomes.expected_quality if known else self.outcomes.quality
        return np.where(self.offered, quality - weight * np.broadcast_to(self.charge, quality.shape), -np.inf)


def degraded(outcomes: Outcomes, model: str, left: float, seed: int = 0) -> Outcomes:
    """The same outcomes with one model worse: it fails where it did not, and ``left`` of its quality remains."""
    column, rng = outcomes.column(model), np.random.default_rng(seed)
    quality = outcomes.quality.copy()
    quality[rng.random(len(outcomes)) >= left, column] = 0
    expected = None if outcomes.expected_quality is None else outcomes.expected_quality.copy()
    if expected is not None:
        expected[:, column] *= left
    return replace(outcomes, quality=quality, expected_quality=expected)


def orders(prompts: int, rounds: int, seeds: int, seed: int = 0) -> np.ndarray:
    """Rows in the order in which they come, int64 (rounds, seeds); a pass over all before any comes again."""
    passes = -(-rounds // prompts)
    columns = []
    for each in np.random.SeedSequence(seed).spawn(seeds):
        rng = np.random.default_rng(each)
        columns.append(np.concatenate([rng.permutation(prompts) for _ in range(passes)])[:rounds])
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Played:
    """What happened, rounds by seeds.

    Attributes:
        rows: prompts, int64 (T, S).
        arms: chosen, int64 (T, S).
        reward: quality of the answer, float64 (T, S).
        cost_usd: dollars it really cost, float64 (T, S); NaN where unknown.
        weight: of the policy, float64 (T, S).
        phases: the world.
    """

    rows: np.ndarray
    arms: np.ndarray
    reward: np.ndarray
    cost_usd: np.ndarray
    weight: np.ndarray
    phases: tuple[Phase, ...]

    def spans(self) -> list[tuple[Phase, slice]]:
        """Each phase and its rounds."""
        starts = [phase.start for phase in self.phases] + [len(self.rows)]
        return [(phase, slice(*span)) for phase, span in zip(self.phases, pairwise(starts), strict=True)]


def replay(
    bandit: Bandit,
    phases: Phase | Sequence[Phase],
    order: np.ndarray,
    weight: float = 0.0,
    context: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    pacer: BudgetPacer | None = None,
    delay: int = 0,
    missing: float = 0.0,
    seed: int = 0,
) -> Played:
    """Let a bandit choose and learn, round by round.

    Args:
        bandit: as many streams as ``order`` has columns; it goes on from what it has learned.
        phases: the world, or several, the first from round 0.
        order: rows, (T, S), of ``orders``.
        weight: quality given up per dollar.
        context: of every prompt, (n, d); for contextual bandits.
        predicted: a router's quality of every prompt, (n, m): the prior.
        pacer: sets the weight instead.
        delay: rounds until a reward is known.
        missing: share of rewards that never come.
        seed: of what is missing.

    Raises:
        ToolkitError: shapes that do not fit, or outcomes with holes.
    """
    phases = (phases,) if isinstance(phases, Phase) else tuple(phases)
    _check(bandit, phases, order, (context, predicted))
    if not (isinstance(delay, int) and delay >= 0 and 0 <= missing <= 1 and np.isfinite(weight)):
        raise ToolkitError(
            f"replay: a whole delay from 0, a share missing and a finite weight were expected; got {delay!r}, "
            f"{missing!r}, {weight!r}."
        )
    game = _Game(bandit, context, predicted, delay)
    lost = np.random.default_rng(seed).random(order.shape) < missing
    arms, reward, cost_usd, weights = (np.empty(order.shape, kind) for kind in (np.int64, float, float, float))
    starts = {phase.start: phase for phase in phases}
    with one_blas_thread:  # products are small, and other notebooks run beside this one
        for step, rows in enumerate(order):
            if step in starts:
                phase = starts[step]
                _offer(bandit, phase)
                charge = np.broadcast_to(phase.charge, phase.outcomes.quality.shape)
            weights[step] = weight if pacer is None else pacer.weight
            arms[step] = chosen = game.choose(rows, charge[rows], weights[step])
            reward[step], cost_usd[step] = phase.outcomes.quality[rows, chosen], phase.outcomes.cost_usd[rows, chosen]
            told = np.where(lost[step], np.nan, reward[step])
            if bandit.learns_utility:
                told = policy.unit_utility(told, charge[rows, chosen], weights[step], charge[rows].max(axis=1))
            game.tell(rows, chosen, told)
            if pacer is not None:
                pacer.spend(cost_usd[step])
    return Played(order, arms, reward, cost_usd, weights, phases)


class _Game:
    """A bandit and its prompts' features; rewards wait in a queue until they are known."""

    def __init__(self, bandit: Bandit, context: np.ndarray | None, predicted: np.ndarray | None, delay: int):
        self.bandit, self.context, self.predicted, self.delay = bandit, context, predicted, delay
        self.waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]] = []
        self.chances: np.ndarray | None = None

    def _seen(self, rows: np.ndarray) -> dict[str, np.ndarray | None]:
        features = {"context": self.context, "predicted": self.predicted}
        return {name: None if values is None else values[rows] for name, values in features.items()}

    def choose(self, rows: np.ndarray, charge: np.ndarray, weight: np.ndarray) -> np.ndarray:
        scores = self.bandit.scores(**self._seen(rows))
        self.chances = self.bandit.chances() if self.bandit.learns_utility else None
        if self.bandit.charges:
            return scores.argmax(axis=1)
        return policy.choose(scores - weight[:, None] * charge, charge, 0.0)

    def tell(self, rows: np.ndarray, arms: np.ndarray, reward: np.ndarray) -> None:
        chance = None if self.chances is None else self.chances[np.arange(len(arms)), arms]
        self.waiting.append((rows, arms, reward, chance))
        if len(self.waiting) > self.delay:
            rows, arms, reward, chance = self.waiting.pop(0)
            self.bandit.update(arms, reward, **self._seen(rows), chance=chance)


def _offer(bandit: Bandit, phase: Phase) -> None:
    for name, wanted in zip(phase.outcomes.names, phase.offered, strict=True):
        there = bandit.active[bandit.column(name)]
        if wanted and not there:
            bandit.add_arm(name)
    for name in phase.out:
        if bandit.active[bandit.column(name)]:
            bandit.remove_arm(name)


def _check(
    bandit: Bandit, phases: tuple[Phase, ...], order: np.ndarray, features: tuple[np.ndarray | None, ...]
) -> None:
    if not phases:
        raise ToolkitError("replay: at least one phase was expected.")
    first = phases[0].outcomes
    if order.ndim != 2 or order.shape[1] != bandit.streams:
        raise ToolkitError(f"replay: an order (rounds, {bandit.streams}) was expected; got {order.shape}.")
    if order.min(initial=0) < 0 or order.max(initial=0) >= len(first) or phases[-1].start >= max(1, len(order)):
        raise ToolkitError(f"replay: rows below {len(first)} and phases within {len(order)} rounds were expected.")
    for values in features:
        if values is not None and len(values) != len(first):
            raise ToolkitError(f"replay: features of {len(first)} prompts were expected; got {len(values)}.")
    if phases[0].start or any(one.start >= two.start for one, two in pairwise(phases)):
        raise ToolkitError("replay: phases that start at round 0 and follow one another were expected.")
    for phase in phases:
        if (
            not phase.outcomes.complete().all()
            or phase.outcomes.names != bandit.arms
            or len(phase.outcomes) != len(first)
        ):
            raise ToolkitError(
                f"replay: complete outcomes of the same {len(first)} prompts and of the bandit's arms, in their order, "
                f"were expected; {phase.outcomes!r} are others."
            )
