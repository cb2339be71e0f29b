"""Routes described in words, each with the model that serves it, and a default for what fits none.

A route is what Arch-Router (arXiv 2506.16655) calls a policy: a name and a description. Which model serves it stands
apart from that, so that a model can be exchanged and no router needs to be trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import ToolkitError, first_line

OTHER = "other"  # what a router answers where no route fits; the default model serves it


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        name: exact; what a generative router answers.
        description: what belongs here, in a sentence.
        model: that serves it.
        utterances: examples of what users say, for routers that learn from a few.
    """

    name: str
    description: str
    model: str
    utterances: tuple[str, ...] = ()


@dataclass(frozen=True)
class RouteTable:
    """Routes in their order, which is the order of every prompt made of them.

    Args:
        routes: any number; with fewer than two, the default serves everything and no router runs.
        default: the model for what fits no route.
        known: models that exist, where a file lists them as ``models``; empty = whatever the routes name.

    Raises:
        ToolkitError: two routes of one name, a part that is empty, or a model that does not exist.
    """

    routes: tuple[Route, ...]
    default: str
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for at, route in enumerate(self.routes, start=1):
            for part in ("name", "description", "model"):
                value = getattr(route, part)
                if not isinstance(value, str) or not value.strip() or (part != "description" and not _one_line(value)):
                    raise ToolkitError(f"Route {_called(route, at)}: a {part} in words was expected; got {value!r}.")
            if not all(isinstance(text, str) and text.strip() for text in route.utterances):
                raise ToolkitError(f"Route {_called(route, at)}: utterances in words were expected; one has none.")
            if route.name == OTHER:
                raise ToolkitError(f"Route {at}: {OTHER!r} is the answer where no route fits; take another name.")
            if route.name in seen:
                raise ToolkitError(f"Two routes have the name {route.name!r}; give each a name of its own.")
            seen.add(route.name)
        if not isinstance(self.default, str) or not self.default.strip():
            raise ToolkitError(f"Routes: the model of what fits none was expected as default; got {self.default!r}.")
        self.check_models(self.known, "the file's models")

    @property
    def names(self) -> list[str]:
        """Of the routes, in their order."""
        return [route.name for route in self.routes]

    @property
    def models(self) -> list[str]:
        """Distinct models, in order of appearance, the default last where no route has it."""
        return list(dict.fromkeys([*(route.model for route in self.routes), self.default]))

    def model_of(self, name: str) -> str:
        """The model of a route; of ``other`` and of what is unknown, the default."""
        return next((route.model for route in self.routes if route.name == name), self.default)

    def check_models(self, known: Iterable[str], where: str) -> None:
        """Refuse a model that is not among ``known``; none known = all are.

        Raises:
            ToolkitError: names the route.
        """
        known = list(known)
        pairs = [(f"route {route.name!r}", route.model) for route in self.routes] + [("the default", self.default)]
        for who, model in pairs if known else ():
            if model not in known:
                raise ToolkitError(f"Routes: {who} names the model {model!r}; {where} are {', '.join(known)}.")

    # -- other tables made of this one ----------------------------------------------------------------------------

    def ordered(self, order: Sequence[int]) -> "RouteTable":
        """These routes, or some of them, in another order."""
        return replace(self, routes=tuple(self.routes[at] for at in order))

    def worded(self, descriptions: Mapping[str, str]) -> "RouteTable":
        """The same routes in other words: name -> description, of every route.

        Raises:
            ToolkitError: a route without words, or words for none.
        """
        self._same_names(descriptions, self.names)
        return replace(self, routes=tuple(replace(one, description=descriptions[one.name]) for one in self.routes))

    def with_utterances(self, utterances: Mapping[str, Sequence[str]]) -> "RouteTable":
        """The same routes with examples: name -> texts; a route that is not named has none.

        Raises:
            ToolkitError: examples of no route.
        """
        self._same_names(utterances, [])
        return replace(
            self, routes=tuple(replace(one, utterances=tuple(utterances.get(one.name, ()))) for one in self.routes)
        )

    def _same_names(self, given: Mapping[str, Any], needed: Iterable[str]) -> None:
        if odd := sorted((set(needed) - given.keys()) | (given.keys() - set(self.names))):
            raise ToolkitError(f"Routes: the names {', '.join(self.names)} were expected; {odd[0]!r} does not match.")

    # -- plain values and files -----------------------------------------------------------------------------------

    @classmethod
    def build(cls, policies: Mapping[str, str], models: Mapping[str, str], default: str) -> "RouteTable":
        """From policies (name -> description) and the map of their models (name -> model).

        Raises:
            ToolkitError: a policy without a model, or a model for no policy.
        """
        if odd := sorted(policies.keys() ^ models.keys()):
            where = "policies" if odd[0] in policies else "models"
            raise ToolkitError(
                f"Routes: policies and models of one set of names were expected; {odd[0]!r} is in {where}."
            )
        return cls(tuple(Route(name, words, models[name]) for name, words in policies.items()), default)

    @classmethod
    def of(cls, given: "RouteTable | Mapping[str, Any] | str | Path") -> "RouteTable":
        """A table as it is, from plain values, or from a YAML (or JSON) file.

        Raises:
            ToolkitError: names the file, the route and what is wrong with it.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            return cls._of_plain(given, "Routes")
        if not isinstance(given, str | Path):
            raise ToolkitError(f"Routes: a table, a mapping or the path of a file was expected; got {given!r}.")
        try:
            content = yaml.safe_load(Path(given).read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as err:
            raise ToolkitError(f"{given}: a file of routes in YAML was expected ({first_line(err)}).") from err
        except (yaml.YAMLError, ValueError, RecursionError) as err:  # a date that is none is a ValueError
            where = getattr(err, "problem_mark", None)
            at = f", line {where.line + 1}" if where else ""
            raise ToolkitError(f"{given}{at}: YAML was expected ({first_line(err)}).") from err
        try:
            return cls._of_plain(content, "Routes")
        except ToolkitError as err:
            raise ToolkitError(f"{given}: {err}") from err

    @classmethod
    def _of_plain(cls, content: Any, where: str) -> "RouteTable":
        fields = _fields(content, where, {"routes": list, "default": str}, {"models": list})
        known = tuple(fields.get("models", ()))
        if odd := [name for name in known if not isinstance(name, str)]:
            raise ToolkitError(f"{where}, field models: names were expected; got {odd[0]!r}.")
        read = []
        for at, entry in enumerate(fields["routes"], start=1):
            needed = {"name": str, "description": str, "model": str}
            taken = _fields(entry, f"route {at}", needed, {"utterances": list})
            read.append(Route(**taken | {"utterances": tuple(taken.get("utterances", ()))}))
        return cls(tuple(read), fields["default"], known)

    def plain(self) -> dict[str, Any]:
        """Plain values that ``of`` takes, as YAML and JSON write them."""
        routes = [
            {"name": one.name, "description": one.description, "model": one.model}
            | ({"utterances": list(one.utterances)} if one.utterances else {})
            for one in self.routes
        ]
        return {"default": self.default, "routes": routes} | ({"models": list(self.known)} if self.known else {})


def _fields(content: Any, where: str, needed: Mapping[str, type], allowed: Mapping[str, type]) -> dict[str, Any]:
    """The fields of a mapping, each of its kind and no other."""
    kinds = {**needed, **allowed}
    if not isinstance(content, Mapping):
        raise ToolkitError(f"{where}: {', '.join(kinds)} were expected; got {type(content).__name__}.")
    if unknown := [key for key in content if key not in kinds]:
        raise ToolkitError(f"{where}: no field {unknown[0]!r}; there are {', '.join(kinds)}.")
    for name, kind in kinds.items():
        found = content.get(name)
        if name in content and name in needed and found is None:
            raise ToolkitError(f"{where}: the field {name} is empty.")
        if name in needed and found is None:
            raise ToolkitError(f"{where}: the field {name} was expected; there are {', '.join(map(str, content))}.")
        if found is not None and not isinstance(found, (list, tuple) if kind is list else kind):
            raise ToolkitError(f"{where}, field {name}: {kind.__name__} was expected; got {found!r}.")
    return {name: content[name] for name in kinds if content.get(name) is not None}


def _called(route: Route, at: int) -> str:
    return repr(route.name) if isinstance(route.name, str) and route.name.strip() else str(at)


def _one_line(text: str) -> bool:
    return text.isprintable()
