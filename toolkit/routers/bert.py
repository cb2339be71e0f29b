"""BERT-class routers: a transformers sequence classifier, fine-tuned here or released by others."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit import hardware
from toolkit.encoders import minilm
from toolkit.encoders.quiet import quiet_loading
from toolkit.encoders.runtime import like_lengths
from toolkit.encoders.text import readable
from toolkit.errors import ToolkitError, first_line
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routers.compiled import Compiled, check_backend

_FOLDER = "network"  # inside a saved router: transformers' own safetensors and JSON


class NetworkRouter(Router):
    """Base: a classifier and its tokenizer; subclasses keep the three parameters below and read its logits."""

    max_tokens: int
    device: str
    backend: str
    _network: Any
    _tokenizer: Any
    _compiled: Compiled | None = None  # derived from the network, so it is not saved

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return self._quality(self._logits(texts)) if texts else np.empty((0, len(self.models_)))

    def _quality(self, logits: np.ndarray) -> np.ndarray:
        """Logits (n, labels) to quality (n, m)."""
        raise NotImplementedError

    def _logits(self, texts: list[str], batch: int = 32) -> np.ndarray:
        import torch

        if self.backend != "torch":
            if self._compiled is None:
                self._compiled = Compiled(self._network.cpu(), self._tokenizer, self.backend, self.max_tokens)
            return self._compiled.logits(texts)
        device = hardware.resolve_device(self.device)
        network = self._network.to(device).eval()
        logits = np.empty((len(texts), network.config.num_labels))
        with torch.inference_mode():
            for rows, inputs in by_length(self._tokenizer, texts, self.max_tokens, batch):
                logits[rows] = network(**inputs.to(device)).logits.float().cpu().numpy()
        return logits

    def save_parts(self, folder: Path) -> None:
        with quiet_loading():
            self._network.save_pretrained(folder / _FOLDER)
        self._tokenizer.save_pretrained(folder / _FOLDER)

    def restore_parts(self, folder: Path, known: Iterable[type[Router]]) -> None:
        if not (folder / _FOLDER).is_dir():
            raise ToolkitError(f"{folder}: the saved router is damaged (the folder {_FOLDER} is missing).")
        self._network, self._tokenizer = load_classifier(str(folder / _FOLDER), saved=True)


class BertRouter(NetworkRouter):
    """An encoder fine-tuned to predict the quality of every model at once: one sigmoid output each.

    Stops early by a validation part of the training prompts and keeps the best epoch; a training that was killed goes
    on where it stood when the same fit is called again (see ``finetune``).

    Args:
        checkpoint: ``minilm`` (packaged, offline), a hub name (``google-bert/bert-base-uncased``,
            ``FacebookAI/xlm-roberta-base``, ``answerdotai/ModernBERT-base``) or a local folder.
        max_tokens: of a prompt; the rest is cut off.
        epochs: at most.
        patience: epochs without a better validation loss.
        batch, learning_rate, weight_decay: of AdamW, with linear warm-up over a tenth of the steps and linear decay.
        validation: share of the training prompts that is held out; where that is no prompt at all, training is
            judged by its own prompts.
        seed: of the head, the batches, dropout and the validation part.
        device: auto, cpu or cuda.
        backend: what predicts once it is trained: ``torch``, or on the CPU ``onnx``, ``onnx-mixed``, ``onnx-int8`` or
            ``openvino`` (see ``routers.compiled``).
    """

    def __init__(
        self,
        checkpoint: str = "minilm",
        max_tokens: int = 128,
        epochs: int = 4,
        patience: int = 1,
        batch: int = 16,
        learning_rate: float = 1e-4,
        weight_decay: float = 0.01,
        validation: float = 0.1,
        seed: int = 0,
        device: str = "auto",
        backend: str = "torch",
    ):
        self.checkpoint = checkpoint
        self.max_tokens = max_tokens
        self.epochs = epochs
        self.patience = patience
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation = validation
        self.seed = seed
        self.device = device
        self.backend = check_backend(backend)

    def _fit(self, train: Outcomes) -> None:
        from toolkit.routers.finetune import finetune

        self._network, self._tokenizer, history = finetune(train, self.params)
        self._compiled = None
        self.history_ = history

    def _quality(self, logits: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(logits)


class PreferenceBert(NetworkRouter):
    """A released win-or-lose classifier for two models, as it is; ``fit`` learns which column is the stronger model.

    Three labels are RouteLLM's (strong wins, tie, weak wins): P(strong) = 1 - P(tie) - P(weak), so ties count for the
    weak model. Two labels are weak and strong.

    Args:
        checkpoint: hub name (``routellm/bert``, ``routellm/bert_gpt4_augmented``, ``routellm/bert_mmlu_augmented``) or
            local folder.
        max_tokens: of a prompt; the rest is cut off.
        device: auto, cpu or cuda.
        backend: as of ``BertRouter``.
    """

    def __init__(
        self,
        checkpoint: str = "routellm/bert_gpt4_augmented",
        max_tokens: int = 512,
        device: str = "auto",
        backend: str = "torch",
    ):
        self.checkpoint = checkpoint
        self.max_tokens = max_tokens
        self.device = device
        self.backend = check_backend(backend)

    def _fit(self, train: Outcomes) -> None:
        if len(train.names) != 2:
            raise ToolkitError(f"PreferenceBert routes between two models; {len(train.names)} were given.")
        self._network, self._tokenizer = load_classifier(self.checkpoint)
        self._compiled = None
        check_length(self._network, self._tokenizer, self.max_tokens)
        labels = self._network.config.num_labels
        if labels not in (2, 3):
            raise ToolkitError(f"{self.checkpoint}: a classifier with 2 or 3 labels was expected; it has {labels}.")
        self.strong_ = int(train.mean_quality().argmax())

    def _quality(self, logits: np.ndarray) -> np.ndarray:
        from scipy.special import softmax

        chance = softmax(logits, axis=1)
        win = chance[:, 0] if logits.shape[1] == 3 else chance[:, 1]
        quality = np.stack([1 - win, win], axis=1)
        return quality if self.strong_ == 1 else quality[:, ::-1]


def load_classifier(name: str, labels: int | None = None, saved: bool = False) -> tuple[Any, Any]:
    """Network and tokenizer of a checkpoint; with ``labels``, a fresh head of that size.

    Args:
        saved: a folder of ``save_router``: safetensors only, nothing is fetched, no code of the folder's is run.

    Raises:
        ToolkitError: no such checkpoint, or it cannot be fetched.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    source = str(minilm.checkpoint()) if name == "minilm" else name
    try:
        with quiet_loading():  # that the head is fresh is what was asked for
            head = {} if labels is None else {"num_labels": labels, "problem_type": "multi_label_classification"}
            head |= {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False} if saved else {}
            network = AutoModelForSequenceClassification.from_pretrained(
                source, ignore_mismatched_sizes=labels is not None, **head
            )
            return network, AutoTokenizer.from_pretrained(source)
    except Exception as err:  # transformers passes on whatever its file readers raise
        raise ToolkitError(
            f"{name}: a transformers checkpoint (hub name or local folder) was expected and could not be loaded "
            f"({first_line(err)})."
        ) from err


def check_length(network: Any, tokenizer: Any, max_tokens: int) -> None:
    """Refuse prompts longer than the positions that a network knows.

    Raises:
        ToolkitError: ``max_tokens`` is not between 3 (one beside the two marks) and that number.
    """
    longest = min(tokenizer.model_max_length, getattr(network.config, "max_position_embeddings", max_tokens))
    if not 3 <= max_tokens <= longest:
        raise ToolkitError(f"max_tokens from 3 to {longest} was expected of this checkpoint; got {max_tokens}.")


def by_length(tokenizer: Any, texts: Sequence[str], max_tokens: int, batch: int) -> Iterator[tuple[np.ndarray, Any]]:
    """(rows, padded inputs) of texts of like length, so that little is padded."""
    tokens = tokenizer(list(map(readable, texts)), truncation=True, max_length=max_tokens)
    for rows in like_lengths(tokens["input_ids"], batch):
        part = {name: [values[row] for row in rows] for name, values in tokens.items()}
        yield rows, tokenizer.pad(part, return_tensors="pt")
