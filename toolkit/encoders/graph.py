"""Transformer encoders as ONNX graphs: exported once, fused, quantised on request, kept on disk.

A graph is named by what decides it (weights, precision, versions), so a stale one is never read.
"""

import contextlib
import hashlib
import logging
import os
import warnings
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from toolkit import paths

PRECISIONS = ("fp32", "int8")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def graph(model: Path, weights: str, precision: str) -> Path:
    """The ONNX file of a BERT-shaped encoder: token ids in, hidden states (batch, tokens, width) out.

    Args:
        model: folder of a transformers checkpoint.
        weights: hash of its weights.
        precision: ``fp32``, or ``int8``: weights quantised per channel, activations as they come.
    """
    made_by = hashlib.sha256("/".join(version(name) for name in ("torch", "transformers", "onnxruntime")).encode())
    name = f"{weights[:16]}-{precision}-{made_by.hexdigest()[:8]}.onnx"
    made = paths.cache_dir() / "graphs" / name
    if made.is_file():
        return made
    target = paths.writable_cache("graphs") / name
    with FileLock(f"{target}.lock"):
        if not target.is_file():
            part = target.with_suffix(f".{os.getpid()}.part")
            with _quiet():
                if precision == "fp32":
                    _export(model, part)
                else:
                    _quantise(graph(model, weights, "fp32"), part)
            part.replace(target)
    return target


def _export(model: Path, target: Path) -> None:
    """Trace the checkpoint and fuse its attention and normalisation, which halves the time of short prompts."""
    import torch
    from onnxruntime.transformers import optimizer
    from transformers import AutoModel

    # Only eager attention is a pattern that the optimizer knows, and only the tracing exporter writes it.
    network = AutoModel.from_pretrained(model, attn_implementation="eager").eval()

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask, token_type_ids):
            kwargs = dict(zip(INPUTS, (input_ids, attention_mask, token_type_ids), strict=True))
            return self.network(**kwargs).last_hidden_state

    ones = torch.ones((2, 8), dtype=torch.long)
    traced = target.with_suffix(".traced")
    torch.onnx.export(
        Hidden(),
        (ones, ones, 0 * ones),
        str(traced),
        input_names=list(INPUTS),
        output_names=["hidden"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in (*INPUTS, "hidden")},
        opset_version=17,
        dynamo=False,
    )
    config = network.config
    fused = optimizer.optimize_model(
        str(traced), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    fused.save_model_to_file(str(target))
    traced.unlink()


def _quantise(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # shapes of fused nodes are not inferred
    )


@contextlib.contextmanager
def _quiet():
    """Exporters warn about their own internals at length; what fails still raises."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
