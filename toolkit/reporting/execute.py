"""One notebook, one worker process: strict parameters, a time limit, a page whether it worked or not.

Run as ``python -m toolkit.reporting.execute JOB.json`` by :func:`run`; papermill changes folders and opens ports, so it
never runs inside the caller's process.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError

DEFAULT_LIMIT_S = 600
_JSON_TYPES = (str, int, float, bool)
_PORT_RACE = ("Address already in use", "Kernel died before replying")
_THREADS = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")] + ["VECLIB_MAXIMUM_THREADS"]


@dataclass(frozen=True)
class Job:
    """What to execute: the notebook, its parameters, where the executed copy goes, and how long it may take.

    ``threads`` is what numeric libraries are given; 0 leaves it to them.
    """

    source: str
    target: str
    parameters: dict[str, Any]
    limit_s: float = DEFAULT_LIMIT_S
    threads: int = 0


@dataclass(frozen=True)
class Result:
    """How it ended; ``error`` is empty on success, else one line, and ``traceback`` holds the rest."""

    seconds: float
    error: str = ""
    traceback: str = ""


def declared_parameters(source: Path) -> dict[str, Any]:
    """Names and default values of the cell tagged ``parameters``.

    Raises:
        ToolkitError: the notebook has no such cell, or a default is no literal.
    """
    from papermill.inspection import inspect_notebook

    found = inspect_notebook(str(source))
    if not found:
        raise ToolkitError(f"{source.name}: a cell tagged 'parameters' was expected; none was found.")
    import ast

    try:
        return {name: ast.literal_eval(entry["default"]) for name, entry in found.items()}
    except (ValueError, SyntaxError) as err:
        raise ToolkitError(f"{source.name}: parameters must be literals of str, int, float or bool ({err}).") from err


def checked_parameters(source: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Given parameters as plain JSON values, each declared by the notebook and of its default's type.

    papermill only warns about unknown names and turns numpy scalars into text, so both are settled here.

    Raises:
        ToolkitError: an unknown name, or a value of another type.
    """
    declared = declared_parameters(source)
    checked = {}
    for name, value in given.items():
        if name not in declared:
            raise ToolkitError(f"{source.name}: no parameter {name!r}; it declares {', '.join(declared)}.")
        plain = value.item() if hasattr(value, "item") else value
        kind = type(declared[name])
        if kind is float and type(plain) is int:
            plain = float(plain)
        if type(plain) is not kind or kind not in _JSON_TYPES:
            raise ToolkitError(f"{source.name}: parameter {name} takes {kind.__name__}; {value!r} was given.")
        checked[name] = plain
    return checked


def settings(source: Path) -> dict[str, Any]:
    """A notebook's own declaration in its metadata.

    ``runs`` (``per-dataset`` or ``once``), ``limit_s`` (seconds), ``front`` (slugs of the figures that the front page
    shows), ``alone`` (it times something, so nothing may run beside it), ``on_request`` (it takes long, so only
    ``--only`` runs it) and ``reads_run`` (it reads the tables of all others, so it runs after them and takes the run's
    folder as its parameter ``run``).

    Raises:
        ToolkitError: ``runs`` is missing or has another value.
    """
    import nbformat

    declared = nbformat.read(source, as_version=4).metadata.get("toolkit", {})
    if declared.get("runs") not in ("per-dataset", "once"):
        raise ToolkitError(
            f"{source.name}: its metadata must say toolkit.runs = 'per-dataset' or 'once'; "
            f"found {declared.get('runs')!r}."
        )
    defaults = {"limit_s": DEFAULT_LIMIT_S, "front": [], "alone": False, "on_request": False, "reads_run": False}
    return defaults | declared


class Workers:
    """The worker processes of one report or sweep; stopping them stops those still to come as well.

    Pickled, it arrives on another machine as one that has no processes yet.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self.stopped = False

    def __reduce__(self) -> tuple[type["Workers"], tuple[()]]:
        return Workers, ()

    def run_surely(self, job: Job) -> Result:
        """Execute a job, and once more where its kernel and another one reached for the same port."""
        result = self.run(job)
        return self.run(job) if any(sign in result.traceback for sign in _PORT_RACE) else result

    def run(self, job: Job) -> Result:
        """Execute a job in a process of its own and wait for it, at most ``limit_s`` seconds."""
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            order, answer = Path(folder) / "job.json", Path(folder) / "answer.json"
            order.write_text(json.dumps(asdict(job)), encoding="utf-8")
            command = [sys.executable, "-m", "toolkit.reporting.execute", str(order), str(answer)]
            worker = self._start(command, dict.fromkeys(_THREADS, str(job.threads)) if job.threads else {})
            if worker is None:
                return Result(0.0, "stopped before it began")
            with worker:
                try:
                    _, stderr = worker.communicate(timeout=job.limit_s)
                except subprocess.TimeoutExpired:
                    _end(worker)
                    return Result(time.perf_counter() - start, f"stopped after its limit of {job.limit_s:g} s")
                except BaseException:
                    _end(worker)
                    raise
                finally:
                    self._running.discard(worker)
            seconds = time.perf_counter() - start
            if not answer.is_file():
                tail = stderr.decode(errors="replace").strip()
                return Result(seconds, f"the worker died with status {worker.returncode}", tail[-4000:])
            failure = json.loads(answer.read_text(encoding="utf-8"))
        return Result(seconds, failure.get("error", ""), failure.get("traceback", ""))

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen | None:
        with self._lock:
            if self.stopped:
                return None
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            worker = subprocess.Popen(command, env=os.environ | environment, **streams)
            self._running.add(worker)
            return worker

    def stop(self) -> None:
        """End every worker and start none from here on."""
        with self._lock:
            self.stopped = True
            for worker in list(self._running):
                _end(worker)


def run(job: Job) -> Result:
    """Execute one job and wait for it."""
    return Workers().run(job)


def spare_start_up() -> None:
    """Keep jsonschema, which nbformat imports, from compiling a grammar of IRIs for nearly two seconds.

    Only the checking of IRIs is lost, and no notebook holds one. For processes of our own, before nbformat is imported,
    and for the workers of a cluster, where it lasts as long as they do.
    """
    sys.modules.setdefault("rfc3987_syntax", None)


def _end(worker: subprocess.Popen) -> None:
    """Kill the worker and its kernel, which lives in a session of its own."""
    import psutil

    try:
        family = [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _end_with(parent: int) -> None:
    """End this worker and its kernel when the process that waits for it is gone: nobody else would stop them."""
    while os.getppid() == parent:
        time.sleep(0.2)
    import psutil

    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(1)


def _work(order: Path, answer: Path) -> None:
    """The worker: papermill, and the outcome as JSON."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    import papermill
    from papermill.exceptions import PapermillExecutionError

    job = Job(**json.loads(order.read_text(encoding="utf-8")))
    failure = {}
    try:
        papermill.execute_notebook(
            job.source,
            job.target,
            job.parameters,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(Path(job.target).parent),
        )
    except PapermillExecutionError as err:
        plain = "\n".join(_without_colour(line) for line in err.traceback)
        failure = {"error": f"cell {err.exec_count}: {err.ename}: {err.evalue}", "traceback": plain}
    answer.write_text(json.dumps(failure), encoding="utf-8")


def _without_colour(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


if __name__ == "__main__":
    spare_start_up()
    _work(Path(sys.argv[1]), Path(sys.argv[2]))
