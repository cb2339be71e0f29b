"""Routing by keywords, as ClawRouter and LiteLLM's complexity router do it: no model, no training, under a millisecond.

Written from what is known of them (weights, bounds, the rule of two markers); the word lists are our own.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.outcomes import Outcomes
from toolkit.pricing import token_counts
from toolkit.routers.base import Router

TIERS = ("simple", "medium", "complex", "reasoning")
_BOUNDS = (0.0, 0.15, 0.25)  # of a score, from which on the next tier answers
_WORDS: dict[str, tuple[float, str]] = {
    "reasoning": (0.18, r"prove|proof|derive|theorem|step by step|chain of thought|证明|推导|定理|一步一步|逐步"),
    "code": (
        0.15,
        r"```|\bdef \b|\bclass \b|\bfunction\b|\bcode\b|python|javascript|\bsql\b|regex|\bbug\b|代码|函数|编程",
    ),
    "steps": (0.12, r"\bstep \d|\bfirst(ly)?,|\bthen,|\bfinally\b|首先|然后|最后"),
    "technical": (
        0.10,
        r"algorithm|complexity|database|kubernetes|protocol|distributed|architecture|算法|数据库|协议|架构",
    ),
    "creative": (0.05, r"\bwrite a (story|poem)|\bbrainstorm\b|\bcompose\b|写一(首|篇)|创作"),
    "simple": (-0.12, r"^\s*(what is|who is|when|where|define|translate|hello|hi)\b|是什么|什么是|翻译|你好"),
}
_FINDS = {name: re.compile(pattern, re.IGNORECASE) for name, (_, pattern) in _WORDS.items()}
_SHORT, _LONG = 50, 500  # tokens


def tiers(texts: Sequence[str]) -> np.ndarray:
    """Tier of each text, a place in ``TIERS``, int64 (n,).

    A score is the sum of the weights of the dimensions that show, and .08 more or less for long and short prompts; two
    or more markers of reasoning decide by themselves.
    """
    found = np.array([[bool(find.search(text)) for find in _FINDS.values()] for text in texts]).reshape(-1, len(_FINDS))
    score = found @ np.array([weight for weight, _ in _WORDS.values()])
    tokens = token_counts(texts)
    score = score + np.where(tokens > _LONG, 0.08, 0.0) - np.where(tokens < _SHORT, 0.08, 0.0)
    tier = np.searchsorted(_BOUNDS, score, side="right")
    markers = np.array([len(_FINDS["reasoning"].findall(text)) for text in texts])
    return np.where(markers >= 2, len(TIERS) - 1, tier).astype(np.int64)


class KeywordRules(Router):
    """A tier by keywords, and for each tier the model that stands there in the order of prices.

    The cheapest model answers what is simple, the dearest what needs reasoning, the others lie evenly between.
    """

    trivial = True

    def _fit(self, train: Outcomes) -> None:
        known = np.isfinite(train.cost_usd).any(axis=0).all() and train.cost_source != "none"
        rank = np.nanmean(train.cost_usd, axis=0) if known else train.mean_quality()
        self.ladder_ = np.argsort(rank, kind="stable")

    def _choose(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        steps = np.round(np.linspace(0, len(self.ladder_) - 1, len(TIERS))).astype(np.int64)
        return self.ladder_[steps[tiers(texts)]]
