"""What the process is told about its machine holds for all of its threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import faiss  # noqa: F401 - its own BLAS is there whatever else is tested
from threadpoolctl import threadpool_info, threadpool_limits

from toolkit import hardware


def _blas() -> list[int]:
    """Threads of each BLAS that is shared by all callers; faiss brings one on OpenMP, which counts for each apart."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return [library["num_threads"] for library in found if library.get("threading_layer") != "openmp"]


def test_blas_has_its_threads_back_whoever_leaves_last():
    one_blas_thread = type(hardware.one_blas_thread)()  # it knows the libraries that are loaded when it is first used
    with threadpool_limits(2, user_api="blas"):
        before, inside = _blas(), []
        assert before and max(before) == 2

        def decide(_: int) -> None:
            for _ in range(50):
                with one_blas_thread:
                    inside.append(max(_blas()))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(decide, range(4)))
        assert set(inside) == {1} and _blas() == before
        # Handed over: the first one in leaves first, so another thread restores.
        entered, leave = threading.Event(), threading.Event()

        def second() -> None:
            with one_blas_thread:
                entered.set()
                leave.wait()

        with one_blas_thread:
            other = threading.Thread(target=second)
            other.start()
            entered.wait()
        assert max(_blas()) == 1
        leave.set()
        other.join()
        assert _blas() == before
