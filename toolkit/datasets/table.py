"""The user's own outcomes: a long table, one row per prompt and model."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.datasets import files
from toolkit.errors import ToolkitError, first_line
from toolkit.outcomes import Outcomes
from toolkit.pricing import PRICE_COLUMNS, read_prices

REQUIRED = ("prompt_id", "prompt", "model", "quality")
MEASURES = ("cost_usd", "input_tokens", "output_tokens")
PER_PROMPT = ("domain", "language", "group", "split")


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    # As text: a prompt "NA" or "null" is a prompt, and an id 007 keeps its zeros.
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
    ".jsonl": lambda path: pd.DataFrame(files.read_json_rows(path)),
    ".parquet": pd.read_parquet,
}


def loader(path: Path) -> Callable[..., Outcomes]:
    """A loader for one file, with the options of ``load_table``."""

    def load_this(*, prices: str = "", models: str = "") -> Outcomes:
        return load_table(path, prices=prices, models=models)

    return load_this


def load_table(path: Path, prices: str = "", models: str = "") -> Outcomes:
    """Read a long table of outcomes.

    Columns: ``prompt_id``, ``prompt``, ``model``, ``quality`` in [0, 1] (empty = unobserved; true and false
    are 1 and 0), and either ``cost_usd`` or ``input_tokens`` and ``output_tokens``; ``domain``, ``language``,
    ``group``, ``split`` (train, test) and ``answer`` (what the model wrote, which a cascade checks) where known.

    Args:
        path: .csv, .jsonl or .parquet.
        prices: a CSV of prices (see ``pricing.read_prices``) that turns tokens into dollars, in place of any
            ``cost_usd``.
        models: names separated by commas; all models where empty.

    Raises:
        ToolkitError: names file, row and field of the first thing that is wrong.
    """
    outcomes = from_long(_read(path), path)
    if chosen := files.listed(models):
        outcomes = outcomes.subset(models=chosen)
    if not prices:
        return outcomes
    note = ("The table's own costs were replaced by tokens times prices.",) if outcomes.cost_source != "none" else ()
    return replace(outcomes.reprice(read_prices(prices)), notes=(*outcomes.notes, *note))


def from_long(rows: pd.DataFrame, path: Path, notes: Sequence[str] = ()) -> Outcomes:
    """Long rows as Outcomes; ``path`` names them in messages, and their file names the data set.

    Raises:
        ToolkitError: a column is missing, or a value is wrong, by row and field; no quality at all.
    """
    _check_columns(rows, path)
    read = {*REQUIRED, *MEASURES, *PER_PROMPT, "answer"}
    if ignored := [str(column) for column in rows.columns if column not in read]:
        notes = (*notes, f"Columns of the table that nothing reads: {', '.join(ignored)}.")
    for column in ("quality", *MEASURES):
        if column in rows.columns:
            rows[column] = files.numbers(rows, column, path, 1.0 if column == "quality" else np.inf)
    _check_rows(rows, path)
    prompts = _prompts(rows, path)
    names = list(dict.fromkeys(rows["model"]))
    matrix = {
        column: rows.pivot(index="prompt_id", columns="model", values=column)
        .loc[prompts["prompt_id"], names]
        .to_numpy(float)
        for column in ("quality", *MEASURES)
        if column in rows.columns
    }
    observed = ~np.isnan(matrix["quality"]).all(axis=0)
    if not observed.any():
        raise ToolkitError(f"{path}: at least one observed quality was expected; found none.")
    if not observed.all():
        unseen = ", ".join(name for name, seen in zip(names, observed, strict=True) if not seen)
        notes = (*notes, f"Models without an observed quality were left out: {unseen}.")
        names = [name for name, seen in zip(names, observed, strict=True) if seen]
        matrix = {column: values[:, observed] for column, values in matrix.items()}
    return Outcomes(
        name=path.name,
        prompts=prompts,
        models=pd.DataFrame(index=names, columns=list(PRICE_COLUMNS), dtype=float),
        answers=_answers(rows, prompts, names),
        cost_source="measured" if np.isfinite(matrix.get("cost_usd", np.nan)).any() else "none",
        notes=(*notes, *_notes(matrix, path)),
        **matrix,
    )


def _answers(rows: pd.DataFrame, prompts: pd.DataFrame, names: list[str]) -> np.ndarray | None:
    """What the models wrote, where the table has a column for it."""
    if "answer" not in rows.columns:
        return None
    texts = rows.assign(answer=rows["answer"].fillna("").astype(str))
    wide = texts.pivot(index="prompt_id", columns="model", values="answer")
    return wide.loc[prompts["prompt_id"], names].fillna("").to_numpy(object)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise ToolkitError(f"{path}: {what}; a table in {', '.join(READERS)} was expected.")
    if path.suffix.lower() not in READERS:
        raise ToolkitError(f"{path}: a table in {', '.join(READERS)} was expected; found {path.suffix or 'no ending'}.")
    try:
        rows = READERS[path.suffix.lower()](path)
    except UnicodeDecodeError as err:
        raise ToolkitError(f"{path}: UTF-8 was expected ({err.reason} at byte {err.start}); save it so.") from err
    except (ValueError, OSError, pd.errors.ParserError) as err:
        hint = " Are the columns separated by commas?" if isinstance(err, pd.errors.ParserError) else ""
        raise ToolkitError(f"{path}: the table cannot be read ({first_line(err)}).{hint}") from err
    if rows.empty:
        raise ToolkitError(f"{path}: the table has no rows; one row per prompt and model was expected.")
    return rows.reset_index(drop=True)


def _check_columns(rows: pd.DataFrame, path: Path) -> None:
    missing = [column for column in REQUIRED if column not in rows.columns]
    if len(rows.columns) == 1 and ";" in str(rows.columns[0]):
        raise ToolkitError(f"{path}: columns separated by commas were expected; found semicolons. Save it with commas.")
    if missing:
        raise ToolkitError(
            f"{path}: the columns {', '.join(REQUIRED)} are needed; missing: {', '.join(missing)}; "
            f"found: {', '.join(map(str, rows.columns))}."
        )


def _refuse(path: Path, index: int, column: str, expected: str, found: object) -> None:
    """Rows count from 1, a CSV's header left out: a prompt may span lines, so a line number would mislead."""
    files.refuse(path, f"row {index + 1}", column, expected, found)


