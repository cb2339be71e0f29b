"""Entries of a cache in one SQLite file: prompt, vector and answer in one row, written in one transaction.

Write-ahead log, so that readers never wait; any number of processes may share the file. A process that is killed loses
at most what was not committed. A file that is no cache, damaged, or of a later version is refused and left as it is.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.cache.database import Database
from toolkit.cache.index import unit
from toolkit.errors import ToolkitError

_OVERHEAD = 256  # bytes of a row besides vector, prompt and answer: keys, numbers, indexes
_KINDS = (int, str, str, float, float, bytes, str, str, int)  # of what _row reads
ORDERS = {"lru": "used, id", "lfu": "uses, used, id"}


@dataclass(frozen=True)
class Row:
    """An entry as it is stored; ``answer`` is JSON, times are seconds since the epoch, ``expires`` inf for never.

    ``id`` numbers the rows of its file; ``identity`` tells it from the entries of any file, and from what it replaced.
    """

    id: int
    prompt: str
    answer: str
    created: float
    expires: float
    identity: str = ""


@dataclass(frozen=True)
class New:
    """An entry to be stored."""

    partition: str
    exact: str
    prompt: str
    answer: str
    vector: np.ndarray
    expires: float
    tags: tuple[str, ...] = ()  # each once

    @property
    def bytes(self) -> int:
        """What it counts for against a limit."""
        texts = (self.prompt, self.answer, *self.tags, *self.tags)  # a tag is in its table and in the index of it
        return self.vector.nbytes + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + _OVERHEAD


class Store:
    """The entries of a file. Any thread may call it.

    Args:
        path, encoder, dimension: as of ``Database``.

    Raises:
        ToolkitError: as ``Database``.
    """

    def __init__(self, path: Path, encoder: str, dimension: int):
        self.path = path
        self.dimension = dimension
        self._db = Database(path, encoder, dimension)
        self.fact = self._db.fact
        self.close = self._db.close

    # -- reading --------------------------------------------------------------------------------------------------

    def version(self) -> int:
        """A number that changes when anybody has written."""
        return self._db.query("PRAGMA data_version")[0][0]

    def exact(self, partition: str, exact: str) -> Row | None:
        """The entry of a key."""
        return self._row("partition = ? AND exact = ?", (partition, exact), partition, exact)

    def entry(self, number: int, partition: str) -> Row | None:
        """The entry of a number, if it is of that partition."""
        return self._row("id = ? AND partition = ?", (number, partition), partition)

    def _row(self, where: str, values: tuple, partition: str, exact: str | None = None) -> Row | None:
        columns = "id, prompt, answer, created, expires, vector, partition, exact, sum"
        query = f"SELECT {columns} FROM entries WHERE {where}"
        rows = self._db.query(query, values)
        if not rows:
            return None
        found = rows[0]
        if not all(isinstance(value, kind) for value, kind in zip(found, _KINDS, strict=True)):
            raise ToolkitError(
                f"{self.path}: entry {found[0]} is damaged (a value of another kind). Nothing was changed."
            )
        row, (vector, *place, expected) = Row(*found[:5]), found[5:]
        # An index of the file may be damaged too, and lead to a row of other words.
        led_astray = place[0] != partition or exact not in (None, place[1])
        if led_astray or checksum(row.prompt, row.answer, vector, *place, row.created, row.expires) != expected:
            raise ToolkitError(f"{self.path}: entry {row.id} is damaged (its checksum differs). Nothing was changed.")
        return replace(row, identity=f"{place[0][:16]}-{place[1][:16]}-{row.created!r}")

    def vectors(self, after: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(partition, ids int64 (n,), vectors float32 (n, d)) of entries beyond a number, all of them or none.

        Raises:
            ToolkitError: an entry is damaged, with its number.
        """
        query = "SELECT id, partition, vector FROM entries WHERE id > ? ORDER BY id"
        rows = self._db.query(query, (after,))
        grouped: dict[str, tuple[list[int], list[bytes]]] = {}
        for number, partition, vector in rows:
            if number <= after:
                raise ToolkitError(f"{self.path}: entry {number} is damaged (its number). Nothing was changed.")
            after = number
            if not isinstance(vector, bytes) or len(vector) != 4 * self.dimension:
                raise ToolkitError(
                    f"{self.path}: entry {number} is damaged (a vector of {4 * self.dimension} bytes was expected)."
                )
            ids, blobs = grouped.setdefault(partition, ([], []))
            ids.append(number)
            blobs.append(vector)
        found = []
        for partition, (ids, blobs) in grouped.items():
            matrix = np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), self.dimension)
            if not (good := unit(matrix)).all():
                raise ToolkitError(f"{self.path}: entry {ids[int((~good).argmax())]} is damaged (its vector's length).")
            found.append((partition, np.array(ids, dtype=np.int64), matrix))
        return found

    def ids(self) -> set[int]:
        """Numbers of all entries."""
        return {number for (number,) in self._db.query("SELECT id FROM entries")}

    # -- writing --------------------------------------------------------------------------------------------------

    def put(self, entries: Sequence[New], now: float, limits: tuple[int, int], order: str) -> list[tuple[int, str]]:
        """Store all or none; what has the same key is replaced, what has expired goes, then what is used least.

        Args:
            limits: entries and bytes at most.
            order: of ``ORDERS``, by which entries go; those of this call go last.

        Returns:
            (id, partition) of every entry that went.
        """
        now = float(now)
        with self._db.lock, self._db.told("written"), self._db.transaction():
            gone = self._delete("expires <= ?", (now,))
            newest = self._newest()
            for new in entries:
                gone += self._delete("partition = ? AND exact = ?", (new.partition, new.exact))
                blob = new.vector.astype("<f4").tobytes()
                place = (new.partition, new.exact, now, float(new.expires))
                total = checksum(new.prompt, new.answer, blob, *place)
                cursor = self._db.execute(
                    "INSERT INTO entries (partition, exact, created, expires, vector, used, uses, bytes, sum, prompt, "
                    "answer) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
                    (*place, blob, now, new.bytes, total, new.prompt, new.answer),
                )
                pairs = [(tag, cursor.lastrowid) for tag in new.tags]
                self._db.executemany("INSERT INTO tags VALUES (?, ?)", pairs)
            gone += self._evict(limits, ORDERS[order], newest)
        return gone

    def _newest(self) -> int:
        query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'"
        return self._db.execute(query).fetchone()[0]

    def _evict(self, limits: tuple[int, int], order: str, newest: int) -> list[tuple[int, str]]:
        entries, size = (
            self._db.fact("entries", within=True) - limits[0],
            self._db.fact("bytes", within=True) - limits[1],
        )
        if entries <= 0 and size <= 0:
            return []
        chosen: list[tuple[int]] = []
        for those in ("<=", ">"):  # first what was there before this call
            query = f"SELECT id, bytes FROM entries WHERE id {those} ? ORDER BY {order}"
            for number, taken in self._db.execute(query, (newest,)):
                if entries <= 0 and size <= 0:
                    break
                chosen.append((number,))
                entries, size = entries - 1, size - taken
        return [gone for number in chosen for gone in self._delete("id = ?", number)]

    def delete(self, where: str, values: tuple) -> list[tuple[int, str]]:
        """Delete what matches, from the write-ahead log too; (id, partition) of each."""
        with self._db.lock, self._db.told("written"):
            with self._db.transaction():
                gone = self._delete(where, values)
            if gone:
                self._db.empty_log()
        return gone

    def _delete(self, where: str, values: tuple) -> list[tuple[int, str]]:
        return self._db.execute(f"DELETE FROM entries WHERE {where} RETURNING id, partition", values).fetchall()

    def touch(self, uses: Iterable[tuple[int, float, int]], patient: bool = True) -> None:
        """Note hits: (id, time of the last one, how many); not ``patient``, they are dropped where another writes."""
        rows = [(when, count, number) for number, when, count in uses]
        if not self._db.lock.acquire(blocking=patient):
            return
        try:
            with self._db.told("written"), self._db.transaction(patient):
                self._db.executemany("UPDATE entries SET used = max(used, ?), uses = uses + ? WHERE id = ?", rows)
        finally:
            self._db.lock.release()


def checksum(prompt: str, answer: str, vector: bytes, *place: object) -> int:
    """CRC-32 of an entry: what it says, where it belongs and when, so that a bit that flipped is not served."""
    words = "\x00".join([prompt, answer, *map(repr, place)])
    return zlib.crc32(vector, zlib.crc32(words.encode("utf-8", "surrogatepass")))
