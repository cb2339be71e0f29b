"""Machines and drivers of a sweep are killed at work: nothing is lost, nothing half done is taken for a result."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.reporting.test_execute import write_notebook
from tests.reporting.test_grid import PARAMETERS
from toolkit.reporting import sweep

pytestmark = pytest.mark.slow
SEEDS = range(5)
COUNT = """
import time
with open({log!r}, "a") as log:
    log.write(f"{{seed}} ")
time.sleep(2)
"""
DRIVER = (
    "import pathlib, sys; from toolkit import cli, paths\n"
    "paths.notebooks_dir = lambda: pathlib.Path(sys.argv[1])\n"
    "sys.exit(cli.main(sys.argv[2:]))"
)


@pytest.fixture
def desk(tmp_path):
    """A grid of a notebook that logs that it began and takes two seconds."""
    (tmp_path / "notebooks").mkdir()
    write_notebook(tmp_path / "notebooks" / "00_count.ipynb", COUNT.format(log=str(tmp_path / "log")), PARAMETERS)
    (tmp_path / "grid.yml").write_text(f"notebooks: ['00']\ndataset: synthetic?prompts=200\nseed: {list(SEEDS)}")
    (tmp_path / "log").touch()
    return tmp_path


@pytest.fixture
def cluster():
    """Two workers, each a process of its own that is started again when it dies."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        yield made.scheduler_address, client


def _begun(desk: Path) -> list[int]:
    return [int(seed) for seed in (desk / "log").read_text().split()]


def _done(desk: Path) -> set[int]:
    manifests = [json.loads(path.read_text()) for path in (desk / "out").glob("*/manifest.json")]
    return {manifest["seed"] for manifest in manifests}


def _wait_for(condition, alive=lambda: True) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert alive() and time.monotonic() < deadline, "it ended before it could be killed"
        time.sleep(0.02)


def _ended(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def _start(desk: Path, *options: str, **kept) -> subprocess.Popen:
    command = [sys.executable, "-c", DRIVER, str(desk / "notebooks"), "sweep", str(desk / "grid.yml")]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, "--out", str(desk / "out"), *options], **streams, **kept)


def test_a_killed_worker_loses_nothing(desk, cluster):
    address, client = cluster
    options = {"scheduler": address, "notebooks": desk / "notebooks", "tell": lambda *a, **k: None}
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(sweep.run, desk / "grid.yml", str(desk / "out"), **options)
        _wait_for(lambda: len(_begun(desk)) == 2)
        worker = psutil.Process(next(iter(client.run(os.getpid).values())))
        children = worker.children(recursive=True)
        worker.kill()
        assert _ended(children), "the notebook of a dead worker must not live on"
        made = future.result(timeout=240)
    assert made.complete, made.table
    assert _done(desk) == set(SEEDS) and len(_begun(desk)) == len(SEEDS) + 1, "only what was cut off ran twice"


@pytest.mark.parametrize("where", ["serial", "cluster"])
def test_a_killed_driver_is_gone_on_with(desk, where, request):
    address, client = request.getfixturevalue("cluster") if where == "cluster" else ("", None)
    options = ["--scheduler", address] if address else []
    first = _start(desk, *options)
    _wait_for(lambda: _done(desk) and len(_begun(desk)) > len(_done(desk)), lambda: first.poll() is None)
    children = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.communicate()
    assert _ended(children)
    if client:  # its workers bring their cells to an end, and those count
        _wait_for(lambda: not any(client.run(lambda dask_worker: len(dask_worker.active_threads)).values()))
    before, done = _begun(desk), _done(desk)
    assert 0 < len(done) < len(SEEDS)
    again = _start(desk, *options)
    said, complaint = again.communicate(timeout=240)
    assert again.returncode == 0, complaint
    assert f"{len(done)} done and 0 failed before; {len(SEEDS) - len(done)} to run" in said
    assert sorted(_begun(desk)[len(before) :]) == sorted(set(SEEDS) - done), "what was done is not done again"
    assert _done(desk) == set(SEEDS)


def test_an_interrupt_leaves_nothing_that_has_failed(desk):
    heard = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = _start(desk, "--workers", "2", preexec_fn=heard)
    _wait_for(lambda: _begun(desk), lambda: process.poll() is None)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in complaint and "Traceback" not in complaint
    assert _ended(children)
    assert not list((desk / "out").rglob("failed.json"))
    assert "failed" not in (desk / "out" / "sweep.csv").read_text()
