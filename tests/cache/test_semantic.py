"""The cache is a plain dict of what was put, with an order in which entries go and a nearest last turn."""

import json
import math
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import combinations, count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from toolkit.cache.guard import Guard
from toolkit.cache.index import Index
from toolkit.cache.lookup import RULES
from toolkit.cache.online import Verified
from toolkit.cache.replay import replay
from toolkit.cache.scope import Scope, as_json
from toolkit.cache.semantic import SemanticCache
from toolkit.cache.store import New
from toolkit.cache.threshold import Fixed, Guaranteed
from toolkit.encoders import Unread
from toolkit.errors import ToolkitError
from toolkit.prompt import as_messages

THRESHOLD = 0.9
ANN = Scope("ann", "small", "", {})
SCOPES = (ANN, Scope("bob", "small", "", {}), Scope("ann", "large", "", {}), Scope("ann", "small", "Be brief.", {}),
          Scope("ann", "small", "", {"temperature": 1}))  # fmt: skip
FORMS = (
    lambda text: text,
    lambda text: [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, *as_messages(text)],
    lambda text: [{"role": "user", "content": "a"}, *as_messages(text)],
    lambda text: [{"role": "system", "content": text}],
    lambda text: [{"role": "user", "content": text, "name": "ann"}],
)
TEXTS = ("ab", "ab 1", "ab!", "aab", "cd", "", "?")


class Letters:
    """Counts of letters: other characters alone tell no texts apart, and where there is no letter there are zeros."""

    slow = False

    def __init__(self, identity: str = "letters", dimension: int = 26):
        self.identity, self.dimension = identity, dimension

    def unread(self, text):
        """Chinese."""
        chinese = "".join(sign for sign in text if sign == "字")
        return Unread(len(chinese) / max(len(text), 1), (chinese,) if chinese else ())

    def encode(self, texts):
        counts = [[text.lower().count(chr(97 + at)) for at in range(self.dimension)] for text in texts]
        counts = np.array(counts, dtype=np.float32).reshape(-1, self.dimension)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


class Shouts:
    """Objects where one shouts and the other does not."""

    def objection(self, asked, cached):
        return "one of them shouts" if ("!" in asked) != ("!" in cached) else ""


def everything(path) -> list[str]:
    """All that a file says."""
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


@dataclass
class Kept:
    """An entry of the model."""

    number: int
    answer: str
    size: int
    created: float
    expires: float
    used: float
    tags: frozenset
    uses: int = 0


@dataclass
class Open:
    """A cache and what it has not yet written of when its entries were used."""

    cache: SemanticCache
    pending: dict = field(default_factory=dict)


keys = st.tuples(st.booleans(), st.booleans(), st.sampled_from(TEXTS))
aims = st.none() | st.tuples(st.integers(0, 5), st.sampled_from(["itself", "itself", "scope", "form", "text"]))
names, first = st.sampled_from("xyz"), st.booleans()
tags, ages, waits = st.lists(names, max_size=2), st.sampled_from([0, 3, 10, 30]), st.sampled_from([1] * 6 + [5, 15])
ttls, lengths = st.sampled_from([None, None, 5.0, 15.0]), st.sampled_from([1, 1, 300, 2000])


