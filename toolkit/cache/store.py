"""Entries of a cache in one SQLite file: prompt, vector and answer in one row, written in one transaction.

Write-ahead log, so that readers never wait; any number of processes may share the file. A process that is killed loses
at most what was not committed. A file that is no cache, damaged, or of a later version is refused and left as it is.
"""

import contextlib
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.errors import ToolkitError

FORMAT = 1
_APPLICATION = 0x52434143  # marks the file as ours
_WAIT_S = 60
_OVERHEAD = 256  # bytes of a row besides vector, prompt and answer: keys, numbers, indexes
ORDERS = {"lru": "used, id", "lfu": "uses, used, id"}

# Vectors stand before the texts, so that reading them all does not walk through the pages of long answers.
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, partition TEXT NOT NULL, exact TEXT NOT NULL, vector BLOB NOT NULL,
    created REAL NOT NULL, expires REAL NOT NULL, used REAL NOT NULL, uses INTEGER NOT NULL, bytes INTEGER NOT NULL,
    sum INTEGER NOT NULL, prompt TEXT NOT NULL, answer TEXT NOT NULL
);
CREATE UNIQUE INDEX by_key ON entries (partition, exact);
CREATE INDEX by_use ON entries (used);
CREATE INDEX by_frequency ON entries (uses, used);
CREATE INDEX by_expiry ON entries (expires);
CREATE INDEX by_age ON entries (created);
CREATE TABLE tags (
    tag TEXT, entry INTEGER REFERENCES entries ON DELETE CASCADE, PRIMARY KEY (tag, entry)
) WITHOUT ROWID;
CREATE INDEX by_entry ON tags (entry);
INSERT INTO facts VALUES ('entries', 0), ('bytes', 0), ('deletions', 0);
CREATE TRIGGER came AFTER INSERT ON entries BEGIN
    UPDATE facts SET value = value + 1 WHERE name = 'entries';
    UPDATE facts SET value = value + NEW.bytes WHERE name = 'bytes';
END;
CREATE TRIGGER went AFTER DELETE ON entries BEGIN
    UPDATE facts SET value = value - 1 WHERE name = 'entries';
    UPDATE facts SET value = value - OLD.bytes WHERE name = 'bytes';
    UPDATE facts SET value = value + 1 WHERE name = 'deletions';
