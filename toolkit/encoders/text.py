"""What any encoder or tokenizer can read."""


def readable(text: str) -> str:
    """Halves of surrogate pairs, which some logs contain and no hash or tokenizer accepts, become question marks."""
    return text.encode("utf-8", "replace").decode()