class Machine(RuleBasedStateMachine):
    """Two caches on one file beside a dict; the clock goes on with every step, so that no two uses are at once."""

    @initialize(
        evict=st.sampled_from(["lru", "lfu"]),
        entries=st.sampled_from([None, 2, 4]),
        size=st.sampled_from([None, 1200, 2000]),
        ttl=st.sampled_from([None, 30.0]),
        scopes=st.sampled_from(list(combinations(SCOPES, 2))),
        forms=st.sampled_from(list(combinations(FORMS, 2))),
    )
    def start(self, evict, entries, size, ttl, scopes, forms):
        self.scopes, self.forms = scopes, forms
        self.folder, self.now, self.count, self.kept = Path(tempfile.mkdtemp()), 1e6, 0, {}
        self.order = (lambda one: (one.used, one.number)) if evict == "lru" else self._least_often
        self.limits, self.ttl = (entries or math.inf, size or math.inf), ttl
        self.options = {"max_entries": entries, "max_bytes": size, "ttl_s": ttl, "evict": evict}
        self.open = [Open(self._opened()) for _ in range(2)]

    @staticmethod
    def _least_often(one):
        return one.uses, one.used, one.number

    def _opened(self):
        return SemanticCache(
            self.folder / "cache", Letters(), Fixed(THRESHOLD), Shouts(), clock=lambda: self.now, **self.options
        )

    def _aimed(self, key, aim):
        """A key of what is kept, or one that differs from it in a single part: chance alone rarely finds them."""
        if aim is None or not self.kept:
            return key
        scope, form, text = list(self.kept)[aim[0] % len(self.kept)]
        return {"itself": (scope, form, text), "scope": (not scope, form, text), "form": (scope, not form, text),
                "text": (scope, form, key[2])}[aim[1]]  # fmt: skip

    def _prompt(self, key):
        return self.forms[key[1]](key[2])

    def _flush(self, one):
        for kept in self.kept.values():
            when, count = one.pending.get(kept.number, (0, 0))
            kept.used, kept.uses = max(kept.used, when), kept.uses + count
        one.pending = {}

    def _use(self, one, kept):
        one.pending[kept.number] = self.now, one.pending.get(kept.number, (0, 0))[1] + 1

    def _size(self, key, answer, named):
        prompt, vector = as_json(as_messages(self._prompt(key)), ""), np.zeros(26, np.float32)
        return New("", "", prompt, as_json(answer, ""), vector, 0, tuple(set(named))).bytes

    def _put(self, one, several, named, ttl):
        """``several`` are keys with answers; whether they may be stored."""
        if max((self._size(*pair, named) for pair in several), default=0) > self.limits[1]:
            return False
        self._flush(one)
        self.kept = {key: kept for key, kept in self.kept.items() if kept.expires > self.now}
        before, lives = self.count, self.ttl if ttl is None else ttl
        for key, answer in several:
            self.kept.pop(key, None)
            self.count += 1
            times = self.now, self.now + (lives or math.inf), self.now
            self.kept[key] = Kept(self.count, answer, self._size(key, answer, named), *times, frozenset(named))
        going = sorted(self.kept, key=lambda key: (self.kept[key].number > before, self.order(self.kept[key])))
        for key in going:
            if len(self.kept) <= self.limits[0] and sum(kept.size for kept in self.kept.values()) <= self.limits[1]:
                break
            del self.kept[key]
        return True

    @rule(first=first, key=keys, aim=aims, length=lengths, named=tags, ttl=ttls)
    def put(self, first, key, aim, length, named, ttl):
        self.now, key = self.now + 1, self._aimed(key, aim)
        one, answer = self.open[first], f"{self.now:.0f} ".ljust(length, "x")
        if self._put(one, [(key, answer)], named, ttl):
            one.cache.put(self._prompt(key), answer, self.scopes[key[0]], named, ttl)
        else:
            with pytest.raises(ToolkitError, match="bytes was expected"):
                one.cache.put(self._prompt(key), answer, self.scopes[key[0]], named, ttl)

    @rule(first=first, several=st.lists(st.tuples(keys, lengths), max_size=5), named=tags, ttl=ttls)
    def put_many(self, first, several, named, ttl):
        self.now += 1
        one, scope = self.open[first], several[0][0][0] if several else False
        several = [
            ((scope, *key[1:]), f"{self.now:.0f} {at}".ljust(many, "x")) for at, (key, many) in enumerate(several)
        ]
        pairs = [(self._prompt(key), answer) for key, answer in several]
        if self._put(one, several, named, ttl):
            one.cache.put_many(pairs, self.scopes[scope], named, ttl)
        else:
            with pytest.raises(ToolkitError, match="bytes was expected"):
                one.cache.put_many(pairs, self.scopes[scope], named, ttl)

    @rule(several=st.lists(st.tuples(keys, aims, first, st.booleans(), st.booleans(), waits), min_size=1, max_size=5))
    def get(self, several):
        for key, aim, *how in several:
            self._get(self._aimed(key, aim), *how)

    def _get(self, key, first, dry, known, seconds):
        self.now += seconds
        one, text = self.open[first], key[2]
        (vector,) = Letters().encode([text])
        prompt = self._prompt(key)
        if isinstance(prompt, str) and dry:  # a text is a turn of the user's
            prompt = as_messages(prompt)
        found = one.cache.get(prompt, self.scopes[key[0]], vector[None] if known else None, dry_run=dry)
        alive = {other: kept for other, kept in self.kept.items() if kept.expires > self.now and other[:2] == key[:2]}
        assert found.reason and found.hit == (found.rule in ("exact", "similar"))
        if not alive:
            assert (found.rule, found.answer, found.entry, found.matched) == ("empty", None, None, "")
            assert np.isnan([found.similarity, found.threshold, found.age_s]).all()
        elif key in alive:
            assert (found.rule, found.similarity, found.matched, found.vector) == ("exact", 1.0, text, None)
            assert math.isnan(found.threshold)
        else:
            near = {other[2]: float(vector @ Letters().encode([other[2]])[0]) for other in alive}
            assert found.similarity == pytest.approx(max(near.values()), abs=1e-6)
            assert near[found.matched] == pytest.approx(found.similarity, abs=1e-6)
            objects = Shouts().objection(text, found.matched)
            expected = "dissimilar" if found.similarity < THRESHOLD else "guard" if objects else "similar"
            assert found.rule == expected and found.threshold == THRESHOLD
            assert objects in found.reason or expected != "guard"
        if found.rule not in ("exact", "empty"):
            np.testing.assert_array_equal(found.vector, vector[None])
        if alive:
            kept = alive[(*key[:2], found.matched)]
            assert found.answer == (kept.answer if found.hit else None)
            assert found.entry.endswith(f"-{kept.created!r}") and found.age_s == self.now - kept.created
            if found.hit and not dry:
                self._use(one, kept)

    @rule(first=first, key=keys, aim=aims, way=st.sampled_from(["key", "key", "tag", "age"]), tag=names, age=ages)
    def delete(self, first, key, aim, way, tag, age):
        cache, key = self.open[first].cache, self._aimed(key, aim)
        if way == "key":
            gone, count = {key} & set(self.kept), cache.delete(self._prompt(key), self.scopes[key[0]])
        elif way == "tag":
            gone, count = {key for key, kept in self.kept.items() if tag in kept.tags}, cache.delete_tag(tag)
        else:
            old = self.now - age
            gone, count = {key for key, kept in self.kept.items() if kept.created < old}, cache.delete_older(age)
        assert count == len(gone)
        self.kept = {key: kept for key, kept in self.kept.items() if key not in gone}

    @rule(first=first)
    def reopen(self, first):
        self._flush(self.open[first])
        self.open[first].cache.close()
        self.open[first].cache = self._opened()

    @invariant()
    def the_file_is_the_model(self):
        with closing(sqlite3.connect(self.folder / "cache")) as file:
            rows = file.execute("SELECT id, answer, bytes, created, expires, used, uses FROM entries").fetchall()
            named = file.execute("SELECT entry, tag FROM tags").fetchall()
        stored = {number: (json.loads(answer), *rest) for number, answer, *rest in rows}
        assert stored == {
            kept.number: (kept.answer, kept.size, kept.created, kept.expires, kept.used, kept.uses)
            for kept in self.kept.values()
        }
        assert sorted(named) == sorted((kept.number, tag) for kept in self.kept.values() for tag in kept.tags)
        for one in self.open:
            assert len(one.cache) == len(rows) and one.cache.size_bytes() == sum(row[2] for row in rows)

    def teardown(self):
        if hasattr(self, "folder"):
            for one in self.open:
                one.cache.close()
            shutil.rmtree(self.folder)


