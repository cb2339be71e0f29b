"""What was stored stays, and no wrong answer comes back: killed writers, many at once, full disks, torn files."""

import hashlib
import itertools
import multiprocessing
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from toolkit.cache import database
from toolkit.cache.scope import Scope, key_of
from toolkit.cache.semantic import SemanticCache
from toolkit.cache.threshold import Fixed
from toolkit.errors import ToolkitError

pytestmark = pytest.mark.slow
ANN, BOB = (Scope(tenant, "small", "", {}) for tenant in ("ann", "bob"))


class Hashed:
    """Every text has a direction of its own, the same in every process."""

    identity, dimension, slow = "hashed", 16, False

    def encode(self, texts):
        drawn = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dimension) for text in texts]
        drawn = np.array(drawn, dtype=np.float32).reshape(-1, self.dimension)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def opened(path: Path, **options) -> SemanticCache:
    return SemanticCache(path, Hashed(), Fixed(0.999), **options)


def run(function: str, *given: object) -> list[str]:
    """What a function of this module prints in a small process of its own, from which it may fork."""
    call = f"{function}({', '.join(map(repr, map(str, given)))})"
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.cache.test_faults import {function}; {call}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def recount(path: Path) -> int:
    """How many rows there are; every one is whole and found by its key, and the totals are those of the rows."""
    with closing(sqlite3.connect(path)) as file:
        rows = file.execute("SELECT partition, exact, answer, vector, bytes FROM entries").fetchall()
        facts = dict(file.execute("SELECT name, value FROM facts"))
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
    assert facts["entries"] == len(rows) and facts["bytes"] == sum(size for *_, size in rows)
    with opened(path) as cache:
        for partition, exact, answer, vector, _ in rows:
            assert len(vector) == 4 * Hashed.dimension
            assert cache.store.exact(partition, exact).answer == answer  # its checksum holds
    return len(rows)


# -- killed writers ---------------------------------------------------------------------------------------------------


def answer_of(prompt: str) -> str:
    """Now and then longer than a page of the file."""
    return f"answer to {prompt} ".ljust(zlib.crc32(prompt.encode()) % 97 * (100 if prompt.endswith("7 0") else 3), "x")


def batch(of: int, number: int) -> list[str]:
    return [f"prompt {of} {number} {member}" for member in range(1 + number % 3)]


def write_for_ever(path: str, of: int, said: int) -> None:
    """Says a number when its put has returned."""
    with opened(Path(path)) as cache:
        number = 0
        while True:
            pairs = [(prompt, answer_of(prompt)) for prompt in batch(of, number)]
            cache.put_many(pairs, ANN, tags=[f"writer {of}"])
            os.write(said, f"{number}\n".encode())
            if number % 4 == 0:  # that it was used is written before the next put
                assert cache.get(pairs[0][0], ANN).hit
            number += 1


def kill_writers(path: str, seed: str) -> None:
    """100 writers, one after another, each killed at a random moment; prints what they said: writer, numbers."""
    rng = random.Random(seed)
    puts = [0] * 5 + list(range(12, 202, 2))  # said before the moment comes, more than 10,000 in all
    rng.shuffle(puts)
    for of, wanted in enumerate(puts):
        listen, say = os.pipe()
        if (child := os.fork()) == 0:
            try:
                write_for_ever(path, of, say)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        os.close(say)
        said = b""
        while said.count(b"\n") < wanted and (more := os.read(listen, 65536)):
            said += more
        time.sleep(rng.random() * 0.004)  # a put takes half a millisecond or more
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "the writer ended by itself"
        while more := os.read(listen, 65536):
            said += more
        os.close(listen)
        print(of, *said.decode().split())


