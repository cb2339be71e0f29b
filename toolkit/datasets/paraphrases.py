"""Texts in classes of equal meaning: what a semantic cache may answer alike, and what it must tell apart.

``qqp``: Quora Question Pairs (Iyer, Dandekar and Csernai 2017), the sample that GPTCache packs as its benchmark.
``afqmc``: the Ant Financial Question Matching Corpus in Chinese (Xu et al. 2020, CLUE, arXiv 2004.05986).
``synthetic``: our own, English and Chinese (``synthetic_paraphrases``): questions about many things, and among them
near neighbours that mean something else.

Pairs labelled same are closed transitively: a class of ``qqp`` or ``afqmc`` is a connected component of these pairs.
"""

import json
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit.datasets import files, registry, synthetic_paraphrases
from toolkit.errors import ToolkitError, first_line

NAMES = ("qqp", "afqmc", "synthetic")
FILES = {
    "qqp": ("gptcache/examples/benchmark/similiar_qqp_full.json.gz",),
    "afqmc": ("afqmc/data/train.csv", "afqmc/data/dev.csv"),
    "mock": ("gptcache/examples/benchmark/mock_data.json",),
    "synthetic": (),
}
_DEFAULTS = (1500, 0.05, 20260417)  # classes, hard, seed


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


def load(
    name: str, *, classes: int = _DEFAULTS[0], hard: float = _DEFAULTS[1], seed: int = _DEFAULTS[2]
) -> Paraphrases:
    """Paraphrases by name: ``qqp``, ``afqmc`` or ``synthetic``.

    Args:
        classes, hard, seed: of ``synthetic`` only; half of the classes are English, half Chinese, and the share
            ``hard`` of them are intents that have opposites and other fillings.

    Raises:
        ToolkitError: unknown name, an option that the set does not take, or a file that is missing, changed or
            malformed.
    """
    _require_name(name, NAMES)
    if name == "synthetic":
        return Paraphrases(name, *synthetic_paraphrases.draw(classes, hard, seed), offensive=False)
    if (classes, hard, seed) != _DEFAULTS:
        raise ToolkitError(f"{name}: classes, hard and seed are options of synthetic only; leave them out.")
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
