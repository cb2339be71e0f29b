"""GraphRouter without a graph: quality on the edge between a prompt and a model, from what is known of both."""

import numpy as np
import pandas as pd

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import PRICE_COLUMNS, parameter_counts
from toolkit.routers.clusters import grouped
from toolkit.routers.trees import TreeRouter, Trees, boosted

FEATURES = (
    "quality of the model", "the same on the prompt's task, minus it", "the same on the nearest prompts, minus it",
    "quality of all models on the prompt's task", "quality of all models on the nearest prompts",
    "log price of input", "log price of output", "log billions of parameters",
)  # fmt: skip


class GraphFree(TreeRouter):
    """The inputs of GraphRouter (Feng et al. 2025, ICLR, arXiv 2410.03834) in one regression for all models.

    GraphRouter joins tasks, queries and models in a graph, passes messages along observed edges, and predicts the
    missing ones. What one round of messages carries is computed here directly: a model's quality on the prompt's task
    and on the nearest prompts, the same of all models, and what is known of the model itself (prices, parameters). The
    prompt itself enters by its first principal components. Since one regression serves all models, a new one joins
    without training (``add_model``), by a few labels or by its price alone.

    A task is a domain of the training part, found again from the text by the mean of its prompts' vectors; where there
    are no domains, a cluster. Theirs embeds descriptions of tasks and models that a language model wrote.

    Args:
        encoder: name of the encoder (see ``toolkit.encoders``).
        neighbours: nearest training prompts that are asked.
        tasks: at most: the largest domains, or clusters.
        components: of the prompt's vector.
        shrinkage: prompts' worth of weight on what is expected of a model beforehand.
        iterations: trees of the regression.
        folds: training prompts are described by the other folds, so that none sees its own outcome.
        seed: of clusters and folds.
    """

    def __init__(
        self, encoder: str = "minilm", neighbours: int = 20, tasks: int = 12, components: int = 8,
        shrinkage: float = 5.0, iterations: int = 80, folds: int = 5, seed: int = 0,
    ):  # fmt: skip
        if min(neighbours, tasks, iterations) < 1 or components < 0 or folds < 2 or not shrinkage > 0:
            raise ToolkitError(
                "GraphFree: neighbours, tasks and iterations from 1, components from 0, folds from 2, shrinkage > 0."
            )
        self.encoder = encoder
        self.neighbours = neighbours
        self.tasks = tasks
        self.components = components
        self.shrinkage = shrinkage
        self.iterations = iterations
        self.folds = folds
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        vectors, quality = self._encode(train.texts), train.quality.astype(float)
        self.known_, self.founders_ = model_features(train), len(train.names)
        self.tasks_ = self._centres(vectors, train.prompts["domain"].to_numpy())
        self.mean_ = vectors.mean(axis=0)
        self.axes_ = np.linalg.svd(vectors - self.mean_, full_matrices=False)[2][: self.components]
        folds = min(self.folds, int(train.groups.max()) + 1)
        fold = train.folds(folds, self.seed) if folds > 1 else np.zeros(len(train), dtype=int)
        rows = np.empty((*quality.shape, len(FEATURES) + len(self.axes_)))
        for part in range(folds):
            others = fold != part if folds > 1 else np.full(len(train), True)
            self._remember(vectors[others], quality[others])
            rows[fold == part] = self._edges(vectors[fold == part])
        self._remember(vectors, quality)
        seen = ~np.isnan(quality)
        # What is learned is the distance to a model's own level, so that a newcomer may be better than all others.
        trees, self.start_ = boosted(rows[seen], (quality - rows[:, :, 0])[seen], self.iterations, 0.08, 16)
        self.trees_ = Trees.join(trees)

    def _centres(self, vectors: np.ndarray, domains: np.ndarray) -> np.ndarray:
        """Mean vector of each task."""
        sizes = pd.Series(domains[domains != ""]).value_counts()
        named = [name for name, count in sizes.items() if count >= 5][: self.tasks]
        if len(named) > 1:
            return np.stack([vectors[domains == name].mean(axis=0) for name in named])
        return grouped(vectors, min(self.tasks, len(vectors)), self.seed)[1]

    def _remember(self, vectors: np.ndarray, quality: np.ndarray, source: np.ndarray | None = None) -> None:
        """What edges are read from: outcomes of prompts, and a prior for cells that nobody observed.

        Args:
            source: of each prompt, (n,): 0 for the training part, else the column of the newcomer that brought it.
        """
        self.vectors_, self.quality_ = vectors, quality
        self.source_ = np.zeros(len(vectors), dtype=int) if source is None else source
        founder = np.arange(len(self.known_)) < self.founders_  # what is expected of them hangs on no newcomer
        self.prior_ = expected_level(np.where(founder, quality, np.nan), self.known_)
        observed = ~np.isnan(quality)
        total = np.where(observed, quality, 0).sum(axis=0) + self.shrinkage * self.prior_
        self.level_ = total / (observed.sum(axis=0) + self.shrinkage)

    def _edges(self, vectors: np.ndarray, block: int = 256) -> np.ndarray:
        """Features of every edge, (n, m, features)."""
        member = _soft(self.vectors_, self.tasks_).T
        return np.concatenate(
            [self._block(vectors[start : start + block], member) for start in range(0, len(vectors), block)]
        )

    def _block(self, vectors: np.ndarray, member: np.ndarray) -> np.ndarray:
        """``_edges`` of few prompts; ``member``: weight of each remembered prompt in each task, (tasks, remembered)."""
        task = _soft(vectors, self.tasks_) @ self._averaged(member)
        near = self._averaged(self._nearest(vectors))
        models = len(self.known_)
        own = np.tile(self.level_, (len(vectors), 1))
        founders = slice(self.founders_)
        both = [np.repeat(part[:, founders].mean(axis=1, keepdims=True), models, axis=1) for part in (task, near)]
        known = np.tile(_filled(self.known_, self.known_[founders]), (len(vectors), 1, 1))
        prompt = (vectors - self.mean_) @ self.axes_.T
        spread = np.repeat(prompt[:, None], models, axis=1)
        return np.concatenate([np.stack([own, task - own, near - own, *both], axis=2), known, spread], axis=2)

    def _averaged(self, member: np.ndarray) -> np.ndarray:
        """Mean quality (groups, m) over groups of remembered prompts, drawn to each model's level.

        Args:
            member: weight of each remembered prompt in each group, (groups, remembered).
        """
        observed = ~np.isnan(self.quality_)
        total = member @ np.where(observed, self.quality_, 0) + self.shrinkage * self.level_
        return total / (member @ observed + self.shrinkage)

    def _nearest(self, vectors: np.ndarray) -> np.ndarray:
        """Each prompt's own group of nearest ones: cosine weights (n, remembered).

        Every source has as many nearest ones, so that a newcomer's prompts take no places from the others'.
        """
        weight = np.zeros((len(vectors), len(self.vectors_)))
        for source in np.unique(self.source_):
            own = self.source_ == source
            cosine = np.clip(vectors @ self.vectors_[own].T, 0, None)
            count = min(self.neighbours, cosine.shape[1])
            bound = -np.partition(-cosine, count - 1, axis=1)[:, count - 1 : count]
            weight[:, own] = np.where(cosine >= bound, cosine, 0)
        return weight

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        edges = self._edges(vectors)
        apart = self.trees_.total(edges.reshape(-1, edges.shape[2]))[:, 0] + self.start_
        return edges[:, :, 0] + apart.reshape(edges.shape[:2])

    def add_model(self, outcomes: Outcomes, model: str) -> "GraphFree":
        """One more model by what is known of it, nothing else being trained; returns itself.

        What is predicted of the others stays as it is. To begin without any label, hide them:
        ``transfer.without_labels(outcomes, model, [])``.

        Args:
            outcomes: prompts with the new model's outcomes, few or none observed, and its price if there is one.
            model: its name in ``outcomes``.

        Raises:
            ToolkitError: the router is not fitted, knows the model, or knows costs and is told neither cost nor price
                of it.
        """
        if not hasattr(self, "models_"):
            raise ToolkitError("GraphFree is not fitted; call fit(outcomes) before add_model.")
        if model in self.models_:
            raise ToolkitError(
                f"GraphFree knows {model!r} already; a new model was expected. With more labels of it, begin again "
                f"from the router as it was before (save_router, or copy.copy)."
            )
        alone = outcomes.subset(models=[model])
        rows = ~np.isnan(alone.quality[:, 0])
        more = np.full((int(rows.sum()), len(self.models_) + 1), np.nan)
        more[:, -1] = alone.quality[rows, 0]
        before = np.hstack([self.quality_, np.full((len(self.quality_), 1), np.nan)])
        fresh = self._encode(alone.subset(rows).texts) if rows.any() else self.vectors_[:0]
        self.known_ = np.vstack([self.known_, model_features(alone)])
        source = np.r_[self.source_, np.full(len(more), len(self.models_))]
        self._remember(np.vstack([self.vectors_, fresh]), np.vstack([before, more]), source)
        self.models_ = [*self.models_, model]
        self.cost_table_ = policy.ExpectedCost(self.cost_table_).joined(alone)
        return self


