"""RoRF: a random forest per pair of models over the prompt's embedding."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.trees import Trees

A_BETTER, BOTH_WRONG, BOTH_RIGHT, B_BETTER = range(4)


class PairwiseForest(EmbeddingRouter):
    """Not Diamond's RoRF (github.com/Not-Diamond/RoRF), extended to any number of models.

    For a pair, A the stronger model of the training part, a forest tells four cases apart: A better, both wrong, both
    right, B better. The score of A is P(A better) + P(both wrong): send to A what B gets wrong. With more models there
    is a forest for the strongest against each other one: that one scores 1 - P(A), and A the least of its P(A), so it
    is chosen only where it is preferred to all.

    Args:
        encoder: name of the encoder (see ``toolkit.encoders``).
        trees: of each forest.
        max_depth: of a tree.
        max_features: of a split; RoRF takes all (1.0), which is 20 times slower on 384 dimensions.
        seed: of the forests.
    """

    def __init__(
        self,
        encoder: str = "minilm",
        trees: int = 100,
        max_depth: int = 20,
        max_features: float | str = "sqrt",
        seed: int = 0,
    ):
        self.encoder = encoder
        self.trees = trees
        self.max_depth = max_depth
        self.max_features = max_features
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        vectors = self._encode(train.texts)
        self.strongest_ = int(train.mean_quality().argmax())
        self.others_ = [column for column in range(len(train.names)) if column != self.strongest_]
        grown = []
        for column in self.others_:
            label = pair_labels(train.quality[:, self.strongest_], train.quality[:, column])
            if not (label >= 0).any():
                raise ToolkitError(
                    f"{train.name}: rorf compares models on the same prompts; {train.names[self.strongest_]} and "
                    f"{train.names[column]} share none in this fitting part."
                )
            grown.append(self._grow(vectors[label >= 0], label[label >= 0]))
        self.forests_ = grown

    def _grow(self, vectors: np.ndarray, label: np.ndarray) -> Trees:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            self.trees,
            max_depth=self.max_depth,
            max_features=self.max_features,
            random_state=self.seed,
            n_jobs=-1,
        ).fit(vectors, label)
        # Classes that the training part lacks have probability 0; RoRF's own indexing breaks on them.
        return Trees.join(
            (
                tree.feature,
                tree.threshold,
                tree.children_left,
                tree.children_right,
                _spread(tree.value[:, 0, :], forest.classes_),
            )
            for tree in (member.tree_ for member in forest.estimators_)
        )

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        predicted = np.full((len(vectors), len(self.models_)), 0.5)
        for column, forest in zip(self.others_, self.forests_, strict=True):
            chance = forest.total(vectors) / len(forest.roots)
            predicted[:, column] = chance[:, BOTH_RIGHT] + chance[:, B_BETTER]
        if self.others_:
            predicted[:, self.strongest_] = 1 - predicted[:, self.others_].max(axis=1)
        return predicted

    def state(self) -> dict[str, Any]:
        learned = super().state()
        for column, forest in zip(self.others_, learned.pop("forests_"), strict=True):
            learned |= {f"forest{column}_{name}": array for name, array in forest.state().items()}
        return learned

    def restore(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        found = []
        for column in state["others_"]:
            start = f"forest{column}_"
            found.append(
                Trees.from_state({k.removeprefix(start): state.pop(k) for k in list(state) if k.startswith(start)})
            )
        super().restore(state)
        self.forests_ = found


def pair_labels(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """RoRF's four labels, int64 (n,); -1 where a quality is unobserved. Right is a quality of at least one half."""
    label = np.where(a > b, A_BETTER, np.where(b > a, B_BETTER, np.where(a >= 0.5, BOTH_RIGHT, BOTH_WRONG)))
    return np.where(np.isnan(a) | np.isnan(b), -1, label)


def _spread(value: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class shares (nodes, classes present) to (nodes, 4), each row summing to 1."""
    shares = np.zeros((len(value), 4))
    shares[:, classes] = value / value.sum(axis=1, keepdims=True)
    return shares
