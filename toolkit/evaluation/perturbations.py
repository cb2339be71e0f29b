"""Seeded changes of a prompt that leave its meaning alone: typos, case, a friendly frame, spacing."""

import re
from collections.abc import Callable

import numpy as np

_CJK = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[A-Za-z]{4,}")
_TYPO_SHARE = 0.1  # of the longer words
_FRAMES = {
    "en": [
        ("Could you help me with this? ", ""),
        ("", " Thank you very much!"),
        ("I have a question for you: ", ""),
        ("Here is what I need. ", " Please take your time."),
    ],
    "zh": [("请帮我看一下：", ""), ("", "非常感谢！"), ("我想请教一个问题：", ""), ("麻烦您了，", "谢谢。")],
}


def typos(text: str, rng: np.random.Generator) -> str:
    """One word in ten has two neighbouring letters swapped; where there are no Latin words, two characters are."""
    words = list(_WORD.finditer(text))
    if not words:
        return _swap(text, int(rng.integers(len(text) - 1))) if len(text) > 3 else text
    count = max(1, round(_TYPO_SHARE * len(words)))
    for at in rng.choice(len(words), count, replace=False):
        start, end = words[at].span()
        text = _swap(text, int(rng.integers(start + 1, end - 1)))
    return text


def case(text: str, rng: np.random.Generator) -> str:
    """All small letters or all capitals; Chinese has neither and stays."""
    return text.lower() if rng.random() < 0.5 else text.upper()


def paraphrase(text: str, rng: np.random.Generator) -> str:
    """A friendly phrase before or after, in the language of the text."""
    frames = _FRAMES["zh" if _CJK.search(text) else "en"]
    before, after = frames[rng.integers(len(frames))]
    return f"{before}{text}{after}"


def spacing(text: str, rng: np.random.Generator) -> str:
    """Blank space doubled here and there, and a line break at the end."""
    return re.sub(" ", lambda found: "  " if rng.random() < 0.2 else found[0], text) + "\n"


def _swap(text: str, at: int) -> str:
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


PERTURBATIONS: dict[str, Callable[[str, np.random.Generator], str]] = {
    "typos": typos,
    "case": case,
    "paraphrase": paraphrase,
    "spacing": spacing,
}
