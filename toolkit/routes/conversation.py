"""What of a conversation a generative router reads: turns filtered and cut to a budget, as Plano's gateway does it.

Facts of the procedure: katanemo/archgw, ``router_model_v1.rs`` (the file that ``dialects`` names).
"""

import json
from collections.abc import Mapping, Sequence

BYTES_PER_TOKEN = 4  # the gateway's estimate, for any language


def estimated_tokens(text: str) -> int:
    """Bytes of UTF-8 over four, rounded down."""
    return len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN


def kept(turns: Sequence[Mapping[str, str]], budget: int, spent: int) -> list[dict[str, str]]:
    """The turns that a router reads, in their order.

    Turns of the system and of tools, and those without content, are left out. From the newest back they are kept while
    their tokens stay within the budget; the one that exceeds it is kept whole where a user said it, and nothing before
    it is. Where that keeps nothing, the last turn stands alone.

    Args:
        turns: role and content.
        budget: estimated tokens.
        spent: of these, by the prompt around the conversation.
    """
    said = [dict(turn) for turn in turns if turn["role"] not in ("system", "tool") and turn["content"]]
    chosen: list[dict[str, str]] = []
    for turn in reversed(said):
        spent += estimated_tokens(turn["content"])
        if spent <= budget or turn["role"] == "user":
            chosen.append(turn)
        if spent > budget:
            break
    return chosen[::-1] or said[-1:]


def as_json(rows: Sequence[Mapping[str, str]], spaced: bool = False) -> str:
    """JSON on one line, keys in their order, characters as they are.

    Args:
        spaced: a blank behind commas and colons, as Python writes it by itself; else none, as the gateway does.
    """
    return json.dumps(list(map(dict, rows)), ensure_ascii=False, separators=None if spaced else (",", ":"))