END;
"""


@dataclass(frozen=True)
class Row:
    """An entry as it is stored; ``answer`` is JSON, times are seconds since the epoch, ``expires`` inf for never."""

    id: int
    prompt: str
    answer: str
    created: float
    expires: float


@dataclass(frozen=True)
class New:
    """An entry to be stored."""

    partition: str
    exact: str
    prompt: str
    answer: str
    vector: np.ndarray
    expires: float
    tags: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """What it counts for against a limit."""
        return self.vector.nbytes + len(self.prompt.encode("utf-8", "surrogatepass")) + len(self.answer) + _OVERHEAD


class Store:
    """The file. Any thread may call it.

    Args:
        path: of the file, made where there is none.
        encoder: identity of the encoder of its vectors.
        dimension: of a vector.

    Raises:
        ToolkitError: the file is none of ours, damaged, of a later version, or holds vectors of another encoder.
    """

    def __init__(self, path: Path, encoder: str, dimension: int):
        self.path = path
        self.dimension = dimension
        self._lock = threading.RLock()
        with self._told("opened"):
            self._db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                self._open(encoder)
            except BaseException:
                self._db.close()
                raise

    def _open(self, encoder: str) -> None:
        """Read first: nothing is written to a file that is not known to be ours, or new."""
        self._refuse_strangers()
        self._patiently("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a put that returned outlives a loss of power
        self._db.execute("PRAGMA foreign_keys = ON")
        with self._transaction():
            if self._pragma("user_version") == 0:
                for statement in statements(_SCHEMA):
                    self._db.execute(statement)
                facts = [("encoder", encoder), ("dimension", self.dimension)]
                self._db.executemany("INSERT INTO facts VALUES (?, ?)", facts)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        made_by = self.fact("encoder"), self.fact("dimension")
        if made_by != (encoder, self.dimension):
            raise ToolkitError(
                f"{self.path}: vectors of {encoder} ({self.dimension} dimensions) were expected; the file holds those "
                f"of {made_by[0]} ({made_by[1]}). Use that encoder, or another file."
            )

    def _refuse_strangers(self) -> None:
        known, version = self._pragma("application_id"), self._pragma("user_version")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if known == 0 and version == 0 and tables == 0:
            return
        if known != _APPLICATION:
            raise ToolkitError(f"{self.path}: a cache of this toolkit was expected; it is another program's database.")
        if version != FORMAT:
            raise ToolkitError(
                f"{self.path}: a cache of format {FORMAT} was expected; found {version}. It is left as it is: use the "
                f"version of the toolkit that wrote it, or another file."
            )

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    # -- reading --------------------------------------------------------------------------------------------------

    def fact(self, name: str) -> str | int:
        """``entries``, ``bytes``, ``deletions`` so far, ``encoder`` or ``dimension``."""
        with self._lock, self._told("read"):
            return self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0]

    def version(self) -> int:
        """A number that changes when another process or connection has written."""
        with self._lock, self._told("read"):
            return self._pragma("data_version")

    def exact(self, partition: str, exact: str) -> Row | None:
        """The entry of a key."""
        return self._row("partition = ? AND exact = ?", (partition, exact))

    def entry(self, number: int, partition: str) -> Row | None:
        """The entry of a number, if it is of that partition."""
        return self._row("id = ? AND partition = ?", (number, partition))

    def _row(self, where: str, values: tuple) -> Row | None:
        query = f"SELECT id, prompt, answer, created, expires, vector, sum FROM entries WHERE {where}"
        with self._lock, self._told("read"):
            found = self._db.execute(query, values).fetchone()
        if found is None:
            return None
        row = Row(*found[:5])
        if checksum(row.prompt, row.answer, found[5]) != found[6]:
            raise ToolkitError(f"{self.path}: entry {row.id} is damaged (its checksum differs). Nothing was changed.")
        return row

    def vectors(self, after: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """(partition, ids int64 (n,), vectors float32 (n, d)) of entries beyond a number."""
        query = "SELECT id, partition, vector FROM entries WHERE id > ? ORDER BY id"
        with self._lock, self._told("read"):
            rows = self._db.execute(query, (after,)).fetchall()
        grouped: dict[str, tuple[list[int], list[bytes]]] = {}
        for number, partition, vector in rows:
            if len(vector) != 4 * self.dimension:
                raise ToolkitError(
                    f"{self.path}: entry {number} is damaged ({len(vector)} bytes in a vector of {4 * self.dimension})."
                )
            ids, blobs = grouped.setdefault(partition, ([], []))
            ids.append(number)
            blobs.append(vector)
        for partition, (ids, blobs) in grouped.items():
            matrix = np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), self.dimension)
            yield partition, np.array(ids, dtype=np.int64), matrix

    def ids(self) -> set[int]:
        """Numbers of all entries."""
        with self._lock, self._told("read"):
            return {number for (number,) in self._db.execute("SELECT id FROM entries")}

    # -- writing --------------------------------------------------------------------------------------------------

    def put(self, entries: Sequence[New], now: float, limits: tuple[int, int], order: str) -> list[tuple[int, str]]:
        """Store all or none; what has the same key is replaced, what has expired goes, then what is used least.

        Args:
            limits: entries and bytes at most.
            order: of ``ORDERS``, by which entries go; those of this call go last.

        Returns:
            (id, partition) of every entry that went.
        """
        gone: list[tuple[int, str]] = []
        with self._lock, self._told("written"), self._transaction():
            gone += self._delete("expires <= ?", (now,))
            newest = self._newest()
            for new in entries:
                gone += self._delete("partition = ? AND exact = ?", (new.partition, new.exact))
                blob = new.vector.astype("<f4").tobytes()
                values = (new.partition, new.exact, blob, now, new.expires, now, 0, new.bytes)
                cursor = self._db.execute(
                    "INSERT INTO entries (partition, exact, vector, created, expires, used, uses, bytes, sum, prompt, "
                    "answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*values, checksum(new.prompt, new.answer, blob), new.prompt, new.answer),
                )
                pairs = [(tag, cursor.lastrowid) for tag in dict.fromkeys(new.tags)]
                self._db.executemany("INSERT INTO tags VALUES (?, ?)", pairs)
            gone += self._evict(limits, ORDERS[order], newest)
        return gone

    def _newest(self) -> int:
        return self._db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'entries'").fetchone()[
            0
        ]

    def _evict(self, limits: tuple[int, int], order: str, newest: int) -> list[tuple[int, str]]:
        entries, size = self.fact("entries") - limits[0], self.fact("bytes") - limits[1]
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
        """Delete what matches; (id, partition) of each."""
        with self._lock, self._told("written"), self._transaction():
            return self._delete(where, values)

    def _delete(self, where: str, values: tuple) -> list[tuple[int, str]]:
        return self._db.execute(f"DELETE FROM entries WHERE {where} RETURNING id, partition", values).fetchall()

    def touch(self, uses: Iterable[tuple[int, float, int]]) -> None:
        """Note hits: (id, time of the last one, how many)."""
        rows = [(when, count, number) for number, when, count in uses]
        with self._lock, self._told("written"), self._transaction():
            self._db.executemany("UPDATE entries SET used = max(used, ?), uses = uses + ? WHERE id = ?", rows)

    # -- within ---------------------------------------------------------------------------------------------------

    def _pragma(self, name: str) -> int:
        return self._db.execute(f"PRAGMA {name}").fetchone()[0]

    def _patiently(self, statement: str) -> None:
        """Switching to the write-ahead log does not wait for others by itself."""
        end = time.monotonic() + _WAIT_S
        while True:
            try:
                self._db.execute(statement)
                return
            except sqlite3.OperationalError as err:
                if "locked" not in str(err) or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # where the disk is full, SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise ToolkitError(
                f"{self.path}: the cache could not be {done} ({err}); nothing of this call was stored. Free the disk, "
                f"or move the file away if it is damaged: it is never overwritten."
            ) from err


def checksum(prompt: str, answer: str, vector: bytes) -> int:
    """CRC-32 of an entry's content, so that a bit that flipped on the disk is not served."""
    return zlib.crc32(vector, zlib.crc32(f"{prompt}\x00{answer}".encode("utf-8", "surrogatepass")))


def statements(script: str) -> list[str]:
    """The statements of a script: ``executescript`` would commit before it begins."""
    found, part = [], ""
    for line in script.splitlines():
        part += line + "\n"
        if part.strip() and sqlite3.complete_statement(part):
            found.append(part.strip())
            part = ""
    return found
