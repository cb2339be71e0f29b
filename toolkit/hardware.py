"""What machine this is: facts for the manifest, the doctor and the choice of a device."""

import importlib.util
import os
import platform
import shutil
import subprocess
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError

DEVICES = ("auto", "cpu", "cuda")


def cpu_name() -> str:
    """The processor's model name, as the operating system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores this process may use (affinity and containers counted in where the platform tells)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def granted_threads() -> int | None:
    """What ``OMP_NUM_THREADS`` grants, which numpy and torch obey by themselves; None where it says nothing."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return int(granted) if granted.isdecimal() and int(granted) else None


class _OneBlasThread:
    """BLAS on one thread while any caller is inside; the last one out restores what was there.

    It holds for the libraries that are loaded when it is first used: numpy's, which decisions run on, always is.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._libraries: list[Any] | None = None
        self._before: list[int] = []

    def __enter__(self) -> None:
        with self._lock:
            if self._libraries is None:
                from threadpoolctl import ThreadpoolController

                found = ThreadpoolController().select(user_api="blas").lib_controllers
                # OpenBLAS on OpenMP counts threads for each caller apart, so it is left alone.
                self._libraries = [one for one in found if getattr(one, "threading_layer", None) != "openmp"]
            if not self._inside:
                self._before = [library.num_threads for library in self._libraries]
                self._set([1] * len(self._before))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._set(self._before)

    def _set(self, counts: list[int]) -> None:
        for library, count in zip(self._libraries, counts, strict=True):
            # threadpoolctl lets one thread alone set OpenBLAS, and drops what others ask for without a word; the last
            # one out is rarely the first one in. Setters are counted here, so any of them may.
            getattr(library, "clear_controlling_thread", lambda **_: None)(force=True)
            library.set_num_threads(count)


# OpenBLAS threads spin for their next product for some 20 ms, and a network that runs meanwhile waits for their cores:
# on two cores it takes twice its time. Products of one prompt are small and gain nothing from threads.
one_blas_thread = _OneBlasThread()


def one_openmp_thread() -> AbstractContextManager[Any]:
    """One thread for scikit-learn's loops, of small fits.

    Their threads meet at every step of a k-means and at every node of a boosted tree, and wait there by spinning:
    beside a second program on the same cores such a fit takes up to fifty times as long, and alone the threads save
    little.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "openmp")


def cuda() -> dict[str, Any] | None:
    """Name, memory, driver and CUDA version of the first GPU, or None. Imports torch, so call it late."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(asked, capture_output=True, text=True).stdout if shutil.which(asked[0]) else ""
    return {
        "name": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "driver": driver.split("\n")[0].strip() or None,
        "cuda": torch.version.cuda,
        "count": torch.cuda.device_count(),
    }


def check_device(device: str) -> None:
    """Refuse what is no device.

    Raises:
        ToolkitError: it is none.
    """
    if device not in DEVICES:
        raise ToolkitError(f"device takes {', '.join(DEVICES)}; {device!r} was given.")


def resolve_device(device: str) -> str:
    """Turn ``auto`` into ``cuda`` or ``cpu``; refuse ``cuda`` where there is none.

    Raises:
        ToolkitError: the name is unknown, or CUDA was asked for and is absent.
    """
    check_device(device)
    if device == "cpu":
        return "cpu"
    present = cuda() is not None
    if device == "cuda" and not present:
        raise ToolkitError(
            "--device cuda needs a CUDA GPU and a CUDA build of torch, and torch sees none; "
            "use --device cpu, or install torch with CUDA and check `python -m toolkit doctor`."
        )
    return "cuda" if present else "cpu"


def describe(device: str = "cpu") -> dict[str, Any]:
    """Facts about this machine for a run's manifest; the GPU is asked only where the device is one."""
    import psutil

    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": cuda() if device == "cuda" else None,
    }
