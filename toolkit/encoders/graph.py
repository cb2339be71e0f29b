"""Transformer networks as ONNX graphs: exported once, fused, quantised on request, kept on disk.

A graph is named by what decides it (weights, precision, versions), so a stale one is never read.
"""

import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from toolkit import paths
from toolkit.encoders.quiet import quiet_export
from toolkit.errors import ToolkitError

PRECISIONS = ("fp32", "mixed", "int8")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
RECIPE = "2"  # of export and fusion; another one makes other files
UNFUSED = (
    "SkipLayerNormFusion"  # ONNX Runtime's fused sum and normalisation is a scalar loop, slower than the two apart
)
FUSABLE = ("bert", "roberta", "xlm-roberta")  # shapes that the optimizer's pattern for BERT knows


def sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def weights_hash(network: Any, *more: object) -> str:
    """Hash of a torch network's weights and their precision, and of the ``repr`` of whatever else is given."""
    digest = hashlib.blake2b(repr(more).encode(), digest_size=16)
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype}".encode() + tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def graph(build: Callable[[], Any], weights: str, precision: str, output: str = "last_hidden_state") -> Path:
    """The ONNX file of a BERT-shaped network: token ids (batch, tokens) in, ``output`` out.

    Args:
        build: makes the network with eager attention, the only pattern that the optimizer knows; called where the file
            is not there yet.
        weights: hash of its weights, and of whatever else of the network decides the graph.
        precision: ``fp32``; ``int8``: weights quantised per channel, activations as they come; ``mixed``: int8, but the
            second product of each feed-forward block, whose inputs have the widest range, in fp32; ``plain``: fp32
            without the fusions, for other runtimes than ONNX Runtime. Quantised products are exact on processors with
            VNNI (or ARM's equivalent); older x86 saturates in them, so heads want fitting anew there.
        output: attribute of the network's result.

    Raises:
        ToolkitError: a network of another shape.
    """
    versions = [version(name) for name in ("torch", "transformers", "onnxruntime")]
    made_by = hashlib.sha256("/".join([RECIPE, *versions]).encode())
    name = f"{weights[:16]}-{precision}-{made_by.hexdigest()[:8]}.onnx"
    made = paths.cache_dir() / "graphs" / name
    if made.is_file():
        return made
    target = paths.writable_cache("graphs") / name
    with FileLock(f"{target}.lock"):
        if not target.is_file():
            part = target.with_suffix(f".{os.getpid()}.part")
            with quiet_export():
                if precision in ("fp32", "plain"):
                    _export(build(), output, part, fused=precision == "fp32")
                else:
                    _quantise(graph(build, weights, "fp32", output), part, precision)
            part.replace(target)
    return target


def _export(network: Any, output: str, target: Path, fused: bool) -> None:
    """Trace the network and fuse its attention and normalisation, which halves the time of short prompts."""
    import torch
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    config = network.config
    if config.model_type not in FUSABLE:
        raise ToolkitError(
            f"ONNX graphs are made of {', '.join(FUSABLE)} networks; found {config.model_type}. Use backend 'torch'."
        )

    class Wanted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network.eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            kwargs = dict(zip(INPUTS, (input_ids, attention_mask, token_type_ids), strict=True))
            return getattr(self.network(**kwargs), output)

    ones = torch.ones((2, 8), dtype=torch.long)
    traced = target.with_suffix(".traced") if fused else target
    axes = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    axes["output"] = {0: "batch"} if output == "logits" else axes[INPUTS[0]]
    torch.onnx.export(
        Wanted(),
        (ones, ones, 0 * ones),
        str(traced),
        input_names=list(INPUTS),
        output_names=["output"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,  # only the tracing exporter writes attention as the optimizer knows it
    )
    if fused:
        options = FusionOptions("bert")
        options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False  # see UNFUSED
        better = optimizer.optimize_model(
            str(traced),
            model_type="bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            optimization_options=options,
        )
        better.save_model_to_file(str(target))
        traced.unlink()


def _quantise(source: Path, target: Path, precision: str) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    nodes = onnx.load(source, load_external_data=False).graph.node
    down = [
        node.name for node in nodes if node.name.endswith("/output/dense/MatMul") and "/attention/" not in node.name
    ]
    quantize_dynamic(
        str(source),
        str(target),
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=down if precision == "mixed" else [],
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # shapes of fused nodes are not inferred
    )
