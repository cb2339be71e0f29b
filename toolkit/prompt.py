"""What is asked: a text, or the messages of a conversation."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import ToolkitError

Prompt = str | Sequence[Mapping[str, str]]


def as_messages(prompt: Prompt) -> list[dict[str, str]]:
    """The messages themselves; a text is one message of a user.

    Raises:
        ToolkitError: neither a string nor a list of ``{"role", "content"}`` with text in both.
    """
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    try:
        turns = [dict(turn) for turn in prompt] if isinstance(prompt, Sequence) else [{}]
    except (TypeError, ValueError):
        turns = [{}]
    if all(isinstance(turn.get(part), str) for turn in turns for part in ("role", "content")):
        return turns
    raise ToolkitError(
        f"A prompt is a string or a list of messages with role and content; {reprlib.repr(prompt)} was given."
    )


def as_turns(prompt: Prompt) -> list[dict[str, str]]:
    """Role and text of every message as chat interfaces carry them.

    Content may be a list of parts, of which those of text are joined by line breaks, or absent, as beside a tool call.

    Raises:
        ToolkitError: as ``as_messages``.
    """
    if isinstance(prompt, str):
        return as_messages(prompt)
    try:
        turns = [{"role": turn["role"], "content": _text(turn.get("content"))} for turn in prompt]
        return as_messages(turns)
    except (TypeError, ValueError, KeyError, AttributeError, ToolkitError):
        return as_messages(prompt)  # which says what is wrong with it


def as_text(prompt: Prompt) -> str:
    """The text a router reads: the prompt itself, or all user turns of a conversation, one per line.

    Raises:
        ToolkitError: as ``as_messages``.
    """
    return "\n".join(turn["content"] for turn in as_turns(prompt) if turn["role"] == "user")


def is_plain(prompt: Prompt) -> bool:
    """Whether a prompt is its text and nothing else: no image, no tool call."""
    return isinstance(prompt, str) or all(isinstance(turn.get("content"), str) for turn in prompt)


def _text(content: Any) -> Any:
    if not isinstance(content, list | tuple):
        return "" if content is None else content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")
