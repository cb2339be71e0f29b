"""What a prompt looks like, apart from what it is about: length, numbers, options, punctuation."""

import re
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?。！？]")
_OPTION = re.compile(r"(?m)^\(?[A-J][.):：、]\s*(.*)$")
_NUMERIC = re.compile(r"[\s\d.,$%+\-*/^=()a-z]*\d[\s\d.,$%+\-*/^=()]*")
_NEGATION = re.compile(r"\b(?:not|NOT|except|EXCEPT|never|least)\b|不|没有|除了")
_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_SIGNS = ("$", "%", "+-*/=^<>", "()[]{}", ",，", "?？", "_", "\"'“”", "\n")


class SurfaceEncoder:
    """Twenty-five measures of form; counts as logarithms, so that each has a range of a few units.

    A constant stands beside them before the vector is scaled to unit length: without it the scaling would make a long
    prompt and a short one alike.
    """

    dimension = 26
    slow = False
    identity = "surface"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 (n, 26), rows of unit length."""
        if not len(texts):
            return np.empty((0, self.dimension), dtype=np.float32)
        measures = np.array([(3.0, *_measures(text)) for text in texts])
        return (measures / np.linalg.norm(measures, axis=1, keepdims=True)).astype(np.float32)


def _measures(text: str) -> list[float]:
    words = _WORD.findall(text)
    numbers = _NUMBER.findall(text)
    options = _OPTION.findall(text)
    lengths = [len(option) for option in options] or [0]
    per_word = 1 / (len(words) + 1)
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    counts = [
        len(text),
        len(words),
        len(numbers),
        sum(map(len, numbers)),
        sentences,
        len(options),
        np.mean(lengths),
        np.std(lengths),
        *(sum(map(text.count, signs)) for signs in _SIGNS),
    ]
    shares = [
        len(numbers) * per_word,
        sum(word[0].isupper() for word in words) * per_word,
        len({word.lower() for word in words}) * per_word,
        len(words) / sentences / 20,
        sum(map(len, words)) * per_word / 5,
        sum(len(option) <= 40 and bool(_NUMERIC.fullmatch(option)) for option in options) / max(1, len(options)),
        len(_CJK.findall(text)) / max(1, len(text)),
        float(bool(_NEGATION.search(text))),
    ]
    return [*np.log1p(counts), *shares]
