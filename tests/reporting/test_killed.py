"""A report whose process is killed at any moment is resumed, and what it left is never taken for a result."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from toolkit.reporting import tables
from toolkit.reporting.run import MANIFEST

pytestmark = pytest.mark.slow
COMMAND = ["-m", "toolkit", "report", "--dataset", "synthetic?prompts=300", "--profile", "smoke", "--device", "cpu"]
COMMAND += ["--only", "00", "--only", "01", "--only", "02", "--only", "10"]  # three side by side, one that reads them


def _start(out) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *COMMAND, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip


def _wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, "the report ended before it could be killed"
        time.sleep(0.05)


@pytest.mark.parametrize("done", [0, 1, 3], ids=["first notebook", "second notebook", "reading what they wrote"])
def test_kill_and_resume(tmp_path, done):
    process = _start(tmp_path)
    _wait_for(lambda: any(tmp_path.glob("*/0*/")) and len(list(tmp_path.glob("*/*/done.json"))) >= done, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (run,) = (path.parent for path in tmp_path.glob("*/config.json"))
    assert not (run / MANIFEST).exists()

    again = _start(tmp_path)
    said, _ = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert f"resuming {run.name}" in said
    assert said.strip().splitlines()[-1] == str(run / "index.html")
    assert said.count(": done before") >= done
    manifest = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["status"] == "complete"
    assert set(tables.COLUMNS) <= set(manifest["files"])
    assert not [name for name in manifest["files"] if name.endswith(".part")]
    measurements = tables.read(run / tables.MEASUREMENTS)
    planned = json.loads((run / "config.json").read_text(encoding="utf-8"))["notebooks"]
    assert {f"{name}.ipynb" for name in measurements["notebook"]} == set(planned)
    assert not measurements.duplicated(["notebook", "dataset", "system", "metric", "params"]).any()


def test_a_lost_parent_takes_its_worker_along(tmp_path):
    """Only the parent is killed: a worker that lived on would write into the folder that a resume rebuilds."""
    process = _start(tmp_path)
    _wait_for(lambda: any(tmp_path.glob("*/0*/")), process)
    family = psutil.Process(process.pid)
    _wait_for(lambda: len(family.children(recursive=True)) >= 2, process)  # worker and kernel
    children = family.children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("wait_s", [0.0, 2.0])
def test_an_interrupt_ends_at_once_and_says_how_to_go_on(tmp_path, wait_s):
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a test run in the background inherits deafness
    process = subprocess.Popen(
        [sys.executable, *COMMAND, "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heard,
    )
    _wait_for(lambda: any(tmp_path.glob("*/0*/")), process)
    time.sleep(wait_s)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - start < 10
    assert "the same command goes on" in complaint and "Traceback" not in complaint
    assert not list(tmp_path.glob("*/manifest.json"))
