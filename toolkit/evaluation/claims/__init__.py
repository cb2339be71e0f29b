"""What others claim, kept apart from every measurement: the ledger of the survey's figures, and the words for gaps.

The survey of open routers (2026-04-17) is what this project was begun to check. Each of its figures stands in
``data/claims.csv``, a row for every place where the survey has it, and nowhere else in the project.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import paths
from toolkit.datasets import files
from toolkit.errors import ToolkitError

NO_GPU = "not measured on a GPU"
SECTIONS = ("summary", "1.1", "1.2", "2", "3.1", "4", "5.1")
KINDS = ("claim", "target")
NUMBERS = ("low", "high", "within", "published_low", "published_high")
TEXTS = (
    *("id", "section", "system", "metric", "unit", "value", "conditions", "dataset", "claim", "kind"),
    *("published_value", "published", "source", "confirmed_by", "check"),
)
_NEEDED = ("id", "section", "system", "metric", "claim", "kind", "published", "source", "confirmed_by", "check")


def ledger() -> pd.DataFrame:
    """The committed ledger; see ``read``."""
    return _committed().copy()


@cache
def _committed() -> pd.DataFrame:
    return read(paths.data_dir() / "claims.csv")


def read(path: Path) -> pd.DataFrame:
    """A ledger, one row a figure and section, in the order of the file.

    Returns:
        ``TEXTS`` as text, "" where empty, and ``NUMBERS`` as floats, NaN where empty. ``low`` and ``high`` bound the
        claim in its unit; an open side is NaN. ``within`` is how far off a figure may lie and still be called the
        claimed one, by its rounding or its "about". ``value`` is a claim that is no number. ``published_low``,
        ``published_high`` and ``published_value`` are what the source really has.

    Raises:
        ToolkitError: a row or column is wrong; it is named. Rows count from 1, the header left out.
    """
    rows = files.read_csv(path, (*TEXTS, *NUMBERS))
    files.require(rows, _NEEDED, path)
    for column in TEXTS:
        rows[column] = [_text(value) for value in rows[column]]
    for column in NUMBERS:
        rows[column] = files.numbers(rows, column, path)
    _check(rows, path)
    return rows[[*TEXTS, *NUMBERS]]


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value).strip()


def _check(rows: pd.DataFrame, path: Path) -> None:
    """Refuse the first row that is no claim."""
    seen: set[str] = set()
    for number, row in enumerate(rows.to_dict("records"), start=1):
        given = np.isfinite([row["low"], row["high"]])
        wrong = {
            "id": (not re.fullmatch(r"[a-z0-9.-]+", row["id"]) or row["id"] in seen, "a slug of its own"),
            "section": (row["section"] not in SECTIONS, f"one of {', '.join(SECTIONS)}"),
            "kind": (row["kind"] not in KINDS, f"one of {', '.join(KINDS)}"),
            "value": (given.any() == bool(row["value"]), "a number in low or high, or else a text"),
            "unit": (given.any() != bool(row["unit"]), "a unit where there is a number, else nothing"),
            "within": (given.any() != np.isfinite(row["within"]), "a tolerance where there is a number, else nothing"),
            "high": (given.all() and row["high"] < row["low"], "at least low"),
            "published_high": (row["published_high"] < row["published_low"], "at least published_low"),
        }
        for column, (bad, expected) in wrong.items():
            if bad:
                files.refuse(path, f"row {number}", column, expected, row[column])
        seen.add(row["id"])


def of(rows: pd.DataFrame, name: str) -> pd.Series:
    """A claim of a ledger by its id.

    Raises:
        ToolkitError: there is none.
    """
    found = rows[rows["id"] == name]
    if found.empty:
        raise ToolkitError(f"The ledger of claims: a row with the id {name!r} was expected; found {len(rows)} others.")
    return found.iloc[0]


def claimed(name: str) -> tuple[float, float]:
    """The range of a claim by its id, in the ledger's unit; an open side is NaN."""
    row = of(_committed(), name)
    return float(row["low"]), float(row["high"])


def _share(name: str) -> float:
    return claimed(name)[0] / 100


# Milliseconds added by routing one prompt. tx402 is the commercial router that the survey looks for a replacement of.
LATENCY_CLAIMS_MS: dict[str, tuple[float, float]]
# The same survey's other figures of tx402. "About 90% accuracy" does not say of what.
TX402: dict[str, float]
# Arch-Router: figure -> (the survey, what its authors published).
ARCH_ROUTER: dict[str, tuple[str, str]]


def _latency_claims_ms() -> dict[str, tuple[float, float]]:
    return {
        "tx402: classifier": claimed("s4-tx402-classifier"),
        "tx402: routing": claimed("s4-tx402-routing"),
        "RouteLLM BERT (110M), CPU": claimed("s1.1-bert-latency"),
        "Arch-Router 1.5B, GPU": claimed("s1.2-arch-latency"),
    }


def _tx402() -> dict[str, float]:
    classifier, routing = claimed("s4-tx402-classifier"), claimed("s4-tx402-routing")
    return {
        "accuracy": _share("s4-tx402-accuracy"),
        "cheaper": _share("s4-tx402-cost"),
        "models": claimed("s4-tx402-models")[0],
        "least_ms": classifier[0] + routing[0],
        "most_ms": classifier[1] + routing[1],
    }


def _arch_router() -> dict[str, tuple[str, str]]:
    names = ("s1.2-arch-accuracy", "s1.2-gpt4-accuracy", "s1.2-arch-latency")
    arch, gpt4, latency = (of(_committed(), name)["published"] for name in names)
    survey = f"{_share('s1.2-arch-accuracy'):.0%} against GPT-4's {_share('s1.2-gpt4-accuracy'):.0%}"
    return {
        "accuracy": (survey, f"{arch} {gpt4}"),
        "latency": ("{:g} to {:g} ms on a GPU".format(*claimed("s1.2-arch-latency")), latency),
    }


_READ_WHEN_ASKED = {"LATENCY_CLAIMS_MS": _latency_claims_ms, "TX402": _tx402, "ARCH_ROUTER": _arch_router}


def __getattr__(name: str) -> object:
    """The names above, read once and when they are asked for: a report needs no ledger to be written."""
    if name not in _READ_WHEN_ASKED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, _READ_WHEN_ASKED[name]())
