"""RouteLLM's published figures (arXiv 2406.18665v4), and what follows from them and from the paper's prices.

Nothing here is measured. Shares are of calls to the strong model, 0 to 1.
"""

from functools import cache

import numpy as np
import pandas as pd

from toolkit import paths
from toolkit.datasets import files

PAPER = "RouteLLM, arXiv 2406.18665v4"
STRONG_USD, WEAK_USD = 24.7, 0.24  # per million tokens of GPT-4 and Mixtral 8x7B, input and output blended
_RECOVERED = np.array([0, 0.5, 0.8, 1])  # PGR at which every router's share of strong calls is known


@cache
def _read() -> pd.DataFrame:
    path = paths.data_dir() / "published_routers.csv"
    rows = files.read_csv(path, ("dataset", "router", "training", "cpt50", "cpt80", "apgr"))
    return rows.assign(training=rows["training"].fillna(""), cpt50=rows["cpt50"] / 100, cpt80=rows["cpt80"] / 100)


def table() -> pd.DataFrame:
    """dataset, router, training, cpt50, cpt80 (shares) and apgr (its trapezoid form), one row a published router.

    ``training`` is "" of the random one.
    """
    return _read().copy()


def share_for(recovered: np.ndarray, row: pd.Series) -> np.ndarray:
    """Strong calls at which a published router recovers so much of the gap, on lines between what is known.

    Known are nothing at no strong calls, CPT(50%), CPT(80%) and all at all. Any shape.

    Args:
        recovered: PGR; below 0 it takes no strong calls.
        row: of ``table``.
    """
    return np.interp(recovered, _RECOVERED, _known(row))


def around(recovered: float, row: pd.Series) -> np.ndarray:
    """The known shares (2,) of strong calls below and above: however the curve runs between them, it is not beyond."""
    above = int(np.clip(np.searchsorted(_RECOVERED, recovered), 1, 3))
    return _known(row)[above - 1 : above + 1]


def _known(row: pd.Series) -> np.ndarray:
    return np.array([0, row["cpt50"], row["cpt80"], 1])


def cost_cut(share: np.ndarray) -> np.ndarray:
    """How much less a call costs than always the strong model's, at a share of strong calls; any shape."""
    return 1 - _usd(share) / STRONG_USD


def over_random(share: np.ndarray, random_share: np.ndarray) -> np.ndarray:
    """What a random router of the same quality costs over this one: the other denominator. Any shape."""
    return _usd(random_share) / _usd(share)


def _usd(share: np.ndarray) -> np.ndarray:
    share = np.asarray(share, dtype=float)
    return share * STRONG_USD + (1 - share) * WEAK_USD