def test_what_was_put_outlives_a_hundred_killed_writers(tmp_path):
    path = tmp_path / "cache"
    said = {int(of): list(map(int, numbers)) for of, *numbers in map(str.split, run("kill_writers", path, 1))}
    assert len(said) == 100 and sum(map(len, said.values())) >= 10_000
    with opened(path) as cache:
        for of, numbers in said.items():
            assert numbers == list(range(len(numbers)))
            for prompt in (prompt for number in numbers for prompt in batch(of, number)):
                assert cache.get(prompt, ANN, dry_run=True).answer == answer_of(prompt)
            # Of the put during which it was killed, all is there or nothing.
            last = [cache.get(prompt, ANN, dry_run=True).hit for prompt in batch(of, len(numbers))]
            assert len(set(last)) == 1
            assert not cache.get(batch(of, len(numbers) + 1)[0], ANN, dry_run=True).hit
        assert len(cache) == recount(path)
        of = max(said, key=lambda of: len(said[of]))
        assert cache.delete_tag(f"writer {of}") >= sum(len(batch(of, number)) for number in said[of])
    recount(path)


# -- many at once -----------------------------------------------------------------------------------------------------

SHARED = 5  # prompts that all of them answer


def work(cache: SemanticCache, own: int, everybody: int, count: int) -> None:
    """Put and get, one's own prompts and others', each of which has but one right answer."""
    rng = random.Random(own)
    for number in range(count):
        prompt, shared = f"{own} asks {number}", f"all ask {number % SHARED}"
        if number % 3:
            cache.put(prompt, [prompt], ANN)
        else:
            cache.put_many([(prompt, [prompt]), (f"{own} also asks {number}", own)], ANN)
        cache.put(shared, [shared, own], ANN)
        cache.put(f"{own} takes back {number}", own, ANN)
        assert cache.delete(f"{own} takes back {number}", ANN) == 1
        assert not cache.get(f"{own} takes back {number}", ANN).hit
        assert cache.get(shared, ANN).answer[0] == shared
        mine = f"{own} asks {rng.randrange(number + 1)}"
        found = cache.get(mine, ANN)
        assert found.rule == "exact" and found.answer == [mine]
        other = f"{rng.randrange(everybody)} asks {rng.randrange(count)}"
        found = cache.get(other, ANN)
        assert found.answer == [other] if found.hit else found.answer is None
        assert cache.get(mine, BOB).rule == "empty"


def all_is_there(cache: SemanticCache, everybody: int, count: int) -> None:
    """By its words and by its vector."""
    for own in range(everybody):
        for number in range(count):
            prompt = f"{own} asks {number}"
            similar = cache.get_similar(key_of(prompt, ANN, Hashed.identity))
            assert cache.get(prompt, ANN).answer == similar.answer == [prompt]
            assert cache.get(f"{own} also asks {number}", ANN).hit == (number % 3 == 0)
            assert not cache.get(f"{own} takes back {number}", ANN).hit
    assert len(cache) == everybody * (count + len(range(0, count, 3))) + SHARED


def _one_of_many(path: str, own: int, everybody: int, count: int, together) -> None:
    with opened(Path(path)) as cache:
        together.wait()
        work(cache, own, everybody, count)
        together.wait()
        all_is_there(cache, everybody, count)


def _open_and_put(paths: list[str], own: int, together) -> None:
    """All go on together, whatever befell one of them."""
    refused = []
    for path in paths:
        together.wait()
        try:
            with opened(Path(path)) as cache:
                cache.put(f"prompt {own}", own, ANN)
        except ToolkitError as err:
            refused.append(str(err))
    assert not refused, refused


def fork(target: Callable, given: list[tuple]) -> None:
    """One process each, which may wait for each other."""
    context = multiprocessing.get_context("fork")
    together = context.Barrier(len(given), timeout=60)
    processes = [context.Process(target=target, args=(*those, together)) for those in given]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)


def eight_at_once(path: str) -> None:
    opened(Path(path)).close()
    fork(_one_of_many, [(path, own, 8, 60) for own in range(8)])


def eight_start(folder: str) -> None:
    fork(_open_and_put, [([f"{folder}/{number}" for number in range(40)], own) for own in range(8)])


def test_eight_processes_share_a_file(tmp_path):
    run("eight_at_once", tmp_path / "cache")
    assert recount(tmp_path / "cache") == 8 * (60 + 20) + SHARED