TestModel = Machine.TestCase
TestModel.settings = settings(deadline=None, max_examples=80, stateful_step_count=40)


@pytest.mark.parametrize(("evict", "gone"), [("lru", "often"), ("lfu", "late")])
def test_what_is_used_least_goes(tmp_path, evict, gone):
    """Uses of earlier days count; a dry run is none, and neither does it write."""
    path, seconds = tmp_path / "cache", count()

    def opened():
        return SemanticCache(path, Letters(), max_entries=2, evict=evict, clock=lambda: next(seconds))

    with opened() as cache:
        cache.put_many([("late", 1), ("often", 2)], ANN)
        assert cache.get("often", ANN).hit
    with opened() as cache:
        assert cache.get("often", ANN).hit and cache.get("late", ANN).hit
        before = everything(path)
        for _ in range(300):  # more than are kept in memory
            assert cache.get(gone, ANN, dry_run=True).hit
        assert everything(path) == before
        cache.put("new", 3, ANN)
        assert [prompt for prompt in ("often", "late", "new") if not cache.get(prompt, ANN).hit] == [gone]


def test_an_entry_lives_from_its_put_whether_it_is_used_or_not(tmp_path):
    now = 100.0
    with SemanticCache(tmp_path / "cache", Letters(), Fixed(THRESHOLD), ttl_s=10, clock=lambda: now) as cache:
        cache.put("ab", "short", ANN)
        cache.put("cd", "long", ANN, ttl_s=20)
        for at, short, long in (
            (109.9, "short", "long"),
            (110.0, None, "long"),
            (119.9, None, "long"),
            (120.0, None, None),
        ):
            now = at
            for prompt in ("ab", "ab!"):
                assert cache.get(prompt, ANN).answer == short
            for prompt in ("cd", "cd!"):
                assert cache.get(prompt, ANN).answer == long
        assert len(cache) == 2  # the next put takes them away
        cache.put("ef", "new", ANN)
        assert len(cache) == 1


