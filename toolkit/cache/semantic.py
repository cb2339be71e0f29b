"""The semantic cache: the same question again, in the same words or in others, is answered from what was answered."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from toolkit import encoders
from toolkit.cache import checks
from toolkit.cache.guard import Guard
from toolkit.cache.lookup import Lookup
from toolkit.cache.mirror import Mirror
from toolkit.cache.scope import Key, Scope, as_json, key_of
from toolkit.cache.store import ORDERS, New, Row, Store
from toolkit.cache.threshold import Guaranteed, Policy, Verdict
from toolkit.errors import ToolkitError
from toolkit.prompt import Prompt, as_messages

_UNREAD = 0.2  # share of a text from which on its vector is not believed
_FLUSH = 256  # hits between two writes of when entries were used


class SemanticCache:
    """Answers to earlier prompts, in one file. Any thread may call it, and any number of processes share the file.

    A lookup tries the whole conversation word for word, without encoding anything; then the nearest last turn among
    entries of the same scope and the same earlier turns, which the policy and the guard decide about. Entries of
    another scope lie in other matrices, so that none can be returned.

    Args:
        path: of the file, in a folder that exists. A process that is forked opens it anew.
        encoder: by name or itself; its identity is part of every key.
        policy: decides about the semantic tier; default an uncalibrated ``Guaranteed``, which is off.
        guard: what may speak against a similar prompt; None for nothing.
        ttl_s: seconds an entry lives, counted from ``put`` whether it is used or not; None for ever.
        max_entries, max_bytes: what a ``put`` of this process leaves in the file, of all scopes and whoever stored it;
            what is used least goes. Give all processes the same.
        evict: ``lru`` or ``lfu``: least recently, or least often.
        approximate: search by a graph (HNSW) beyond what numpy holds, faster and with a recall of about .99.
        clock: seconds since the epoch.

    Raises:
        ToolkitError: see ``Store``; unknown encoder or eviction; a limit below 1.
    """

    def __init__(
        self,
        path: str | Path,
        encoder: str | encoders.Encoder = "minilm-int8",
        policy: Policy | None = None,
        guard: Guard | None = None,
        ttl_s: float | None = None,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        evict: str = "lru",
        approximate: bool = False,
        clock: Callable[[], float] = time.time,
    ):
        checks.part(policy, "decide", "a policy such as Fixed(0.9)")
        checks.part(guard, "objection", "a guard such as Guard()")
        if not isinstance(path, str | Path):
            raise ToolkitError(f"SemanticCache: the path of a file was expected; got {path!r}.")
        if evict not in ORDERS:
            raise ToolkitError(f"SemanticCache: evict of {', '.join(ORDERS)} was expected; got {evict!r}.")
        # Without a memory: how fast a text is encoded would tell whether any tenant ever asked it.
        self.encoder = encoders.fresh(encoder) if isinstance(encoder, str) else encoder
        self.policy = policy if policy is not None else Guaranteed()
        self.guard = guard
        self.ttl_s = None if ttl_s is None else checks.life(ttl_s)
        self.limits = checks.limit(max_entries, "max_entries"), checks.limit(max_bytes, "max_bytes")
        self.evict = evict
        self.clock = clock
        self._lock = threading.RLock()
        self._used: dict[int, tuple[float, int]] = {}
        self.store = Store(Path(path).expanduser(), self.encoder.identity, self.encoder.dimension)
        try:
            self._mirror = Mirror(self.store, approximate)
        except BaseException:
            self.store.close()
            raise

    # -- looking up -----------------------------------------------------------------------------------------------

    def get(self, prompt: Prompt, scope: Scope, vector: np.ndarray | None = None, dry_run: bool = False) -> Lookup:
        """What the cache has for a prompt.

        Args:
            vector: of the last turn by this cache's encoder, float32 (1, d), where it is known already.
            dry_run: leave no trace, neither in the order of eviction nor in the file.

        Raises:
            ToolkitError: no scope, no prompt, or a file that can no longer be read.
        """
        key = key_of(prompt, scope, self.encoder.identity)
        return self.get_exact(key, dry_run) or self.get_similar(key, vector, dry_run)

    def get_exact(self, key: Key, dry_run: bool = False) -> Lookup | None:
        """The first tier alone: a hit, or None. Takes microseconds, since nothing is encoded."""
        now, row = self.clock(), self.store.exact(key.partition, key.exact)
        if row is None or row.expires <= now:
            return None
        verdict = Verdict(True, "exact", f"the same words, {now - row.created:.0f} s ago")
        return self._found(key, row, verdict, 1.0, now, dry_run)

    def get_similar(self, key: Key, vector: np.ndarray | None = None, dry_run: bool = False) -> Lookup:
        """The second tier alone; ``vector`` is the text's, float32 (1, d), where it is at hand."""
        vector = self.encoder.encode([key.text]) if vector is None else vector
        vector = checks.vectors(vector, 1, self.encoder.dimension)
        unread = encoders.unread(self.encoder, key.text)
        if unread.share > _UNREAD:
            reason = f"the encoder cannot read {unread.share:.0%} of the prompt, so its similarities mean nothing"
            return Lookup(False, None, "unreadable", reason, key, vector=vector)
        now = self.clock()
        with self._lock:
            row, similarity = self._mirror.nearest(key.partition, vector, now)
        if row is None:
            return Lookup(False, None, "empty", "no entry of this scope and history", key, vector=vector)
        verdict = self.policy.decide(similarity, row.identity, dry_run)
        rule, objection = self._objection(key.text, self._last(row), unread)
        if verdict.serve and objection:
            verdict = Verdict(False, rule, f"{verdict.reason}, but {objection}", verdict.threshold)
        verdict = verdict._replace(reason=f"{verdict.reason}, stored {now - row.created:.0f} s ago")
        return self._found(key, row, verdict, similarity, now, dry_run, vector, objection)

    def _objection(self, asked: str, matched: str, unread: encoders.Unread) -> tuple[str, str]:
        """What speaks against an entry however similar it is, as a rule and its words; "", "" for nothing."""
        other = encoders.unread(self.encoder, matched)
        if unread.parts != other.parts:  # both texts may be one vector, and say the opposite there
            one, two = ("".join(parts)[:40] or "nothing" for parts in (unread.parts, other.parts))
            return "unreadable", f"they differ in what the encoder does not read ({one!r}, {two!r})"
        said = self.guard.objection(asked, matched) if self.guard else ""
        return ("guard", said) if said else ("", "")

    def _found(
        self, key: Key, row: Row, verdict: Verdict, similarity: float, now: float, dry_run: bool,
        vector: np.ndarray | None = None, objection: str = "",
    ) -> Lookup:  # fmt: skip
        if verdict.serve and not dry_run:
            self._note(row.id, now)
        return Lookup(
            hit=verdict.serve,
            answer=json.loads(row.answer) if verdict.serve else None,
            rule=verdict.rule,
            reason=verdict.reason,
            key=key,
            entry=row.identity,
            matched=self._last(row),
            similarity=similarity,
            threshold=verdict.threshold,
            age_s=now - row.created,
            objection=objection,
            vector=vector,
        )

    @staticmethod
    def _last(row: Row) -> str:
        return json.loads(row.prompt)[-1]["content"]

    # -- storing and forgetting -----------------------------------------------------------------------------------

    def put(
        self, prompt: Prompt, answer: Any, scope: Scope, tags: Sequence[str] = (), ttl_s: float | None = None,
        vector: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Store an answer; when this returns, it is on the disk. The same prompt in the same scope is replaced.

        Args:
            answer: anything that JSON takes.
            tags: by which it can be deleted.
            ttl_s: of this entry, instead of the cache's.
            vector: ``Lookup.vector`` of the miss before, (1, d), so that the text is not encoded again.

        Raises:
            ToolkitError: no scope, an answer that JSON does not take or that is larger than the whole cache may be, or
                a file that cannot be written; nothing is stored then.
        """
        self.put_many([(prompt, answer)], scope, tags, ttl_s, vector)

    def put_many(
        self, pairs: Sequence[tuple[Prompt, Any]], scope: Scope, tags: Sequence[str] = (), ttl_s: float | None = None,
        vectors: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """As ``put`` for (prompt, answer) pairs of one scope: all of them or, where anything fails, none.

        Raises:
            ToolkitError: what ``put`` refuses, or vectors that are not (n, d).
        """
        pairs, tags = checks.pairs(pairs), checks.tags(tags)
        keys = [key_of(prompt, scope, self.encoder.identity) for prompt, _ in pairs]
        vectors = self.encoder.encode([key.text for key in keys]) if vectors is None else vectors
        vectors = checks.vectors(vectors, len(keys), self.encoder.dimension)
        now, lives = self.clock(), self.ttl_s if ttl_s is None else checks.life(ttl_s)
        expires = float("inf") if lives is None else now + lives
        entries = [
            New(
                key.partition,
                key.exact,
                as_json(as_messages(prompt), "Prompt"),
                as_json(answer, "Answer"),
                vector,
                expires,
                tags,
            )
            for key, (prompt, answer), vector in zip(keys, pairs, vectors, strict=True)
        ]
        if entries and (largest := max(entry.bytes for entry in entries)) > self.limits[1]:
            raise ToolkitError(
                f"SemanticCache: an entry of at most {self.limits[1]} bytes was expected; got {largest}."
            )
        self._flush()
        gone = self.store.put(entries, now, self.limits, self.evict)  # may wait for another process; lookups do not
        with self._lock:
            self._mirror.forget(gone)
            with contextlib.suppress(ToolkitError):  # what is stored is stored; a lookup tells of a damaged entry
                self._mirror.read_new()

    def delete(self, prompt: Prompt, scope: Scope) -> int:
        """Delete the entry of a prompt; how many there were, 0 or 1."""
        key = key_of(prompt, scope, self.encoder.identity)
        return self._deleted("partition = ? AND exact = ?", (key.partition, key.exact))

    def delete_tag(self, tag: str) -> int:
        """Delete all entries with a tag, of every scope; how many there were."""
        return self._deleted("id IN (SELECT entry FROM tags WHERE tag = ?)", checks.tags([tag]))

    def delete_older(self, age_s: float) -> int:
        """Delete all entries stored more than so many seconds ago, of every scope; how many there were."""
        return self._deleted("created < ?", (self.clock() - checks.age(age_s),))

    def _deleted(self, where: str, values: tuple) -> int:
        gone = self.store.delete(where, values)
        with self._lock:
            self._mirror.forget(gone)
        return len(gone)

    def observe(self, found: Lookup, correct: bool) -> None:
        """Tell the policy whether the entry of a lookup had the right answer; policies that learn need it."""
        if found.entry is not None and found.rule != "exact":
            self.policy.observe(found.similarity, found.entry, correct)

    def _note(self, number: int, now: float) -> None:
        """Uses are kept in memory and written many at a time: a lookup does not wait for the disk."""
        with self._lock:
            self._used[number] = (now, self._used.get(number, (0, 0))[1] + 1)
            full = len(self._used) >= _FLUSH
        if full:
            with contextlib.suppress(ToolkitError):  # a full disk, or a long writer, must not hold up an answer
                self._flush(patient=False)

    def _flush(self, patient: bool = True) -> None:
        """Uses that cannot be written are lost, which costs nothing but the order in which entries go."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            self.store.touch([(number, when, count) for number, (when, count) in used.items()], patient)

    # -- the whole ------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self.store.fact("entries"))

    def size_bytes(self) -> int:
        """What the entries count for against ``max_bytes``."""
        return int(self.store.fact("bytes"))

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        try:
            self._flush()
        finally:
            self.store.close()

    def __enter__(self) -> "SemanticCache":
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(*([] if err is None else [ToolkitError])):  # what failed first is what is told
            self.close()
