"""A sequence classifier off torch: its own tokenizer raw, its network as a graph on ONNX Runtime or OpenVINO."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.encoders import graph
from toolkit.encoders.runtime import like_lengths, open_onnx, open_openvino, padded
from toolkit.encoders.text import readable
from toolkit.errors import ToolkitError

PRECISION = {"onnx": "fp32", "onnx-mixed": "mixed", "onnx-int8": "int8", "openvino": "plain"}
BACKENDS = ("torch", *PRECISION)


def check_backend(backend: str) -> str:
    """The name itself.

    Raises:
        ToolkitError: it is none of ``BACKENDS``.
    """
    if backend not in BACKENDS:
        raise ToolkitError(f"backend {', '.join(BACKENDS)} was expected; got {backend!r}.")
    return backend


class Compiled:
    """Logits of a transformers sequence classifier without torch at prediction time.

    Args:
        network: the classifier, on the CPU; BERT-shaped (``graph.FUSABLE``).
        tokenizer: a fast tokenizer of transformers.
        backend: ``onnx`` (fp32, equal to torch within 1e-4), ``onnx-mixed``, ``onnx-int8`` or ``openvino``.
        max_tokens: of a text; the rest is cut off.
        threads: of one call; default all cores.

    Raises:
        ToolkitError: another shape of network, a slow tokenizer, or a package is missing.
    """

    def __init__(self, network: Any, tokenizer: Any, backend: str, max_tokens: int, threads: int | None = None):
        from tokenizers import Tokenizer

        if not getattr(tokenizer, "is_fast", False):
            raise ToolkitError(f"backend {backend!r} needs a fast tokenizer; found {type(tokenizer).__name__}.")
        self._tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._filler = tokenizer.pad_token_id or 0
        self._labels = network.config.num_labels
        # Padding would widen the range that quantised activations are scaled to, so int8 takes texts one by one.
        self._batch = 32 if backend in ("onnx", "openvino") else 1
        config = network.config  # what decides the graph beside the weights
        named = ("model_type", "num_attention_heads", "hidden_act", "layer_norm_eps", "pad_token_id")
        shape = [getattr(config, name, None) for name in named]
        weights = graph.weights_hash(network, "logits", shape)
        path = graph.graph(lambda: _eager(network), weights, PRECISION[check_backend(backend)], "logits")
        self._run = (open_openvino if backend == "openvino" else open_onnx)(path, threads)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text."""
        return [found.ids for found in self._tokenizer.encode_batch(list(map(readable, texts)))]

    def forward(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Token ids of one batch to logits, float32 (n, labels)."""
        return self._run(*padded(tokens, self._filler))

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float64 (n, labels)."""
        tokens, found = self.tokenise(texts), np.empty((len(texts), self._labels))
        for rows in like_lengths(tokens, self._batch):
            found[rows] = self.forward([tokens[row] for row in rows])
        return found


def _eager(network: Any) -> Any:
    """The same weights in a network whose attention is written out."""
    again = type(network)._from_config(network.config, attn_implementation="eager")
    again.load_state_dict(network.state_dict())
    return again
