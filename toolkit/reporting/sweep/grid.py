"""The grid of a sweep: a YAML file of notebooks and parameters, checked as a whole and expanded into cells."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from toolkit import datasets, hardware, paths
from toolkit.errors import ToolkitError, first_line
from toolkit.evaluation.protocol import require_comparable
from toolkit.reporting import execute, execution, page, profiles
from toolkit.reporting.run import config_hash, sha256

_SET_BY_SWEEP = ("out", "run")
_NEEDED = ("dataset", "profile", "seed", "device", "out")


@dataclass(frozen=True, eq=False)
class Cell:
    """One execution of one notebook.

    Attributes:
        name: of the notebook, with its ending.
        source: its content, which travels to where it runs.
        given: the grid's parameters as the file has them.
        parameters: all that the notebook declares but ``out``, defaults included, as they are handed over.
        config: what decides the results; its hash is in the folder's name.
        threads: that numeric libraries are given.
        limit_s, front, alone: of the notebook's own settings.
    """

    name: str
    source: bytes
    given: Mapping[str, Any]
    parameters: Mapping[str, Any]
    config: Mapping[str, Any]
    threads: int
    limit_s: float
    front: tuple[str, ...]
    alone: bool

    @property
    def label(self) -> str:
        """What tables call the data set."""
        return datasets.label(self.parameters["dataset"])

    @cached_property
    def key(self) -> str:
        """Hash of everything that decides the results."""
        return config_hash(dict(self.config))

    @property
    def folder(self) -> str:
        """In the sweep's folder; the same in every grid that holds this cell."""
        (slug,) = page.slugs([self.label]).values()
        return f"{Path(self.name).stem}--{slug}-{self.key[:8]}"


def read(path: Path, notebooks: Path | None = None, threads: int = 1, remote: bool = False) -> list[Cell]:
    """The cells of a grid, in its order; nothing has run when a mistake in it is told.

    Args:
        path: YAML with ``notebooks`` (names or their starts, such as "02") and parameters, each with one value or a
            list of values.
        notebooks: their folder; default the project's own.
        threads: that numeric libraries are given.
        remote: cells run on other machines, whose devices are not known here.

    Raises:
        ToolkitError: names the file and the key that is wrong.
    """
    axes = _axes(path)
    chosen = _notebooks(path, axes.pop("notebooks"), notebooks or paths.notebooks_dir())
    environment, loaded = execution.environment(), {}
    cells: dict[str, Cell] = {}
    for source in chosen:
        checked = _checked(path, source, axes, remote)
        for given, parameters in zip(expand(axes), expand(checked), strict=True):
            with _blaming(path, "dataset"):
                config = _config(source, parameters, environment, threads, loaded)
            cell = _cell(source, given, parameters, config, threads)
            if cell.key in cells:
                raise ToolkitError(f"{path}: two cells are the same, {source.stem} with {dict(given)}; drop one.")
            cells[cell.key] = cell
    return list(cells.values())


