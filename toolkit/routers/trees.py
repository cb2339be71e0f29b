"""Decision trees as plain arrays: what a forest or a boosted ensemble needs to predict, without pickles."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.hardware import one_openmp_thread
from toolkit.routers.embedding import EmbeddingRouter


class Trees:
    """Many binary trees in one set of arrays; a leaf is its own child.

    Args:
        feature: int32 (nodes,), column that a node looks at.
        threshold: float64 (nodes,); a row goes left where its value is <= this.
        children: int32 (nodes, 2), left and right.
        value: float64 (nodes, k), what a leaf says.
        roots: int32 (trees,).
    """

    FIELDS = ("feature", "threshold", "children", "value", "roots")

    def __init__(self, feature, threshold, children, value, roots):
        self.feature = feature
        self.threshold = threshold
        self.children = children
        self.value = value
        self.roots = roots

    @classmethod
    def join(cls, trees: Iterable[tuple[np.ndarray, ...]]) -> "Trees":
        """One set from several trees of (feature, threshold, left, right, value); left < 0 marks a leaf."""
        parts, roots, offset = [], [], 0
        for feature, threshold, left, right, value in trees:
            nodes = np.arange(len(feature))
            leaf = left < 0
            children = np.where(leaf[:, None], nodes[:, None], np.stack([left, right], axis=1))
            parts.append((np.where(leaf, 0, feature), threshold, children + offset, value))
            roots.append(offset)
            offset += len(feature)
        feature, threshold, children, value = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cls(
            feature.astype(np.int32), threshold.astype(float), children.astype(np.int32), value.astype(float),
            np.array(roots, dtype=np.int32),
        )  # fmt: skip

    def leaves(self, features: np.ndarray) -> np.ndarray:
        """Leaf that each row falls into in each tree, int32 (n, trees)."""
        node = np.tile(self.roots, (len(features), 1))
        rows = np.arange(len(features))[:, None]
        while True:
            right = features[rows, self.feature[node]] > self.threshold[node]
            following = self.children[node, right.astype(np.int8)]
            if (following == node).all():
                return node
            node = following

    def total(self, features: np.ndarray, block: int = 2048) -> np.ndarray:
        """Sum of the leaves' values over all trees, float64 (n, k)."""
        blocks = [features[start : start + block] for start in range(0, len(features), block)]
        sums = [self.value[self.leaves(part)].sum(axis=1) for part in blocks]
        return np.concatenate(sums) if sums else np.empty((0, self.value.shape[1]))

    def state(self) -> dict[str, np.ndarray]:
        """The arrays (nodes,) or (trees,) by name, as a router keeps them."""
        return {f"trees_{name}_": getattr(self, name) for name in self.FIELDS}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Trees":
        """Rebuild; a forged file that points outside itself, or back, is refused.

        Raises:
            ToolkitError: the arrays are no trees.
        """
        try:
            trees = cls(*(np.asarray(state.pop(f"trees_{name}_")) for name in cls.FIELDS))
            count = len(trees.feature)
            nodes = np.arange(count)[:, None]
            ordered = ((trees.children > nodes) | (trees.children == nodes)) & (trees.children < count)
            inside = ordered.all() and ((trees.roots >= 0) & (trees.roots < count)).all() and (trees.feature >= 0).all()
            whole = trees.threshold.shape == (count,) and trees.children.shape == (count, 2)
            whole = whole and len(trees.value) == count
        except (KeyError, TypeError, ValueError) as err:
            raise ToolkitError(f"The saved trees are damaged ({err}); save the router again.") from err
        if not (inside and whole):
            raise ToolkitError("The saved trees are damaged (a node points outside); save the router again.")
        return trees


class TreeRouter(EmbeddingRouter):
    """Base of routers that keep one set of trees, ``trees_``."""

    trees_: Trees

    def state(self) -> dict[str, Any]:
        learned = super().state()
        return learned | learned.pop("trees_").state()

    def restore(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        self.trees_ = Trees.from_state(state)
        super().restore(state)


def boosted(
    features: np.ndarray, target: np.ndarray, iterations: int, learning_rate: float, leaves: int
) -> tuple[list[tuple[np.ndarray, ...]], float]:
    """Histogram gradient boosting by least squares: trees as ``Trees.join`` takes them, and what they start from.

    Args:
        features: (n, d) without NaN, since the arrays know no third way; ``target`` has shape (n,).
        leaves: of a tree, at most.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        max_iter=iterations, learning_rate=learning_rate, max_leaf_nodes=leaves, early_stopping=False, random_state=0
    )
    with one_openmp_thread():
        fitted = model.fit(features, target)
    trees = []
    for (predictor,) in fitted._predictors:
        nodes = predictor.nodes
        left = np.where(nodes["is_leaf"], -1, nodes["left"].astype(int))
        trees.append(
            (nodes["feature_idx"], nodes["num_threshold"], left, nodes["right"].astype(int), nodes["value"][:, None])
        )
    return trees, float(np.ravel(fitted._baseline_prediction)[0])
