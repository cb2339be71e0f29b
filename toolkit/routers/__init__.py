"""Routers by the names that tables and the command line use."""

from collections.abc import Callable

from toolkit.outcomes import Outcomes
from toolkit.routers.arch import ArchRouter
from toolkit.routers.base import Router
from toolkit.routers.baselines import (
    BayesOptimal,
    DomainMean,
    HindsightOracle,
    PromptLength,
    RandomScore,
    ShareMatchedRandom,
    SingleModel,
    TokenLengthRule,
)
from toolkit.routers.bert import BertRouter
from toolkit.routers.classical import GradientBoosting, LogisticRegression, MultilayerPerceptron, RidgeRegression
from toolkit.routers.described import DescriptionRouter
from toolkit.routers.ensemble import Ensemble
from toolkit.routers.factorization import MatrixFactorization
from toolkit.routers.forest import PairwiseForest
from toolkit.routers.local import ClusterMeans, KNearestNeighbours
from toolkit.routers.similarity import EloRating, SimilarityWeighted

__all__ = ["BASELINES", "LEARNED", "ROUTERS", "ArchRouter", "DescriptionRouter", "Router", "baselines"]

EVERY_VIEW = "minilm+lexical+surface"  # what a prompt means, which words it has, what it looks like

BASELINES: dict[str, Callable[[], Router]] = {
    "always-strong": lambda: SingleModel("strongest"),
    "always-weak": lambda: SingleModel("weakest"),
    "cheapest": lambda: SingleModel("cheapest"),
    "random": RandomScore,
    "prompt-length": PromptLength,
    "length-rule": TokenLengthRule,
    "length-rule-shares": lambda: ShareMatchedRandom(TokenLengthRule()),
    "domain-mean": DomainMean,
    "knn-lexical": lambda: KNearestNeighbours(encoder="lexical"),
    "bayes-optimal": BayesOptimal,
    "hindsight-oracle": HindsightOracle,
}

LEARNED: dict[str, Callable[[], Router]] = {
    "elo": EloRating,
    "sw": SimilarityWeighted,
    "mf": MatrixFactorization,
    "rorf": PairwiseForest,
    "knn": KNearestNeighbours,
    "cluster": ClusterMeans,
    "ridge": RidgeRegression,
    "logistic": LogisticRegression,
    "mlp": MultilayerPerceptron,
    "boosting": GradientBoosting,
    "ensemble": lambda: Ensemble((KNearestNeighbours(80, EVERY_VIEW), RidgeRegression(30.0, EVERY_VIEW))),
    "bert": BertRouter,
}

ROUTERS = BASELINES | LEARNED


def baselines(outcomes: Outcomes) -> dict[str, Router]:
    """Every baseline and reference that this data allows, by name.

    A pair has its single models as always-weak and always-strong; a larger pool has each of them under its own name.
    """
    if len(outcomes.names) == 2:
        by_quality = [outcomes.names[column] for column in outcomes.mean_quality().argsort(kind="stable")]
        names = dict(zip(("always-weak", "always-strong"), by_quality, strict=True))
    else:  # a model may be called as a baseline is
        names = {f"{name} (model)" if name in ROUTERS else name: name for name in outcomes.names}
    routers: dict[str, Router] = {label: SingleModel(name) for label, name in names.items()}
    impossible = {"always-strong", "always-weak"} | ({"cheapest"} if len(names) == 2 else set())
    if outcomes.cost_source == "none":
        impossible.add("cheapest")
    if outcomes.prompts["domain"].nunique() < 2:
        impossible.add("domain-mean")
    if outcomes.expected_quality is None:
        impossible.add("bayes-optimal")
    return routers | {name: make() for name, make in BASELINES.items() if name not in impossible}
