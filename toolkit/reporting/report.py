"""``python -m toolkit report``: notebooks through papermill into one folder of tables, figures and pages."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import datasets, hardware, paths
from toolkit.errors import ToolkitError
from toolkit.evaluation.protocol import require_comparable
from toolkit.outcomes import Outcomes
from toolkit.reporting import execute, execution, page, profiles, tables
from toolkit.reporting.run import SO_FAR, RunFolder, sha256, write_json

_DONE = "done.json"


@dataclass(frozen=True)
class Part:
    """One execution: a notebook and the data set it runs on (the first one for a notebook that runs once).

    ``dataset`` is what the notebook loads, ``label`` what tables call it.
    """

    notebook: Path
    dataset: str
    label: str
    folder: str
    limit_s: float
    front: tuple[str, ...]
    alone: bool
    reads_run: bool

    @property
    def turn(self) -> int:
        """0 beside others, 1 alone when those are done, 2 when all whose tables it reads are done."""
        return 2 if self.reads_run else int(self.alone)


@dataclass(frozen=True)
class Report:
    """Where the run lies, and the parts that failed, by folder, with one line each."""

    index: Path
    failures: dict[str, str]


def make(
    names: Sequence[str] = ("synthetic",),
    device: str = "auto",
    profile: str = "quick",
    seed: int = 0,
    out: Path | None = None,
    tell: Callable[..., None] = print,
    notebooks: Path | None = None,
    only: Sequence[str] = (),
) -> Report:
    """Run every notebook and put the report together.

    Everything that can be wrong with the request is found before a folder is made. A part that fails leaves a page that
    says why; the other parts still run, no manifest is written, and the same call resumes where this one stopped.

    Args:
        names: data sets, by name or path, with options behind a question mark.
        device: auto, cpu or cuda.
        profile: smoke, quick or full.
        seed: of every random choice.
        out: folder of runs; default ``reports/`` of the checkout.
        tell: prints progress; called as ``print`` is.
        notebooks: folder of notebooks; default the project's own.
        only: run only notebooks whose names start with one of these, such as ``01``; where empty, all but those that
            run on request.

    Raises:
        ToolkitError: an unknown data set, option, device or profile; a table or file that is wrong.
    """
    started = datetime.now(UTC)
    most = profiles.get(profile).max_prompts
    if not 0 <= seed < 2**32:
        raise ToolkitError(f"--seed takes a whole number from 0 to {2**32 - 1}; {seed} was given.")
    sources = _by_label(names)
    loaded = {label: datasets.load(name) for label, name in sources.items()}
    for outcomes in loaded.values():
        require_comparable(outcomes.sample(most, seed))
    resolved = hardware.resolve_device(device)
    if device == "auto":
        tell(f"device: {resolved}" + (" (no CUDA device was found)" if resolved == "cpu" else ""))
    parts = _plan(notebooks or paths.notebooks_dir(), sources, only)
    config = _config(loaded, parts, resolved, profile, seed)
    run = RunFolder.open((out or paths.reports_dir()).resolve(), f"{_slug(sources)}-{profile}", config)
    try:
        if run.resumed:
            tell(f"resuming {run.path.name}")
        write_json(run.path / SO_FAR, execution.describe(config, loaded, [], started, {}))
        failures, timings = _execute_all(run, parts, config, tell)
        gathered = _gather(run, parts, failures)
        entries = [_entry(part, config, timings) for part in parts]
        described = execution.describe(config, loaded, entries, started, failures)
        index = page.write_index(run.path, described, gathered, {name: o.notes for name, o in loaded.items()})
        if not failures:
            run.finish(described)
    finally:
        run.release()
    page.write_runs(run.path.parent)
    return Report(index, failures)


def _by_label(names: Sequence[str]) -> dict[str, str]:
    """Label -> name; relative paths made absolute, since kernels run in other folders."""
    sources: dict[str, str] = {}
    for name in names:
        absolute, label = datasets.absolute(name), datasets.label(name)
        if sources.setdefault(label, absolute) != absolute:
            raise ToolkitError(f"Two tables are called {label}; rename one, since a report tells them apart by name.")
    if not sources:
        raise ToolkitError("A report needs at least one data set; none was given.")
    return sources


def _slug(sources: dict[str, str]) -> str:
    """What a run's name says of its data: the first set, and how many more there are."""
    first, *others = page.slugs(sources).values()
    return first + (f"+{len(others)}" if others else "")


