"""Trees as arrays say what scikit-learn says, and a forged file is refused."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier

from tests.conftest import make_outcomes
from toolkit import encoders
from toolkit.errors import ToolkitError
from toolkit.routers.classical import GradientBoosting
from toolkit.routers.forest import A_BETTER, B_BETTER, BOTH_RIGHT, BOTH_WRONG, PairwiseForest, pair_labels
from toolkit.routers.trees import Trees


def test_rorf_is_its_forest_with_the_published_score(synthetic):
    train, test = synthetic.pair().sample(400).split(0.3)
    encode = encoders.get("lexical").encode
    label = pair_labels(train.quality[:, 1], train.quality[:, 0])
    forest = RandomForestClassifier(100, max_depth=20, max_features="sqrt", random_state=3)
    chance = forest.fit(encode(train.texts), label).predict_proba(encode(test.texts))
    router = PairwiseForest("lexical", seed=3).fit(train)
    np.testing.assert_allclose(router.predict(test.texts)[:, 1], chance[:, 0] + chance[:, 1], atol=1e-9)


def test_the_four_labels_of_rorf():
    a, b = np.array([1, 0, 1, 0, np.nan]), np.array([0, 0, 1, 1, 1])
    assert pair_labels(a, b).tolist() == [A_BETTER, BOTH_WRONG, BOTH_RIGHT, B_BETTER, -1]


def test_a_label_that_training_lacks_has_no_chance():
    router = PairwiseForest("lexical", trees=5).fit(make_outcomes([[0, 1]] * 10 + [[0, 0]] * 10))
    np.testing.assert_allclose(router.predict(["prompt number 3"]), [[0, 1]], atol=1e-12)


def test_boosting_is_its_ensemble(synthetic):
    train, test = synthetic.sample(400).split(0.3)
    encode = encoders.get("surface").encode
    fitted = HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.05, max_leaf_nodes=8, early_stopping=False, random_state=0
    ).fit(encode(train.texts), train.quality[:, 0])
    router = GradientBoosting(encoder="surface").fit(train)
    expected = fitted.predict(encode(test.texts)).clip(0, 1)
    np.testing.assert_allclose(router.predict(test.texts)[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize(
    "forge",
    [
        {"trees_children_": np.array([[0, 1], [1, 99]], dtype=np.int32)},
        {"trees_children_": np.array([[1, 1], [0, 0]], dtype=np.int32)},
        {"trees_roots_": np.array([7], dtype=np.int32)},
        {"trees_feature_": np.array([-4, 0], dtype=np.int32)},
        {"trees_threshold_": np.zeros(9)},
    ],
)
def test_forged_trees_are_refused(forge):
    state = Trees.join([(np.array([0, 0]), np.zeros(2), np.array([1, -1]), np.array([1, -1]), np.ones((2, 1)))]).state()
    Trees.from_state(dict(state))
    with pytest.raises(ToolkitError, match="damaged"):
        Trees.from_state(state | forge)
    with pytest.raises(ToolkitError, match="damaged"):
        Trees.from_state({})
