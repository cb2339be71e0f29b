"""Baselines that every router must be held against, and the references that bound what can be won."""

import hashlib

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.pricing import LENGTH_BORDERS, parameter_counts, token_counts
from toolkit.routers.base import Router


class SingleModel(Router):
    """Every prompt to one model.

    Args:
        model: a name, or a role that training data resolves: ``strongest`` or ``weakest`` by mean quality (RouteLLM's
            always-strong and always-weak), ``cheapest`` by mean cost, ``largest`` or ``smallest`` (LLMRouter's rules)
            by the parameters that names state. Where a name states none, as of closed models, price stands for size,
            and quality where prices are unknown too.
    """

    sees = "nothing"
    trivial = True
    ROLES = ("strongest", "weakest", "cheapest", "largest", "smallest")

    def __init__(self, model: str = "strongest"):
        self.model = model

    def _fit(self, train: Outcomes) -> None:
        if self.model == "cheapest":
            train.require_cost()
            self.column_ = int(np.nanmean(train.cost_usd, axis=0).argmin())
        elif self.model in ("largest", "smallest"):
            sizes = sizes_of(train)
            self.column_ = int(sizes.argmax() if self.model == "largest" else sizes.argmin())
        elif self.model in self.ROLES:
            quality = train.mean_quality()
            self.column_ = int(quality.argmax() if self.model == "strongest" else quality.argmin())
        else:
            self.column_ = train.column(self.model)

    def _choose(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return np.full(len(texts), self.column_)


class RandomScore(Router):
    """Scores uniform in (0, 1), one draw per distinct text, so that the same prompt always gets the same decision."""

    sees = "nothing"
    trivial = True
    by_chance = True

    def __init__(self, seed: int = 0):
        self.seed = seed

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        win = _uniform(texts, f"score/{self.seed}")
        # The last column is the stronger of a pair by convention; with more models each gets its own draw.
        others = [_uniform(texts, f"score/{self.seed}/{column}") for column in range(1, len(self.models_))]
        return np.stack([1 - win, win] if len(others) == 1 else [win, *others], axis=1)


class ShareMatchedRandom(Router):
    """Sends the same share of prompts to each model as another router does, at random.

    What a routing rule gains over this is what it knows about prompts; the rest is its spending.

    Args:
        like: the router whose shares, on the training prompts, are matched.
        seed: of the draws, one per distinct text.
    """

    sees = "nothing"
    trivial = True
    by_chance = True

    def __init__(self, like: Router, seed: int = 0):
        self.like = like
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        choices = self.like.clone().fit(train).predict_outcomes(train).argmax(axis=1)
        self.shares_ = np.bincount(choices, minlength=len(self.models_)) / len(choices)

    def _choose(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        edges = np.cumsum(self.shares_)[:-1]
        return np.searchsorted(edges, _uniform(texts, f"share/{self.seed}"), side="right")


class PromptLength(Router):
    """The longer the prompt, the more the stronger model is worth.

    Predicts ``1 - d * (1 - s)`` with difficulty d = characters / (characters + scale) and s a model's rank by mean
    training quality, from 0 to 1. Labels decide only which model is stronger, so the order of prompts is that of
    their lengths. On two models it is the length baseline of RouteLLM's data (APGR .583 on MMLU, .598 on GSM8K).

    Args:
        scale: characters at which d is one half; changes no order between prompts.
    """

    trivial = True

    def __init__(self, scale: float = 500.0):
        if not scale > 0:
            raise ToolkitError(f"PromptLength: scale > 0 was expected; {scale!r} was given.")
        self.scale = scale

    def _fit(self, train: Outcomes) -> None:
        order = train.mean_quality().argsort(kind="stable").argsort(kind="stable")
        self.strength_ = order / max(1, len(self.models_) - 1)

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        characters = np.array([len(text) for text in texts], dtype=float)[:, None]
        return 1 - characters / (characters + self.scale) * (1 - self.strength_)


class TokenLengthRule(Router):
    """The seed's ``select_model_by_length``: fewer than 100 tokens, fewer than 500, or more.

    Three tiers: the cheapest, the median-priced and the dearest model of the pool. With two models there is one
    border, the lower one.

    Args:
        borders: tokens, by ``pricing.estimate_tokens``, at which the next tier begins.
    """

    trivial = True

    def __init__(self, borders: tuple[int, int] = LENGTH_BORDERS):
        self.borders = borders

    def _fit(self, train: Outcomes) -> None:
        by_price = dearness(train).argsort(kind="stable")
        last = len(by_price) - 1
        self.tiers_ = by_price[[0, last, last]] if last < 2 else by_price[[0, last // 2, last]]

    def _choose(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        return self.tiers_[np.searchsorted(self.borders, token_counts(texts), side="right")]


class DomainMean(Router):
    """Each domain's mean training quality per model, shrunk to the overall mean. Sees the domain, not the text.

    Args:
        shrinkage: prompts' worth of weight on the overall mean; unseen domains get the overall mean.
    """

    uses_metadata = True
    sees = "domain"

    def __init__(self, shrinkage: float = 5.0):
        self.shrinkage = shrinkage

    def _fit(self, train: Outcomes) -> None:
        overall = train.mean_quality()
        frame = pd.DataFrame(train.quality.astype(float)).groupby(train.prompts["domain"].to_numpy())
        total, count = frame.sum(), frame.count()
        self.overall_ = overall
        self.domains_ = [str(domain) for domain in total.index]
        self.means_ = ((total + self.shrinkage * overall) / (count + self.shrinkage)).to_numpy()

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        means = pd.DataFrame(self.means_, index=self.domains_).reindex(metadata["domain"]).to_numpy()
        return np.where(np.isnan(means), self.overall_, means)


class HindsightOracle(Router):
    """Predicts the outcome itself: what no router can beat on these very outcomes."""

    uses_outcomes = True
    sees = "outcomes"

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        return np.nan_to_num(test.quality.astype(float), nan=-1.0)

    def _choose(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        raise ToolkitError(f"{type(self).__name__} needs the outcomes; it exists for evaluation only.")


class BayesOptimal(HindsightOracle):
    """Predicts the true expected quality that a generator knows: the ceiling for any router that sees the prompt."""

    sees = "true expectation"

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        if test.expected_quality is None:
            raise ToolkitError(f"{test.name}: the true expected quality is unknown; only generated data has it.")
        return test.expected_quality


def dearness(train: Outcomes) -> np.ndarray:
    """What orders models by price, (m,): mean cost of a call, or mean quality where costs are unknown."""
    return train.mean_quality() if train.cost_source == "none" else np.nanmean(train.cost_usd, axis=0)


def sizes_of(train: Outcomes) -> np.ndarray:
    """What orders models by size, (m,): billions of parameters where all names state them, else ``dearness``."""
    stated = parameter_counts(train.names)
    return dearness(train) if np.isnan(stated).any() else stated


def _uniform(texts: list[str], salt: str) -> np.ndarray:
    """One number in (0, 1) per text, fixed by text and salt, the same on every machine."""
    digests = (hashlib.blake2b(f"{salt}\x1f{text}".encode("utf-8", "surrogatepass"), digest_size=8) for text in texts)
    return np.array([(int.from_bytes(digest.digest(), "big") + 0.5) / 2**64 for digest in digests])
