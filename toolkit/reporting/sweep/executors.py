"""Where the cells of a sweep run: one after the other, side by side on this machine, or on an existing dask cluster.

All three are a ``concurrent.futures.Executor``, so whoever submits work knows none of them.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from toolkit.errors import ToolkitError, first_line
from toolkit.reporting import execute, execution

PATIENCE_S = 20.0  # for a scheduler to answer, and for its first worker
GPU = "GPU"  # what dask workers call a GPU they offer: --resources "GPU=1"


@contextmanager
def executor(workers: int = 1, scheduler: str = "", gpu: bool = False) -> Iterator[Executor]:
    """An executor that ends with the block; what has not begun by then is cancelled.

    Args:
        workers: threads of this process that each drive one notebook at a time, in a process of its own.
        scheduler: address of a dask scheduler, such as ``tcp://host:8786``, instead.
        gpu: the work needs a GPU: on a cluster whose workers offer the resource ``GPU`` each takes one.

    Raises:
        ToolkitError: dask is not installed, the scheduler cannot be reached in time, it has no workers, or they have
            other versions than this process.
    """
    if scheduler:
        with _cluster(scheduler, gpu) as pool:
            yield pool
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _cluster(scheduler: str, gpu: bool) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as err:
        raise ToolkitError(
            "--scheduler needs dask's distributed, which is not installed; pip install 'llm-routing-toolkit[cluster]'."
        ) from err
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost scheduler is told in one sentence
    try:
        client = Client(scheduler, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, TypeError, ValueError) as err:
        raise ToolkitError(
            f"--scheduler {scheduler}: a dask scheduler was expected, such as tcp://host:8786; none answered within "
            f"{PATIENCE_S:g} s ({first_line(err)})."
        ) from err
    try:
        offers = _offers(client, scheduler)
        resources = {"resources": {GPU: 1}} if gpu and any(offer.get(GPU) for offer in offers) else {}
        pool = client.get_executor(pure=False, retries=1, **resources)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False)
    finally:
        client.close()


def _offers(client: Any, scheduler: str) -> list[dict[str, float]]:
    """The resources of each worker, once all are known to give the results that this process would."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as err:
        raise ToolkitError(f"--scheduler {scheduler}: a worker was expected; none came in {PATIENCE_S:g} s.") from err
    try:
        client.run(execute.spare_start_up)  # by itself, since asking for the next one imports nbformat
        found = client.run(_introduce)
    except Exception as err:  # whatever a worker without this package says when it is asked to import it
        raise ToolkitError(
            f"--scheduler {scheduler}: workers with this version of llm-routing-toolkit were expected ({err})."
        ) from err
    here = execution.environment()
    for address, (there, _) in found.items():
        if differs := execution.unlike(here, there):
            raise ToolkitError(
                f"--scheduler {scheduler}: workers with the versions of this process were expected; on {address} "
                f"{differs}. Install the same on all, then call again."
            )
    return [resources for _, resources in found.values()]


def _introduce(dask_worker: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """What a worker says of itself: versions and resources."""
    return execution.environment(), dict(dask_worker.state.total_resources)
