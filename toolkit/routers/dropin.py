"""A function for code that routes by prompt length today: same call, same kind of answer, another decision."""

import os
from functools import cache
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.prompt import Prompt
from toolkit.routers.base import Router
from toolkit.routers.persistence import load_router

VARIABLE = "TOOLKIT_ROUTER"


def select_model_by_bert(query: Prompt, router: str | Path | None = None, weight: float = 0.0) -> str:
    """Name of the model that a saved router sends a query to; takes the place of ``select_model_by_length``.

    Any saved router will do, a ``BertRouter`` or a faster one; it is loaded once per process.

    Args:
        query: a text, or the messages of a conversation.
        router: folder written by ``save_router``; default: the environment variable ``TOOLKIT_ROUTER``.
        weight: predicted quality given up per dollar (``Router.route``).

    Raises:
        ToolkitError: no router is named, or it cannot be loaded.
    """
    chosen = router or os.environ.get(VARIABLE)
    if not chosen:
        raise ToolkitError(f"A saved router was expected; give its folder, or set {VARIABLE} to it.")
    return _loaded(str(Path(chosen).resolve())).route(query, weight).model


@cache
def _loaded(path: str) -> Router:
    return load_router(path)
