"""Policies through an encoder: the nearest description, or a head on a few examples."""

from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from toolkit import encoders
from toolkit.errors import ToolkitError
from toolkit.hardware import one_blas_thread
from toolkit.routers.policies import PolicyRouter, Routes
from toolkit.routes.table import Route

# Chosen on the validation parts of CLINC150 and of our own traffic, MiniLM: cosines that differ by .05 differ by a
# factor of e in odds; a prompt is as likely to fit nothing at a best cosine of .15, or where examples leave it no more
# evidence than an even spread over the routes has, less .5. Calibration replaces the last two.
_SHARPNESS, _RELATED, _SPREAD = 20.0, 0.15, -0.5


class DescriptionRouter(PolicyRouter):
    """Zero-shot where the routes have descriptions alone; few-shot where all have utterances.

    Zero-shot: the cosine of the prompt to ``name: description``. Few-shot: multinomial logistic regression on the
    utterances and the policy's own text, seen through the encoder and, with a smaller weight, through TF-IDF of words
    and characters, which knows names and rare words; the zero-shot cosine is added as a prior. The evidence that
    nothing fits is a constant, so that a prompt with little evidence for any route is ``other`` (energy score, Liu et
    al. 2020, arXiv 2010.03759): calibrate it where prompts are at hand that fit nothing.

    Args:
        routes: a ``RouteTable``, its plain values, or the path of a YAML file.
        encoder: of ``encoders.get``; one that reads the language of the prompts.
        turns: how many of a user's last turns are read, one per line.
        words: weight of the TF-IDF view; 0 leaves it out.
        prior: evidence of a zero-shot cosine of 1, beside the examples.
        penalty: of the head's squared coefficients (its C is the inverse).
        threshold: of the likeliest route's probability; None = learned in ``calibrate``, 0 until then.

    Raises:
        ToolkitError: a parameter that is none of these, or utterances of some routes only.
    """

    def __init__(
        self,
        routes: Routes,
        encoder: str = "minilm",
        turns: int = 1,
        words: float = 0.4,
        prior: float = 5.0,
        penalty: float = 0.05,
        threshold: float | None = None,
    ):
        numbers = all(isinstance(value, Real) for value in (words, prior, penalty))
        fine = isinstance(encoder, str) and isinstance(turns, int) and numbers
        if not fine or turns < 1 or words < 0 or prior < 0 or penalty <= 0:
            raise ToolkitError(
                f"DescriptionRouter: an encoder's name, turns from 1, words and prior from 0, a penalty above 0 were "
                f"expected; got {encoder!r}, {turns!r}, {words!r}, {prior!r}, {penalty!r}."
            )
        self.encoder = encoder
        self.turns = turns
        self.words = words
        self.prior = prior
        self.penalty = penalty
        self._follow(routes, threshold)
        examples = {route.name: len(route.utterances) for route in self.table.routes}
        if any(examples.values()) and not all(examples.values()):
            none = next(name for name, count in examples.items() if not count)
            raise ToolkitError(
                f"DescriptionRouter: utterances of all routes or of none were expected, since a head that knows some "
                f"routes by examples prefers these; {none!r} has none."
            )

    def read(self, prompt: Any) -> list[dict[str, str]]:
        """The user's last turns."""
        return [turn for turn in super().read(prompt) if turn["role"] == "user"][-self.turns :]

    def texts(self) -> list[str]:
        """What is encoded to make it ready: examples and policies, in the order of the routes."""
        return [text for route in self.table.routes for text in (*route.utterances, _text(route))]

    def _evidence(self, prompts: list[Any]) -> tuple[np.ndarray, list[str]]:
        texts = ["\n".join(turn["content"] for turn in turns) for turns in prompts]
        reader = encoders.live if len(texts) < encoders.FEW else encoders.get
        vectors = reader(self.encoder).encode(texts)
        with one_blas_thread:
            cosine = vectors @ self._described.T
            if self._heads:
                fitting = self.prior * cosine
                for (name, weight), (coefficients, intercept) in zip(self._views, self._heads, strict=True):
                    seen = vectors if name == self.encoder else reader(name).encode(texts)
                    fitting = fitting + weight * (seen @ coefficients.T + intercept)
                nothing = np.log(len(self.table.routes)) + _SPREAD
            else:
                fitting, nothing = _SHARPNESS * cosine, _SHARPNESS * _RELATED
        evidence = np.column_stack([fitting, np.full(len(texts), nothing)]).astype(float)
        few = reader is encoders.live
        return evidence, [self._note(text) if few else "" for text in texts]

    def _note(self, text: str) -> str:
        """What a reader of one decision must know: Chinese is unknown words to an English encoder."""
        share = encoders.unread(encoders.live(self.encoder), text).share
        return f"{self.encoder} cannot read {share:.0%} of the text" if share > 0.5 else ""

    @property
    def _views(self) -> list[tuple[str, float]]:
        words = self.words if self.encoder != "lexical" else 0.0
        return [(self.encoder, 1.0)] + ([("lexical", words)] if words else [])

    @cached_property
    def _described(self) -> np.ndarray:
        """Vectors of the policies, float32 (routes, d)."""
        return encoders.get(self.encoder).encode([_text(route) for route in self.table.routes])

    @cached_property
    def _heads(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Coefficients (routes, d) and intercepts (routes,) of every view; none without utterances."""
        routes = self.table.routes
        if not any(route.utterances for route in routes):
            return []
        texts = self.texts()
        labels = np.repeat(np.arange(len(routes)), [len(route.utterances) + 1 for route in routes])
        return [self._head(encoders.get(name).encode(texts), labels) for name, _ in self._views]

    def _head(self, vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.linear_model import LogisticRegression

        with one_blas_thread:
            head = LogisticRegression(C=1 / self.penalty, class_weight="balanced", max_iter=1000).fit(vectors, labels)
        if len(head.coef_) == 1:  # of two routes scikit-learn keeps one row: the log odds of the second
            return np.vstack([-head.coef_, head.coef_]) / 2, np.append(-head.intercept_, head.intercept_) / 2
        return head.coef_, head.intercept_


def _text(route: Route) -> str:
    return f"{route.name.replace('_', ' ')}: {route.description}"
