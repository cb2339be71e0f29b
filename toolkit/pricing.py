"""Tokens, prices and what a call with so many tokens costs; what else the names of models tell."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError

PRICE_COLUMNS = ("input_usd_per_mtok", "output_usd_per_mtok")

ASSUMED_OUTPUT_TOKENS = 256  # of a call, where a source has prices and no tokens; such costs are called assumed
LENGTH_BORDERS = (100, 500)  # tokens at which the length rule in use today takes the next tier

# Han, kana, hangul and the full-width punctuation between them: about one token each in current vocabularies.
_CJK = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


_PARAMETERS = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?(?=b)|\d{2,}(?=m))([bm])(?![a-z0-9])")


def estimate_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: one per CJK character, else UTF-8 bytes / 4, rounded up; at least 1.

    This is the ``estimate_tokens`` that a length rule needs before any model is known; it is an estimate, and every
    cost made from it is labelled ``priced`` or ``assumed``, never ``measured``.
    """
    cjk = len(_CJK.findall(text))
    other_bytes = len(_CJK.sub("", text).encode("utf-8", "surrogatepass"))
    return max(1, cjk + math.ceil(other_bytes / 4))


def token_counts(texts: Sequence[str]) -> np.ndarray:
    """``estimate_tokens`` of each text; float64, shape (n,)."""
    return np.array([estimate_tokens(text) for text in texts], dtype=float)


def read_prices(path: str | Path) -> pd.DataFrame:
    """A CSV of prices: ``model`` and dollars per million input and output tokens.

    Returns:
        Frame indexed by model with the columns of ``PRICE_COLUMNS``.

    Raises:
        ToolkitError: a column is missing, a price is negative or no number, or a model stands twice.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as err:
        raise ToolkitError(f"{path}: a CSV price table was expected and could not be read ({err}).") from err
    missing = [name for name in ("model", *PRICE_COLUMNS) if name not in table.columns]
    if missing:
        raise ToolkitError(f"{path}: the columns model, {', '.join(PRICE_COLUMNS)} are needed; missing: {missing}.")
    if table["model"].duplicated().any():
        twice = table.loc[table["model"].duplicated(), "model"].iloc[0]
        raise ToolkitError(f"{path}: each model may have one price; {twice!r} stands twice.")
    for column in PRICE_COLUMNS:
        table[column] = pd.to_numeric(table[column], errors="coerce")
        if not (table[column] >= 0).all():
            row = int((~(table[column] >= 0)).to_numpy().argmax())
            raise ToolkitError(f"{path}: row {row + 1}, column {column}: a price >= 0 was expected.")
    return table.set_index(table["model"].astype(str))


def parameter_counts(names: Sequence[str]) -> np.ndarray:
    """Billions of parameters as the names of models state them, float64 (m,); NaN where a name states none.

    ``llama-3-8b`` has 8, ``smollm-135m`` .135 (one digit before an m is a context's length), ``mixtral-8x7b`` 8 times
    7: more than it has, since experts share layers, but in the right order.
    """
    found = [_PARAMETERS.findall(name.lower()) for name in names]
    sizes = [[float(n or 1) * float(size) / (1 if unit == "b" else 1000) for n, size, unit in one] for one in found]
    return np.array([max(one, default=np.nan) for one in sizes])


def token_cost(input_tokens: np.ndarray, output_tokens: np.ndarray, prices: pd.DataFrame) -> np.ndarray:
    """Dollars of each call.

    Args:
        input_tokens, output_tokens: shape (n, m); NaN gives NaN.
        prices: m rows in the order of the columns, with ``PRICE_COLUMNS`` in dollars per million tokens.
    """
    per_token = prices[list(PRICE_COLUMNS)].to_numpy(float) / 1e6
    return np.asarray(input_tokens) * per_token[:, 0] + np.asarray(output_tokens) * per_token[:, 1]
