"""Cascades: a small model answers, the answer is checked, and where the check fails a large one is asked too."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit import encoders, policy
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.prompt import Prompt, as_text
from toolkit.routers.base import Decision, Router
from toolkit.routers.classical import logistic

KEPT, ESCALATED = 2, 3  # columns of ``with_cascade``
_NUMBER = r"\$?\d[\d,]{0,15}(?:\.\d{1,15})?"
_SUM = re.compile(rf"(?<![\d.,)])(-?{_NUMBER}(?:\s*[-+*/x×÷]\s*{_NUMBER}){{1,9}})\s*=\s*(-?{_NUMBER})")
_PARTS = re.compile(rf"(?:^-)?{_NUMBER}|[-+*/x×÷]")
_HEDGE = re.compile(
    r"\b(?:not sure|unsure|cannot|can't|unclear|assum\w*|perhaps|maybe|might|however|wait)\b|也许|可能|不确定"
)
_FIGURE = re.compile(r"\d+")


def with_cascade(outcomes: Outcomes, check_usd: float = 0.0) -> Outcomes:
    """A pair (weak, strong) with two more ways to an answer: the weak one's, checked, and both.

    An escalation pays for both calls and for the check, and its answer is the strong model's. A router that reads the
    prompt alone chooses among the first two columns (``Among``), a cascade among the last two: one comparison on cost
    judges both kinds.

    Args:
        outcomes: two models with answers, the weak one first (``Outcomes.pair``).
        check_usd: dollars of one check; 0 for one that runs where the router runs.

    Raises:
        ToolkitError: not two models, no answers, or a check that costs less than nothing.
    """
    if len(outcomes.names) != 2 or outcomes.answers is None or not check_usd >= 0:
        raise ToolkitError(
            f"{outcomes.name}: a cascade needs two models with their answers (a table has them in a column named "
            f"answer) and a check from 0 dollars; found {len(outcomes.names)} models, "
            f"{'no answers' if outcomes.answers is None else 'answers'}, {check_usd!r} dollars."
        )
    weak, strong = outcomes.names
    twice = lambda matrix: np.hstack([matrix, matrix])  # noqa: E731 - three columns of it below
    cost = outcomes.cost_usd
    both = np.stack([cost[:, 0], cost.sum(axis=1)], axis=1) + check_usd
    names = [weak, strong, f"{weak}, checked", f"{weak}, checked, then {strong}"]
    expected = outcomes.expected_quality
    return Outcomes(
        name=f"{outcomes.name}, cascade",
        prompts=outcomes.prompts,
        models=pd.DataFrame(index=names),
        quality=twice(outcomes.quality),
        cost_usd=np.hstack([cost, both]),
        expected_quality=None if expected is None else twice(expected),
        answers=twice(outcomes.answers),
        cost_source=outcomes.cost_source,
        notes=outcomes.notes,
        synthetic=outcomes.synthetic,
    )


class Among(Router):
    """A router that may choose among the first models of a pool only.

    Args:
        member: fitted on these alone; cloned before.
        count: of models.
    """

    def __init__(self, member: Router, count: int = 2):
        self.member = member
        self.count = count
        self.sees, self.trivial, self.by_chance = member.sees, member.trivial, member.by_chance

    @property
    def has_scores(self) -> bool:
        return self.member.has_scores

    def _fit(self, train: Outcomes) -> None:
        self._fitted = self.member.clone().fit(train.subset(models=train.names[: self.count]))

    def kept(self) -> Router:
        return self._fitted.kept()

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        predicted = np.full(test.quality.shape, policy.FORBIDDEN)
        predicted[:, : self.count] = self._fitted.predict_outcomes(test.subset(models=test.names[: self.count]))
        return predicted

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        predicted = np.full((len(texts), len(self.models_)), policy.FORBIDDEN)
        predicted[:, : self.count] = self._fitted.predict(texts, metadata)
        return predicted


class SelfCheckCascade(Router):
    """Keep the small model's answer or ask the large one (the form of AutoMix, Aggarwal et al. 2024, arXiv 2310.12963).

    AutoMix lets the small model verify its own answer and reads off how far that can be trusted. Verifications are
    calls that no data set here has, so this check reads the answer itself: the vectors of prompt and answer, its
    length, hedges, how it ends, and whether the sums that it works out are right. Two logistic regressions on these say
    how good the answer is and how good the large model's would be; the policy weighs the difference against a second
    call.

    Fit and judge it on ``with_cascade(pair)``; live, ask ``check``.

    Args:
        encoder: name of the encoder (see ``toolkit.encoders``).
        inverse_penalty: scikit-learn's C.
    """

    uses_answers = True
    sees = "text and answer"

    def __init__(self, encoder: str = "minilm", inverse_penalty: float = 1.0):
        self.encoder = encoder
        self.inverse_penalty = inverse_penalty

    def _fit(self, train: Outcomes) -> None:
        if len(train.names) != 4 or train.answers is None:
            raise ToolkitError(f"{train.name}: the four columns of with_cascade were expected; found {train.names}.")
        if (train.answers[:, 0] == "").all():
            raise ToolkitError(f"{train.name}: answers of {train.names[0]} were expected; all are unknown.")
        train = train.subset(train.answers[:, 0] != "")  # an answer that nobody kept teaches nothing of answers
        measures = answer_measures(train.answers[:, 0])
        self.centre_, self.scale_ = measures.mean(axis=0), np.maximum(measures.std(axis=0), 1e-9)
        features = self._features(train.texts, train.answers[:, 0], measures)
        lines = [logistic(features, values, self.inverse_penalty) for values in train.quality[:, :2].astype(float).T]
        self.weights_ = np.stack([weights for weights, _ in lines])
        self.intercept_ = np.array([intercept for _, intercept in lines])

    def predict_outcomes(self, test: Outcomes) -> np.ndarray:
        if test.answers is None or test.names != self.models_:
            raise ToolkitError(f"{test.name}: answers of {self.models_[0]} were expected; use with_cascade.")
        predicted = np.full(test.quality.shape, policy.FORBIDDEN)
        predicted[:, [KEPT, ESCALATED]] = self.judged(test.texts, test.answers[:, 0])
        return predicted

    def judged(self, texts: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        """How good the given answers are and how good the large model's would be, float64 (n, 2)."""
        from scipy.special import expit

        return expit(self._features(texts, answers, answer_measures(answers)) @ self.weights_.T + self.intercept_)

    def check(self, prompt: Prompt, answer: str, weight: float = 0.0) -> Decision:
        """Whether to keep the small model's answer (``models_[2]``) or to ask the large one too (``models_[3]``).

        At weight 0 it asks wherever the large one is expected to be better at all, which is nearly everywhere: give
        what quality is worth. The two columns that are no choice any more have the score ``policy.FORBIDDEN``.

        Args:
            weight: predicted quality given up per dollar; what is paid already plays no part in the choice.
        """
        policy.check_weight(weight, self.cost_table_ is not None)
        scores = np.full(len(self.models_), policy.FORBIDDEN)
        scores[[KEPT, ESCALATED]] = self.judged([as_text(prompt)], [answer])[0]
        return self._decision(prompt, scores, weight)

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        raise ToolkitError("SelfCheckCascade reads an answer as well: use check(prompt, answer), or predict_outcomes.")

    def _features(self, texts: Sequence[str], answers: Sequence[str], measures: np.ndarray) -> np.ndarray:
        encoder = encoders.get(self.encoder)
        scaled = np.clip((measures - self.centre_) / self.scale_, -5, 5) / 5
        return np.hstack([encoder.encode(list(texts)), encoder.encode(list(answers)), scaled])


