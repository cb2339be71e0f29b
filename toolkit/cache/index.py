"""Nearest neighbours among unit vectors, behind one call: exact in numpy while they are few, faiss beyond."""

import operator
import sys
import threading
from collections.abc import Collection, Sequence

import numpy as np

from toolkit.cache.large import Graph, Scan, best_columns
from toolkit.errors import ToolkitError

# Rows from which on a scan in half precision is faster. On macOS the OpenMP runtimes of faiss and torch do not bear
# each other in one process, so there numpy keeps them all.
EXACT_UP_TO = sys.maxsize if sys.platform == "darwin" else 50_000


class Index:
    """Vectors under the caller's own ids; the most similar come back by inner product. Any thread may call it.

    Up to ``exact_up_to`` rows similarities are exact in float32. Beyond, faiss keeps them: in half precision, where
    every row is still compared and none is missed by more than rounding (5e-4 of a similarity), or in a graph.

    Args:
        dimension: d.
        exact_up_to: rows kept in numpy.
        approximate: whether rows beyond that go into a graph (``large.Graph``), which is faster and may miss some.
    """

    def __init__(self, dimension: int, exact_up_to: int = EXACT_UP_TO, approximate: bool = False):
        self.dimension = dimension
        self.exact_up_to = exact_up_to
        self.approximate = approximate
        self._lock = threading.Lock()
        self._ids = np.empty(0, dtype=np.int64)
        # One column a vector: read along a dimension, a scan is twice as fast as row by row.
        self._columns = np.empty((dimension, 0), dtype=np.float32)
        self._size = 0  # vectors in use; the arrays are longer, so that adding one copies nothing
        self._place_of: dict[int, int] = {}
        self._large: Scan | Graph | None = None

    def __len__(self) -> int:
        return len(self._place_of)

    def __contains__(self, key: int) -> bool:
        return key in self._place_of

    def ids(self) -> list[int]:
        """Of all rows."""
        return list(self._place_of)

    def add(self, ids: Sequence[int], vectors: np.ndarray) -> None:
        """Add rows, float32 (n, d) of length 1 (or 0, as encoders give a text without content).

        Raises:
            ToolkitError: another shape, a row of another length, or an id that is there already.
        """
        ids = [operator.index(key) for key in ids]
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.shape != (len(ids), self.dimension):
            raise ToolkitError(
                f"Index: vectors of shape ({len(ids)}, {self.dimension}) were expected; got {vectors.shape}."
            )
        if not (good := unit(vectors)).all():
            length = np.linalg.norm(vectors[~good][0])
            raise ToolkitError(f"Index: rows of length 1 were expected; found {length:.4g}.")
        with self._lock:
            seen: set[int] = set()
            for key in ids:
                if key in self._place_of or key in seen:
                    raise ToolkitError(f"Index: new ids were expected; {key} comes twice.")
                seen.add(key)
            if self._large is None and len(self) + len(ids) > self.exact_up_to:
                self._move()
            if self._large is not None:
                self._large.add(np.asarray(ids, dtype=np.int64), vectors)
                self._place_of.update(dict.fromkeys(map(int, ids), -1))
                return
            self._reserve(len(ids))
            end = self._size + len(ids)
            self._columns[:, self._size : end], self._ids[self._size : end] = vectors.T, ids
            self._place_of.update(zip(map(int, ids), range(self._size, end), strict=True))
            self._size = end

    def remove(self, ids: Collection[int]) -> None:
        """Forget rows.

        Raises:
            ToolkitError: an id that is not there.
        """
        ids = list(dict.fromkeys(map(int, ids)))
        with self._lock:
            for key in ids:
                if key not in self._place_of:
                    raise ToolkitError(f"Index: no row {key}.")
            if self._large is not None:
                self._large.remove(np.array(ids, dtype=np.int64))
                for key in ids:
                    del self._place_of[key]
                return
            for key in ids:  # the last vector takes the place of the one that goes
                at, last = self._place_of.pop(key), self._size - 1
                if at != last:
                    self._columns[:, at], self._ids[at] = self._columns[:, last], self._ids[last]
                    self._place_of[int(self._ids[last])] = at
                self._size = last

    def search(
        self, vectors: np.ndarray, count: int = 1, allowed: Collection[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The most similar rows of each query, the best first.

        Args:
            vectors: queries, float32 (n, d) of length 1.
            count: rows wanted of each.
            allowed: ids that may be found, all where None; others are left out before the best are taken.

        Returns:
            similarities float32 and ids int64, both (n, k) with k the least of ``count`` and the rows there are.

        Raises:
            ToolkitError: another shape of queries, or a count below 1.
        """
        queries = np.asarray(vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dimension or count < 1:
            raise ToolkitError(
                f"Index: queries of shape (n, {self.dimension}) and a count from 1 were expected; got {queries.shape} "
                f"and {count}."
            )
        with self._lock:
            known = None if allowed is None else [key for key in dict.fromkeys(allowed) if key in self._place_of]
            count = min(count, len(self) if known is None else len(known))
            if not count or not len(queries):
                return np.empty((len(queries), count), np.float32), np.empty((len(queries), count), np.int64)
            if self._large is not None:
                return self._search_large(queries, count, known)
            similarity, ids = queries @ self._columns[:, : self._size], self._ids[: self._size]
            if known is not None:
                places = [self._place_of[key] for key in known]
                similarity, ids = similarity[:, places], ids[places]
            best = best_columns(similarity, count)
            return np.take_along_axis(similarity, best, axis=1), ids[best]

    def _search_large(self, queries: np.ndarray, count: int, known: list[int] | None) -> tuple[np.ndarray, np.ndarray]:
        import faiss

        threads = faiss.omp_get_max_threads()
        # Of this thread: a scan is bound by memory, and two threads of it are slower than one.
        faiss.omp_set_num_threads(1)
        try:
            return self._large.search(queries, count, known)
        finally:
            faiss.omp_set_num_threads(threads)

    def _reserve(self, more: int) -> None:
        if self._size + more > len(self._ids):
            room = max(2 * len(self._ids), self._size + more)  # many indexes of a cache hold one row
            ids, columns = np.empty(room, dtype=np.int64), np.empty((self.dimension, room), dtype=np.float32)
            ids[: self._size], columns[:, : self._size] = self._ids[: self._size], self._columns[:, : self._size]
            self._ids, self._columns = ids, columns

    def _move(self) -> None:
        """Everything into faiss, from which it does not come back."""
        self._large = (Graph if self.approximate else Scan)(self.dimension)
        self._large.add(self._ids[: self._size].copy(), self._columns[:, : self._size].T)
        self._place_of = dict.fromkeys(self._place_of, -1)
        self._columns, self._ids, self._size = self._columns[:, :0], self._ids[:0], 0


def unit(vectors: np.ndarray) -> np.ndarray:
    """Which rows have length 1, or 0, as a text without content has; bool (n,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(vectors, axis=1)
    return (np.abs(length - 1) < 1e-3) | (length == 0)
