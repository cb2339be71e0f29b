"""Many vectors in faiss: a scan in half precision that misses nothing, or a graph that misses little."""

from collections.abc import Sequence

import numpy as np

# Of the graph (Malkov and Yashunin 2016, arXiv 1603.09320): links of a node, candidates kept while it is built and
# while it is searched. On 100,000 questions of QQP the nearest one is found for more than 99 of 100 queries.
_LINKS, _BUILDING, _SEARCHING = 32, 160, 64


class Scan:
    """Every row is compared, in half precision (faiss's scalar quantiser): none is missed by more than rounding.

    Args:
        dimension: d.
    """

    def __init__(self, dimension: int):
        import faiss

        kept = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._rows = faiss.IndexIDMap2(kept)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Rows float32 (n, d) under ids int64 (n,)."""
        self._rows.add_with_ids(np.ascontiguousarray(vectors), ids)

    def remove(self, ids: np.ndarray) -> None:
        """Forget rows, int64 (n,)."""
        self._rows.remove_ids(ids)

    def search(self, queries: np.ndarray, count: int, known: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
        """Similarities and ids, (n, count); ``known`` are the ids that may be found, all where None."""
        import faiss

        if known is None:
            return self._rows.search(queries, count)
        chosen = faiss.IDSelectorBatch(np.array(known, dtype=np.int64))
        return self._rows.search(queries, count, params=faiss.SearchParameters(sel=chosen))


class Graph:
    """A navigable small-world graph (HNSW) over rows in float32. Removed rows stay as way-marks that are never returned
    until they are as many as the others; then the graph is built anew.

    Args:
        dimension: d.
    """

    def __init__(self, dimension: int):
        self.dimension = dimension
        self._start()

    def _start(self) -> None:
        import faiss

        self._rows = faiss.IndexHNSWFlat(self.dimension, _LINKS, faiss.METRIC_INNER_PRODUCT)
        self._rows.hnsw.efConstruction = _BUILDING
        self._ids = np.empty(0, dtype=np.int64)
        self._place_of: dict[int, int] = {}
        self._dead: list[int] = []
        self._options: dict[str, object] = {"efSearch": _SEARCHING}

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Rows float32 (n, d) under ids int64 (n,); building takes a second for some thousand."""
        self._place_of.update(zip(ids.tolist(), range(len(self._ids), len(self._ids) + len(ids)), strict=True))
        self._ids = np.concatenate([self._ids, ids])
        self._rows.add(np.ascontiguousarray(vectors))

    def remove(self, ids: np.ndarray) -> None:
        """Forget rows, int64 (n,)."""
        import faiss

        self._dead += [self._place_of.pop(key) for key in ids.tolist()]
        self._options["sel"] = faiss.IDSelectorNot(faiss.IDSelectorBatch(np.array(self._dead, dtype=np.int64)))
        if len(self._dead) > len(self._place_of):
            kept = np.array(list(self._place_of), dtype=np.int64)
            vectors = self._rows.reconstruct_batch(np.array(list(self._place_of.values()), dtype=np.int64))
            self._start()
            self.add(kept, vectors)

    def search(self, queries: np.ndarray, count: int, known: Sequence[int] | None) -> tuple[np.ndarray, np.ndarray]:
        """As ``Scan.search``, (q, count); where the graph finds fewer, and among few ids, rows are compared singly."""
        import faiss

        if known is not None or count > _SEARCHING:
            return self._compared(queries, count, list(self._place_of) if known is None else known)
        options = faiss.SearchParametersHNSW(**self._options)
        similarity, places = self._rows.search(queries, count, params=options)
        if (places < 0).any():
            return self._compared(queries, count, list(self._place_of))
        return similarity, self._ids[places]

    def _compared(self, queries: np.ndarray, count: int, known: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows.reconstruct_batch(np.array([self._place_of[key] for key in known], dtype=np.int64))
        similarity = queries @ rows.T
        best = best_columns(similarity, count)
        return np.take_along_axis(similarity, best, axis=1), np.array(known, dtype=np.int64)[best]


def best_columns(similarity: np.ndarray, count: int) -> np.ndarray:
    """Columns of the ``count`` largest of each row of (n, k), the largest first, int64 (n, count)."""
    if count == 1:
        return similarity.argmax(axis=1)[:, None]
    top = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(similarity, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)
