"""ONNX graphs at work: token ids in, an array out, whatever runs them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from toolkit.encoders.graph import INPUTS, UNFUSED
from toolkit.errors import ToolkitError
from toolkit.hardware import granted_threads

Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


def open_onnx(path: Path, threads: int | None = None) -> Run:
    """A graph on ONNX Runtime: (ids, mask), int64 (batch, tokens) each, to its output. Any thread may call it.

    Args:
        threads: of one call; default what the environment grants, else all cores.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads := threads or granted_threads():
        options.intra_op_num_threads = threads
    options.log_severity_level = 3  # warnings about nodes it would rather see elsewhere
    # Its threads would spin for their next piece of work long after the call, and whatever else wants their core (BLAS,
    # torch, another graph) would wait for a whole time slice. Within a call they still do.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=[UNFUSED]
    )

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return session.run(None, dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)))[0]

    return run


def open_openvino(path: Path, threads: int | None = None) -> Run:
    """A graph without fusions on OpenVINO, in bfloat16 where the processor has it. As ``open_onnx``.

    Raises:
        ToolkitError: the package is missing.
    """
    try:
        import openvino
    except ImportError as err:
        raise ToolkitError(
            "Backend 'openvino' needs its package: pip install 'llm-routing-toolkit[openvino]', or use 'onnx-int8'."
        ) from err
    core, threads = openvino.Core(), threads or granted_threads()
    options = {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_NUM_THREADS": threads} if threads else {})
    compiled = core.compile_model(str(path), "CPU", options)
    own = threading.local()  # a request serves one thread at a time

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        found = own.request.infer(dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True)))
        return next(iter(found.values())).copy()  # the request's own memory is written again by its next call

    return run


def like_lengths(tokens: Sequence[Sequence[int]], size: int) -> Iterator[np.ndarray]:
    """Rows, int64 (k,) with k <= size, of batches of texts of like length, shortest first, so that little is padded."""
    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def padded(rows: Sequence[Sequence[int]], filler: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask, int64 (batch, longest)."""
    ids = np.full((len(rows), max(map(len, rows))), filler, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return ids, mask
