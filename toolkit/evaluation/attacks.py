"""Attacks on a semantic cache, each against the real one in a temporary file, and how often they succeed.

Each returns tidy rows of ``attack_success``: system (attack, defence), metric, value, ci_low, ci_high (Clopper and
Pearson 1934), unit, note (what succeeded means), n (attempts). Lookups leave no trace, so none helps the next. Errors
are ``ToolkitError``: data with too few texts, an unknown encoder.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.cache.guard import Guard
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.cache.threshold import Fixed, Policy
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.encoders import Encoder, Remembering
from toolkit.errors import ToolkitError
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.promise import share

_WORD = re.compile(r"[㐀-鿿]{1,2}|[^\W_㐀-鿿]+")  # of suffixes; Chinese in pieces of two characters
_USUAL = {"tenant": "a", "model": "m", "system": "Be brief.", "parameters": {"n": 1}, "history": [], "last": {}}
_O, _I = {"role": "user", "content": "O"}, {"role": "assistant", "content": "I"}
# What the victim and the attacker have in place of _USUAL: no such pair may share an answer. 1 against 1.0 is left out:
# the cache tells them apart, and sharing would do no harm.
VARIANTS: dict[str, tuple[dict, dict]] = {
    "model": ({}, {"model": "m2"}), "system": ({}, {"system": "Be long."}), "no system": ({}, {"system": ""}),
    "system turn": ({}, {"system": "", "history": [{"role": "system", "content": "Be brief."}]}),
    "history": ({"history": [_O, _I]}, {"history": [_O, _O]}), "new history": ({}, {"history": [_O]}),
    "JSON turn": ({"history": [_O, _I]}, {"history": [_O | {"content": 'O"},{"role":"assistant","content":"I'}]}),
    "no history": ({"history": [_O]}, {}), "role": ({}, {"last": {"role": "assistant"}}),
    "named turn": ({}, {"last": {"name": "root"}}), "exchanged": ({"model": "b"}, {"tenant": "b", "model": "a"}),
    "run together": ({"tenant": "ab", "model": "c"}, {"model": "bc"}),
    "JSON names": ({"tenant": 'a","b', "model": "c"}, {"model": 'b","c'}),
    "NUL": ({"tenant": "a\0b", "model": "c"}, {"model": "b\0c"}),
} | {
    f"parameters {one} / {other}": ({"parameters": one}, {"parameters": other})
    for one, other in (
        ({"n": 0}, {"n": 1}), ({"n": 0}, {}), ({}, {"n": None}), ({"n": 1}, {"n": True}), ({"n": 1}, {"n": "1"}),
        ({"n": 0}, {"n": False}), ({"n": ""}, {"n": []}), ({"n": {}}, {"n": []}), ({"n": ["ab"]}, {"n": ["a", "b"]}),
        ({"n": {"k": 1}}, {"n.k": 1}), ({"a": "1", "b": "2"}, {"a": '1","b":"2'}), ({"n": [1, 2]}, {"n": [2, 1]}),
    )
} | {
    f"tenant {one!a} / {other!a}": ({"tenant": one}, {"tenant": other})
    for one, other in (
        ("a", "b"), ("a", "а"), ("é", "e\u0301"), ("é", "\\u00e9"), ("a1", "ａ１"), ("ab", "a\u200bb"), ("a", "A"),
        ("a", "a "), ("\U0001f600", "\ud83d\ude00"),
    )
}  # fmt: skip


def collisions(
    data: Paraphrases, encoder: str | Encoder, policies: Mapping[str, Policy], victims: int = 50, words: int = 8,
    sample: int = 16, bystanders: int = 100, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """An answer planted under a prompt of another meaning that is built to lie near the victim's (arXiv 2601.23088).

    Args:
        policies: by name; each is judged without and with the guard.
        victims: prompts of as many classes, each attacked with a request of another class: bare, which is the control,
            ``quoted`` and ``suffixed`` (``words`` of the texts, ``sample``).
        bystanders: entries of other meanings, of which none may be nearer. ToolkitError where texts are too few.
    """
    rng, encoder = np.random.default_rng(seed), _made(encoder)
    asked = [rows[0] for rows in _classes(data, victims, rng)]
    free = _others(data, asked, rng)
    if len(free) < victims:
        raise ToolkitError(f"{data.name}: texts of {victims} other classes were expected; {len(free)} are left.")
    prompts, requests = ([data.texts[row] for row in rows] for rows in (asked, free[:victims]))
    vocabulary = sorted(set(_WORD.findall(" ".join(data.texts))))
    suffixes, _ = suffixed(requests, prompts, vocabulary, encoder, words, sample, rng)
    quotations = [quoted(*pair) for pair in zip(requests, prompts, strict=True)]
    others = [(data.texts[row], -1) for row in free[victims:][:bystanders]]
    vectors, rows = encoder.encode(prompts), []
    with _cache(encoder) as cache:
        for craft, texts in {"no craft": requests, "quotation": quotations, "suffix": suffixes}.items():
            scope = Scope("everybody", "m", craft, {})
            cache.put_many([*others, *((text, number) for number, text in enumerate(texts))], scope)
            for (name, cache.policy), cache.guard in product(policies.items(), (None, Guard())):
                won = [answer == at for at, answer in enumerate(_answers(cache, prompts, [scope] * victims, vectors))]
                system = f"collision by {craft}, {name}" + (", guard" if cache.guard else "")
                rows.append(share(system, "attack_success", sum(won), len(won), "the planted answer is served"))
    return pd.DataFrame(rows)


def quoted(request: str, prompt: str) -> str:
    """The attacker's request, followed by the victim's prompt."""
    return f"{request} {prompt}"


def suffixed(
    requests: Sequence[str], prompts: Sequence[str], vocabulary: Sequence[str], encoder: Encoder,
    words: int, sample: int, rng: np.random.Generator,
) -> tuple[list[str], np.ndarray]:  # fmt: skip
    """Requests (n) with words appended one at a time, each the best of a random sample; only vectors are asked for.

    Args:
        prompts: n, to come near to.
        vocabulary: words to draw from.
        words: appended at most; where no word of a sample helps, none is.
        sample: words tried a step; n * words * sample texts are encoded.

    Returns:
        The texts, n, and their cosine similarity to the prompts after each step, (n, words + 1).
    """
    target, texts = encoder.encode(prompts), list(requests)
    steps = [np.einsum("nd,nd->n", encoder.encode(texts), target)]
    for _ in range(words):
        tried = np.array([[f"{text} {word}" for word in rng.choice(vocabulary, sample)] for text in texts], object)
        scores = np.einsum("nsd,nd->ns", encoder.encode(tried.ravel()).reshape(*tried.shape, -1), target)
        place, best = scores.argmax(axis=1), scores.max(axis=1)
        texts = [tried[k, place[k]] if best[k] > steps[-1][k] else text for k, text in enumerate(texts)]
        steps.append(np.maximum(steps[-1], best))
    return texts, np.stack(steps, axis=1)


def cross_tenant(
    data: Paraphrases, encoder: str | Encoder = "lexical", lookups: int = 10_000, victims: int = 50,
    policy: Policy | None = None, variants: Mapping[str, tuple[dict, dict]] = VARIANTS, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Victims' own words and paraphrases, asked from another scope or history; as a control, in one scope for all.

    Args:
        lookups: spread evenly over the variants; as many again for the control.
        policy: default one that serves whatever is nearest, so that nothing but the scope stands between.
        variants: of ``VARIANTS``; one that ``Scope`` refuses cannot be attacked and is left out.
    """
    rng = np.random.default_rng(seed)
    texts = [[data.texts[row] for row in rows[:2]] for rows in _classes(data, victims, rng)]
    doors = {name: sides for at, name in enumerate(variants) if (sides := _sides(variants[name], at))}
    names, everybody = list(doors), (Scope("everybody", "m", "", {}), lambda text: text)
    tries = list(zip(rng.integers(0, victims, lookups), rng.integers(0, 2, lookups), strict=True))
    with _cache(_made(encoder), policy or Fixed(-1)) as cache:
        vectors = cache.encoder.encode([text for pair in texts for text in pair]).reshape(victims, 2, -1)
        for scope, prompt in (everybody, *(victim for victim, _ in doors.values())):
            cache.put_many([(prompt(own), "private") for own, _ in texts], scope, vectors=vectors[:, 0])

        def answered(scope: Scope, prompt: Callable, who: int, how: int) -> bool:
            return cache.get(prompt(texts[who][how]), scope, vectors[who, how][None], dry_run=True).hit

        apart = [answered(*doors[names[k % len(names)]][1], *one) for k, one in enumerate(tries)]
        shared = [answered(*everybody, *one) for one in tries]
    broken = "; ".join(name for at, name in enumerate(names) if any(apart[at :: len(names)]))
    note = f"any answer is returned; {len(names)} kinds of scope" + (f", broken by {broken}" if broken else "")
    systems = {"with scopes": (apart, note), "one scope for all": (shared, "any answer is returned")}
    rows = [
        share(f"cross-tenant, {name}", "attack_success", sum(won), len(won), note)
        for name, (won, note) in systems.items()
    ]
    return pd.DataFrame(rows)


