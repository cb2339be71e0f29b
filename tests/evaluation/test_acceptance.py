"""Labelled queries: a list that length cannot sort, and measures that know the right answer."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from toolkit import load
from toolkit.errors import ToolkitError
from toolkit.evaluation import acceptance
from toolkit.evaluation.protocol import cross_predict, holdout
from toolkit.routers import BASELINES, LEARNED
from toolkit.routers.base import Router

QUERIES = acceptance.queries()
COUNTED = QUERIES[QUERIES["counted"]]


class Knows(Router):
    """Scores by the label itself, or against it; a constant for every other text."""

    def __init__(self, sign: float = 1.0):
        self.sign = sign

    def _predict(self, texts, metadata):
        label = QUERIES.set_index("text")["label"].reindex(texts)
        lead = self.sign * (label == acceptance.COMPLEX).to_numpy(float) - self.sign * (label == acceptance.SIMPLE)
        return np.stack([np.full(len(texts), 0.5), 0.5 + lead.to_numpy() / 4], axis=1)


@pytest.fixture(scope="module")
def predictions():
    marked = holdout(load("synthetic").sample(300, 0).pair(), 150, 0)
    routers = {"knows": Knows(), "errs": Knows(-1.0), "ridge": LEARNED["ridge"](encoder="surface")}
    named = ("length-rule", "prompt-length", "domain-mean", "hindsight-oracle", "always-strong")
    return cross_predict(marked, routers | {name: BASELINES[name]() for name in named})


def test_the_list_is_balanced_and_length_does_not_sort_it():
    assert len(COUNTED) >= 60 and QUERIES["id"].is_unique and QUERIES["text"].is_unique
    sizes = COUNTED.groupby(["language", "label"]).size()
    assert set(sizes) == {18} and len(sizes) == 4
    length = COUNTED["text"].str.len()
    limit = COUNTED["language"].map({"en": 100, "zh": 40})
    short = (length < limit).groupby([COUNTED["language"], COUNTED["label"]]).mean()
    assert (short == 0.5).all(), "half of each are short"
    for language, part in COUNTED.groupby("language"):
        assert 0.35 < roc_auc_score(part["label"] == acceptance.COMPLEX, part["text"].str.len()) < 0.65, language
    chinese = COUNTED["text"].str.contains("[\u4e00-\u9fff]")
    assert (chinese == (COUNTED["language"] == "zh")).all()
    assert list(QUERIES["text"][~QUERIES["counted"]]) == ["你好", "解释量子计算", "用 Python 实现一个分布式事务协调器"]


def test_whoever_knows_the_labels_gets_them_right(predictions):
    answered = acceptance.answers(predictions)
    assert set(answered["system"]) == {"knows", "errs", "ridge", "length-rule", "prompt-length", "always-strong"}
    rows = acceptance.rows(answered, bootstraps=50)
    table = rows[rows["language"] == "zh"].pivot(index="system", columns="metric", values="value")
    assert list(table.loc["always-strong"]) == pytest.approx([0.5, 0.5, 1, 0])  # accuracy, AUROC, strong, weak
    assert table.loc["knows", "acceptance_auroc"] == 1 and table.loc["errs", "acceptance_auroc"] == 0
    assert table.loc["knows", "acceptance_accuracy"] == 1 and table.loc["errs", "acceptance_accuracy"] == 0
    assert (rows["ci_low"] <= rows["value"]).all() and (rows["value"] <= rows["ci_high"]).all()
    assert set(rows.loc[rows["language"] == "all", "n"]) == {len(COUNTED)}
    kept = acceptance.choices(answered, "small", "large")
    assert set(kept["model"]) == {"small", "large"} and len(kept) == 6 * len(QUERIES)


@given(st.integers(0, 2**32 - 1))
def test_the_area_is_that_of_scikit_learn(seed):
    lead = np.random.default_rng(seed).integers(0, 6, len(COUNTED)) / 5  # with ties
    answered = pd.DataFrame({"system": "drawn", "id": COUNTED["id"], "lead": lead, "strong": lead > 0.5})
    rows = acceptance.rows(answered, bootstraps=2).set_index(["language", "metric"])["value"]
    assert rows["all", "acceptance_auroc"] == pytest.approx(roc_auc_score(COUNTED["label"] == "complex", lead))


def test_only_a_pair_from_one_fitting_part_is_asked():
    data = load("synthetic").sample(200, 0)
    for outcomes in (data.pair(), holdout(data, 100, 0)):
        with pytest.raises(ToolkitError, match="two models, fitted on one part"):
            acceptance.answers(cross_predict(outcomes, {"random": BASELINES["random"]()}, folds=2))


def test_fitted_routers_are_those_that_were_judged(predictions):
    for name, router in predictions.fitted.items():
        assert np.array_equal(router.predict_outcomes(predictions.outcomes), predictions.quality[name]), name
