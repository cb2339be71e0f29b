"""Encoders by name: strings in, unit vectors out."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from toolkit.encoders.lexical import LexicalEncoder
from toolkit.encoders.minilm import MiniLM
from toolkit.encoders.sentence import SentenceEncoder
from toolkit.encoders.store import Stored
from toolkit.encoders.surface import SurfaceEncoder
from toolkit.encoders.text import Unread
from toolkit.errors import ToolkitError


class Encoder(Protocol):
    """Anything that turns n strings into float32 (n, d), rows of length 1 (or 0 for a text without content).

    Attributes:
        dimension: d.
        identity: what decides a vector besides the text; equal identities mean equal vectors, but for the rounding of
            the batch that a text is encoded in.
        slow: worth keeping on disk.
    """

    dimension: int
    identity: str
    slow: bool

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "lexical": LexicalEncoder,
    "minilm": MiniLM,
    "minilm-mixed": lambda: MiniLM("mixed"),
    "minilm-int8": lambda: MiniLM("int8"),
    "surface": SurfaceEncoder,
}


def unread(encoder: Encoder, text: str) -> Unread:
    """What of a text an encoder does not read, so that its vector says nothing of it; an encoder may not tell."""
    if isinstance(encoder, Joined):
        return min(unread(part, text) for part in encoder.encoders)
    while isinstance(encoder, Remembering | Stored):
        encoder = encoder.encoder
    return encoder.unread(text) if hasattr(encoder, "unread") else Unread()


class Joined:
    """Several encoders side by side, each with the same weight.

    Args:
        encoders: their vectors are concatenated and scaled to unit length.
    """

    slow = False

    def __init__(self, encoders: Sequence[Encoder]):
        self.encoders = tuple(encoders)
        self.dimension = sum(encoder.dimension for encoder in self.encoders)
        self.identity = "+".join(encoder.identity for encoder in self.encoders)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 (n, sum of dimensions), rows of unit length."""
        joined = np.concatenate([encoder.encode(texts) for encoder in self.encoders], axis=1)
        length = np.linalg.norm(joined, axis=1, keepdims=True)
        return joined / np.maximum(length, np.finfo(np.float32).tiny)


FEW = 8  # texts of a call; fewer is how live traffic comes


class Remembering:
    """An encoder that keeps the vectors it made, since cross-fitting asks for the same texts once a fold.

    Args:
        encoder: does the work.
        limit: vectors kept; past it the memory starts anew.
        few: does the work of calls with fewer than eight texts, in place of ``encoder``: a file on disk would grow
            with every prompt that is routed.
    """

    slow = False

    def __init__(self, encoder: Encoder, limit: int = 50_000, few: Encoder | None = None):
        self.encoder = encoder
        self.few = few or encoder
        self.dimension = encoder.dimension
        self.identity = encoder.identity
        self.limit = limit
        self._kept: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """As the encoder's own, float32 (n, d); texts seen before are not encoded again."""
        if not len(texts):
            return self.encoder.encode(texts)
        # Another thread may start the memory anew at any moment, so what this call returns is held by itself.
        found = {text: self._kept.get(text) for text in dict.fromkeys(texts)}
        if new := [text for text, vector in found.items() if vector is None]:
            worker = self.few if len(texts) < FEW else self.encoder
            fresh_ones = dict(zip(new, worker.encode(new), strict=True))
            found |= fresh_ones
            if len(self._kept) + len(new) > self.limit:
                self._kept = {}
            if len(new) <= self.limit:
                self._kept.update(fresh_ones)
        return np.stack([found[text] for text in texts])

    def forget(self) -> None:
        """Start the memory anew."""
        self._kept = {}


def fresh(name: str) -> Encoder:
    """A new encoder of a name, without any memory of what it encoded.

    Args:
        name: of ``ENCODERS``, a hub name (``owner/model``), a local folder, or several joined by ``+``
            (``minilm+lexical+surface``).

    Raises:
        ToolkitError: no such encoder.
    """
    if parts := _parts(name):
        return Joined([fresh(part) for part in parts])
    if name in ENCODERS:
        return ENCODERS[name]()
    if "/" in name or _is_folder(name):
        return SentenceEncoder(name)
    raise ToolkitError(
        f"No encoder {name!r}; there are {', '.join(ENCODERS)}, these joined by + (minilm+surface), names of the hub "
        f"(owner/model) and local folders."
    )


@cache
def get(name: str) -> Encoder:
    """As ``fresh``, shared within the process: vectors are remembered, those of slow encoders on disk too."""
    if parts := _parts(name):
        return Joined([get(part) for part in parts])
    encoder = fresh(name)
    return Remembering(Stored(encoder), few=encoder) if encoder.slow else Remembering(encoder)


def live(name: str) -> Encoder:
    """The encoder that ``get`` shares, without its memory, which would tell by its speed what others asked."""
    if parts := _parts(name):
        return Joined([live(part) for part in parts])
    return get(name).few


def forget(name: str) -> None:
    """Start the memory of the encoder that ``get`` shares anew: for those who time what encoding takes."""
    for part in _parts(name) or [name]:
        get(part).forget()


def _parts(name: str) -> list[str]:
    """Names joined by +, or none; a folder's name may hold a + too."""
    return [] if name in ENCODERS or _is_folder(name) or "+" not in name else name.split("+")


def _is_folder(name: str) -> bool:
    return bool(name) and Path(name).is_dir()  # an empty name would be the working folder
