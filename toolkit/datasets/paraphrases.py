"""Texts in classes of equal meaning: what a semantic cache may answer alike, and what it must tell apart.

``qqp``: Quora Question Pairs (Iyer, Dandekar and Csernai 2017), the sample that GPTCache packs as its benchmark.
``afqmc``: the Ant Financial Question Matching Corpus in Chinese (Xu et al. 2020, CLUE, arXiv 2004.05986).
``synthetic``: our own, English and Chinese: a class is an intent with one filling of its slots, its texts are wordings
of that. Opposite intents with the same filling and fillings that differ in one slot are the hard negatives.

Pairs labelled same are closed transitively: a class of ``qqp`` or ``afqmc`` is a connected component of these pairs.
"""

import json
import re
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit import paths
from toolkit.datasets import files, registry
from toolkit.errors import ToolkitError, first_line

NAMES = ("qqp", "afqmc", "synthetic")
FILES = {
    "qqp": ("gptcache/examples/benchmark/similiar_qqp_full.json.gz",),
    "afqmc": ("afqmc/data/train.csv", "afqmc/data/dev.csv"),
    "mock": ("gptcache/examples/benchmark/mock_data.json",),
    "synthetic": (),
}
_DEFAULTS = (1500, 20260417)  # classes, seed
_MOST_MEMBERS = 5


@dataclass(frozen=True, eq=False)
class Paraphrases:
    """Texts and what they mean.

    Attributes:
        texts: n distinct texts; the source's order, or by class, so shuffle them before they stream.
        classes: int64 (n,), the class of each text, 0..C-1, none empty.
        languages: str (n,), ``en`` or ``zh``.
        pairs: labelled pairs: ``first``, ``second`` (rows of texts), ``same`` (bool). Of ``qqp`` and ``afqmc``, all
            that the source labels; of ``synthetic``, sampled pairs within a class and hard negatives.
        notes: what a reader of a figure must know.
        offensive: the texts were written by strangers and may offend; whoever displays one masks it.
    """

    name: str
    texts: list[str]
    classes: np.ndarray
    languages: np.ndarray
    pairs: pd.DataFrame
    notes: tuple[str, ...]
    offensive: bool


def load(name: str, *, classes: int = _DEFAULTS[0], seed: int = _DEFAULTS[1]) -> Paraphrases:
    """Paraphrases by name: ``qqp``, ``afqmc`` or ``synthetic``.

    Args:
        classes, seed: of ``synthetic`` only; half of the classes are English, half Chinese.

    Raises:
        ToolkitError: unknown name, an option that the set does not take, or a file that is missing, changed or
            malformed.
    """
    _require_name(name, NAMES)
    if name == "synthetic":
        return _synthetic(classes, seed)
    if (classes, seed) != _DEFAULTS:
        raise ToolkitError(f"{name}: classes and seed are options of synthetic only; leave them out.")
    tables = [_READERS[name](registry.fetch(file)) for file in FILES[name]]
    return _closed(name, pd.concat(tables, ignore_index=True), _LANGUAGES[name])


def mock() -> pd.DataFrame:
    """GPTCache's made-up statements, 999 rows: ``origin`` (some repeat) and ``similar``, its paraphrase."""
    path = registry.fetch(FILES["mock"][0])
    rows, columns = files.read_json_rows(path), ("origin", "similar")
    cells = [[files.take(row, column, str, path, n) for column in columns] for n, row in enumerate(rows, start=1)]
    return pd.DataFrame(cells, columns=list(columns))


def at_hand(name: str) -> bool:
    """Whether ``load(name)``, or ``mock()`` for ``mock``, needs no download. Hashes are not checked here."""
    _require_name(name, FILES)
    return all(registry.where(file) for file in FILES[name])


def _require_name(name: str, names: Iterable[str]) -> None:
    if name not in names:
        raise ToolkitError(f"No paraphrases {name!r}; there are {', '.join(names)}.")


