"""Routers at their operating points as candidates: chosen on one half of the judged prompts, told on the other.

Whoever picks the cheapest of three hundred points on the prompts that he then reports finds luck. So the prompts are
halved by a hash of their group: router and point are chosen on the one half, and every figure of the choice is measured
on the other, where nothing was chosen.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.evaluation import statistics
from toolkit.evaluation.systems import RULE
from toolkit.routers import BASELINES
from toolkit.routers.baselines import SingleModel

LEAST_GROUPS = 10  # different prompts in a half, below which nothing is chosen
SLACK = 1e-12  # rounding of a mean, which must not cost the best model its own floor


@dataclass(frozen=True)
class Candidates:
    """K systems at their points on n judged prompts.

    Attributes:
        systems, points: names, object (K,).
        quality, spent: float64 (K, n); ``spent`` is dollars, or 1 for a call of the strong model where costs are
            unknown.
        models: int (K, n), codes of ``names``.
        names: of the models.
        groups: names of the prompts' groups, object (n,).
        in_dollars: whether ``spent`` is.
    """

    systems: np.ndarray
    points: np.ndarray
    quality: np.ndarray
    spent: np.ndarray
    models: np.ndarray
    names: list[str]
    groups: np.ndarray
    in_dollars: bool

    @cached_property
    def chosen_on(self) -> np.ndarray:
        """Prompts on which the choice is made, bool (n,); the others report it. No group is in both."""
        return halves(self.groups)

    @cached_property
    def enough(self) -> bool:
        """Whether both halves have prompts to speak of."""
        sides = (self.groups[self.chosen_on], self.groups[~self.chosen_on])
        return min(len(set(side)) for side in sides) >= LEAST_GROUPS

    @cached_property
    def singles(self) -> np.ndarray:
        """Which candidates are one model for every prompt, bool (K,); a rule that happens to pick one is none."""
        rules = [name for name, make in BASELINES.items() if not isinstance(make(), SingleModel)]
        return ~np.isin(self.systems, rules) & (self.points == RULE) & (self.models == self.models[:, :1]).all(axis=1)

    def best_single(self, model: str = "") -> int | None:
        """The single model of that name, else the best one on the choosing half; None where there is none."""
        alone = np.flatnonzero(self.singles)
        if not alone.size:
            return None
        first = np.array([self.names[code] for code in self.models[alone, 0]])
        if (first == model).any():
            return int(alone[first == model][0])
        quality, spent = (matrix[alone][:, self.chosen_on].mean(axis=1) for matrix in (self.quality, self.spent))
        return int(alone[np.lexsort((spent, -quality))[0]])

    def find(self, name: str) -> np.ndarray:
        """Indices (k,) of a system's points, or of the one of ``system@point``."""
        both = [f"{system}@{point}" for system, point in zip(self.systems, self.points, strict=True)]
        return np.flatnonzero((self.systems == name) | (np.array(both, dtype=object) == name))

    def spent_at(self, model: int, factor: float) -> np.ndarray:
        """``spent`` (K, n) if calls of one model, a code, cost ``factor`` times as much; choices stay."""
        return np.where(self.models == model, factor * self.spent, self.spent)

    def means(self, matrix: np.ndarray) -> np.ndarray:
        """Means (K,) over the choosing half."""
        return matrix[:, self.chosen_on].mean(axis=1)


def halves(groups: np.ndarray) -> np.ndarray:
    """One bit of each group's hash, bool (n,): the same prompts fall into the same half in every run."""
    bit = {name: hashlib.sha256(str(name).encode()).digest()[0] % 2 == 0 for name in set(groups)}
    return np.array([bit[name] for name in groups], dtype=bool)


def read(choices: pd.DataFrame, in_dollars: bool = True) -> Candidates | None:
    """Candidates from the choices of one data set and analysis; None where there are none.

    Args:
        choices: rows of choices.parquet. Systems that lack a prompt, or a cost where costs count, are left out.
        in_dollars: False counts calls of the strong model instead, which is the better of two.
    """
    if choices.empty:
        return None
    code = choices.groupby(["system", "operating_point"], observed=True, sort=False).ngroup().to_numpy()
    pairs = choices.iloc[np.unique(code, return_index=True)[1]]
    row, prompts = pd.factorize(choices["prompt"])
    model, names = pd.factorize(choices["model"].astype(str), sort=True)
    shape = len(pairs), len(prompts)
    quality, spent, models = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1)
    quality[code, row], models[code, row] = choices["quality"], model
    spent[code, row] = choices["cost_usd"] if in_dollars else 0.0
    if not in_dollars:
        spent += models == _stronger(quality, models)
    groups = np.empty(len(prompts), dtype=object)
    groups[row] = choices["group"].astype(str)
    whole = np.isfinite(quality).all(axis=1) & np.isfinite(spent).all(axis=1)
    if not whole.any():
        return None
    systems, points = (pairs[column].astype(str).to_numpy(object)[whole] for column in ("system", "operating_point"))
    return Candidates(
        systems, points, quality[whole], spent[whole], models[whole], [str(name) for name in names], groups, in_dollars
    )


def _stronger(quality: np.ndarray, models: np.ndarray) -> int:
    """Code of the better of the models that somebody sends every prompt to; -1 where nobody does.

    Answers of a router's own choices would not do: the hard prompts go to the strong model.
    """
    alone = np.flatnonzero((models == models[:, :1]).all(axis=1) & np.isfinite(quality).all(axis=1))
    return int(models[alone[quality[alone].mean(axis=1).argmax()], 0]) if alone.size else -1