def poisoning(
    data: Paraphrases, encoder: str | Encoder, policies: Mapping[str, Policy], victims: int = 50, seed: int = 0
) -> pd.DataFrame:
    """Wrong answers stored under all other wordings of what victims will ask, where nobody stored a right one.

    In a scope that all share, where it succeeds by design; and with each user, who has an entry of another meaning, as
    a tenant. ``policies`` by name.
    """
    rng, encoder = np.random.default_rng(seed), _made(encoder)
    classes = _classes(data, victims, rng)
    asked = [rows[0] for rows in classes]
    prompts = [data.texts[row] for row in asked]
    planted = [(data.texts[row], "planted") for rows in classes for row in rows[1:]]
    everybody, attacker = (Scope(name, "m", "", {}) for name in ("everybody", "attacker"))
    users = [Scope(f"user {number}", "m", "", {}) for number in range(victims)]
    vectors, rows = encoder.encode(prompts), []
    with _cache(encoder) as cache:
        for scope in (everybody, attacker):
            cache.put_many(planted, scope)
        for row, user in zip(_others(data, asked, rng), users, strict=False):
            cache.put(data.texts[row], "own", user)
        for defence, scopes in {"one scope for all": [everybody] * victims, "user as tenant": users}.items():
            for name, cache.policy in policies.items():
                won = [answer == "planted" for answer in _answers(cache, prompts, scopes, vectors)]
                rows.append(
                    share(
                        f"poisoning, {defence}, {name}",
                        "attack_success",
                        sum(won),
                        len(won),
                        "the attacker's answer is served",
                    )
                )
    return pd.DataFrame(rows)