def test_every_lookup_has_a_rule_and_a_reason(tmp_path):
    path, seen = tmp_path / "cache", {}

    def ask(prompt, *options):
        with SemanticCache(path, Letters(), *options, clock=lambda: 107.0) as cache:
            found = cache.get(prompt, ANN)
            assert found.rule in RULES and found.reason
            seen[found.rule] = found

    ask("ab")
    with SemanticCache(path, Letters(), clock=lambda: 100.0) as cache:
        cache.put("ab", "answer", ANN)
    ask("ab!")  # by default nothing is calibrated
    ask("ab")
    ask("ab!", Fixed(THRESHOLD))
    ask("ab!", Fixed(THRESHOLD), Shouts())
    ask("ab!", None, Shouts())
    assert (seen["off"].objection, seen["guard"].objection) == ("one of them shouts", "one of them shouts")
    assert not seen["similar"].objection
    ask("abc", Fixed(THRESHOLD))
    ask("ab!", Verified())
    ask("字字字字 ab")
    assert set(seen) == set(RULES) - {"failed"}
    assert {name for name, found in seen.items() if found.hit} == {"exact", "similar"}
    for name, found in seen.items():
        assert found.answer == ("answer" if found.hit else None)
        assert (found.entry is None) == (name in ("empty", "unreadable")) and found.matched == (
            "ab" if found.entry else ""
        )
        assert math.isnan(found.age_s) if found.entry is None else found.age_s == 7
        assert (found.vector is None) == (name == "exact")
        compared = name in ("similar", "dissimilar", "guard")
        assert found.threshold == THRESHOLD if compared else math.isnan(found.threshold)
    assert "one of them shouts" in seen["guard"].reason and "nothing is calibrated" in seen["off"].reason
    assert f"{seen['dissimilar'].similarity:.4f} < {THRESHOLD}" in seen["dissimilar"].reason


