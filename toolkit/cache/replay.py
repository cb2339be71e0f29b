"""A stored answer as a model would stream it."""

from collections.abc import Iterator

from toolkit.errors import ToolkitError


def replay(answer: str, size: int = 24) -> Iterator[str]:
    """A stored answer in pieces, as a model that streams would send it: joined, they are the answer.

    Pieces end after a space where there is one, so that no word is torn; Chinese has none and is cut by characters.

    Args:
        size: characters of a piece, about.

    Raises:
        ToolkitError: a size below 1, or an answer that is no text.
    """
    if not isinstance(size, int) or size < 1 or not isinstance(answer, str):
        raise ToolkitError(f"replay: a text and a size from 1 were expected; got {type(answer).__name__}, {size!r}.")
    return _pieces(answer, size)


def _pieces(answer: str, size: int) -> Iterator[str]:
    start = 0
    while start < len(answer):
        space = answer.rfind(" ", start, start + size)
        end = start + size if space < 0 or start + size >= len(answer) else space + 1
        yield answer[start:end]
        start = end
