"""Requests labelled with the route that they belong to, and policies in words: what routers of policies are judged on.

``clinc150``: CLINC150 (Larson et al. 2019): 150 intents in 10 domains, and requests out of scope, which fit no route.
The policies are our own words for its names, three wordings each (``data/clinc150_policies.yaml``).
``traffic``: our own requests to a gateway of language models, English and Chinese, and conversations with follow-ups
(``data/route_traffic.yaml``).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import yaml

from toolkit import paths
from toolkit.datasets import files, registry
from toolkit.errors import ToolkitError
from toolkit.routes.table import OTHER, Route, RouteTable

FILES = ("clinc150/data/data_full.json", "clinc150/data/domains.json")
WORDINGS = 3
LANGUAGES = ("en", "zh")
_PARTS = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Intents:
    """Requests and the routes they belong to.

    Attributes:
        name: for tables.
        tables: wordings of the same routes; the model of a route is what a coarser label calls it (its domain, of
            ``clinc150``) or the model that serves it (of ``traffic``). No table has utterances.
        texts: str (n,).
        routes: name of the route of each, or ``other``.
        parts: train (may be learned from), validation (for thresholds) or test, of each.
        other_share: of the traffic that is judged, how much fits no route, where the source says so.
    """

    name: str
    tables: tuple[RouteTable, ...]
    texts: np.ndarray
    routes: np.ndarray
    parts: np.ndarray
    other_share: float | None = None

    def part(self, name: str) -> tuple[list[str], list[str]]:
        """Texts of one part, and their routes."""
        rows = self.parts == name
        return self.texts[rows].tolist(), self.routes[rows].tolist()

    def with_examples(self, count: int, seed: int = 0, wording: int = 0) -> RouteTable:
        """A table with so many training texts of every route as utterances, drawn by lot."""
        rng, rows = np.random.default_rng(seed), self.parts == "train"
        chosen = {}
        for name in self.tables[wording].names:
            found = np.flatnonzero(rows & (self.routes == name))
            chosen[name] = self.texts[rng.permutation(found)[:count]].tolist()
        return self.tables[wording].with_utterances(chosen)


@dataclass(frozen=True, eq=False)
class Conversations:
    """Conversations with a route for every turn of the user.

    Attributes:
        turns: messages of each, user and assistant.
        routes: of the user's turns, in their order.
    """

    turns: tuple[tuple[Mapping[str, str], ...], ...]
    routes: tuple[tuple[str, ...], ...]

    def prompts(self) -> tuple[list[list[dict[str, str]]], list[str], np.ndarray, np.ndarray]:
        """What a router sees at each turn of a user: the conversation up to there.

        Returns:
            Prompts, their routes, and int64 (n,) the conversation and the span of each; a span is an unbroken run of
            one route in one conversation.
        """
        prompts, routes, whole, spans = [], [], [], []
        for number, (turns, labels) in enumerate(zip(self.turns, self.routes, strict=True)):
            places = [at for at, turn in enumerate(turns) if turn["role"] == "user"]
            for order, (at, label) in enumerate(zip(places, labels, strict=True)):
                prompts.append([dict(turn) for turn in turns[: at + 1]])
                spans.append(spans[-1] + int(order == 0 or label != routes[-1]) if spans else 0)
                routes.append(label)
                whole.append(number)
        return prompts, routes, np.array(whole), np.array(spans)


def at_hand() -> bool:
    """Whether ``clinc150`` needs no download."""
    return all(registry.where(file) for file in FILES)


@cache
def clinc150() -> Intents:
    """CLINC150 with routes for its intents; the model of a route is the intent's domain.

    25 requests of the other parts say what a test request says, case and punctuation aside, and are left out.

    Raises:
        ToolkitError: a file is missing, changed or malformed.
    """
    path = registry.fetch(FILES[0])
    domains = _json(FILES[1])
    words = _yaml("clinc150_policies.yaml")
    domain_of = {intent: domain for domain, intents in domains.items() for intent in intents}
    tables = tuple(
        RouteTable(tuple(Route(name, words["intents"][name][at], domain_of[name]) for name in domain_of), "no domain")
        for at in range(WORDINGS)
    )
    texts, routes, parts = [], [], []
    content = _json(FILES[0])
    judged = {_plain(row[0]) for key in ("test", "oos_test") for row in content.get(key, []) if row}
    for key, rows in content.items():
        part = _PARTS.get(key.removeprefix("oos_"))
        for number, row in enumerate(rows, start=1):
            if part is None or not (isinstance(row, list) and len(row) == 2 and row[1] in domain_of | {"oos": ""}):
                files.refuse(path, f"{key}, row {number}", "label", "a text and an intent", row)
            if part != "test" and _plain(row[0]) in judged:
                continue
            texts.append(row[0])
            routes.append(OTHER if row[1] == "oos" else row[1])
            parts.append(part)
    share = 1000 / 5500  # of the test part, by the source's own table 1; of the validation part it is 100 / 3,100
    return Intents("clinc150", tables, np.array(texts, object), np.array(routes), np.array(parts), share)


def coarse(data: Intents) -> Intents:
    """The same requests of ``clinc150``, with a route for each domain."""
    words, known = _yaml("clinc150_policies.yaml")["domains"], data.tables[0]
    tables = tuple(
        RouteTable(tuple(Route(name, wordings[at], name) for name, wordings in words.items()), known.default)
        for at in range(WORDINGS)
    )
    domain_of = {route.name: route.model for route in known.routes} | {OTHER: OTHER}
    routes = np.array([domain_of[route] for route in data.routes])
    return replace(data, name=f"{data.name} domains", tables=tables, routes=routes)


def traffic(language: str = "en") -> Intents:
    """Our own requests in one language, their policies in the same; the model of a route serves it.

    Raises:
        ToolkitError: no such language.
    """
    content, names = _traffic(language)
    table = RouteTable(
        tuple(Route(names[key], one["description"][language], one["model"]) for key, one in content["routes"].items()),
        "qwen-plus",
    )
    texts, routes, parts = [], [], []
    named = [(names[key], one) for key, one in content["routes"].items()] + [(OTHER, content[OTHER])]
    for name, one in named:
        for key, part in (("utterances", "train"), ("validation", "validation"), ("test", "test")):
            found = one.get(key, {}).get(language, [])
            texts += found
            routes += [name] * len(found)
            parts += [part] * len(found)
    return Intents(f"traffic {language}", (table,), np.array(texts, object), np.array(routes), np.array(parts))


def traffic_conversations(language: str = "en") -> Conversations:
    """Our own conversations in one language: topics change, and follow-ups make no sense without what was said before.

    Raises:
        ToolkitError: no such language.
    """
    content, names = _traffic(language)
    turns, routes = [], []
    for one in content["conversations"]:
        if one["language"] == language:
            said = [{"role": role, "content": turn[role]} for turn in one["turns"] for role in ("user", "assistant")]
            turns.append(tuple(said))
            routes.append(tuple(names[turn["route"]] for turn in one["turns"]))
    return Conversations(tuple(turns), tuple(routes))


def composed(texts: Sequence[str], routes: Sequence[str], count: int, seed: int = 0) -> Conversations:
    """Conversations put together from single requests, since CLINC150 has none: one to three topics, one to three turns
    each. Assistants say "Done."; every turn can be understood by itself.

    Args:
        texts, routes: of the requests; each is used at most once.
        count: conversations, fewer where the requests do not suffice.
    """
    rng = np.random.default_rng(seed)
    left = {
        name: [int(row) for row in rng.permutation(np.flatnonzero(np.array(routes) == name))] for name in set(routes)
    }
    left = dict(sorted(left.items()))
    found_turns, found_routes = [], []
    while len(found_turns) < count:
        said, labels = [], []
        for _ in range(int(rng.integers(1, 4))):
            open_ = [name for name, rows in left.items() if rows and (not labels or name != labels[-1])]
            if not open_:
                break
            name = open_[int(rng.integers(len(open_)))]
            for _ in range(min(int(rng.integers(1, 4)), len(left[name]))):
                said += [
                    {"role": "user", "content": texts[left[name].pop()]},
                    {"role": "assistant", "content": "Done."},
                ]
                labels.append(name)
        if not labels:
            break
        found_turns.append(tuple(said))
        found_routes.append(tuple(labels))
    return Conversations(tuple(found_turns), tuple(found_routes))


def _plain(text: str) -> str:
    """Words alone, in lower case."""
    return " ".join(re.findall(r"\w+", str(text).lower()))


def _traffic(language: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The file, and the name of each route in a language."""
    if language not in LANGUAGES:
        raise ToolkitError(f"traffic: a language of {', '.join(LANGUAGES)} was expected; got {language!r}.")
    content = _yaml("route_traffic.yaml")
    return content, {key: one["name"][language] for key, one in content["routes"].items()} | {OTHER: OTHER}


@cache
def _yaml(name: str) -> Any:
    return yaml.safe_load((paths.data_dir() / name).read_text(encoding="utf-8"))


def _json(name: str) -> dict[str, Any]:
    path = registry.fetch(name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as err:
        raise ToolkitError(f"{path}: one JSON object was expected ({err}); fetch the file again.") from err
    if not isinstance(content, dict) or not all(isinstance(rows, list) for rows in content.values()):
        raise ToolkitError(f"{path}: an object of lists was expected; fetch the file again.")
    return content
