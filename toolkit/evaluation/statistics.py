"""Paired statistics: two systems are judged on the same prompts, and never as independent samples."""

import numpy as np
from scipy import stats

from toolkit.errors import ToolkitError

LEVEL = 0.95
_BLOCK = 128  # replicates in single precision at a time; the counts themselves are kept in 16 bits


def bootstrap_counts(groups: np.ndarray, replicates: int, seed: int = 0) -> np.ndarray:
    """How often each prompt stands in each bootstrap replicate; groups are drawn whole, with replacement.

    Repeats of a prompt are no independent evidence, so what is drawn is the group (Outcomes.groups). The same counts
    serve every system, which makes every difference a paired one.

    Args:
        groups: integer codes (n,), 0..g-1, each used.

    Returns:
        uint16 (replicates + 1, n); row 0 is the sample itself, all ones.

    Raises:
        ToolkitError: no replicate.
    """
    if replicates < 1:
        raise ToolkitError(f"At least 1 bootstrap replicate is needed; {replicates} was given.")
    distinct = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    counts = np.ones((replicates + 1, len(groups)), dtype=np.uint16)
    for replicate in range(1, replicates + 1):
        drawn = np.bincount(rng.integers(0, distinct, distinct), minlength=distinct)
        counts[replicate] = drawn[groups]
    return counts


def resampled_means(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean of ``values`` in every replicate.

    Args:
        counts: (B + 1, n) of ``bootstrap_counts``.
        values: (n,) or (K, n), complete.

    Returns:
        float64 (B + 1,) or (B + 1, K). Row 0, the estimate, is summed in double precision.
    """
    values = np.asarray(values)
    scale = np.abs(values).max() or 1.0  # dollars of 1e-6 would lose digits in single precision
    columns = (values / scale).astype(np.float32).T
    blocks = (counts[start : start + _BLOCK].astype(np.float32) for start in range(0, len(counts), _BLOCK))
    means = np.concatenate([block @ columns for block in blocks]).astype(float) * scale
    totals = counts.sum(axis=1, dtype=float)
    means /= totals[:, None] if means.ndim == 2 else totals
    means[0] = values.mean(axis=-1, dtype=float)
    return means


def interval(samples: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over replicates 1..B of (B + 1, ...), row 0 being the estimate; (...) each.

    Replicates without a value stand above all others: they are those in which a level is never reached. Where they
    reach into the upper tail a bound would be an invention, and both are NaN.
    """
    replicates = np.asarray(samples, dtype=float)[1:]
    tail = (1 - level) / 2
    filled = np.where(np.isnan(replicates), np.inf, replicates)
    with np.errstate(invalid="ignore"):
        bounds = np.quantile(filled, [tail, 1 - tail], axis=0, method="linear")
    low, high = np.where(np.isfinite(bounds).all(axis=0), bounds, np.nan)
    return low, high


def bootstrap_p(differences: np.ndarray) -> float:
    """Two-sided p value of a paired bootstrap: how often the resampled difference lies across zero.

    (1 + crossings) / (1 + B), doubled and capped at 1 (Davison and Hinkley 1997, section 4.4), so never below
    2 / (1 + B). ``differences`` has shape (B + 1,), the estimate first.
    """
    replicates = differences[1:][~np.isnan(differences[1:])]
    crossed = min((replicates <= 0).sum(), (replicates >= 0).sum())
    return float(min(1.0, 2 * (1 + crossed) / (1 + len(replicates))))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact McNemar test of two systems' 0/1 outcomes on the same prompts (McNemar 1947): two-sided p value.

    Only prompts on which they differ count; p is binomial on those. ``first`` and ``second`` have shape (n,).
    """
    wins, losses = int((first > second).sum()), int((first < second).sum())
    return 1.0 if wins + losses == 0 else float(stats.binomtest(wins, wins + losses, 0.5).pvalue)


def paired_permutation(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None, permutations: int = 9_999, seed: int = 0
) -> float:
    """Sign-flip permutation test of the mean paired difference: two-sided p value, (1 + hits) / (1 + permutations).

    Args:
        first, second: outcomes (n,) of two systems on the same prompts.
        groups: codes (n,); rows of a group flip together. Default: every row alone.
    """
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if groups is not None:
        difference = np.bincount(groups, weights=difference)
    difference = difference[difference != 0]
    if difference.size == 0:
        return 1.0
    rng = np.random.default_rng(seed)
    observed = abs(difference.sum())
    hits = 0
    for start in range(0, permutations, 500):
        size = min(500, permutations - start)
        signs = rng.integers(0, 2, (size, difference.size), dtype=np.int8) * 2 - 1
        hits += int((np.abs(signs @ difference) >= observed - 1e-12 * observed).sum())
    return (1 + hits) / (1 + permutations)


def paired_p(first: np.ndarray, second: np.ndarray, groups: np.ndarray, seed: int = 0) -> tuple[float, str]:
    """p value and name of the test of outcomes (n,): McNemar where 0/1 and of distinct prompts, else permutation."""
    binary = np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all()
    if binary and len(np.unique(groups)) == len(groups):
        return mcnemar(first, second), "McNemar exact"
    return paired_permutation(first, second, groups, seed=seed), "paired permutation"


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (Holm 1979): p values (k,) that hold for the whole family, same order as given."""
    p = np.asarray(p_values, dtype=float)
    order = p.argsort()
    adjusted = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(1.0, adjusted)
    return result
