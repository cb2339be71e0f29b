"""The index is the plain list of its rows, whatever happened to it before."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cache.index import Index
from toolkit.errors import ToolkitError

WIDTH = 8


def unit(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=12),
    exact=st.sampled_from([5, 20, 1000]),
    approximate=st.booleans(),
    count=st.integers(1, 6),
    every=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=150)
def test_search_is_that_of_a_plain_list(steps, exact, approximate, count, every, seed):
    """Rows come and go; numpy, the move to faiss, filters all agree with a scan; of so few rows a graph finds all."""
    rng, index, rows, following = np.random.default_rng(seed), Index(WIDTH, exact, approximate), {}, 0
    for adds, number in steps:
        if adds:
            vectors = unit(number, seed + following)
            index.add(range(following, following + number), vectors)
            rows |= dict(zip(range(following, following + number), vectors, strict=True))
            following += number
        elif rows:
            gone = rng.choice(list(rows), min(number, len(rows)), replace=False).tolist()
            index.remove(gone)
            for key in gone:
                del rows[key]
    assert len(index) == len(rows) and set(index.ids()) == set(rows) and all(key in index for key in rows)
    queries, keys = unit(3, seed + 1), list(rows)
    for allowed in (None, keys[::every], [*keys[::2], *keys[::4], 10_000]):
        known = keys if allowed is None else [key for key in dict.fromkeys(allowed) if key in rows]
        similarity, found = index.search(queries, count, allowed)
        assert found.shape == similarity.shape == (3, min(count, len(known)))
        if known:
            assert all(len(set(line)) == len(line) for line in found.tolist())
            scan = queries @ np.stack([rows[key] for key in known]).T
            expected = -np.sort(-scan, axis=1)[:, :count]
            np.testing.assert_allclose(similarity, expected, atol=2e-3)
            own = [[float(query @ rows[key]) for key in line] for query, line in zip(queries, found, strict=True)]
            np.testing.assert_allclose(own, similarity, atol=2e-3)


def test_mistakes_are_told_and_change_nothing():
    index = Index(WIDTH)
    index.add([1, 2], unit(2, 0))
    for ids, vectors, message in (
        ([3], unit(2, 0), r"shape \(1, 8\) were expected; got \(2, 8\)"),
        ([3, 1], unit(2, 0), "1 comes twice"),
        ([3, 4, 4], unit(3, 0), "4 comes twice"),
        ([3, 4], 2 * unit(2, 0), "rows of length 1 were expected; found 2"),
        ([3], np.full((1, WIDTH), np.nan), "rows of length 1 were expected; found nan"),
    ):
        with pytest.raises(ToolkitError, match=message):
            index.add(ids, vectors)
    with pytest.raises(ToolkitError, match="no row 9"):
        index.remove([1, 9])
    for queries, count in ((unit(2, 0)[:, :3], 1), (unit(1, 0), 0), (unit(1, 0)[0], 1)):
        with pytest.raises(ToolkitError, match="queries of shape"):
            index.search(queries, count)
    assert len(index) == 2 and 1 in index and 3 not in index


def test_readers_beside_a_writer_find_their_own_row():
    index, vectors = Index(WIDTH, exact_up_to=300), unit(600, 5)
    index.add(range(100), vectors[:100])

    def write(_):
        for start in range(100, 600, 10):
            index.add(range(start, start + 10), vectors[start : start + 10])
            index.remove(range(start, start + 5))

    def read(key):
        similarity, found = index.search(vectors[key : key + 1])
        return found[0, 0] == key and similarity[0, 0] > 0.998

    with ThreadPoolExecutor(6) as pool:
        writing = pool.submit(write, None)
        assert all(pool.map(read, [key % 100 for key in range(2000)]))
        writing.result()
    assert len(index) == 350
