"""The SQLite file below a cache: opened with care, changed in transactions, its errors told in one sentence."""

import contextlib
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


class Database:
    """A connection. Write-ahead log, so that readers never wait; any number of processes may share the file.

    Args:
        path: of the file, made where there is none.
        encoder: identity of the encoder of its vectors.
        dimension: of a vector.

    Raises:
        ToolkitError: the file is none of ours, damaged, of a later version, or holds vectors of another encoder.
    """

    def __init__(self, path: Path, encoder: str, dimension: int):
        self.path = path
        self.lock = threading.RLock()
        with self.told("opened"):
            if not path.exists():
                path.touch(mode=0o600)  # prompts and answers are the owner's alone
            elif path.stat().st_size:
                self._refuse_strangers()
            self._db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                self._open(encoder, dimension)
            except BaseException:
                self._db.close()
                raise

    def _open(self, encoder: str, dimension: int) -> None:
        self._patiently("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a put that returned outlives a loss of power
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA secure_delete = ON")  # what was deleted does not stay in free pages
        with self.transaction():
            if self.pragma("user_version") == 0:
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
        with self.lock:
            self._db.close()

    def execute(self, statement: str, values: tuple = ()) -> sqlite3.Cursor:
        """A statement of the caller's, who holds the lock and tells errors."""
        return self._db.execute(statement, values)

    def executemany(self, statement: str, rows: list[tuple]) -> None:
        """As ``execute``, once for each row."""
        self._db.executemany(statement, rows)

    def fact(self, name: str) -> str | int:
        """``entries``, ``bytes``, ``deletions`` so far, ``encoder`` or ``dimension``."""
        with self.lock, self.told("read"):
            found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        if found is None:
            raise ToolkitError(f"{self.path}: the cache is damaged (it does not say its {name}). Nothing was changed.")
        return found[0]

    def pragma(self, name: str) -> int:
        """A setting or a state of the file."""
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
    def _hurried(self) -> Iterator[None]:
        """Within, nothing waits for other processes."""
        self._db.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {1000 * _WAIT_S}")

    def empty_log(self) -> None:
        """Write the log into the file and cut it, so that what was deleted is in neither.

        Where another process reads, or the disk is full, it is left: the next one that can does it, the last at closing.
        """
        with contextlib.suppress(sqlite3.OperationalError), self._hurried():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @contextlib.contextmanager
    def transaction(self, patient: bool = True) -> Iterator[None]:
        """All of what is executed within, or nothing; ``patient`` waits for other writers."""
        with contextlib.nullcontext() if patient else self._hurried():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # where the disk is full, SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def told(self, done: str) -> Iterator[None]:
        """SQLite's errors as ours; ``done`` is what could not be done."""
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as err:  # halves of surrogate pairs, in tags
            busy = getattr(err, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            advice = (
                "Another process is writing: try again, with smaller batches if it happens often."
                if busy
                else "Free the disk, or move the file away if it is damaged: it is never overwritten."
            )
            raise ToolkitError(
                f"{self.path}: the cache could not be {done} ({err}); nothing of this call was stored. {advice}"
            ) from err


def statements(script: str) -> list[str]:
    """The statements of a script: ``executescript`` would commit before it begins."""
    found, part = [], ""
    for line in script.splitlines():
        part += line + "\n"
        if part.strip() and sqlite3.complete_statement(part):
            found.append(part.strip())
            part = ""
    return found
