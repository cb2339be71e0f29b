"""Our own paraphrases, English and Chinese: what a class means, which are drawn, and which of them lie near each other.

A class is one of two kinds. Of ``intents``: an intent with one filling of its slots; opposite intents and fillings that
differ in one slot make hard negatives. Of ``topics``: what one asks (an aspect) about a subject of its domain, as most
traffic does: far from nearly all others, nearer to other aspects of the subject and to the aspect of other subjects.
"""

import re
from collections import defaultdict
from functools import cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from toolkit import paths
from toolkit.errors import ToolkitError

LANGUAGES = ("en", "zh")
_MOST_MEMBERS = 5


class Group(NamedTuple):
    """Intents with the same slots: opposite ones, or the aspects of a domain, whose one slot is the subject.

    Attributes:
        intents: wordings by intent; each wording has every slot once.
        slots: their names.
        fillings: every filling of the slots.
    """

    intents: dict[str, list[str]]
    slots: tuple[str, ...]
    fillings: list[tuple[str, ...]]


class _Meaning(NamedTuple):
    kind: str  # intents or topics
    language: str
    group: int
    intent: str
    filling: tuple[str, ...]


@cache
def _grammar() -> dict:
    return yaml.safe_load((paths.data_dir() / "synthetic_paraphrases.yaml").read_text(encoding="utf-8"))


@cache
def groups(kind: str, language: str) -> list[Group]:
    """All groups of ``intents`` or ``topics``; two slots of one kind (``city``, ``city2``) are never filled alike."""
    if kind == "topics":
        domains = _grammar()["topics"][language].values()
        return [Group(one["aspects"], ("subject",), [(subject,) for subject in one["subjects"]]) for one in domains]
    found = []
    for intents in _grammar()["intents"][language]:
        slots = tuple(re.findall(r"{(\w+)}", next(iter(intents.values()))[0]))
        kinds = [slot.rstrip("2") for slot in slots]
        twins = [(i, j) for i, j in combinations(range(len(slots)), 2) if kinds[i] == kinds[j]]
        every = product(*(_grammar()["slots"][language][kind] for kind in kinds))
        found.append(Group(intents, slots, [one for one in every if all(one[i] != one[j] for i, j in twins)]))
    return found


def most(hard: float) -> int:
    """The most classes that there are with this share of ``intents``."""
    shares = [(kind, share) for kind, share in (("intents", hard), ("topics", 1 - hard)) if share]
    return 2 * min(int(_room(kind, language).sum() / share) for kind, share in shares for language in LANGUAGES)


def _room(kind: str, language: str) -> np.ndarray:
    """Fillings of each intent, int64."""
    return np.array([len(group.fillings) for group in groups(kind, language) for _ in group.intents])


def draw(
    classes: int, hard: float, seed: int
) -> tuple[list[str], np.ndarray, np.ndarray, pd.DataFrame, tuple[str, ...]]:
    """Texts, classes (n,), languages (n,), pairs and notes, as ``Paraphrases`` has them.

    Args:
        classes: half of them English, half Chinese.
        hard: share of the classes that come from ``intents``.
        seed: decides all else.

    Raises:
        ToolkitError: an option out of its range.
    """
    if not 0 <= hard <= 1:
        raise ToolkitError(f"synthetic: option hard takes a share from 0 to 1; {hard} was given.")
    if not 10 <= classes <= most(hard):
        raise ToolkitError(f"synthetic: option classes takes 10 to {most(hard)} at hard={hard}; {classes} was given.")
    if seed < 0:
        raise ToolkitError(f"synthetic: option seed takes a whole number from 0; {seed} was given.")
    rng = np.random.default_rng(seed)
    meanings = []
    for language, count in zip(LANGUAGES, (classes - classes // 2, classes // 2), strict=True):
        near = round(hard * count)
        meanings += _meanings("intents", language, near, rng) + _meanings("topics", language, count - near, rng)
    texts, members = [], []
    for kind, language, number, intent, filling in meanings:
        group = groups(kind, language)[number]
        wordings, values = group.intents[intent], dict(zip(group.slots, filling, strict=True))
        count = min(rng.integers(1, _MOST_MEMBERS + 1), len(wordings))
        members.append(range(len(texts), len(texts) + count))
        texts += [wordings[k].format(**values) for k in rng.choice(len(wordings), count, replace=False)]
    sizes = [len(rows) for rows in members]
    notes = (
        f"Synthetic: {len(texts):,} sentences of our own in {classes:,} classes, half English and half Chinese; "
        "no class of the one language means what a class of the other does.",
        f"{sum(one.kind == 'intents' for one in meanings):,} classes are intents that have near neighbours, the others "
        "ask something about a subject.",
        "Pairs labelled different are near: opposite intents filled alike, one intent with one slot changed, two "
        "questions about one subject, or one about two subjects.",
    )
    languages = np.repeat([one.language for one in meanings], sizes)
    return texts, np.repeat(np.arange(classes), sizes), languages, _sampled_pairs(meanings, members, rng), notes


def _meanings(kind: str, language: str, count: int, rng: np.random.Generator) -> list[_Meaning]:
    """``count`` classes, spread over the intents as evenly as their fillings allow.

    Opposites get the same fillings, so that they meet; aspects get subjects of their own, so that all subjects occur.
    """
    room = _room(kind, language)
    level = next(level for level in range(1, room.max() + 1) if np.minimum(room, level).sum() >= count)
    shares = np.minimum(room, level)
    shares[rng.choice(np.flatnonzero(shares == level), shares.sum() - count, replace=False)] -= 1
    share, meanings = iter(shares), []
    for number, (intents, _, fillings) in enumerate(groups(kind, language)):
        order = rng.permutation(len(fillings))
        for intent in intents:
            if kind == "topics":
                order = rng.permutation(order)
            chosen = (fillings[k] for k in order[: next(share)])
            meanings += [_Meaning(kind, language, number, intent, filling) for filling in chosen]
    return meanings


def _sampled_pairs(meanings: list[_Meaning], members: list[range], rng: np.random.Generator) -> pd.DataFrame:
    """As many pairs within a class as there are classes, and as many near ones, where there are so many.

    Of the near ones, each kind has the share that it has of the classes, half of them two intents with one filling.
    Where there are fewer, the next ones fill up.
    """
    rows = [(*pair, True) for pair in _sample(dict(enumerate(members)), len(meanings), rng)]
    near, wanted = [], 0
    for kind in ("intents", "topics"):
        opposite, refilled = defaultdict(list), defaultdict(list)
        for code, one in enumerate(meanings):
            if one.kind == kind:
                wanted += 1
                opposite[one.language, one.group, one.filling].append(code)
                for slot in range(len(one.filling)):
                    rest = one.filling[:slot] + one.filling[slot + 1 :]
                    refilled[one.language, one.group, one.intent, slot, rest].append(code)
        near += _sample(opposite, (wanted - len(near)) // 2, rng)
        near += _sample(refilled, wanted - len(near), rng)
    rows += [(rng.choice(members[one]), rng.choice(members[other]), False) for one, other in near]
    return pd.DataFrame(rows, columns=["first", "second", "same"]).astype({"first": np.int64, "second": np.int64})


def _sample(alike: dict, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """At most ``count`` pairs whose two sides stand in one list of ``alike``, without replacement."""
    every = [pair for codes in alike.values() for pair in combinations(codes, 2)]
    return [every[k] for k in rng.choice(len(every), min(count, len(every)), replace=False)]
