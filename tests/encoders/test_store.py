"""Vectors on disk, with real files and real processes."""

import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.encoders import LexicalEncoder, Remembering
from toolkit.encoders.store import Stored


class Counting:
    """A lexical encoder that counts the texts it is given."""

    def __init__(self):
        self.inner, self.seen = LexicalEncoder(64), 0
        self.dimension, self.identity, self.slow = 64, "counting", True

    def encode(self, texts):
        self.seen += len(texts)
        return self.inner.encode(texts)


@given(st.lists(st.lists(st.text(max_size=10), max_size=6), max_size=4))
@settings(deadline=None, max_examples=25)
def test_what_is_stored_is_what_was_encoded_and_nothing_is_encoded_twice(tmp_path_factory, batches):
    folder, counting = tmp_path_factory.mktemp("store"), Counting()
    for texts in batches:
        for stored in (Stored(counting, folder), Stored(counting, folder)):  # a second process knows it all
            np.testing.assert_array_equal(stored.encode(texts), LexicalEncoder(64).encode(texts))
    assert counting.seen == len({text for texts in batches for text in texts})


def test_another_version_of_the_runtime_has_a_file_of_its_own(tmp_path):
    older, newer = Counting(), Counting()
    older.made_by, newer.made_by = "onnxruntime-1.20", "onnxruntime-1.24"
    for counting in (older, newer, older):
        Stored(counting, tmp_path).encode(["a"])
    assert (older.seen, newer.seen) == (1, 1) and len(list(tmp_path.glob("counting-*.sqlite"))) == 2


def test_a_damaged_file_is_put_aside(tmp_path):
    stored = Stored(Counting(), tmp_path)
    first = stored.encode(["a", "b"])
    stored.path.write_bytes(b"no database at all, but long enough to look like one" * 100)
    with pytest.warns(UserWarning, match="damaged"):
        np.testing.assert_array_equal(stored.encode(["a", "b"]), first)
    assert stored.path.with_suffix(".damaged").exists()
    again = Stored(counting := Counting(), tmp_path)
    np.testing.assert_array_equal(again.encode(["a", "b"]), first)
    assert counting.seen == 0


def test_live_traffic_is_not_kept(tmp_path):
    """Nor does the size of what is new decide: a data set whose last text is new is a data set."""
    plain = Counting()
    stored = Stored(plain, tmp_path)
    remembering, prompts = Remembering(stored, few=plain), [f"prompt {number}" for number in range(31)]
    for prompt in prompts[:5]:
        remembering.encode([prompt])
    assert not stored.path.exists() and plain.seen == 5
    Remembering(stored, few=plain).encode(prompts[:30])
    again = Remembering(Stored(counting := Counting(), tmp_path), few=counting)
    again.encode(prompts[:30])
    again.encode(prompts)
    Stored(counting, tmp_path).encode(prompts)
    assert counting.seen == 1


def test_threads_share_a_small_memory(tmp_path):
    """It is started anew all the time, and no call loses a vector that it was about to return."""
    shared, texts = Remembering(Counting(), limit=10), [f"prompt {number}" for number in range(30)]
    expected = LexicalEncoder(64).encode(texts)

    def ask(seed):
        rows = np.random.default_rng(seed).integers(0, 30, 6)
        return np.array_equal(shared.encode([texts[row] for row in rows]), expected[rows])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))
    assert len(shared._kept) <= 16


def test_a_torn_vector_is_made_again(tmp_path):
    stored = Stored(Counting(), tmp_path)
    first = stored.encode(["a"])
    with sqlite3.connect(stored.path) as database:
        database.execute("UPDATE vectors SET vector = x'00'")
    np.testing.assert_array_equal(stored.encode(["a"]), first)


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    stored = Stored(Counting(), tmp_path / "file")
    with pytest.warns(UserWarning, match="cannot be kept"):
        assert stored.encode(["a"]).shape == (1, 64)


WRITER = """
import pathlib, sys
from tests.encoders.test_store import Counting, Stored
stored = Stored(Counting(), pathlib.Path(sys.argv[1]))
for start in range(0, 4000, 40):
    stored.encode([f"text {number}" for number in range(start, start + 40)])
    print(start, flush=True)
"""


def test_parallel_writers_and_a_killed_one_leave_a_whole_file(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    writers[0].stdout.readline()
    time.sleep(0.2)
    writers[0].kill()
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers[1:]] == [0, 0]
    texts = [f"text {number}" for number in range(4000)]
    stored = Stored(counting := Counting(), tmp_path)
    np.testing.assert_array_equal(stored.encode(texts), LexicalEncoder(64).encode(texts))
    assert counting.seen == 0
