"""Any sentence encoder of the hub, or of a local folder, by name."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.encoders.graph import weights_hash
from toolkit.encoders.quiet import quiet_loading
from toolkit.encoders.text import Unread, readable, unread
from toolkit.errors import ToolkitError, first_line


class SentenceEncoder:
    """A model that sentence-transformers can load: pooling, prompts and length are the model's own.

    Args:
        name: hub name (``BAAI/bge-m3``) or local folder.
        device: cpu, cuda, or None for what torch finds.

    Raises:
        ToolkitError: no such model, or it cannot be fetched.
    """

    slow = True

    def __init__(self, name: str, device: str | None = None):
        from sentence_transformers import SentenceTransformer

        try:
            with quiet_loading():
                self._model = SentenceTransformer(name, device=device)
        except (OSError, ValueError) as err:
            raise ToolkitError(
                f"encoder {name!r}: a sentence encoder of the hub or a local folder was expected and could not be "
                f"loaded ({first_line(err)})."
            ) from err
        self._one_at_a_time = threading.Lock()
        self.dimension = int(self._model.encode(["x"]).shape[1])
        self.identity = f"sentence-{_fingerprint(self._model)}-{self._model.max_seq_length}"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 (n, dimension), rows of unit length."""
        if not len(texts):
            return np.empty((0, self.dimension), dtype=np.float32)
        with self._one_at_a_time:  # its tokenizer refuses to be shared
            vectors = self._model.encode(list(map(readable, texts)), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    def unread(self, text: str) -> Unread:
        """What its vocabulary lacks and what it cuts off; nothing where its tokenizer does not tell."""
        tokenizer = getattr(self._model, "tokenizer", None)
        if not getattr(tokenizer, "is_fast", False):
            return Unread()
        text = readable(text)
        with self._one_at_a_time:
            found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False)
        ids, longest = found["input_ids"], self._model.max_seq_length or len(found["input_ids"]) + 9
        kept = max(0, longest - tokenizer.num_special_tokens_to_add())
        unknown = -1 if tokenizer.unk_token_id is None else tokenizer.unk_token_id
        return unread(text, ids, found["offset_mapping"], unknown, range(kept, len(ids)))


def _fingerprint(model: Any) -> str:
    """Hash of what decides a vector: weights and their precision, modules (pooling), prompts, tokenizer."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    words = backend.to_str() if backend else repr(model.tokenizer)
    return weights_hash(model, repr(model), sorted(model.prompts.items()), model.default_prompt_name, words)
