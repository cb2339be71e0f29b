"""When to say that nothing fits: temperature, bias and threshold of scores whose last column is ``other``."""

from numbers import Real

import numpy as np

from toolkit.errors import ToolkitError


def shifted(evidence: np.ndarray, other: float) -> np.ndarray:
    """Evidence (n, k) with something added to its last column."""
    return evidence + other * np.eye(evidence.shape[1])[-1]


def weights_of(other: np.ndarray, share: float | None) -> np.ndarray:
    """Weights of labelled prompts, float64 (n,), so that those of ``other``, bool (n,), have a share; None = their own.

    Raises:
        ToolkitError: no share between 0 and 1, or prompts of one kind only.
    """
    if share is None:
        return np.ones(len(other))
    if not isinstance(share, Real) or not 0 < share < 1 or not 0 < other.mean() < 1:
        raise ToolkitError(
            f"calibrate: a share between 0 and 1, and prompts of both kinds, were expected; got {share!r}, and "
            f"{other.sum()} of {len(other)} prompts are other."
        )
    return np.where(other, share / other.mean(), (1 - share) / (1 - other.mean()))


def temperature_and_bias(evidence: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """By penalised likelihood: temperature scaling (Guo et al. 2017) with a bias for the last column.

    Normal priors around no change are worth less than one prompt. Without a prompt of ``other`` the bias stays 0.

    Args:
        evidence: float64 (n, k), finite.
        truth: int64 (n,), columns.
        weights: float64 (n,).
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    share, rows, caught = weights / weights.sum(), np.arange(len(truth)), truth == evidence.shape[1] - 1
    biased = float(caught.any())

    def surprise(at: np.ndarray) -> tuple[float, np.ndarray]:
        """With its gradient in the log temperature and the bias."""
        temperature = np.exp(at[0])
        scaled = shifted(evidence, biased * at[1]) / temperature
        chances = log_softmax(scaled, axis=1)
        likely = np.exp(chances)
        warmer = share @ (scaled[rows, truth] - (likely * scaled).sum(axis=1))
        nearer = share @ (likely[:, -1] - caught) / temperature * biased
        prior = np.array([1.0, 1 / 9]) * at / len(truth)
        return (prior * at).sum() / 2 - share @ chances[rows, truth], prior + np.array([warmer, nearer])

    span = float(evidence[:, :-1].max() - evidence.min()) + 1.0
    found = minimize(surprise, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-3, 3), (-span, span)])
    return float(np.exp(found.x[0])), float(biased * found.x[1])


def best_threshold(chances: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> float:
    """The lowest threshold of the likeliest route's probability among those that get most of the prompts right.

    Args:
        chances: float64 (n, k), rows sum to 1; below the threshold the answer is the last column.
        truth: int64 (n,), columns.
        weights: float64 (n,).
    """
    best = chances[:, :-1].max(axis=1)
    right, caught = chances.argmax(axis=1) == truth, truth == chances.shape[1] - 1
    order = np.argsort(best, kind="stable")
    # a threshold just above the k-th smallest turns the first k answers into ``other``
    gained = np.cumsum(weights[order] * (caught[order].astype(int) - right[order].astype(int)))
    gained = np.concatenate([[0.0], gained]).round(9)
    edges = np.concatenate([[0.0], np.nextafter(best[order], 2.0)])
    last = np.append(np.diff(edges) > 0, True)  # of equal probabilities only all together
    return float(min(1.0, edges[np.where(last, gained, -np.inf).argmax()]))