def _check_rows(rows: pd.DataFrame, path: Path) -> None:
    names = ["prompt_id", "prompt", "model"]
    files.require(rows, names, path)
    files.check_parts(rows, path)
    rows[names] = rows[names].astype(str)
    twice = rows.duplicated(["prompt_id", "model"])
    if twice.any():
        index = int(twice.to_numpy().argmax())
        _refuse(path, index, "model", "one row per prompt and model", tuple(rows.loc[index, ["prompt_id", "model"]]))


def _prompts(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    columns = ["prompt", *(column for column in PER_PROMPT if column in rows.columns)]
    first = rows.groupby("prompt_id", sort=False)[columns].transform("first")
    for column in columns:
        differs = (rows[column] != first[column]) & rows[column].notna()
        if differs.any():
            index = int(differs.to_numpy().argmax())
            _refuse(path, index, column, f"one {column} per prompt_id", rows[column].iloc[index])
    unique = rows.drop_duplicates("prompt_id")[["prompt_id", *columns]].rename(columns={"prompt": "text"})
    for column in set(columns) - {"prompt", "group"}:
        unique[column] = unique[column].fillna("").astype(str)
    return unique.reset_index(drop=True)


def _notes(matrix: dict[str, np.ndarray], path: Path) -> tuple[str, ...]:
    notes = []
    if unobserved := int(np.isnan(matrix["quality"]).sum()):
        notes.append(f"{unobserved} of {matrix['quality'].size} outcomes are unobserved.")
    known = np.isfinite(matrix.get("cost_usd", np.nan))
    if known.any() and not known.all():
        notes.append(f"{int((~known).sum())} of {known.size} costs are unknown.")
    if not known.any() and "output_tokens" in matrix:
        notes.append(f"Tokens are given without prices, so there are no costs (option prices={path.stem}-prices.csv).")
    return tuple(notes)