def _read_qqp(path: Path) -> pd.DataFrame:
    """``first``, ``second``, ``same``: a tar.gz, whatever its name says, read in memory and never unpacked."""
    wanted = f"{path}: a tar.gz with one JSON list was expected"
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = [member for member in archive if member.isfile()]
            if len(members) != 1:
                raise ToolkitError(f"{wanted}; {len(members)} files were found in it. Fetch the file again.")
            rows = json.loads(archive.extractfile(members[0]).read())
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RecursionError) as err:
        raise ToolkitError(f"{wanted} and could not be read ({first_line(err)}); fetch the file again.") from err
    if not isinstance(rows, list):
        raise ToolkitError(f"{wanted}; {type(rows).__name__} was found in it. Fetch the file again.")
    kinds = {"text_a": str, "text_b": str, "label": int}
    cells = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            files.refuse(path, f"row {number}", ", ".join(kinds), "an object", row)
        cells.append([files.take(row, field, kind, path, number) for field, kind in kinds.items()])
    return _labelled(pd.DataFrame(cells, columns=list(kinds)), path)


def _read_afqmc(path: Path) -> pd.DataFrame:
    """``first``, ``second``, ``same``."""
    columns = ["sentence1", "sentence2", "label"]
    return _labelled(files.read_csv(path, columns)[columns], path)


_READERS = {"qqp": _read_qqp, "afqmc": _read_afqmc}
_LANGUAGES = {"qqp": "en", "afqmc": "zh"}


