"""``python -m toolkit sweep``: every cell of a grid once, wherever it runs, and a table of how each of them stands."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import paths
from toolkit.errors import ToolkitError
from toolkit.reporting import tables
from toolkit.reporting.execute import Workers
from toolkit.reporting.run import SWEEP
from toolkit.reporting.sweep import executors, grid
from toolkit.reporting.sweep.cell import DONE, FAILED, PENDING, lost, state, work
from toolkit.reporting.sweep.grid import Cell
from toolkit.reporting.sweep.target import Target


@dataclass(frozen=True)
class Sweep:
    """How a sweep ended.

    Attributes:
        target: the folder of the cells.
        table: one row a cell: folder, status (done, failed, pending), notebook, the grid's parameters, seconds, error.
        measurements: the published columns of all done cells, the cell's folder and parameters in ``params``.
    """

    target: str
    table: pd.DataFrame
    measurements: pd.DataFrame

    @property
    def complete(self) -> bool:
        """Whether every cell is done."""
        return bool((self.table["status"] == DONE).all())


@dataclass
class _Board:
    """The states of all cells, on file after every change."""

    cells: Sequence[Cell]
    target: Target
    states: dict[str, dict[str, Any]]

    def table(self) -> pd.DataFrame:
        rows = []
        for cell in self.cells:
            told = self.states[cell.folder]
            facts = {"folder": cell.folder, "status": told["status"], "notebook": Path(cell.name).stem}
            rows.append({**facts, **cell.given, "seconds": told["seconds"], "error": told["error"]})
        return pd.DataFrame(rows).astype({"seconds": float})

    def write(self) -> None:
        self.target.write(SWEEP, self.table().to_csv(index=False, lineterminator="\n").encode())

    def count(self, status: str) -> int:
        return sum(told["status"] == status for told in self.states.values())


def run(
    path: Path,
    out: str | None = None,
    workers: int = 1,
    scheduler: str = "",
    threads: int = 1,
    retry_failed: bool = False,
    dry_run: bool = False,
    tell: Callable[..., None] = print,
    notebooks: Path | None = None,
) -> Sweep:
    """Execute the cells of a grid that are not done yet.

    Cells whose notebook declares ``alone`` run when all others have ended, one at a time. Killed at any moment, it
    leaves whole cells and none that only looks so; the same call runs what is left.

    Args:
        path: the grid, see ``grid.read``.
        out: folder of the cells, a path or any fsspec URL; default ``reports/sweeps/<name of the grid>``.
        workers, scheduler: where cells run, see ``executors.executor``.
        threads: that numeric libraries of one notebook are given, whatever the executor.
        retry_failed: run cells again that failed in an earlier call, which are left alone otherwise.
        dry_run: say how the cells stand, run none and write nothing.
        tell: prints progress; called as ``print`` is.
        notebooks: their folder; default the project's own.

    Raises:
        ToolkitError: a mistake in the grid, a target that cannot be written, a cluster that cannot be used or is lost.
    """
    for name, number in (("--workers", workers), ("--threads", threads)):
        if number < 1:
            raise ToolkitError(f"{name} takes a whole number from 1; {number} was given.")
    if scheduler and workers > 1:
        raise ToolkitError("--workers has no effect beside --scheduler, whose cluster has its own; drop one.")
    target = Target.at(out or str(paths.reports_dir() / "sweeps" / path.stem))
    cells = grid.read(path, notebooks, threads, remote=bool(scheduler))
    board = _Board(cells, target, {cell.folder: state(cell, target) for cell in cells})
    if dry_run:
        return Sweep(target.url, board.table(), pd.DataFrame(columns=tables.COLUMNS[tables.MEASUREMENTS]))
    board.write()
    wanted = (PENDING, FAILED) if retry_failed else (PENDING,)
    left = [cell for cell in cells if board.states[cell.folder]["status"] in wanted]
    hint = "" if retry_failed or not board.count(FAILED) else " (left alone without --retry-failed)"
    before = f"{board.count(DONE)} done and {board.count(FAILED)} failed before{hint}"
    tell(f"{len(cells)} cells: {before}; {len(left)} to run")
    try:
        _run_all(board, left, workers, scheduler, tell)
    finally:
        board.write()
    return Sweep(target.url, board.table(), _gather(board))


def _run_all(board: _Board, left: Sequence[Cell], workers: int, scheduler: str, tell: Callable[..., None]) -> None:
    """Batch by batch; an interrupt ends the notebooks of this machine and cancels what has not begun."""
    processes, finished = Workers(), 0
    for wave, gpu in _waves(left):
        with executors.executor(workers, scheduler, gpu) as pool:
            try:
                futures = {pool.submit(work, cell, board.target, processes): cell for cell in wave}
                for future in as_completed(futures):
                    cell, finished = futures[future], finished + 1
                    board.states[cell.folder] = told = _outcome(future, cell, board.target, scheduler)
                    board.write()
                    tell(f"[{finished}/{len(left)}] {cell.folder}{_given(cell)}: {_in_words(told)}")
            except BaseException:
                processes.stop()
                raise


def _waves(cells: Sequence[Cell]) -> Iterator[tuple[list[Cell], bool]]:
    """Cells that may run side by side, and whether they need a GPU; then those that run alone, one by one."""
    for gpu in (False, True):
        if beside := [cell for cell in cells if not cell.alone and _on_gpu(cell) is gpu]:
            yield beside, gpu
    yield from (([cell], _on_gpu(cell)) for cell in cells if cell.alone)


def _on_gpu(cell: Cell) -> bool:
    return cell.parameters["device"] == "cuda"


def _outcome(future: "Future[dict[str, Any]]", cell: Cell, target: Target, scheduler: str) -> dict[str, Any]:
    """The state of a cell that has ended, as this process sees it in the target."""
    try:
        told = future.result()
    except CancelledError as err:
        raise ToolkitError(f"--scheduler {scheduler}: the scheduler was lost; the same command goes on.") from err
    except Exception as err:
        return lost(cell, target, err)
    if told["status"] == DONE and state(cell, target)["status"] != DONE:
        error = f"{target.url} of the worker is not {target.url} of this machine; shared storage was expected as --out"
        return {"status": PENDING, "seconds": None, "error": error}
    return told


def _given(cell: Cell) -> str:
    """The grid's parameters of a cell, since its folder's name tells them by a hash alone."""
    return f" ({', '.join(f'{name}={value}' for name, value in cell.given.items())})" if cell.given else ""


def _in_words(told: Mapping[str, Any]) -> str:
    if told["status"] == DONE:
        return f"{told['seconds']:.1f} s"
    return f"FAILED after {told['seconds']:.1f} s: {told['error']}" if told["status"] == FAILED else told["error"]


def _gather(board: _Board) -> pd.DataFrame:
    """The measurements of all done cells, put together in the target."""
    name, frames = tables.MEASUREMENTS, []
    with tempfile.TemporaryDirectory() as scratch:
        for cell in board.cells:
            if board.states[cell.folder]["status"] == DONE:
                if (content := board.target.read(f"{cell.folder}/{name}")) is None:
                    raise ToolkitError(f"{cell.folder}: its {name} has gone; remove that folder and call again.")
                (Path(scratch) / name).write_bytes(content)
                frame, own = tables.read(Path(scratch) / name), {"cell": cell.folder, "grid": dict(cell.given)}
                frames.append(
                    frame.assign(params=[tables.canonical({**json.loads(text), **own}) for text in frame["params"]])
                )
        full = [frame for frame in frames if len(frame)]
        gathered = pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=tables.COLUMNS[name])
        board.target.write(name, tables.write(Path(scratch), name, gathered).read_bytes())
    return gathered
