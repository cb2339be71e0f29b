"""The vectors of a cache's file in memory, one index a partition, kept in step with what other processes write."""

from collections.abc import Sequence

import numpy as np

from toolkit.cache.index import Index
from toolkit.cache.store import Row, Store


class Mirror:
    """Answers which entry of a partition is nearest. Not for several threads at once: the cache holds its lock.

    Args:
        store: the file; its vectors are read here.
        approximate: of the indexes.
    """

    def __init__(self, store: Store, approximate: bool):
        self.store = store
        self.approximate = approximate
        self._indexes: dict[str, Index] = {}
        self._last_id = 0
        self._version, self._deletions = store.version(), store.fact("deletions")
        self.read_new()

    def nearest(self, partition: str, vector: np.ndarray, now: float) -> tuple[Row | None, float]:
        """The most similar entry that is still there and alive; what is not is forgotten on the way.

        Args:
            vector: float32 (1, d).
            now: seconds since the epoch.

        Returns:
            The entry and its similarity; None and NaN where there is none.
        """
        self._sync()
        count, found, dead = 1, None, []
        while found is None and (index := self._indexes.get(partition)) is not None:
            similarity, ids = index.search(vector, count)
            for near, number in zip(similarity[0].tolist(), ids[0].tolist(), strict=True):
                row = self.store.entry(number, partition)
                if row is not None and row.expires > now:
                    found = row, near
                    break
                dead.append((number, partition))
            self.forget(dead)
            count, dead = 8 * count, []  # thousands may expire in one night
        return found or (None, float("nan"))

    def read_new(self) -> None:
        """Take in what was stored since the last time, by whomever."""
        for partition, ids, vectors in self.store.vectors(self._last_id):
            index = self._indexes.get(partition)
            if index is None:
                index = Index(self.store.dimension, approximate=self.approximate)
            index.add(ids, vectors)
            self._indexes[partition] = index  # once it holds something: an empty one would be searched for ever
            self._last_id = max(self._last_id, int(ids[-1]))

    def _sync(self) -> None:
        """What others stored is needed at once; what they deleted is found out when it is met, or when it is much."""
        version = self.store.version()
        if version == self._version:
            return
        deletions = self.store.fact("deletions")
        if deletions - self._deletions > max(256, sum(map(len, self._indexes.values())) // 8):
            self._deletions, alive = deletions, self.store.ids()
            for partition, index in list(self._indexes.items()):
                self.forget([(number, partition) for number in index.ids() if number not in alive])
        self.read_new()
        self._version = version

    def forget(self, gone: Sequence[tuple[int, str]]) -> None:
        """Entries, as (id, partition), that are no more."""
        by_partition: dict[str, list[int]] = {}
        for number, partition in gone:
            by_partition.setdefault(partition, []).append(number)
        for partition, numbers in by_partition.items():
            if (index := self._indexes.get(partition)) is not None:
                index.remove([number for number in numbers if number in index])
                if not len(index):
                    del self._indexes[partition]