def expand(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of one value a parameter; the last parameter changes fastest."""
    return (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _axes(path: Path) -> dict[str, list[Any]]:
    """Key -> values of the file, every key once and with at least one value."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
        node, content = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise ToolkitError(f"{path}: a grid in YAML was expected ({first_line(err)}).") from err
    if not isinstance(content, dict) or not content.get("notebooks"):
        raise ToolkitError(f"{path}: a mapping with notebooks, such as ['02'], and parameters was expected.")
    keys = [key.value for key, _ in node.value]
    for key, values in content.items():
        if not isinstance(key, str):
            raise ToolkitError(f"{path}: names were expected as keys; YAML reads one as {key!r}. Put it in quotes.")
        if keys.count(key) > 1:
            raise ToolkitError(f"{path}, {key}: the key stands there {keys.count(key)} times; make it one list.")
        if values is None or values == []:
            raise ToolkitError(f"{path}, {key}: a value or a list of values was expected; there is none.")
    return {key: values if isinstance(values, list) else [values] for key, values in content.items()}


def _notebooks(path: Path, starts: Iterable[Any], folder: Path) -> list[Path]:
    """Notebooks whose names start so, in the order of the grid."""
    known = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    chosen: list[Path] = []
    for start in starts:
        text = f"{start:02d}" if type(start) is int else str(start)  # YAML reads 02 as a number
        found = [source for source in known if text and source.name.startswith(text)]
        if not found:
            names = ", ".join(source.stem for source in known) or "none"
            raise ToolkitError(f"{path}, notebooks: no notebook starts with {text!r}; there are {names}.")
        if twice := [source for source in found if source in chosen]:
            raise ToolkitError(f"{path}, notebooks: {twice[0].stem} is named twice; once is enough.")
        chosen += found
    for source in chosen:
        _check_notebook(path, source)
    return chosen


def _check_notebook(path: Path, source: Path) -> None:
    declared = execute.declared_parameters(source)
    if execute.settings(source)["reads_run"]:
        raise ToolkitError(
            f"{path}, notebooks: {source.stem} reads the tables of a whole run, which a cell is not; leave it out and "
            "call it on a report."
        )
    if lacking := [name for name in _NEEDED if name not in declared]:
        raise ToolkitError(f"{path}, notebooks: {source.stem} must declare {', '.join(_NEEDED)}; no {lacking[0]}.")


def _checked(path: Path, source: Path, axes: Mapping[str, Sequence[Any]], remote: bool) -> dict[str, list[Any]]:
    """Every parameter of a notebook but ``out`` with its values as they are handed over, the grid's first."""
    checked = {}
    for key, values in axes.items():
        with _blaming(path, key):
            if key in _SET_BY_SWEEP:
                raise ToolkitError("the sweep itself says where results go.")
            plain = [execute.checked_parameters(source, {key: value})[key] for value in values]
            checked[key] = [_settled(key, value, remote) for value in plain]
    declared = execute.declared_parameters(source)
    defaults = {name: [_settled(name, value, remote)] for name, value in declared.items() if name not in axes}
    return checked | {name: values for name, values in defaults.items() if name != "out"}


def _settled(key: str, value: Any, remote: bool) -> Any:
    """A value of the right type as the cell takes it: known, absolute, resolved."""
    if key == "profile":
        profiles.get(value)
    elif key == "seed" and not 0 <= value < 2**32:
        raise ToolkitError(f"a whole number from 0 to {2**32 - 1} was expected; {value} was given.")
    elif key == "dataset":
        return datasets.absolute(value)
    elif key == "device" and not remote:
        return hardware.resolve_device(value)
    elif key == "device":
        hardware.check_device(value)
        if value == "auto":
            raise ToolkitError("cpu or cuda was expected beside --scheduler, since machines differ; auto was given.")
    elif isinstance(value, str) and ("/" in value or Path(value).suffix) and Path(value).expanduser().is_file():
        return str(Path(value).expanduser().resolve())
    return value


def _config(
    source: Path, parameters: Mapping[str, Any], environment: Mapping[str, Any], threads: int, loaded: dict[str, Any]
) -> dict[str, Any]:
    """What decides a cell's results; ``loaded`` keeps data sets from one call to the next."""
    name = parameters["dataset"]
    if name not in loaded:
        loaded[name] = (data := datasets.load(name)), data.sha256
    outcomes, data_hash = loaded[name]
    require_comparable(outcomes.sample(profiles.get(parameters["profile"]).max_prompts, parameters["seed"]))
    files = {key: Path(value) for key, value in parameters.items() if key != "dataset" and _is_file(value)}
    named = {key: path.name for key, path in files.items()} | {"dataset": datasets.label(name)}
    return {
        **environment,
        "data": data_hash,
        "files": {key: sha256(path) for key, path in files.items()},
        "notebook": sha256(source),
        "parameters": {**parameters, **named},
        "threads": threads,
    }


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute() and Path(value).is_file()


def _cell(
    source: Path, given: Mapping[str, Any], parameters: Mapping[str, Any], config: Mapping[str, Any], threads: int
) -> Cell:
    content, declared = source.read_bytes(), execute.settings(source)
    if hashlib.sha256(content).hexdigest() != config["notebook"]:
        raise ToolkitError(f"{source}: the notebook was written to while it was read; call again.")
    limit_s, front = float(declared["limit_s"]), tuple(declared["front"])
    return Cell(source.name, content, given, parameters, config, threads, limit_s, front, declared["alone"])


@contextmanager
def _blaming(path: Path, key: str) -> Iterator[None]:
    """Whatever is wrong inside is told with the file and the key."""
    try:
        yield
    except ToolkitError as err:
        raise ToolkitError(f"{path}, {key}: {err}") from err
