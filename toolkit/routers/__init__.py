"""Routers by the names that tables and the command line use."""

from collections.abc import Callable

from toolkit.outcomes import Outcomes
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
from toolkit.routers.classical import KNearestNeighbours

__all__ = ["ROUTERS", "Router", "baselines"]

ROUTERS: dict[str, Callable[[], Router]] = {
    "always-strong": lambda: SingleModel("strongest"),
    "always-weak": lambda: SingleModel("weakest"),
    "cheapest": lambda: SingleModel("cheapest"),
    "random": RandomScore,
    "prompt-length": PromptLength,
    "length-rule": TokenLengthRule,
    "length-rule-shares": lambda: ShareMatchedRandom(TokenLengthRule()),
    "domain-mean": DomainMean,
    "knn-lexical": KNearestNeighbours,
    "bayes-optimal": BayesOptimal,
    "hindsight-oracle": HindsightOracle,
}


def baselines(outcomes: Outcomes) -> dict[str, Router]:
    """Every baseline and reference that this data allows, by name, each single model among them."""
    routers: dict[str, Router] = {name: SingleModel(name) for name in outcomes.names}
    for name, make in ROUTERS.items():
        if name == "cheapest" and outcomes.cost_source == "none":
            continue
        if name == "domain-mean" and outcomes.prompts["domain"].nunique() < 2:
            continue
        if name == "bayes-optimal" and outcomes.expected_quality is None:
            continue
        routers[name] = make()
    return routers