def test_eight_processes_make_a_file_together(tmp_path):
    """Whoever comes second finds a cache, not another program's database half made."""
    run("eight_start", tmp_path)
    for number in range(40):
        with opened(tmp_path / str(number)) as cache:
            assert [cache.get(f"prompt {own}", ANN).answer for own in range(8)] == list(range(8))


def test_sixteen_threads_share_a_cache(tmp_path):
    together = threading.Barrier(16, timeout=60)

    def one(own):
        together.wait()
        work(cache, own, 16, 25)

    with opened(tmp_path / "cache") as cache:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(one, range(16)))
        all_is_there(cache, 16, 25)
    recount(tmp_path / "cache")


@pytest.mark.parametrize("how", ["key", "tag", "age"])
def test_what_was_deleted_is_nowhere_on_the_disk(tmp_path, how):
    """Neither in free pages nor in the log, from which an answer could be read long after its owner had it deleted."""
    with opened(tmp_path / "cache") as cache:
        cache.put("prompt 1", "a secret answer", ANN, tags=["hers"])
        cache.put("prompt 2", "a lasting answer", ANN)
        if how == "key":
            cache.delete("prompt 1", ANN)
        elif how == "tag":
            cache.delete_tag("hers")
        else:
            cache.delete_older(0)
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"a secret answer" not in left and (b"a lasting answer" in left) == (how != "age")