def model_features(outcomes: Outcomes) -> np.ndarray:
    """What is known of models without any outcome, (m, 3): logarithms of prices and parameters, NaN where unknown."""
    prices = outcomes.models[list(PRICE_COLUMNS)].to_numpy(float)
    return np.log10(np.maximum(np.hstack([prices, parameter_counts(outcomes.names)[:, None]]), 1e-3))


def expected_level(quality: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mean quality to expect of each model before its own outcomes count, (m,).

    The straight line of mean quality over the logarithm of price, among models that have both; the mean of the models
    where fewer than three have. Dearer models are better often enough for a first guess.
    """
    seen = ~np.isnan(quality).all(axis=0)
    means = np.array([np.nanmean(column) if one else np.nan for column, one in zip(quality.T, seen, strict=True)])
    price = known[:, :2].mean(axis=1)
    usable = seen & np.isfinite(price)
    flat = np.full(len(means), np.nanmean(means) if seen.any() else 0.5)
    if usable.sum() < 3 or np.ptp(price[usable]) == 0:
        return flat
    line = np.polyfit(price[usable], means[usable], 1)
    return np.where(np.isfinite(price), np.clip(np.polyval(line, price), 0, 1), flat)


def _filled(known: np.ndarray, founders: np.ndarray) -> np.ndarray:
    """NaN as the mean of those of the founders that have the figure, or 0."""
    means = [column[np.isfinite(column)].mean() if np.isfinite(column).any() else 0.0 for column in founders.T]
    return np.where(np.isfinite(known), known, means)


def _soft(vectors: np.ndarray, centres: np.ndarray, sharpness: float = 20.0) -> np.ndarray:
    """How much each prompt belongs to each task, (n, tasks), rows summing to 1: a softmax of cosines."""
    unit = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    weight = np.exp(sharpness * (vectors @ unit.T - 1))
    return weight / weight.sum(axis=1, keepdims=True)