def timing(
    data: Paraphrases, encoder: str | Encoder, prompts: int = 100, replicates: int = 300, seed: int = 0
) -> pd.DataFrame:
    """Whether the time of a lookup tells what is cached: in another tenant's scope and, as a control, in one's own.

    The value is the area under the ROC curve of "the faster, the likelier cached", .5 for blind guessing; interval by
    bootstrap over prompts, cached and not cached apart. Asked of an encoder without memory, as a cache that is given a
    name takes it, and of one that remembers vectors whoever had them made (``Remembering``, as of ``encoders.get``).

    Args:
        prompts: that are cached; as many are not (else ToolkitError). All are probed once, in random order.
    """
    rng, encoder = np.random.default_rng(seed), _made(encoder)
    while isinstance(encoder, Remembering):
        encoder = encoder.few
    if not 1 <= prompts <= len(data.texts) // 2 - 2:
        raise ToolkitError(f"{data.name}: 1 to {len(data.texts) // 2 - 2} prompts were expected; got {prompts}.")
    texts = [data.texts[row] for row in rng.permutation(len(data.texts))]
    victim, attacker = (Scope(name, "m", "", {}) for name in ("victim", "attacker"))
    rows, seconds, note = [], np.empty(2 * prompts), "an AUC, cached against not cached by time; .5 is blind guessing"
    for system, reader, scope in (
        ("another tenant's scope", encoder, attacker),
        ("another tenant's scope, encoder with a memory", Remembering(encoder), attacker),
        ("own scope", encoder, victim),
    ):
        with _cache(reader) as cache:
            cache.put_many([(text, "private") for text in texts[:prompts]], victim)
            cache.put(texts[-1], "own", attacker)
            for text in texts[-4:]:  # warm up
                cache.get(text, scope, dry_run=True)
            for at in rng.permutation(2 * prompts):
                start = time.perf_counter()
                cache.get(texts[at], scope, dry_run=True)
                seconds[at] = time.perf_counter() - start
        faster = (1 + np.sign(seconds[prompts:, None] - seconds[:prompts])) / 2
        drawn = rng.integers(0, prompts, (replicates, 2, prompts))
        samples = np.array([faster.mean(), *(faster[np.ix_(*pair)].mean() for pair in drawn)])
        rows.append(measured(f"timing, {system}", "attack_success", samples, note) | {"n": 2 * prompts})
    return pd.DataFrame(rows)


