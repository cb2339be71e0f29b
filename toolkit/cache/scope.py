"""Who may be given whose answer: the scope of an entry, and the keys that follow from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from toolkit.errors import ToolkitError
from toolkit.prompt import Prompt, as_messages


@dataclass(frozen=True, eq=False)
class Scope:
    """Entries of one scope are never returned to another, however similar the prompts.

    All four must be said; an empty system prompt or no parameters are said too. Scopes are equal where their
    fingerprints are.

    Args:
        tenant: whose entries these are; where users must not learn what others asked, the user.
        model: that answered; behind a router, the name that clients ask for.
        system: the system prompt.
        parameters: of the call (temperature, tools, response format...), as JSON takes them.

    Raises:
        ToolkitError: a tenant or model without a name, or parameters that JSON does not take.
    """

    tenant: str
    model: str
    system: str
    parameters: Mapping[str, Any]
    fingerprint: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) and name.strip() for name in (self.tenant, self.model)):
            raise ToolkitError(
                f"Scope: names of a tenant and a model were expected; got {self.tenant!r}, {self.model!r}."
            )
        if not isinstance(self.system, str) or not isinstance(self.parameters, Mapping):
            raise ToolkitError(
                "Scope: a system prompt ('' for none) and a mapping of parameters ({} for none) expected."
            )
        # A copy: what the caller does to it afterwards must not part the parameters from their fingerprint.
        own = json.loads(as_json(dict(self.parameters), "Scope"))
        object.__setattr__(self, "parameters", MappingProxyType(own))
        object.__setattr__(self, "fingerprint", digest([self.tenant, self.model, self.system, own]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scope) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


@dataclass(frozen=True)
class Key:
    """Where a prompt's answer lies.

    Attributes:
        partition: hash of scope, encoder and the turns before the last; only entries of the same partition are ever
            compared, so a conversation is answered from one with the same history alone.
        exact: hash of the whole conversation.
        text: of the last turn, which the encoder reads.
    """

    partition: str
    exact: str
    text: str


def key_of(prompt: Prompt, scope: Scope, encoder: str) -> Key:
    """The key of a prompt.

    Args:
        encoder: identity of the encoder, weights and version included.

    Raises:
        ToolkitError: no scope, no prompt, or a conversation without a turn.
    """
    if not isinstance(scope, Scope):
        raise ToolkitError(
            f"The cache needs a Scope(tenant, model, system, parameters) with every call; got {scope!r}."
        )
    turns = as_messages(prompt)
    if not turns:
        raise ToolkitError("The cache needs a prompt with at least one message; none was given.")
    history = digest([scope.fingerprint, encoder, turns[:-1], {**turns[-1], "content": ""}])
    return Key(history, digest(turns), turns[-1]["content"])


def as_json(value: Any, what: str, escaped: bool = True) -> str:
    """Canonical JSON: one text per value; ``escaped`` keeps it in ASCII, which any file takes.

    Raises:
        ToolkitError: JSON does not take it.
    """
    try:
        _check_names(value)
        return json.dumps(value, sort_keys=True, ensure_ascii=escaped, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as err:
        raise ToolkitError(f"{what}: a value that JSON takes was expected ({err}).") from err


def digest(value: Any) -> str:
    """sha256 of the canonical JSON, 64 hexadecimal digits.

    Unescaped: escapes would write a sign and the two halves of its surrogate pair alike.
    """
    return hashlib.sha256(as_json(value, "Cache key", escaped=False).encode("utf-8", "surrogatepass")).hexdigest()


def _check_names(value: Any, levels: int = 100) -> None:
    """json would write the number 1 and the text "1" alike as a name, and what is nested too deep cannot be read."""
    if not levels:
        raise ValueError("nested more than 100 deep")
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("names in it must be text")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            _check_names(one, levels - 1)