def test_what_cannot_wait_for_another_writer_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_WAIT_S", 0.01)
    with (
        opened(tmp_path / "cache") as cache,
        closing(sqlite3.connect(tmp_path / "cache", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ToolkitError, match="Another process is writing"):
            cache.put("prompt 1", 1, ANN)
        other.execute("ROLLBACK")
        cache.put("prompt 1", 1, ANN)
        assert cache.get("prompt 1", ANN).hit


def test_a_lookup_waits_for_no_put_that_waits(tmp_path):
    """Nor for one of its own process: it would hold up every request for as long as another process writes."""
    with (
        opened(tmp_path / "cache") as cache,
        closing(sqlite3.connect(tmp_path / "cache", isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        cache.put("prompt 1", 1, ANN)
        other.execute("BEGIN IMMEDIATE")
        putting = pool.submit(cache.put, "prompt 2", 2, ANN)
        for _ in range(600):  # more than are noted before they are written
            assert cache.get("prompt 1", ANN).answer == 1
            assert cache.get("prompt 3", ANN).rule == "dissimilar"
        assert not putting.done()
        other.execute("ROLLBACK")
        putting.result()
        assert cache.get("prompt 2", ANN).answer == 2


def forked(path: str) -> None:
    """Uses a cache that was opened before the fork in both processes, and prints what the child was told."""
    cache = opened(Path(path))
    cache.put("prompt 1", 1, ANN)
    if not (child := os.fork()):
        for call in (lambda: cache.put("prompt 2", 2, ANN), lambda: cache.get("prompt 1", ANN), lambda: len(cache)):
            try:
                call()
            except ToolkitError as err:
                print(err, flush=True)
        cache.close()
        os._exit(0)
    os.waitpid(child, 0)
    cache.put("prompt 3", 3, ANN)
    cache.close()


def test_a_forked_process_opens_the_file_anew(tmp_path):
    told = run("forked", tmp_path / "cache")
    assert len(told) == 3 and all("before this process was forked" in line for line in told)
    with opened(tmp_path / "cache") as cache:
        assert [cache.get(f"prompt {number}", ANN).hit for number in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_nothing_is_put_into_a_file_that_nobody_will_find(tmp_path, how):
    path = tmp_path / "cache"
    with opened(path) as cache:
        cache.put("prompt 1", 1, ANN)
        for part in tmp_path.glob("cache*"):
            if how == "removed":
                part.unlink()
            else:
                part.rename(tmp_path / f"old-{part.name}")
        if how == "replaced":
            opened(path).close()
        for call in (lambda: cache.put("prompt 2", 2, ANN), lambda: cache.delete("prompt 1", ANN)):
            with pytest.raises(ToolkitError, match=f"^{path}: .* moved or removed"):
                call()


def test_a_hit_waits_for_no_writer(tmp_path):
    """When entries were used is written now and then, but not at any price: others may be long at writing."""
    prompts = [f"prompt {number}" for number in range(600)]
    with opened(tmp_path / "cache") as cache, closing(sqlite3.connect(tmp_path / "cache")) as writer:
        cache.put_many([(prompt, answer_of(prompt)) for prompt in prompts], ANN)
        writer.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(lambda: [cache.get(prompt, ANN).answer for prompt in prompts])
            try:
                assert asked.result(timeout=30) == [answer_of(prompt) for prompt in prompts]
            finally:
                writer.execute("ROLLBACK")


# -- disks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Not a byte is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 4096)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def quota(folder: Path) -> Iterator[None]:
    """No file of this process becomes longer than the cache's log is."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "cache-wal").stat().st_size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture(params=[full, quota])
def shortage(request, tmp_path) -> tuple[Path, Callable]:
    """A folder for the cache, and what makes it run out of room."""
    return (request.getfixturevalue("small_disk") if request.param is full else tmp_path) / "cache", request.param


def test_a_full_disk_costs_the_call_alone(shortage):
    (path, no_room), stored = shortage, [f"prompt {number}" for number in range(600)]
    with opened(path) as cache:
        cache.put_many([(prompt, answer_of(prompt)) for prompt in stored], ANN)
        with no_room(path.parent):
            for _ in range(2):
                with pytest.raises(ToolkitError, match=rf"^{path}: .*(full|I/O error)"):
                    cache.put_many([("small", 1), ("large", "x" * 6_000_000), ("last", 2)], ANN)
            for prompt in ("small", "large", "last"):
                assert not cache.get(prompt, ANN, dry_run=True).hit
            with opened(path) as other:
                for prompt in stored:
                    for one in (cache, other):
                        assert one.get(prompt, ANN, dry_run=True).answer == answer_of(prompt)
                assert len(other) == len(cache) == 600
        cache.put_many([("small", 1), ("last", 2)], ANN)
    with opened(path) as cache:
        assert [cache.get(prompt, ANN).answer for prompt in ("small", "last")] == [1, 2]
        assert all(cache.get(prompt, ANN).answer == answer_of(prompt) for prompt in stored)
    assert recount(path) == 602


def test_hits_on_a_full_disk_are_served(shortage):
    """When an entry was used is written now and then; that it cannot be is no reason to lose an answer."""
    (path, no_room), stored = shortage, [f"prompt {number}" for number in range(600)]
    with opened(path) as cache:
        cache.put_many([(prompt, answer_of(prompt)) for prompt in stored], ANN)
        with no_room(path.parent):
            for prompt in stored:
                assert cache.get(prompt, ANN).answer == answer_of(prompt)
    assert recount(path) == 600


def test_a_cache_on_a_full_disk_can_be_closed(shortage):
    path, no_room = shortage
    cache = opened(path)
    cache.put("prompt", 1, ANN)
    assert cache.get("prompt", ANN).hit
    with no_room(path.parent), suppress(ToolkitError):
        cache.close()
    with pytest.raises(ToolkitError, match="closed"):
        len(cache)


def test_a_cache_that_cannot_be_made_for_want_of_room_is_made_later(small_disk):
    with full(small_disk), pytest.raises(ToolkitError, match=rf"^{small_disk / 'cache'}: .*(full|I/O error)"):
        opened(small_disk / "cache")
    with opened(small_disk / "cache") as cache:
        cache.put("prompt", 1, ANN)
    assert recount(small_disk / "cache") == 1


def test_a_folder_that_cannot_be_written_is_told(small_disk):
    opened(small_disk / "cache").close()
    before = (small_disk / "cache").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for name in ("cache", "new"):
        with pytest.raises(ToolkitError, match=rf"^{small_disk / name}: the cache could not be opened"):
            opened(small_disk / name)
    assert [path.name for path in small_disk.iterdir()] == ["cache"]
    assert (small_disk / "cache").read_bytes() == before


# -- torn and strange files -------------------------------------------------------------------------------------------


FLIPS = 1500


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def whole(tmp_path) -> Path:
    """A closed cache of twelve entries of two scopes, one of them long expired at 2,000."""
    now = 1000.0
    with opened(tmp_path / "cache", clock=lambda: now) as cache:
        for number in range(12):
            prompt = f"prompt {number}"
            ttl_s = 100 if number == 11 else 1e6 if number % 2 else None
            cache.put(prompt, answer_of(prompt), (ANN, BOB)[number % 2], tags=["tag"], ttl_s=ttl_s)
    return tmp_path / "cache"


def _write(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content)


def _truncate(share: float) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def _sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            for statement in statements:
                file.execute(statement)

    return change


def _other_program(path: Path) -> None:
    path.unlink()
    _sql("CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('mine')")(path)


def _killed(change: str) -> Callable[[Path], None]:
    """A statement of a process that is killed before the log becomes part of the file."""
    code = "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    code += "file.execute('PRAGMA journal_mode = WAL'); file.execute(sys.argv[2]); os._exit(0)"

    def killed(path: Path) -> None:
        subprocess.run([sys.executable, "-c", code, path, change], check=True)
        assert path.with_name("cache-wal").stat().st_size

    return killed


def _other_program_killed(path: Path) -> None:
    path.unlink()
    _killed("CREATE TABLE notes (text)")(path)


STRANGE = {
    "random bytes": (_write(random.Random(0).randbytes(20_000)), "not a database"),
    "a few bytes": (_write(b"{}"), "not a database"),
    "half a file": (_truncate(0.5), "malformed"),
    "half a page": (_truncate(0.01), "malformed|not a database"),
    "another program's": (_other_program, "another program's"),
    "another program's, which was killed": (_other_program_killed, "another program's"),
    "a later version": (_sql("PRAGMA user_version = 99"), "found 99"),
    "a later version, which was killed": (_killed("PRAGMA user_version = 99"), "found 99"),
    "no facts": (_sql("DELETE FROM facts WHERE name = 'encoder'"), "damaged"),
    "no entries": (_sql("DROP TABLE entries"), "no such table"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_strange_file_is_refused_and_left_as_it_is(whole, what):
    change, message = STRANGE[what]
    change(whole)
    before = sha256(whole)
    for _ in range(2):
        with pytest.raises(ToolkitError, match=rf"^{whole}: .*({message})"):
            opened(whole)
        assert sha256(whole) == before


def flipped(path: Path, content: bytes, at: int, bit: int) -> None:
    """Change one bit at ``at`` of ``content``, wherever that is in the file."""
    raw = bytearray(path.read_bytes())
    assert raw.count(content) == 1
    raw[raw.index(content) + at] ^= bit
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("content", "at"),
    [(b'"answer to prompt 3', 12), (Hashed().encode(["prompt 3"]).tobytes(), 4), (b'"content":"prompt 3"', 15)],
    ids=["answer", "vector", "prompt"],
)
def test_a_flipped_bit_costs_its_entry_alone(whole, content, at):
    flipped(whole, content, at, 1)
    before = sha256(whole)
    with opened(whole, clock=lambda: 2000.0) as cache:
        for look_up in (cache.get, lambda *asked: cache.get_similar(key_of(*asked, Hashed.identity))):
            with pytest.raises(ToolkitError, match=rf"^{whole}: .*damaged"):
                look_up("prompt 3", BOB)
        for number in (1, 2, 5, 10):
            found = cache.get(f"prompt {number}", (ANN, BOB)[number % 2], dry_run=True)
            assert found.answer == answer_of(f"prompt {number}")
    assert sha256(whole) == before
    with opened(whole) as cache:  # its owner may put it anew
        cache.put("prompt 3", "again", BOB)
        assert cache.get("prompt 3", BOB).answer == "again"


@pytest.mark.parametrize(
    "damage",
    ["prompt = x'7b'", "answer = x'31'", "answer = 1", "vector = 'text'", "vector = x'00'", "created = 'soon'",
     "expires = x'00'", "expires = 1e9", "sum = 'many'"],
)  # fmt: skip
def test_an_entry_of_other_kinds_is_told(whole, damage):
    """A bit of a row's head makes bytes of a text, or a text of a number."""
    _sql(f"UPDATE entries SET {damage} WHERE prompt LIKE '%prompt 3%'")(whole)
    with pytest.raises(ToolkitError, match=rf"^{whole}: .*damaged"), opened(whole, clock=lambda: 2000.0) as cache:
        cache.get("prompt 3", BOB, dry_run=True)


def test_two_entries_of_one_number_are_told(whole):
    """The number stands before the head of a row, which says: no number within, two texts of 64, 64 bytes."""
    raw = whole.read_bytes()
    (at,) = (found.start() for found in re.finditer(rb"\x03.\x00\x81\x0d\x81\x0d\x81\x0c", raw, re.DOTALL))
    whole.write_bytes(raw[:at] + b"\x01" + raw[at + 1 :])
    before = sha256(whole)
    with pytest.raises(ToolkitError, match=rf"^{whole}: "):
        opened(whole)
    assert sha256(whole) == before


def test_a_vector_of_another_length_is_told_with_the_file(whole):
    flipped(whole, Hashed().encode(["prompt 3"]).tobytes(), 3, 64)  # the exponent
    before = sha256(whole)
    with pytest.raises(ToolkitError, match=rf"^{whole}: .*damaged"):
        opened(whole)
    assert sha256(whole) == before


def test_a_damaged_newcomer_is_told_every_time_and_hides_nobody(whole):
    with opened(whole) as cache, opened(whole) as other:
        for prompt, scope in (("new 1", ANN), ("new 2", BOB), ("new 3", BOB), ("new 4", ANN)):
            other.put(prompt, answer_of(prompt), scope)
        with closing(sqlite3.connect(whole, isolation_level=None)) as file:
            file.execute("UPDATE entries SET vector = zeroblob(3) WHERE prompt LIKE '%new 2%'")
        for scope in (ANN, BOB, ANN):
            with pytest.raises(ToolkitError, match=rf"^{whole}: .*damaged"):
                cache.get("new 3 in other words", scope)
        assert cache.delete("new 2", BOB) == 1
        assert cache.get("new 3 in other words", BOB, Hashed().encode(["new 3"])).answer == answer_of("new 3")


def _asked_of_torn(path: Path, vectors: dict[str, np.ndarray]) -> str:
    """What went wrong, if anything did."""
    with opened(path, clock=lambda: 2000.0) as cache:
        for (prompt, vector), scope in itertools.product(vectors.items(), (ANN, BOB)):
            expected = answer_of(prompt) if scope is (ANN, BOB)[int(prompt[7:]) % 2] and prompt != "prompt 11" else None
            for words in (prompt, f"{prompt} in other words"):
                try:
                    found = cache.get(words, scope, vector, dry_run=True)
                except ToolkitError as err:
                    if not str(err).startswith(f"{path}: "):
                        return f"{err} names no file"
                else:
                    if found.hit and found.answer != expected:
                        return f"{found.rule}: {found.matched} answers {words} of {scope.tenant}"
    return ""


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
def test_no_flipped_bit_brings_a_wrong_answer(whole):
    """Wherever it is: the right answer, none, or an error of ours; keys, times and indexes of the file included."""
    raw, rng, wrong = whole.read_bytes(), random.Random(0), Counter()
    vectors = {f"prompt {number}": Hashed().encode([f"prompt {number}"]) for number in range(12)}
    # SQLite sets right what bytes 18 and 19 say of its log.
    for at in rng.sample([at for at, byte in enumerate(raw) if byte and at not in (18, 19)], FLIPS):
        torn = bytearray(raw)
        torn[at] ^= 1 << rng.randrange(8)
        for path in whole.parent.glob("cache*"):
            path.unlink()
        whole.write_bytes(torn)
        try:
            trouble = _asked_of_torn(whole, vectors)
        except ToolkitError as err:
            trouble = "" if str(err).startswith(f"{whole}: ") else f"{err} names no file"
        except Exception as err:  # collected, so that one run tells them all
            trouble = f"{type(err).__name__}: {err}"
        if trouble or whole.read_bytes() != torn:
            wrong[trouble or f"bit {at} changed the file"] += 1
    assert not wrong, "\n".join(f"{count} of {FLIPS}: {trouble}" for trouble, count in wrong.most_common())