def cheapest(
    spent: np.ndarray, quality: np.ndarray, floor: float, offered: np.ndarray, plain: np.ndarray
) -> int | None:
    """The cheapest candidate whose quality reaches the floor.

    Args:
        spent, quality: means (K,).
        floor: least quality.
        offered: who may be chosen, bool (K,).
        plain: rank (K,) by which equals are told apart: what needs nothing first.

    Returns:
        Its index; None where nobody reaches the floor.
    """
    able = np.flatnonzero(offered & (quality >= floor - SLACK))
    if not able.size:
        return None
    return int(able[np.lexsort((plain[able], -quality[able], spent[able]))[0]])


def cheapest_by_slope(fixed: np.ndarray, slope: np.ndarray, plain: np.ndarray) -> list[tuple[float, float, int]]:
    """Who is cheapest as a price r runs from 0 to infinity, where candidate k costs ``fixed[k] + r * slope[k]``.

    The lower envelope of lines, the policy's own mechanism. Of equal lines the plainest stands.

    Returns:
        (from, to, index), from the lowest price up.
    """
    edges = np.unique(policy.breakpoints(-fixed[None], slope[None])[0])
    edges = np.r_[0.0, edges[edges > 0], np.inf]
    found: list[tuple[float, float, int]] = []
    for low, high in pairwise(edges):
        middle = low + 1.0 if np.isinf(high) else (low + high) / 2
        cost = fixed + middle * slope
        near = np.flatnonzero(cost <= cost.min() + 1e-12 * max(1e-12, abs(cost.min())))
        best = int(near[plain[near].argmin()])
        if found and found[-1][2] == best:
            found[-1] = (found[-1][0], float(high), best)
        else:
            found.append((float(low), float(high), best))
    return found


def pareto(spent: np.ndarray, quality: np.ndarray, offered: np.ndarray) -> list[int]:
    """Candidates, of (k,) each, that no other offered one beats on both axes, cheapest first."""
    kept: list[int] = []
    for index in np.lexsort((-quality, spent)):
        if offered[index] and (not kept or quality[index] > quality[kept[-1]]):
            kept.append(int(index))
    return kept


class Told:
    """What some of the prompts say of all candidates, with paired bootstrap intervals by group.

    Args:
        rows: these prompts, bool (n,).

    Attributes:
        prompts: their number.
        quality, spent: (B + 1, K), the estimates first.
    """

    def __init__(self, candidates: Candidates, rows: np.ndarray, bootstraps: int = 1000, seed: int = 0):
        self.rows = rows
        self.prompts = int(self.rows.sum())
        self.counts = statistics.bootstrap_counts(pd.factorize(candidates.groups[self.rows])[0], bootstraps, seed)
        self.quality, self.spent = self.means(candidates.quality), self.means(candidates.spent)

    def means(self, matrix: np.ndarray) -> np.ndarray:
        """Resampled means (B + 1, K) of a (K, n) matrix, or (B + 1,) of an (n,) one."""
        return statistics.resampled_means(self.counts, matrix[..., self.rows])

    def ratio(self, means: np.ndarray, index: int | slice, other: int) -> np.ndarray:
        """One candidate's mean, or every one's, over another's, by replicate, (B + 1, ...); NaN where that is 0."""
        below = means[:, other] if isinstance(index, int) else means[:, [other]]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(below > 0, means[:, index] / below, np.nan)

    def jointly_low(self, other: int, offered: np.ndarray, level: float = statistics.LEVEL) -> np.ndarray:
        """Lower bounds (K,) of the quality over another's that hold for all offered candidates, bool (K,), at once.

        Max-t: each bound lies c standard errors of the bootstrap below its estimate, and c is the ``level`` quantile
        over the replicates of the largest standardised deviation that any offered candidate shows. It is the first
        step of Romano and Wolf 2005 (Econometrica 73, 1237-1282), with one standard error a candidate. Who is picked by
        such a bound is not picked for its luck, however many were looked at.
        """
        ratio = self.ratio(self.quality, slice(None), other)
        estimates, replicates = ratio[0], ratio[1:][np.isfinite(ratio[1:]).all(axis=1)]
        if not len(replicates) or not offered.any():
            return np.full(len(estimates), -np.inf)
        error = replicates.std(axis=0)
        moved = (replicates - estimates) / np.where(error > SLACK, error, np.inf)
        return estimates - np.quantile(moved[:, offered].max(axis=1), level) * error


def accuracies(candidates: Candidates, told: Told, index: int, best: int) -> dict[str, np.ndarray]:
    """One set of choices, three accuracies, (B + 1,) each: by class, by the best model, by quality retained.

    Class: the label a classifier is trained on, the cheapest of the models that answer best. Needs every single model
    among the candidates; empty where one is missing.
    """
    alone = np.flatnonzero(candidates.singles)
    codes, first = np.unique(candidates.models[alone, 0], return_index=True)
    if len(codes) < len(candidates.names):
        return {}
    quality, spent = candidates.quality[alone[first]], candidates.spent[alone[first]]
    top = quality == quality.max(axis=0)
    label = codes[np.where(top, spent, np.inf).argmin(axis=0)]
    return {
        "class_accuracy": told.means((candidates.models[index] == label).astype(float)),
        "best_model_hits": told.means((candidates.quality[index] >= quality.max(axis=0)).astype(float)),
        "quality_retained": told.ratio(told.quality, index, best),
    }