def run(
    data: Paraphrases, encoder: str | Encoder, policies: Mapping[str, Policy], victims: int = 50, lookups: int = 1000,
    words: int = 8, sample: int = 8, prompts: int = 50, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """All attacks, one after the other; arguments as theirs. All but the times follow from the seed."""
    memory = Remembering(_made(encoder))
    parts = [
        collisions(data, memory, policies, victims, words, sample, seed=seed),
        cross_tenant(data, memory, lookups, victims, seed=seed),
        poisoning(data, memory, policies, victims, seed),
        timing(data, memory, prompts, seed=seed),
    ]
    return pd.concat(parts, ignore_index=True)


def _made(encoder: str | Encoder) -> Encoder:
    """Fresh by name: the shared one would keep every text that an attacker tries on the disk."""
    return encoders.fresh(encoder) if isinstance(encoder, str) else encoder


@contextmanager
def _cache(encoder: Encoder, policy: Policy | None = None) -> Iterator[SemanticCache]:
    with tempfile.TemporaryDirectory() as folder, SemanticCache(Path(folder) / "cache", encoder, policy) as cache:
        yield cache


def _classes(data: Paraphrases, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows of ``count`` random classes of several texts, each shuffled: the first is what a victim asks."""
    several = [rows for rows in pd.Series(data.classes).groupby(data.classes).indices.values() if len(rows) > 1]
    if not 1 <= count <= len(several):
        raise ToolkitError(f"{data.name}: 1 to {len(several)} victims were expected; got {count}.")
    return [rng.permutation(several[k]) for k in rng.choice(len(several), count, replace=False)]


def _others(data: Paraphrases, rows: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Rows of all other classes, shuffled."""
    return rng.permutation(np.flatnonzero(~np.isin(data.classes, data.classes[rows])))


def _sides(variant: tuple[dict, dict], number: int) -> list[tuple[Scope, Callable]] | None:
    """The victim's and the attacker's scope and way of asking a text; the number keeps variants apart."""
    sides = []
    for whole in (_USUAL | changes for changes in variant):
        try:
            scope = Scope(whole["tenant"], whole["model"], whole["system"], {**whole["parameters"], "seed": number})
        except ToolkitError:
            return None
        turns, last = whole["history"], {"role": "user", **whole["last"]}
        sides.append((scope, lambda text, turns=turns, last=last: [*turns, {**last, "content": text}]))
    return sides


def _answers(cache: SemanticCache, prompts: Sequence[str], scopes: Sequence[Scope], vectors: np.ndarray) -> list:
    """What each prompt is served, None where it is a miss."""
    return [cache.get(*one, dry_run=True).answer for one in zip(prompts, scopes, vectors[:, None], strict=True)]