def test_mistakes_are_told_and_nothing_is_stored(tmp_path):
    path, unit = tmp_path / "cache", Letters().encode(["ab"])
    with SemanticCache(path, Letters(), max_bytes=1000) as cache:
        cache.put("kept", "answer", ANN)
        before = everything(path)
        for call in (
            lambda: cache.get("kept", None),
            lambda: cache.put("ab", 1, ("ann", "small", "", {})),
            lambda: cache.delete("kept", None),
            lambda: cache.get([], ANN),
            lambda: cache.put([], 1, ANN),
            lambda: cache.put([{"role": "user"}], 1, ANN),
            lambda: cache.put([{"role": "user", "content": "ab", "name": {1, 2}}], 1, ANN),
            lambda: cache.put("ab", 1, ANN, tags="bare"),
            lambda: cache.put("ab", 1, ANN, tags=[1]),
            lambda: cache.put("ab", 1, ANN, tags=None),
            lambda: cache.put("ab", 1, ANN, tags=["x" * 1000]),
            lambda: cache.put_many([("cd", 1), None], ANN),
            lambda: cache.put_many([("cd", 1, 2)], ANN),
            lambda: cache.put_many(None, ANN),
            lambda: cache.delete_tag(3),
            lambda: cache.delete_older(math.nan),
            lambda: cache.delete_older(-1),
            lambda: cache.delete_older("1"),
            lambda: cache.put("ab", 1, ANN, vector=unit[0]),
            lambda: cache.put("ab", 1, ANN, vector=unit[:, :3]),
            lambda: cache.put_many([("ab", 1), ("cd", 2)], ANN, vectors=unit),
        ):
            with pytest.raises(ToolkitError):
                call()
            assert everything(path) == before
        for prompt, answer in (("ab", math.nan), ("ab", [math.inf]), ("ab", object()), ("ab", "x" * 1000), (3, 1)):
            for pairs in ([(prompt, answer)], [("cd", 1), (prompt, answer), ("ef", 2)]):
                with pytest.raises(ToolkitError):
                    cache.put_many(pairs, ANN)
                assert everything(path) == before
        assert cache.get("kept", ANN).answer == "answer"


@pytest.mark.parametrize(
    "vector",
    [2 * np.eye(1, 26), np.full((1, 26), np.nan), np.full((1, 26), 1e30), "ab"],
    ids=["long", "nan", "big", "text"],
)
def test_what_is_no_unit_vector_is_not_stored(tmp_path, vector):
    """Stored, it would keep everybody from opening the file again."""
    with SemanticCache(tmp_path / "cache", Letters()) as cache:
        with pytest.raises(ToolkitError):
            cache.put("ab", 1, ANN, vector=vector)
        assert len(cache) == 0
    with SemanticCache(tmp_path / "cache", Letters()) as cache:
        cache.put("ab", 1, ANN)
        assert cache.get("ab", ANN).hit


@pytest.mark.parametrize(
    "vector", [np.eye(1, 3), np.eye(2, 26), np.eye(26)[0], "ab"], ids=["short", "two", "flat", "text"]
)
def test_a_lookup_takes_one_vector_of_its_encoder(tmp_path, vector):
    """Whether there is something to compare it with or not: it is handed on to ``put``."""
    with SemanticCache(tmp_path / "cache", Letters()) as cache:
        cache.put("ab", 1, ANN)
        for scope in SCOPES[:2]:
            with pytest.raises(ToolkitError):
                cache.get("ab!", scope, vector=vector)


@pytest.mark.parametrize("ttl_s", [0, -1.0, math.nan, "5"])
def test_an_entry_that_would_never_live_is_told(tmp_path, ttl_s):
    """It would take the place of one that does."""
    with SemanticCache(tmp_path / "cache", Letters()) as cache:
        cache.put("ab", "answer", ANN)
        with pytest.raises(ToolkitError, match="ttl_s"):
            cache.put("ab", "other", ANN, ttl_s=ttl_s)
        assert cache.get("ab", ANN).answer == "answer"


