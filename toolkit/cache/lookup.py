"""What a cache says of a prompt."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolkit.cache.scope import Key

RULES = ("exact", "similar", "dissimilar", "guard", "explore", "off", "unreadable", "empty", "failed")


@dataclass(frozen=True)
class Lookup:
    """What the cache has for a prompt, and why.

    Attributes:
        hit: whether ``answer`` may be given.
        answer: what was stored, None on a miss.
        rule: of ``RULES``, which one decided; ``failed`` is a gateway's, whose cache could not be read.
        reason: one sentence.
        key: of the prompt.
        entry, matched: identity and prompt of the entry that was found, also where it is not served; None, "".
        similarity, threshold: as compared; NaN where nothing was.
        age_s: seconds since the entry was stored, NaN where there is none.
        objection: what speaks against the entry however similar it is, whatever the policy says; "" for nothing.
        vector: of the prompt, float32 (1, d), for ``put``; None where the text was not encoded.
    """

    hit: bool
    answer: Any
    rule: str
    reason: str
    key: Key = field(repr=False)
    entry: str | None = None
    matched: str = ""
    similarity: float = float("nan")
    threshold: float = float("nan")
    age_s: float = float("nan")
    objection: str = ""
    vector: np.ndarray | None = field(default=None, repr=False)
