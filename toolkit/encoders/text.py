"""What any encoder or tokenizer can read, and what it leaves unread."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple


class Unread(NamedTuple):
    """What a vector says nothing of.

    Attributes:
        share: of the tokens that are encoded, how many the vocabulary lacks.
        parts: these, and what is left out of a text that is too long, in the order of the text.
    """

    share: float = 0.0
    parts: tuple[str, ...] = ()


def unread(text: str, ids: Sequence[int], spans: Sequence[tuple[int, int]], unknown: int, dropped: range) -> Unread:
    """Of a text's tokens, ``ids`` at ``spans`` (from, to) of characters; ``dropped`` are the places left out."""
    lost = [token == unknown or at in dropped for at, token in enumerate(ids)]
    kept = [token for at, token in enumerate(ids) if at not in dropped]
    parts = [
        text[spans[places[0]][0] : spans[places[-1]][1]]
        for gone, places in ((gone, list(group)) for gone, group in groupby(range(len(ids)), lost.__getitem__))
        if gone
    ]
    return Unread(kept.count(unknown) / max(1, len(kept)), tuple(parts))


def readable(text: str) -> str:
    """Halves of surrogate pairs, which some logs contain and no hash or tokenizer accepts, become question marks."""
    return text.encode("utf-8", "replace").decode()