def test_what_can_be_read_but_once_is_read_whole_or_refused(tmp_path):
    """A tag that is lost in silence is an answer that is not deleted when it must be."""
    with SemanticCache(tmp_path / "cache", Letters(), Fixed(THRESHOLD)) as cache:
        with suppress(ToolkitError):
            cache.put("ab", 1, ANN, tags=(tag for tag in ["x"]))
            assert cache.delete_tag("x") == 1
        with suppress(ToolkitError):
            cache.put_many(zip(["ab", "cd"], [1, 2], strict=True), ANN)
            assert [cache.get(prompt, ANN).answer for prompt in ("ab", "cd")] == [1, 2]
        turns = [{"role": "user", "content": "a"}, {"role": "user", "content": "ef"}]
        with suppress(ToolkitError):
            cache.put(iter(turns), 3, ANN)
            assert cache.get(turns, ANN).answer == 3
        assert cache.get([turns[0], {"role": "user", "content": "ef!"}], ANN).rule in ("similar", "empty")


def test_a_scope_cannot_be_parted_from_its_fingerprint():
    given = {"temperature": 0}
    scope = Scope("ann", "small", "", given)
    given["temperature"] = 2
    with pytest.raises(TypeError):
        scope.parameters["temperature"] = 2
    assert scope.parameters == {"temperature": 0} and scope == Scope("ann", "small", "", scope.parameters)


def test_a_cache_that_cannot_be_is_refused(tmp_path):
    for options in (
        {"policy": 0.9},
        {"policy": "guaranteed"},
        {"policy": Guaranteed},
        {"guard": True},
        {"guard": Guard},
    ):
        with pytest.raises(ToolkitError, match=r"^SemanticCache: a (policy|guard) such as"):
            SemanticCache(tmp_path / "cache", Letters(), **options)
    for path in (None, 3, "", ":memory:", tmp_path, tmp_path / "none" / "cache", "a\0b"):
        with pytest.raises(ToolkitError, match=r"a file in a folder that exists|path of a (cache's )?file|null"):
            SemanticCache(path, Letters())
    for options in ({"evict": "fifo"}, {"max_entries": 0}, {"max_entries": math.nan}, {"max_entries": "a"},
                    {"max_bytes": -1}, {"ttl_s": 0}, {"ttl_s": math.nan}):  # fmt: skip
        with pytest.raises(ToolkitError, match=r"^SemanticCache: "):
            SemanticCache(tmp_path / "cache", Letters(), **options)
    with pytest.raises(ToolkitError, match="No encoder"):
        SemanticCache(tmp_path / "cache", "no such")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", [Letters("runes"), Letters(dimension=20)])
def test_vectors_of_another_encoder_are_refused(tmp_path, other):
    path = tmp_path / "cache"
    with SemanticCache(path, Letters()) as cache:
        cache.put("ab", 1, ANN)
    before = path.read_bytes()
    with pytest.raises(
        ToolkitError, match=rf"{path}: vectors of {other.identity} \({other.dimension} .* letters \(26\)"
    ):
        SemanticCache(path, other)
    assert path.read_bytes() == before