def answer_measures(answers: Sequence[str]) -> np.ndarray:
    """What answers look like, float64 (n, 8): length, figures, sums worked out, wrong ones of them, hedges, endings."""
    return np.array([_measures(answer) for answer in answers], dtype=float).reshape(len(answers), 8)


def _measures(answer: str) -> list[float]:
    sums = [_holds(*found) for found in _SUM.findall(answer)]
    figures = _FIGURE.findall(answer)
    end = answer.rstrip()[-40:]
    return [
        np.log1p(len(answer)),
        np.log1p(len(figures)),
        np.log1p(max((len(figure) for figure in figures), default=0)),
        np.log1p(len(sums)),
        float(sums.count(False)),
        np.log1p(len(_HEDGE.findall(answer.lower()))),
        float(bool(_FIGURE.search(end))),
        float(answer.rstrip().endswith((".", "。", "!", "}", "`", ")"))),
    ]


def _holds(left: str, result: str) -> bool:
    """Whether a sum that an answer works out is right, to a hundredth; products go before sums."""
    parts = _PARTS.findall(left)
    terms = [_value(parts[0])]
    for operator, text in zip(parts[1::2], parts[2::2], strict=True):
        value = _value(text)
        if operator in "+-":
            terms.append(value if operator == "+" else -value)
        elif operator in "/÷":
            if not value:
                return False
            terms[-1] /= value
        else:
            terms[-1] *= value
    stated = _value(result)
    return abs(sum(terms) - stated) <= 0.01 * max(1.0, abs(stated))


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("$", ""))