def _plan(folder: Path, sources: dict[str, str], only: Sequence[str]) -> list[Part]:
    """Every execution, in the order of the notebooks' numbers."""
    notebooks = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise ToolkitError(f"{folder}: notebooks named NN_verb_topic.ipynb were expected; none was found.")
    if any(not start.strip() for start in only):
        raise ToolkitError("--only takes the start of a notebook's name, such as 01; nothing was given.")
    if only:
        chosen = [source for source in notebooks if source.name.startswith(tuple(only))]
        if not chosen:
            names = ", ".join(source.stem for source in notebooks)
            raise ToolkitError(f"--only {', '.join(only)}: no notebook starts so; there are {names}.")
        notebooks = chosen
    parts, slugs = [], page.slugs(sources)
    for source in notebooks:
        declared = execute.settings(source)
        if declared["on_request"] and not only:
            continue
        once = declared["runs"] == "once"
        for label, name in list(sources.items())[: 1 if once else None]:
            where = source.stem if once else f"{source.stem}--{slugs[label]}"
            limit_s, front = float(declared["limit_s"]), tuple(declared["front"])
            parts.append(Part(source, name, label, where, limit_s, front, declared["alone"], declared["reads_run"]))
    return parts


def _config(loaded: dict[str, Outcomes], parts: list[Part], device: str, profile: str, seed: int) -> dict[str, Any]:
    """Everything that decides a run's results; its hash is in the run's name."""
    return {
        "data": {name: outcomes.sha256 for name, outcomes in loaded.items()},
        "device": device,
        "notebooks": {part.notebook.name: sha256(part.notebook) for part in parts},
        "profile": profile,
        "seed": seed,
        **execution.environment(),
    }


def _execute_all(
    run: RunFolder, parts: list[Part], config: dict[str, Any], tell: Callable[..., None]
) -> tuple[dict[str, str], dict[str, float]]:
    """Run what is not done yet, as many at a time as there are cores; returns (failures, seconds) by part.

    Notebooks side by side share the cores: threads of one that spin for work slow the others tenfold.
    Notebooks that declare ``alone`` (they time something) run one after the other when all others are done, and those
    that read the run's tables last of all, anew where any table is.
    """
    failures, timings, workers = {}, {}, execute.Workers()
    done = [part for part in parts if (run.path / part.folder / _DONE).is_file()]
    if any(part not in done and not part.reads_run for part in parts):
        for part in (part for part in done if part.reads_run):
            (run.path / part.folder / _DONE).unlink()  # before any table changes, or a kill would leave it looking done
        done = [part for part in done if not part.reads_run]
    for part in done:
        timings[part.folder] = json.loads((run.path / part.folder / _DONE).read_text(encoding="utf-8"))["seconds"]
        tell(f"{part.folder}: done before")
    open_parts = [part for part in parts if part not in done]
    finished = len(done)
    if open_parts:
        tell(f"notebooks to run: {len(open_parts)}; those that time something alone, those that read the rest last")
    for turn in range(3):
        # What may take longest begins first, or one core would wait for it in the end.
        batch = sorted((part for part in open_parts if part.turn == turn), key=lambda part: -part.limit_s)
        if turn == 2:
            _gather(run, parts, failures)
        cores = hardware.usable_cores()
        beside = 1 if turn == 1 else max(1, min(cores, len(batch)))
        threads = 0 if beside == 1 else cores // beside
        with ThreadPoolExecutor(beside) as pool:
            futures = {pool.submit(_execute, workers, run.path, part, config, threads): part for part in batch}
            try:
                for future in as_completed(futures):
                    part, result, finished = futures[future], future.result(), finished + 1
                    timings[part.folder] = round(result.seconds, 1)
                    if result.error:
                        failures[part.folder] = result.error
                    how = (
                        f"FAILED after {result.seconds:.1f} s: {result.error}"
                        if result.error
                        else f"{result.seconds:.1f} s"
                    )
                    tell(f"[{finished}/{len(parts)}] {part.folder}: {how}")
            except BaseException:
                workers.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return failures, timings


def _entry(part: Part, config: dict[str, Any], timings: dict[str, float]) -> dict[str, Any]:
    """What the manifest says of one execution."""
    sha, seconds = config["notebooks"][part.notebook.name], timings.get(part.folder)
    return execution.entry(part.notebook.name, sha, part.label, part.folder, part.front, seconds)


def _gather(run: RunFolder, parts: list[Part], failures: dict[str, str]) -> dict[str, pd.DataFrame]:
    """The tables of the parts that are done, put together in the run's folder."""
    folders = [run.path / part.folder for part in parts if part.folder not in failures]
    return tables.gather(folders, run.path)


def _execute(workers: execute.Workers, run: Path, part: Part, config: dict[str, Any], threads: int) -> execute.Result:
    """One part from an empty folder, ``done.json`` last. Whatever goes wrong is this part's failure alone."""
    folder = run / part.folder
    parameters = {
        "dataset": part.dataset, "profile": config["profile"], "seed": config["seed"], "device": config["device"],
    } | ({"run": str(run)} if part.reads_run else {})  # fmt: skip
    try:
        result = execution.execute_into(folder, part.notebook, parameters, workers, part.folder, part.limit_s, threads)
        if not result.error:
            write_json(folder / _DONE, {"seconds": round(result.seconds, 1)})
        return result
    except Exception as err:
        return execution.failure(folder, part.folder, err)
