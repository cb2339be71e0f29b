"""What a caller hands to a cache, looked at before anything is stored."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from toolkit.cache.index import unit
from toolkit.errors import ToolkitError
from toolkit.prompt import Prompt

_UNLIMITED = 2**62


def part(given: Any, method: str, what: str) -> None:
    """An object of that method, or None; one that is none would be found out at the first request that needs it.

    Raises:
        ToolkitError: an object without that method.
    """
    if given is not None and (isinstance(given, type) or not callable(getattr(given, method, None))):
        raise ToolkitError(f"SemanticCache: {what}, or None, was expected; got {given!r}.")


def limit(count: int | None, what: str) -> int:
    """A limit of entries or bytes; None is none.

    Raises:
        ToolkitError: other than a whole number from 1.
    """
    if count is None:
        return _UNLIMITED
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ToolkitError(f"SemanticCache: {what} of 1 or more, whole, was expected; got {count!r}.")
    return int(count)


def life(ttl_s: float) -> float:
    """Seconds that an entry may live.

    Raises:
        ToolkitError: other than a number above 0.
    """
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, Real) or not ttl_s > 0:
        raise ToolkitError(f"SemanticCache: a ttl_s above 0 was expected; got {ttl_s!r}.")
    return float(ttl_s)


def age(age_s: float) -> float:
    """Seconds since an entry was stored.

    Raises:
        ToolkitError: other than a number from 0.
    """
    if isinstance(age_s, bool) or not isinstance(age_s, Real) or not age_s >= 0:
        raise ToolkitError(f"SemanticCache: an age of 0 seconds or more was expected; got {age_s!r}.")
    return float(age_s)


def tags(given: Iterable[str]) -> tuple[str, ...]:
    """Texts, each once; one text alone would be taken for its letters.

    Raises:
        ToolkitError: one text alone, or what is none.
    """
    found = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (None,)
    if not all(isinstance(tag, str) for tag in found):
        raise ToolkitError(f"SemanticCache: a list of tags, which are texts, was expected; got {given!r}.")
    return tuple(dict.fromkeys(found))


def pairs(given: Iterable[tuple[Prompt, Any]]) -> list[tuple[Prompt, Any]]:
    """(prompt, answer) pairs.

    Raises:
        ToolkitError: what is no pair, with its number.
    """
    found = list(given) if isinstance(given, Iterable) else [given]
    for number, pair in enumerate(found):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ToolkitError(f"SemanticCache: (prompt, answer) pairs were expected; number {number} is {pair!r}.")
    return found


def vectors(given: Any, count: int, dimension: int) -> np.ndarray:
    """Float32 (count, dimension): a row that the index refuses must not reach the file, and a long one would be similar
    to everything.

    Raises:
        ToolkitError: another shape, or another length than 1.
    """
    try:
        found = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (count, dimension) or not unit(found).all():
        raise ToolkitError(f"SemanticCache: vectors {(count, dimension)} of length 1 were expected; got {found.shape}.")
    return found
