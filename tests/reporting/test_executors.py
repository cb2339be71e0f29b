"""One seam, three executors; a cluster that would give other results is refused before anything is sent to it."""

import os
import sys
import threading
import time

import pytest

from toolkit.errors import ToolkitError
from toolkit.reporting import execution
from toolkit.reporting.sweep import executors


class _Crowd:
    """How many callers are inside at once, at most."""

    def __init__(self):
        self.lock, self.inside, self.most = threading.Lock(), 0, 0

    def __call__(self, _):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.2)
        with self.lock:
            self.inside -= 1


@pytest.mark.parametrize("workers", [1, 3])
def test_as_many_at_a_time_as_there_are_workers(workers):
    crowd = _Crowd()
    with executors.executor(workers) as pool:
        list(pool.map(crowd, range(6)))
    assert crowd.most == workers


def test_an_error_cancels_what_has_not_begun():
    begun = threading.Event()
    with pytest.raises(KeyboardInterrupt), executors.executor() as pool:
        pool.submit(lambda: begun.set() or time.sleep(0.2))
        second = pool.submit(os.getpid)
        begun.wait()
        raise KeyboardInterrupt
    assert second.cancelled()


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ToolkitError, match=r"pip install 'llm-routing-toolkit\[cluster\]'"),
        executors.executor(scheduler="tcp://127.0.0.1:8786"),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_does_not_answer(address, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "PATIENCE_S", 1.0)
    with pytest.raises(ToolkitError, match="a dask scheduler was expected"), executors.executor(scheduler=address):
        pass


@pytest.fixture
def cluster():
    """A dask cluster in this process; ``test_sweep_killed`` has one of real processes."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=3, processes=False, dashboard_address=None, resources={executors.GPU: 1}
    ) as made:
        yield made


def test_a_cluster_is_an_executor_too(cluster):
    with executors.executor(scheduler=cluster.scheduler_address) as pool:
        futures = [pool.submit(pow, 2, number) for number in range(5)]
        assert [future.result() for future in futures] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(("gpu", "most"), [(True, 1), (False, 3)])
def test_one_gpu_serves_one_at_a_time(cluster, gpu, most, monkeypatch):
    crowd = _Crowd()
    monkeypatch.setattr(sys.modules[__name__], "CROWD", crowd, raising=False)
    with executors.executor(scheduler=cluster.scheduler_address, gpu=gpu) as pool:
        for future in [pool.submit(_enter, number) for number in range(6)]:
            future.result()
    assert crowd.most == most


def _enter(number):
    CROWD(number)  # noqa: F821 - set by the test


def test_a_cluster_of_other_versions_is_refused(cluster, monkeypatch):
    here = execution.environment()
    answers = iter([here | {"packages": here["packages"] | {"numpy": "0.1"}}, here])  # the worker is asked first
    monkeypatch.setattr(execution, "environment", lambda: next(answers))
    with (
        pytest.raises(ToolkitError, match=r"on inproc://\S+ numpy \S+ was expected, 0\.1 was found"),
        executors.executor(scheduler=cluster.scheduler_address),
    ):
        pass


def test_a_cluster_without_workers_is_refused(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "PATIENCE_S", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as made,
        pytest.raises(ToolkitError, match="a worker was expected"),
        executors.executor(scheduler=made.scheduler_address),
    ):
        pass
