"""What a bandit is: it is told what the arm it pulled was worth, and says what each arm may be worth next."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.parameters import Parameterised


class Seen(NamedTuple):
    """Rewards that came, one a stream: arm, reward, stream (k,), context (k, d), what was predicted of the arm and with
    which chance it was chosen, (k,).
    """

    arm: np.ndarray
    reward: np.ndarray
    stream: np.ndarray
    context: np.ndarray | None
    predicted: np.ndarray | None
    chance: np.ndarray | None


class Bandit(Parameterised):
    """Base of all bandits.

    A bandit learns the quality of models and leaves costs to the policy (``policy.choose``), which charges them at a
    weight; so a changed price, weight or budget costs no learning. Independent copies (``streams``, s) live side by
    side in one object: a server has one, an experiment as many as seeds. Subclasses implement ``_draws``, ``_learn``
    and ``_arrays``.

    Attributes:
        arms: names of the m arms, in column order.
        contextual: needs a context vector.
        charges: its scores have costs in them already, so the policy charges none.
        learns_utility: and so must its rewards (``policy.unit_utility``).
        active: which arms are in, bool (m,).

    Args of all:
        arms: names of the arms, or how many there are.
        streams: s.
        memory: rounds after which what was seen counts 1/e; for worlds that change. inf forgets nothing.
        seed: of all draws.
    """

    contextual: ClassVar[bool] = False
    charges: ClassVar[bool] = False
    learns_utility: ClassVar[bool] = False
    _shared: ClassVar[tuple[str, ...]] = ()  # of ``_arrays``, those without an axis of arms

    def __init__(self, arms: int | Sequence[str], streams: int = 1, memory: float = math.inf, seed: int = 0):
        names = [f"arm {number + 1}" for number in range(arms)] if isinstance(arms, int) else list(arms)
        if not names or len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
            raise ToolkitError(
                f"{type(self).__name__}: different names of at least one arm were expected; got {arms!r}."
            )
        if not isinstance(streams, int) or streams < 1:
            raise ToolkitError(f"{type(self).__name__}: streams of 1 or more were expected; got {streams!r}.")
        self._check(memory > 1, f"a memory above 1 round, inf for all; got {memory!r}")
        self.arms = names
        self.streams = streams
        self.memory = memory
        self.seed = seed
        self.active = np.ones(len(names), dtype=bool)
        self._rng = np.random.default_rng(seed)

    def _check(self, fine: bool, expected: str) -> None:
        if not fine:
            raise ToolkitError(f"{type(self).__name__}: expected {expected}.")

    @property
    def kept(self) -> float:
        """Share of what was seen that is left a round later."""
        return math.exp(-1 / self.memory)

    # -- deciding and learning ------------------------------------------------------------------------------------

    def scores(self, context: np.ndarray | None = None, predicted: np.ndarray | None = None) -> np.ndarray:
        """What each arm is taken to be worth this round: a draw, or an optimistic estimate.

        Args:
            context: float (s, d), or (d,) for one stream; of contextual bandits.
            predicted: a router's quality (s, m), or (m,): the prior, whose error is what is learned.

        Returns:
            float64 (s, m); -inf for arms that are out.

        Raises:
            ToolkitError: a context is missing, or a shape is another.
        """
        context, predicted = self._context(context, self.streams), self._predicted(predicted, self.streams)
        return np.where(self.active, self._draws(1, context, predicted)[0], -np.inf)

    def draws(self, count: int, context: np.ndarray | None = None, predicted: np.ndarray | None = None) -> np.ndarray:
        """As ``scores``, so many times, (count, s, m): their choices are the chances by which one of them is chosen."""
        context, predicted = self._context(context, self.streams), self._predicted(predicted, self.streams)
        return np.where(self.active, self._draws(count, context, predicted), -np.inf)

    def update(
        self,
        arm: Any,
        reward: Any,
        context: np.ndarray | None = None,
        predicted: np.ndarray | None = None,
        stream: Any = None,
        chance: Any = None,
    ) -> None:
        """Learn what pulled arms were worth; at once, later, or never: rewards may come in any order.

        Args:
            arm: column of the arm, int (k,), or one; of as many streams.
            reward: quality in [0, 1], float (k,); NaN is a reward that never came, and is left out.
            context: as it was decided on, (k, d).
            predicted: as it was decided on, (k, m).
            stream: of each, int (k,) without repeats; default the first k.
            chance: with which each was chosen, (k,); EXP3 needs it where rewards come late.

        Raises:
            ToolkitError: no such arm or stream, a reward out of range, or a shape that is another.
        """
        arm, reward = np.array(arm, ndmin=1), np.array(reward, dtype=float, ndmin=1)
        stream = np.arange(len(arm)) if stream is None else np.array(stream, ndmin=1)
        context, predicted = self._context(context, len(arm)), self._predicted(predicted, len(arm))
        self._check_told(arm, reward, stream)
        predicted = None if predicted is None else predicted[np.arange(len(arm)), arm]
        chance = None if chance is None else np.array(chance, dtype=float, ndmin=1)
        if chance is not None and (chance.shape != arm.shape or not ((chance > 0) & (chance <= 1)).all()):
            self._check(False, f"a chance above 0 and up to 1 of each; got {chance}")
        seen = Seen(arm, reward, stream, context, predicted, chance)
        if (lost := np.isnan(reward)).any():
            seen = Seen(*(None if values is None else values[~lost] for values in seen))
        if len(seen.arm):
            self._learn(seen)

    def _check_told(self, arm: np.ndarray, reward: np.ndarray, stream: np.ndarray) -> None:
        if not (arm.shape == reward.shape == stream.shape and arm.dtype.kind in "iu" and stream.dtype.kind in "iu"):
            self._check(False, "an arm, a reward and a stream of each, arms and streams by number")
        for numbers, count, what in ((arm, len(self.arms), "arms"), (stream, self.streams, "streams")):
            if numbers.min(initial=0) < 0 or numbers.max(initial=0) >= count:
                self._check(False, f"{what} from 0 to {count - 1}; got {numbers}")
        if len(stream) > 1 and len(set(stream.tolist())) < len(stream):
            self._check(False, "one arm of a stream at a time")
        if ((reward < 0) | (reward > 1)).any():
            self._check(False, f"rewards from 0 to 1, NaN for none; got {reward}")

    def _context(self, context: np.ndarray | None, rows: int) -> np.ndarray | None:
        if not self.contextual:
            return None
        self._check(context is not None, "a context; none was given")
        context = np.atleast_2d(np.asarray(context, dtype=float))
        wanted = (rows, self.context_dimension)
        self._check(context.shape == wanted and bool(np.isfinite(context).all()),
                    f"finite contexts of shape {wanted}; got {context.shape}")  # fmt: skip
        return context

    def _predicted(self, predicted: np.ndarray | None, rows: int) -> np.ndarray | None:
        if predicted is None:
            return None
        predicted = np.atleast_2d(np.asarray(predicted, dtype=float))
        wanted = (rows, len(self.arms))
        self._check(predicted.shape == wanted and bool(np.isfinite(predicted).all()),
                    f"finite predictions of shape {wanted}; got {predicted.shape}")  # fmt: skip
        return predicted

    # -- arms that come and go ------------------------------------------------------------------------------------

    def add_arm(self, name: str, like: str | None = None) -> int:
        """A new arm, that starts from the prior or from what is believed of another; its column.

        An arm that was removed comes back with what it had learned.

        Raises:
            ToolkitError: it is in already, or there is no arm ``like``.
        """
        if name in self.arms:
            column = self.arms.index(name)
            self._check(not self.active[column], f"a new arm; {name!r} is in")
            self.active[column] = True
            return column
        source = None if like is None else self.column(like)
        for key, values in self._arrays().items():
            if key not in self._shared:
                new = self._fresh(key, values) if source is None else values[:, source : source + 1]
                setattr(self, key, np.concatenate([values, new], axis=1))
        self.arms = [*self.arms, name]
        self.active = np.append(self.active, True)
        return len(self.arms) - 1

    def remove_arm(self, name: str) -> None:
        """Leave an arm out; its column stays.

        Raises:
            ToolkitError: no such arm, or no other is left.
        """
        column = self.column(name)
        self._check(self.active.sum() > self.active[column], f"another arm beside {name!r}")
        self.active[column] = False

    def column(self, name: str) -> int:
        """Column of an arm."""
        self._check(name in self.arms, f"an arm of {', '.join(self.arms)}; got {name!r}")
        return self.arms.index(name)

    # -- what a saved bandit is made of (see bandits/persistence.py) ------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that was learned: arrays, and plain values as JSON takes them."""
        arrays = {name: values.copy() for name, values in self._arrays().items()}
        return {**arrays, "active": self.active.copy(), "rng": self._rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> Self:
        """Take up a saved state of a bandit with the same parameters; returns itself.

        Raises:
            ToolkitError: another state.
        """
        mine = self._arrays() | {"active": self.active}
        for key, values in mine.items():
            found = np.asarray(state.get(key))
            fine = found.shape == values.shape and found.dtype.kind == values.dtype.kind
            self._check(fine, f"{key} of shape {values.shape} in the state; got {found.shape}")
            setattr(self, key, found.copy())
        try:
            self._rng.bit_generator.state = dict(state["rng"])
        except (KeyError, TypeError, ValueError) as err:
            raise ToolkitError(f"{type(self).__name__}: a state of its random draws was expected ({err}).") from err
        return self

    # -- for subclasses -------------------------------------------------------------------------------------------

    @property
    def context_dimension(self) -> int:
        """d of a context."""
        raise NotImplementedError

    def _draws(self, count: int, context: np.ndarray | None, predicted: np.ndarray | None) -> np.ndarray:
        """(count, s, m)."""
        raise NotImplementedError

    def _learn(self, seen: "Seen") -> None:
        raise NotImplementedError

    def _arrays(self) -> dict[str, np.ndarray]:
        """What is learned, by attribute: arrays (s, m, ...)."""
        raise NotImplementedError

    def _fresh(self, key: str, values: np.ndarray) -> np.ndarray:
        """The values of an arm that nothing is known of, (s, 1, ...)."""
        return np.zeros_like(values[:, :1])
