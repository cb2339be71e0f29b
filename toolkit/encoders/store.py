"""Vectors on disk: what one process encoded, no other encodes again."""

import contextlib
import hashlib
import sqlite3
import warnings
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from toolkit import paths

_CHUNK = 256  # texts between two commits: what a killed run loses at most
_WAIT_S = 60


class Stored:
    """An encoder whose vectors are kept in one SQLite file per identity, safe under parallel runs.

    Another version of what runs a graph rounds int8 in another way, so its vectors have a file of their own (the
    encoder's ``made_by``, where it has one): a run says the same whatever an older environment left in the cache.

    The key is a hash of the text. A vector that cannot be read is made again; a file that is no database is put aside;
    a folder that cannot be written costs a warning and nothing else.

    Args:
        encoder: does the work; its ``identity`` says what decides a vector.
        folder: of the files; default ``embeddings`` in the cache folder.
    """

    slow = False

    def __init__(self, encoder, folder: Path | None = None):
        self.encoder = encoder
        self.dimension = encoder.dimension
        self.identity = encoder.identity
        name = "-".join(filter(None, (encoder.identity, getattr(encoder, "made_by", ""))))
        self.path = (folder or paths.cache_dir() / "embeddings") / f"{name}.sqlite"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """As the encoder's own, float32 (n, d); texts that the file knows are not encoded again."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        known = self._read(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        # Neighbours in length share a batch; the encoder sorts too, but only within what it is given.
        todo = sorted(missing.items(), key=lambda item: len(item[1]))
        with tqdm(total=len(todo), desc=f"encoding ({self.identity[:12]})", unit="text", disable=None) as bar:
            for start in range(0, len(todo), _CHUNK):
                part = todo[start : start + _CHUNK]
                vectors = self.encoder.encode([text for _, text in part])
                fresh = dict(zip((key for key, _ in part), vectors, strict=True))
                self._write(fresh)
                known |= fresh
                bar.update(len(part))
        return np.stack([known[key] for key in keys]) if keys else np.empty((0, self.dimension), dtype=np.float32)

    def _read(self, keys: list[bytes]) -> dict[bytes, np.ndarray]:
        if not self.path.is_file():
            return {}
        found: dict[bytes, np.ndarray] = {}
        distinct = list(dict.fromkeys(keys))
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT_S)) as database:
                for start in range(0, len(distinct), 500):
                    part = distinct[start : start + 500]
                    marks = ",".join("?" * len(part))
                    found |= self._usable(
                        database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                    )
        except sqlite3.OperationalError as err:
            if "no such table" not in str(err):  # another process has only just made the file
                warnings.warn(f"{self.path}: embeddings cannot be read ({err}); they are made anew.", stacklevel=2)
        except sqlite3.DatabaseError as err:
            aside = self.path.with_suffix(".damaged")
            warnings.warn(f"{self.path} is damaged ({err}); it is kept as {aside.name} and made anew.", stacklevel=2)
            with contextlib.suppress(OSError):  # in a folder that cannot be written it stays where it is
                self.path.replace(aside)
        return found

    def _usable(self, rows: Iterable[tuple[bytes, bytes]]) -> dict[bytes, np.ndarray]:
        size = 4 * self.dimension
        return {key: np.frombuffer(vector, dtype="<f4") for key, vector in rows if len(vector) == size}

    def _write(self, vectors: dict[bytes, np.ndarray]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_WAIT_S)) as database, database:
                database.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
                rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
                database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as err:
            warnings.warn(f"{self.path}: embeddings cannot be kept ({err}).", stacklevel=2)
