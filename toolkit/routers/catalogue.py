"""What routers there are: one entry each, with what it learns, where it comes from, what it needs and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

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
from toolkit.routers.classical import (
    GradientBoosting,
    LogisticRegression,
    MultilayerPerceptron,
    RidgeRegression,
    SupportVectorMachine,
)
from toolkit.routers.clusters import Avengers, ClusterElo, ClusterMeans
from toolkit.routers.contrastive import RouterDC
from toolkit.routers.edges import GraphFree
from toolkit.routers.ensemble import Ensemble
from toolkit.routers.factorization import MatrixFactorization
from toolkit.routers.forest import PairwiseForest
from toolkit.routers.hybrid import HybridLLM
from toolkit.routers.local import KNearestNeighbours
from toolkit.routers.similarity import EloRating, SimilarityWeighted

EVERY_VIEW = "minilm+lexical+surface"  # what a prompt means, which words it has, what it looks like
BASELINE, LEARNED, OTHER = "baseline", "learned", "by class"
KINDS = {
    BASELINE: "Baselines and bounds, in every comparison (toolkit.routers.BASELINES)",
    LEARNED: "Learned from labels (toolkit.routers.LEARNED)",
    OTHER: "By class: what needs weights, policies, answers or another router",
}
LLMROUTER = "ulab-uiuc/LLMRouter @ 02a4d8d"  # whose list of single-round routers the entries name


@dataclass(frozen=True)
class Entry:
    """A router, for tables and for ``python -m toolkit routers``.

    Attributes:
        does: what it goes by.
        source: who published it.
        needs: beside a prompt's text.
        costs: of one decision, beside the call it decides about.
        make: a fresh one with its defaults; None where it needs what only the user has.
        path: module and class, of those without ``make``.
        kind: ``baseline`` (stands in every comparison), ``learned`` (notebook 03 trains it) or ``by class``.
        llmrouter: its name in LLMRouter's list of single-round routers.
    """

    does: str
    source: str
    needs: str
    costs: str
    make: Callable[[], Router] | None = None
    path: str = ""
    kind: str = LEARNED
    llmrouter: str = ""

    @property
    def home(self) -> str:
        """Module and class."""
        if self.make is None:
            return self.path
        made = type(self.make())
        return f"{made.__module__}.{made.__qualname__}"


_PASS = "one encoder pass"
_LABELS, _PAIRS = "labels", "labels of several models on the same prompts"
_TOOLKIT = "this project"


def _baseline(does: str, make: Callable[[], Router], source: str = _TOOLKIT, needs: str = "labels to rank models",
              costs: str = "nothing", llmrouter: str = "") -> Entry:  # fmt: skip
    return Entry(does, source, needs, costs, make, kind=BASELINE, llmrouter=llmrouter)


CATALOGUE: dict[str, Entry] = {
    "always-strong": _baseline("the best model on average", lambda: SingleModel("strongest"), "RouteLLM"),
    "always-weak": _baseline("the worst model on average", lambda: SingleModel("weakest"), "RouteLLM"),
    "cheapest": _baseline("the cheapest model on average", lambda: SingleModel("cheapest"), needs="costs"),
    "largest": _baseline(
        "the model with most parameters", lambda: SingleModel("largest"), "LLMRouter",
        "sizes in the models' names, or prices", llmrouter="largest_llm",
    ),
    "smallest": _baseline(
        "the model with fewest parameters", lambda: SingleModel("smallest"), "LLMRouter",
        "sizes in the models' names, or prices", llmrouter="smallest_llm",
    ),
    "random": _baseline("a score drawn once per text", RandomScore, "RouteLLM", "nothing"),
    "prompt-length": _baseline("the longer, the stronger", PromptLength),
    "length-rule": _baseline("three tiers by tokens, the rule in use today", TokenLengthRule, needs="prices"),
    "length-rule-shares": _baseline(
        "the length rule's shares, drawn at random", lambda: ShareMatchedRandom(TokenLengthRule()),
        "arXiv 2608.14641", "prices",
    ),
    "domain-mean": _baseline("mean quality of the prompt's domain", DomainMean,
    needs="labels, and each prompt's domain"), "knn-lexical": _baseline(
        "nearest prompts by hashed words", lambda: KNearestNeighbours(encoder="lexical"), "arXiv 2606.07587", _LABELS,
        "a scan of all labelled prompts",
    ),
    "bayes-optimal": _baseline("the true expected quality", BayesOptimal, needs="generated data: a ceiling, no router"),
    "hindsight-oracle": _baseline("the outcome itself", HindsightOracle, "RouterBench", "outcomes: a bound, no router"),
    "elo": Entry(
        "one Bradley-Terry rating per model", "Chatbot Arena", _PAIRS, "nothing", EloRating, llmrouter="elorouter"
    ),
    "cluster-elo": Entry("Bradley-Terry ratings per cluster of prompts", _TOOLKIT, _PAIRS, _PASS, ClusterElo),
    "sw": Entry(
        "Bradley-Terry ratings anew for each prompt, battles weighed by similarity", "RouteLLM, arXiv 2406.18665",
        _PAIRS, f"{_PASS}, a scan of all labelled prompts and a fit", SimilarityWeighted,
    ),
    "mf": Entry(
        "a bilinear form of model and prompt", "RouteLLM, arXiv 2406.18665", _PAIRS, _PASS, MatrixFactorization,
        llmrouter="mfrouter",
    ),
    "rorf": Entry("a random forest per pair, four labels", "Not Diamond's RoRF", _PAIRS, f"{_PASS}, 100 trees a pair",
                  PairwiseForest),
    "hybrid-llm": Entry(
        "the chance that a weaker model is good enough, with a margin", "Hybrid LLM, arXiv 2404.14618", _PAIRS, _PASS,
        HybridLLM, llmrouter="hybrid_llm",
    ),
    "routerdc": Entry(
        "prompts and models in one space, two contrastive losses", "RouterDC, arXiv 2409.19886", _PAIRS, _PASS,
        RouterDC, llmrouter="routerdc",
    ),
    "graph-free": Entry(
        "one regression on features of task, prompt and model", "GraphRouter's inputs, arXiv 2410.03834",
        "labels; prices and sizes help", f"{_PASS}, a scan of all labelled prompts, 80 trees a model", GraphFree,
        llmrouter="graphrouter",
    ),
    "knn": Entry(
        "mean quality of the nearest prompts", "arXiv 2606.07587", _LABELS, f"{_PASS}, a scan of all labelled prompts",
        KNearestNeighbours, llmrouter="knnrouter",
    ),
    "cluster": Entry("mean quality of clusters, coarse to fine", _TOOLKIT, _LABELS, _PASS, ClusterMeans),
    "avengers": Entry(
        "mean quality of the four nearest of 60 clusters", "Avengers, arXiv 2505.19797", _LABELS, _PASS, Avengers
    ),
    "ridge": Entry("linear least squares", "scikit-learn", _LABELS, _PASS, RidgeRegression),
    "logistic": Entry("logistic regression", "scikit-learn", _LABELS, _PASS, LogisticRegression),
    "svm": Entry(
        "kernel machines, margins mapped to probabilities", "scikit-learn", f"{_LABELS}, up to some thousand",
        f"{_PASS}, a kernel with every support vector", SupportVectorMachine, llmrouter="svmrouter",
    ),
    "mlp": Entry("one hidden layer", "scikit-learn", _LABELS, _PASS, MultilayerPerceptron, llmrouter="mlprouter"),
    "boosting": Entry("boosted trees per model", "scikit-learn", _LABELS, f"{_PASS}, 60 trees a model",
    GradientBoosting), "ensemble": Entry(
        "the mean of knn and ridge on every view of a prompt", _TOOLKIT, _LABELS, "three encoder passes, a scan",
        lambda: Ensemble((KNearestNeighbours(80, EVERY_VIEW), RidgeRegression(30.0, EVERY_VIEW))),
    ),
    "bert": Entry(
        "all weights of an encoder, one output per model", "RouteLLM, arXiv 2406.18665",
        "labels, minutes to hours of training", "one pass of the network", BertRouter,
    ),
    "bert by its authors": Entry(
        "a released classifier of win, tie, loss", "RouteLLM, arXiv 2406.18665", "its weights, by name; two models",
        "one pass of the network", path="toolkit.routers.bert.PreferenceBert", kind=OTHER,
    ),
    "mf by its authors": Entry(
        "released factors of 64 models", "RouteLLM, arXiv 2406.18665",
        "its weights and OpenAI's embeddings; two models", "one call of an embedding service",
    path="toolkit.routers.published.PublishedFactorization", kind=OTHER, ),
    "causal-llm": Entry(
        "a language model foretells the answer's rating, five labels", "RouteLLM, arXiv 2406.18665",
        "weights that know the labels, by name; two models", "one run of a language model",
        path="toolkit.routers.causal_llm.CausalClassifier", kind=OTHER, llmrouter="causallm_router",
    ),
    "cascade": Entry(
        "the small model's answer, checked; the large one where it fails", "AutoMix, arXiv 2310.12963",
        "labels and answers of the small model", "the small model's call, always, and a check",
        path="toolkit.routers.cascade.SelfCheckCascade", kind=OTHER, llmrouter="automix",
    ),
    "arch": Entry(
        "a language model chooses among policies in words", "Arch-Router, arXiv 2506.16655",
        "policies, its weights by name", "one run of a language model", path="toolkit.routers.arch.ArchRouter",
    kind=OTHER, ),
    "descriptions": Entry(
        "the policy nearest to a prompt, by words or examples", "aurelio semantic-router's idea",
        "policies; examples help", _PASS, path="toolkit.routers.described.DescriptionRouter", kind=OTHER,
    ),
    "keywords": Entry(
        "weighted keywords in three tiers", "LiteLLM's and ClawRouter's rules", "nothing", "nothing",
        path="toolkit.routers.keywords.KeywordRules", kind=OTHER,
    ),
    "calibrated": Entry(
        "another router's scores as expected quality", "Platt 1999; Zadrozny and Elkan 2002", "a router, labels",
        "the router's", path="toolkit.routers.calibrated.Calibrated", kind=OTHER,
    ),
    "thompson": Entry(
        "another router as the prior of a bandit that learns online", "linear Thompson sampling", "a router, rewards",
        "the router's, a draw", path="toolkit.bandits.router.ThompsonSamplingRouter", kind=OTHER,
    ),
    "selected": Entry(
        "the best of several in inner cross-validation", _TOOLKIT, "routers, labels", "the chosen router's",
        path="toolkit.evaluation.selection.CrossValidated", kind=OTHER,
    ),
}  # fmt: skip


def of_kind(kind: str) -> dict[str, Callable[[], Router]]:
    """Makers of one kind, by name."""
    return {name: entry.make for name, entry in CATALOGUE.items() if entry.kind == kind and entry.make is not None}


def table() -> pd.DataFrame:
    """One row a router: name, kind, does, source, needs, costs, class, llmrouter."""
    rows = [
        {"name": name, "kind": entry.kind, "goes by": entry.does, "source": entry.source, "needs": entry.needs,
         "a decision costs": entry.costs, "class": entry.home, "LLMRouter's": entry.llmrouter}
        for name, entry in CATALOGUE.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)
