"""The routers that are timed: each through plain transformers and through the fast path, one prompt at a time."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit import encoders
from toolkit.bandits.counting import GaussianThompson
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.encoders import Encoder, minilm
from toolkit.encoders.sentence import SentenceEncoder
from toolkit.evaluation import architectures
from toolkit.gateway import Gateway
from toolkit.hardware import one_blas_thread
from toolkit.outcomes import Outcomes
from toolkit.routers.baselines import TokenLengthRule
from toolkit.routers.classical import RidgeRegression
from toolkit.routers.compiled import Compiled
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.factorization import MatrixFactorization
from toolkit.routers.forest import PairwiseForest
from toolkit.routers.local import KNearestNeighbours
from toolkit.routers.similarity import SimilarityWeighted

MODELS, ENTRIES = 40, 10_000
FAST = "minilm-int8"
HEADS: Mapping[str, Callable[[str], EmbeddingRouter]] = {
    "ridge": lambda encoder: RidgeRegression(encoder=encoder),
    "MF": lambda encoder: MatrixFactorization(encoder, epochs=1),  # a head's time does not depend on its training
    "SW": lambda encoder: SimilarityWeighted(encoder),
    "RoRF": lambda encoder: PairwiseForest(encoder),
}
SCOPE = Scope("timing", "auto", "", {})
Texts = Callable[[Sequence[str]], object]


@dataclass(frozen=True)
class Contender:
    """One thing that is timed: texts in, a decision out.

    Attributes:
        call: takes a list of texts.
        path: ``plain`` or ``fast``.
        note: what a reader must know, such as that weights are random.
    """

    call: Texts
    path: str
    note: str = ""


def many_models(outcomes: Outcomes, models: int = MODELS, seed: int = 0) -> Outcomes:
    """A pool of so many models for timing heads of that width: the columns again and again, a tenth of the cells drawn
    anew so that no two are equal. What they predict means nothing; costs are left out."""
    rng = np.random.default_rng(seed)
    quality = outcomes.quality[:, np.arange(models) % len(outcomes.names)].astype(float)
    anew = rng.random(quality.shape) < 0.1
    quality[anew] = rng.random(int(anew.sum()))
    frame = outcomes.models.iloc[np.arange(models) % len(outcomes.names)].set_axis(
        [f"model {number + 1:02d}" for number in range(models)]
    )
    return Outcomes(f"{outcomes.name}, {models} models", outcomes.prompts, frame, quality)


def full_cache(encoder: Encoder, entries: int = ENTRIES, seed: int = 0) -> SemanticCache:
    """A cache of so many entries, in a file that goes with the process; it never hits, so whole decisions are timed.

    Their vectors are random: a scan costs the same whatever they are.
    """
    folder = tempfile.mkdtemp(prefix="full-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    vectors = np.random.default_rng(seed).normal(size=(entries, encoder.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cache = SemanticCache(Path(folder) / "cache.sqlite", encoder)
    cache.put_many([(f"entry {number}", "answer") for number in range(entries)], SCOPE, vectors=vectors)
    return cache


def fast_encoder() -> Encoder:
    """The encoder of the fast path, shared within the process."""
    return encoders.get(FAST)


def gateway(router: EmbeddingRouter, cache: SemanticCache, seed: int = 0) -> Gateway:
    """The whole decision: both tiers, tokenise, encode, head, one Thompson draw, policy; no vector is remembered."""
    bandit = GaussianThompson(router.models_, seed=seed)
    return Gateway(router, cache, bandit, encoder=encoders.fresh(router.encoder))


def decisions(train: Outcomes, cache: SemanticCache, seed: int = 0) -> dict[str, Contender]:
    """Routers on an encoder, and the two that need none.

    Args:
        train: what heads are fitted on.
        cache: of ``FAST`` vectors, asked in every decision of the fast path.
    """
    rule, lexical = TokenLengthRule().fit(train), KNearestNeighbours(encoder="lexical").fit(train)
    sentence = SentenceEncoder(str(minilm.checkpoint()), device="cpu")
    words = encoders.fresh("lexical")
    found = {
        "length rule": Contender(rule.choose, "fast", "no encoder, no lookup"),
        "kNN, lexical": Contender(lambda texts: lexical.score(words.encode(texts)), "fast", "no lookup"),
    }
    for name, make in HEADS.items():
        # RoRF is a router for two models, and a forest per pair is not what its authors ship.
        router = make(FAST).fit(train.subset(models=train.names[:2]) if name == "RoRF" else train)
        fast = gateway(router, cache, seed)
        found[f"{name} on MiniLM, fast path"] = Contender(
            lambda texts, fast=fast: fast.route(texts[0], SCOPE),
            "fast",
            f"int8, lookup in {len(cache):,}, {len(router.models_)} models, draw",
        )
        found[f"{name} on MiniLM, plain"] = Contender(
            lambda texts, router=router: head(router, sentence.encode(texts)), "plain", "sentence-transformers, head"
        )
    return found


def head(router: EmbeddingRouter, vectors: np.ndarray) -> np.ndarray:
    """The router's scores (n, m) of vectors (n, d), with the gateway's care for threads, lest the next encoding pay."""
    with one_blas_thread:
        return router.score(vectors)


def classifiers(shapes: Sequence[str], fast: Sequence[str], max_tokens: int = 512) -> dict[str, Contender]:
    """BERT-class routers: each of ``shapes`` through plain transformers, those in ``fast`` as int8 graphs too."""
    found = {}
    for shape in shapes:
        network, tokenizer = architectures.classifier(shape)
        note = architectures.SHAPES[shape]
        found[f"{shape} classifier, plain"] = Contender(
            architectures.plain(network, tokenizer, max_tokens), "plain", note
        )
        if shape in fast:
            graph = Compiled(network, tokenizer, "onnx-int8", max_tokens)
            found[f"{shape} classifier, fast path"] = Contender(graph.logits, "fast", f"{note}; int8")
    return found