def test_many_dead_entries_hold_up_no_lookup(tmp_path):
    """Not one search of all vectors for each of them: 20,000 that expired in one night took a minute."""
    path, now, searches = tmp_path / "cache", 0.0, []
    search = Index.search
    with (
        SemanticCache(path, Letters(), Fixed(THRESHOLD), clock=lambda: now) as cache,
        SemanticCache(path, Letters(), clock=lambda: now) as other,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(Index, "search", lambda *given: searches.append(1) or search(*given))
        cache.put_many([(f"ab {number}", number) for number in range(200)], ANN, tags=["x"])
        assert other.delete_tag("x") == 200
        assert cache.get("ab", ANN).rule == "empty" and len(searches) < 20
        searches.clear()
        cache.put("cd", "alive", ANN)
        cache.put_many([(f"ab {number}", number) for number in range(1000)], ANN, ttl_s=5)
        now = 6.0
        assert cache.get("ab cd", ANN).matched == "cd" and len(searches) < 20


# Halves of surrogate pairs too; whole pairs are characters, as JSON reads them.
text = st.text(st.characters(), max_size=12).map(
    lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
turns = st.lists(
    st.fixed_dictionaries({"role": text, "content": text}, optional={"name": values}), min_size=1, max_size=3
)


def same(one, other) -> bool:
    """Equal, 1, 1.0 and True told apart."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def test_answers_come_back_equal_and_to_their_own_prompts(tmp_path):
    """Whatever characters there are, NUL and halves of surrogate pairs included."""
    with SemanticCache(tmp_path / "cache", "lexical", Fixed(-1.0)) as cache:

        @given(text | turns, text | turns, values, values)
        @example("\ud800\x00", "\ud800", "\udfff\x00\ud800", {"\x00": "\udc00"})
        @example("\x00", "", "", None)
        @settings(deadline=None, max_examples=150)
        def check(prompt, other, answer, another):
            cache.put(prompt, answer, ANN)
            if as_messages(prompt) != as_messages(other):
                cache.put_many([(other, another)], ANN)
                assert same(cache.get(other, ANN).answer, another)
            found = cache.get(prompt, ANN)
            assert found.rule == "exact" and same(found.answer, answer)
            assert found.matched == as_messages(prompt)[-1]["content"]
            assert cache.get(prompt, SCOPES[1]).rule == "empty"
            assert cache.delete(prompt, ANN) == 1 and cache.get(prompt, ANN).rule != "exact"

        check()


@pytest.mark.parametrize("answer", [{1: "a"}, {"a": {None: "b"}}, {True: 1}])
def test_an_answer_that_json_would_change_is_refused(tmp_path, answer):
    with SemanticCache(tmp_path / "cache", Letters()) as cache, suppress(ToolkitError):
        cache.put("ab", answer, ANN)
        assert cache.get("ab", ANN).answer == answer


def test_an_answer_that_was_stored_can_be_read(tmp_path):
    """However deep its lists and the caller's own calls are: JSON is read on the same stack."""

    def ask(frames):
        return ask(frames - 1) if frames else cache.get("ab", ANN, dry_run=True)

    with SemanticCache(tmp_path / "cache", Letters()) as cache:
        answer = []
        for depth in range(1, 900):
            answer = [answer]
            if depth % 50 == 0:
                with suppress(ToolkitError):
                    cache.put("ab", answer, ANN)
                assert ask(300).hit


@given(st.lists(text, max_size=2))
@example(["\ud800"])
@example(["\x00"])
@settings(deadline=None, max_examples=30)
def test_tags_of_any_characters_delete_their_entries_or_are_refused(tmp_path_factory, named):
    with SemanticCache(tmp_path_factory.mktemp("tags") / "cache", Letters()) as cache:
        try:
            cache.put("ab", 1, ANN, tags=named)
        except ToolkitError:
            assert len(cache) == 0
        else:
            assert all(cache.delete_tag(tag) == (at == 0) for at, tag in enumerate(named))
        with suppress(ToolkitError):
            assert cache.delete_tag("\ud800 of none") == 0


@given(st.text(st.characters() | st.just(" "), max_size=80), st.integers(1, 30))
def test_what_is_replayed_is_the_answer(answer, size):
    pieces = list(replay(answer, size))
    assert "".join(pieces) == answer and all(0 < len(piece) <= size for piece in pieces)
    spaced = [at for at, piece in enumerate(pieces[:-1]) if " " in piece]
    assert all(pieces[at].endswith(" ") for at in spaced)  # no word is torn that fits


def test_what_cannot_be_replayed_is_refused():
    for answer, size in (("a b", 0), ("a b", -3), ({"a": 1}, 5), (None, 5), ("a b", 1.5)):
        with pytest.raises(ToolkitError, match="replay"):
            replay(answer, size)
