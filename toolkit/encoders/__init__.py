"""Encoders by name: strings in, unit vectors out."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

import numpy as np

from toolkit.encoders.lexical import LexicalEncoder
from toolkit.errors import ToolkitError


class Encoder(Protocol):
    """Anything that turns n strings into float32 (n, d), rows of length 1 (or 0 for a text without content)."""

    dimension: int

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


ENCODERS: dict[str, Callable[[], Encoder]] = {"lexical": LexicalEncoder}


class Remembering:
    """An encoder that keeps the vectors it made, since cross-fitting asks for the same texts once a fold.

    Args:
        encoder: does the work.
        limit: vectors kept; past it the memory starts anew.
    """

    def __init__(self, encoder: Encoder, limit: int = 50_000):
        self.encoder = encoder
        self.dimension = encoder.dimension
        self.limit = limit
        self._kept: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """As the encoder's own; texts seen before are not encoded again."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if len(self._kept) + len(new) > self.limit:
            self._kept.clear()
            return self.encoder.encode(texts)
        if new:
            self._kept.update(zip(new, self.encoder.encode(new), strict=True))
        return np.stack([self._kept[text] for text in texts]) if len(texts) else self.encoder.encode(texts)


@cache
def get(name: str) -> Encoder:
    """The encoder of a name, shared within the process; an unknown name is refused with the names there are."""
    if name not in ENCODERS:
        raise ToolkitError(f"No encoder {name!r}; there are {', '.join(ENCODERS)}.")
    return Remembering(ENCODERS[name]())