def _labelled(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Two columns of text and one of 0 and 1 as ``first``, ``second``, ``same``; anything else is refused."""
    if rows.empty:
        raise ToolkitError(f"{path}: at least one pair was expected, none was found; fetch the file again.")
    files.require(rows, rows.columns, path)
    *texts, label = rows.columns
    given = files.numbers(rows, label, path, 1)
    wrong = ~np.isin(given, (0, 1))
    if wrong.any():
        row = int(wrong.argmax())
        files.refuse(path, f"row {row + 1}", label, "0 or 1", rows[label].iloc[row])
    first, second = (rows[column].astype(str).to_numpy(object) for column in texts)
    return pd.DataFrame({"first": first, "second": second, "same": given == 1})


def _closed(name: str, table: pd.DataFrame, language: str) -> Paraphrases:
    """Paraphrases of a table of labelled text pairs, and notes that count what the closure made of them."""
    codes, texts = pd.factorize(table[["first", "second"]].to_numpy(object).ravel())
    first, second = codes.reshape(-1, 2).astype(np.int64).T
    pairs = pd.DataFrame({"first": first, "second": second, "same": table["same"].to_numpy(bool)})
    classes = _components(pairs, len(texts))
    sizes = np.bincount(classes)
    against = (classes[first] == classes[second]) & ~pairs["same"]
    notes = (
        f"{len(pairs):,} labelled pairs of {len(texts):,} distinct texts, {pairs['same'].sum():,} of them same.",
        f"The pairs labelled same close to {len(sizes):,} classes: {(sizes == 1).sum():,} of one text, "
        f"{(sizes >= 5).sum():,} of five or more.",
        f"Pairs labelled different within one class, where the source contradicts itself: {against.sum():,}.",
        "Texts that the source never compared stand in different classes and may yet mean the same.",
    )
    return Paraphrases(name, texts.tolist(), classes, np.full(len(texts), language), pairs, notes, True)


def _components(pairs: pd.DataFrame, count: int) -> np.ndarray:
    """Class of each of ``count`` texts, int64: one class where a chain of pairs labelled same joins them."""
    same = pairs[pairs["same"]]
    graph = coo_array((np.ones(len(same)), (same["first"], same["second"])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


class _Meaning(NamedTuple):
    """A class of ``synthetic``: an intent, its wordings and one filling of its slots."""

    group: tuple[str, int]  # language and number of the group of opposite intents
    intent: str
    wordings: list[str]
    slots: tuple[str, ...]
    filling: tuple[str, ...]


@cache
def _grammar() -> dict:
    return yaml.safe_load((paths.data_dir() / "synthetic_paraphrases.yaml").read_text(encoding="utf-8"))


@cache
def _groups(language: str) -> list[tuple[dict[str, list[str]], tuple[str, ...], list[tuple[str, ...]]]]:
    """Groups of opposite intents: wordings by intent, their slots, and every filling of these.

    Two slots of one kind (``city``, ``city2``) are never filled alike.
    """
    groups = []
    for intents in _grammar()["intents"][language]:
        slots = tuple(re.findall(r"{(\w+)}", next(iter(intents.values()))[0]))
        kinds = [slot.rstrip("2") for slot in slots]
        twins = [(i, j) for i, j in combinations(range(len(slots)), 2) if kinds[i] == kinds[j]]
        every = product(*(_grammar()["slots"][language][kind] for kind in kinds))
        groups.append((intents, slots, [one for one in every if all(one[i] != one[j] for i, j in twins)]))
    return groups


def _synthetic(classes: int, seed: int) -> Paraphrases:
    most = 2 * min(sum(len(intents) * len(every) for intents, _, every in _groups(lang)) for lang in ("en", "zh"))
    if not 10 <= classes <= most:
        raise ToolkitError(f"synthetic: option classes takes 10 to {most}; {classes} was given.")
    if seed < 0:
        raise ToolkitError(f"synthetic: option seed takes a whole number from 0; {seed} was given.")
    rng = np.random.default_rng(seed)
    meanings = _meanings("en", classes - classes // 2, rng) + _meanings("zh", classes // 2, rng)
    texts, members = [], []
    for _, _, wordings, slots, filling in meanings:
        count = min(rng.integers(1, _MOST_MEMBERS + 1), len(wordings))
        values = dict(zip(slots, filling, strict=True))
        members.append(range(len(texts), len(texts) + count))
        texts += [wordings[k].format(**values) for k in rng.choice(len(wordings), count, replace=False)]
    sizes = [len(rows) for rows in members]
    return Paraphrases(
        name="synthetic",
        texts=texts,
        classes=np.repeat(np.arange(classes), sizes),
        languages=np.repeat([meaning.group[0] for meaning in meanings], sizes),
        pairs=_sampled_pairs(meanings, members, rng),
        notes=(
            f"Synthetic: {len(texts):,} sentences of our own in {classes:,} classes, half English and half Chinese; "
            "no class of the one language means what a class of the other does.",
            "Pairs labelled different are near: opposite intents filled alike, or one intent with one slot changed.",
        ),
        offensive=False,
    )


def _meanings(language: str, count: int, rng: np.random.Generator) -> list[_Meaning]:
    """``count`` classes, spread over the intents as evenly as their fillings allow; opposites get the same fillings."""
    groups = _groups(language)
    room = np.array([len(every) for intents, _, every in groups for _ in intents])
    level = next(level for level in range(1, room.max() + 1) if np.minimum(room, level).sum() >= count)
    shares = np.minimum(room, level)
    shares[rng.choice(np.flatnonzero(shares == level), shares.sum() - count, replace=False)] -= 1
    share, meanings = iter(shares), []
    for number, (intents, slots, every) in enumerate(groups):
        order = rng.permutation(len(every))
        for intent, wordings in intents.items():
            chosen = (every[k] for k in order[: next(share)])
            meanings += [_Meaning((language, number), intent, wordings, slots, filling) for filling in chosen]
    return meanings


def _sampled_pairs(meanings: list[_Meaning], members: list[range], rng: np.random.Generator) -> pd.DataFrame:
    """As many pairs within a class as there are classes, and as many hard negatives, where there are so many."""
    opposite, refilled = defaultdict(list), defaultdict(list)
    for code, (group, intent, _, _, filling) in enumerate(meanings):
        opposite[group, filling].append(code)
        for slot in range(len(filling)):
            refilled[group, intent, slot, filling[:slot] + filling[slot + 1 :]].append(code)
    count = len(meanings)
    near = _sample(opposite, count // 2, rng)
    near += _sample(refilled, count - len(near), rng)
    rows = [(*pair, True) for pair in _sample(dict(enumerate(members)), count, rng)]
    rows += [(rng.choice(members[one]), rng.choice(members[other]), False) for one, other in near]
    return pd.DataFrame(rows, columns=["first", "second", "same"]).astype({"first": np.int64, "second": np.int64})


def _sample(alike: dict, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """At most ``count`` pairs whose two sides stand in one list of ``alike``, without replacement."""
    every = [pair for codes in alike.values() for pair in combinations(codes, 2)]
    return [every[k] for k in rng.choice(len(every), min(count, len(every)), replace=False)]
