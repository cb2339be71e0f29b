"""The SQLite file below a cache: opened with care, changed in transactions, its errors told in one sentence."""

import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import ToolkitError

FORMAT = 1
_APPLICATION = 0x52434143  # marks the file as ours
_WAIT_S = 60
_SCHEMA = Path(__file__).with_name("schema.sql")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Database:
    """Two connections, one that writes and one that reads. Write-ahead log, so that readers never wait; any number of
    processes may share the file, each with a ``Database`` of its own.

    Args:
        path: of the file, made where there is none.
        encoder: identity of the encoder of its vectors.
        dimension: of a vector.

    Raises:
        ToolkitError: the file is none of ours, damaged, of a later version, or holds vectors of another encoder.
    """

    def __init__(self, path: Path, encoder: str, dimension: int):
        self.path = path
        self.lock = threading.RLock()  # of the connection that writes; it may be held while another process writes
        self._reading = threading.Lock()
        self._process = os.getpid()
        with self.told("opened"):
            self._refuse_places()
            if not path.exists():
                path.touch(mode=0o600)  # prompts and answers are the owner's alone
            elif path.stat().st_size:
                self._refuse_strangers()
            self._db, self._reader = self._connected(), self._connected()
            try:
                self._open(encoder, dimension)
                self._reader.execute("PRAGMA query_only = ON")
                self._file = path.stat()
            except BaseException:
                self._close()
                raise

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)

    def _refuse_places(self) -> None:
        if self.path.is_dir() or str(self.path) == ":memory:":
            raise ToolkitError(f"{self.path}: the path of a cache's file was expected; this is none.")
        if not self.path.parent.is_dir():
            raise ToolkitError(f"{self.path}: a file in a folder that exists was expected; make {self.path.parent}.")

    def _open(self, encoder: str, dimension: int) -> None:
        self._patiently("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a put that returned outlives a loss of power
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA secure_delete = ON")  # what was deleted does not stay in free pages
        with self.transaction():
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in statements(_SCHEMA.read_text(encoding="utf-8")):
                    self._db.execute(statement)
                facts = [("encoder", encoder), ("dimension", dimension)]
                self._db.executemany("INSERT INTO facts VALUES (?, ?)", facts)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        made_by = self.fact("encoder"), self.fact("dimension")
        if made_by != (encoder, dimension):
            raise ToolkitError(
                f"{self.path}: vectors of {encoder} ({dimension} dimensions) were expected; the file holds those "
                f"of {made_by[0]} ({made_by[1]}). Use that encoder, or another file."
            )

    def _refuse_strangers(self) -> None:
        """Through a connection that cannot write: another one would tidy up after a killed process when it closes."""
        where = f"{self.path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(where, timeout=_WAIT_S, isolation_level=None, uri=True)) as file:
            file.execute("BEGIN")  # one moment for all three: another process may be making the file
            asked = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            known, version, tables = (file.execute(query).fetchone()[0] for query in asked)
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
        if self._process == os.getpid():  # SQLite's locks are the parent's; to close here might undo them
            with self.lock, self._reading:
                self._close()

    def _close(self) -> None:
        self._reader.close()
        self._db.close()

    def query(self, statement: str, values: tuple = ()) -> list[tuple]:
        """Rows of what is committed; it waits for nobody who writes."""
        with self._reading, self.told("read"):
            return self._reader.execute(statement, values).fetchall()

    def execute(self, statement: str, values: tuple = ()) -> sqlite3.Cursor:
        """A statement of the caller's, who holds the lock and tells errors."""
        return self._db.execute(statement, values)

    def executemany(self, statement: str, rows: list[tuple]) -> None:
        """As ``execute``, once for each row."""
        self._db.executemany(statement, rows)

    def fact(self, name: str, within: bool = False) -> str | int:
        """``entries``, ``bytes``, ``deletions`` so far, ``encoder`` or ``dimension``.

        Args:
            within: the caller's transaction; else what is committed.

        Raises:
            ToolkitError: the file does not say it.
        """
        question = "SELECT value FROM facts WHERE name = ?"
        found = self._db.execute(question, (name,)).fetchall() if within else self.query(question, (name,))
        if not found:
            raise ToolkitError(f"{self.path}: the cache is damaged (it does not say its {name}). Nothing was changed.")
        return found[0][0]

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
    def _hurried(self) -> Iterator[None]:
        """Within, nothing waits for other processes."""
        self._db.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {1000 * _WAIT_S}")

    def empty_log(self) -> None:
        """Write the log into the file and cut it, so that what was deleted is in neither.

        Where another process reads, or the disk is full, it is left to the next that can, at last to who closes last.
        """
        with contextlib.suppress(sqlite3.OperationalError), self._hurried():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextlib.contextmanager
    def transaction(self, patient: bool = True) -> Iterator[None]:
        """All of what is executed within, or nothing; ``patient`` waits for other writers."""
        self._refuse_another_file()
        with contextlib.nullcontext() if patient else self._hurried():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # where the disk is full, SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    def _refuse_another_file(self) -> None:
        """What is written into a file that was moved or removed would be found by nobody."""
        if hasattr(self, "_file"):
            there = self.path.stat() if self.path.exists() else None
            if there is None or not os.path.samestat(there, self._file):
                raise ToolkitError(
                    f"{self.path}: the file that was opened was expected; it was moved or removed. Nothing was stored: "
                    f"open the cache anew."
                )

    @contextlib.contextmanager
    def told(self, done: str) -> Iterator[None]:
        """SQLite's errors as ours; ``done`` is what could not be done.

        Raises:
            ToolkitError: in a process that was forked from the one that opened the file; what it wrote could be lost.
        """
        if self._process != os.getpid():
            raise ToolkitError(f"{self.path}: the cache was opened before this process was forked. Open it in each.")
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as err:  # ValueError: halves of surrogate pairs, in tags
            lost = "; nothing of this call was stored" if done == "written" else ""
            raise ToolkitError(f"{self.path}: the cache could not be {done} ({err}){lost}. {_advice(err)}") from err


def _advice(err: Exception) -> str:
    """What to do about an error of SQLite or of the system."""
    code = getattr(err, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another process is writing: try again, with smaller batches if it happens often."
    if code == sqlite3.SQLITE_FULL or getattr(err, "errno", None) in _NO_ROOM:
        return "Free the disk."
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return "It is damaged, or no cache: move it away or choose another file. It is never overwritten."
    if isinstance(err, sqlite3.ProgrammingError):
        return "A cache that was closed must be opened anew."
    return "See that its folder may be written and the disk has room; the file is never overwritten."


def statements(script: str) -> list[str]:
    """The statements of a script: ``executescript`` would commit before it begins."""
    found, part = [], ""
    for line in script.splitlines():
        part += line + "\n"
        if part.strip() and sqlite3.complete_statement(part):
            found.append(part.strip())
            part = ""
    return found
