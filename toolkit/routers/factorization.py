"""Matrix factorisation: RouteLLM's bilinear form of a model's and a prompt's embedding, for any number of models."""

import numpy as np

from toolkit import policy
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.embedding import EmbeddingRouter
from toolkit.routers.pairwise import battles, win_shares

TARGETS = ("preferences", "outcomes")


class MatrixFactorization(EmbeddingRouter):
    """``delta(m, q) = w2 . (P_m / |P_m| * W1 v_q)`` (Ong et al. 2024, arXiv 2406.18665, section 4.2; released code).

    Model a beats b on prompt q with probability sigmoid(delta_a - delta_b). With two models the prediction is that
    probability; with more, the mean chance to beat another one.

    Args:
        encoder: name of the encoder (see ``toolkit.encoders``).
        target: ``preferences`` learns from decided battles between models, as RouteLLM does; ``outcomes`` learns each
            model's quality as sigmoid(delta + bias), ties included.
        dimension: of the factors.
        epochs: at most; training stops when a validation part (a twentieth of the prompts; all, of a single one)
            no longer gets better.
        patience: epochs without a better validation loss.
        batch: battles or prompts of a step.
        learning_rate, weight_decay: of Adam.
        noise: standard deviation of Gaussian noise on the prompt's vector in training.
        seed: of weights, batches, noise and the validation part.
    """

    def __init__(
        self,
        encoder: str = "minilm",
        target: str = "preferences",
        dimension: int = 128,
        epochs: int = 100,
        patience: int = 10,
        batch: int = 64,
        learning_rate: float = 3e-4,
        weight_decay: float = 1e-5,
        noise: float = 0.1,
        seed: int = 0,
    ):
        if target not in TARGETS:
            raise ToolkitError(f"MatrixFactorization: target {' or '.join(TARGETS)} was expected; got {target!r}.")
        self.encoder = encoder
        self.target = target
        self.dimension = dimension
        self.epochs = epochs
        self.patience = patience
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.seed = seed

    def _fit(self, train: Outcomes) -> None:
        from toolkit.routers.bilinear import train_bilinear

        fought = battles(train, seed=self.seed).decided() if self.target == "preferences" else None
        if fought is not None and not len(fought):
            raise ToolkitError(
                f"{train.name}: mf learns from prompts on which one model is better than another; found none. Use "
                f"target='outcomes', or more prompts."
            )
        learned = train_bilinear(self._encode(train.texts), train.quality, fought, self.params)
        self.models_factors_, self.projection_, self.output_, self.bias_ = learned

    def _score(self, vectors: np.ndarray) -> np.ndarray:
        factors = self._factors(vectors) @ _unit(self.models_factors_).T
        if self.target == "preferences":
            return win_shares(factors)
        from scipy.special import expit

        return expit(factors + self.bias_)

    def _factors(self, vectors: np.ndarray) -> np.ndarray:
        """w2 * W1 v_q of each prompt, (n, dimension): what a unit model factor is multiplied with."""
        return (vectors @ self.projection_.T) * self.output_

    def add_model(self, outcomes: Outcomes, model: str) -> "MatrixFactorization":
        """Learn one more model and leave everything else as it is; returns itself.

        Args:
            outcomes: what the new model did, with at least one known model on the same prompts where the target is
                preferences.
            model: its name in ``outcomes``.

        Raises:
            ToolkitError: the router is not fitted, knows the model, or has nothing to learn from.
        """
        if not hasattr(self, "models_"):
            raise ToolkitError("MatrixFactorization is not fitted; call fit(outcomes) before add_model.")
        if model in self.models_:
            raise ToolkitError(f"MatrixFactorization knows {model!r} already; a new model was expected.")
        quality = outcomes.quality[:, outcomes.column(model)].astype(float)
        factors = self._factors(self._encode(outcomes.texts)).astype(float)
        if self.target == "preferences":
            rows, offset, label = self._decided_against_known(outcomes, quality, factors)
        else:
            rows = np.flatnonzero(~np.isnan(quality))
            offset, label = np.zeros(len(rows)), quality[rows]
        if not len(rows):
            wanted = "outcomes" if self.target == "outcomes" else "prompts on which it and a known model differ"
            raise ToolkitError(f"{outcomes.name}: nothing is known of {model!r}: {wanted} were expected.")
        factor, bias = _fit_factor(factors[rows], offset, label, with_bias=self.target == "outcomes", seed=self.seed)
        self.models_factors_ = np.vstack([self.models_factors_, factor])
        self.bias_ = np.append(self.bias_, bias)
        self.models_ = [*self.models_, model]
        self.cost_table_ = policy.ExpectedCost(self.cost_table_).joined(outcomes.subset(models=[model]))
        return self

    def _decided_against_known(
        self, outcomes: Outcomes, quality: np.ndarray, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, the opponent's delta and who won, of every decided battle of a new model against a known one."""
        rows, offsets, labels = [], [], []
        for index, name in enumerate(self.models_):
            if name not in outcomes.names:
                continue
            gap = quality - outcomes.quality[:, outcomes.column(name)]
            decided = np.flatnonzero(~np.isnan(gap) & (gap != 0))
            rows.append(decided)
            offsets.append(factors[decided] @ _unit(self.models_factors_[index : index + 1])[0])
            labels.append(gap[decided] > 0)
        if not rows:
            return np.empty(0, int), np.empty(0), np.empty(0)
        return np.concatenate(rows), np.concatenate(offsets), np.concatenate(labels).astype(float)


def _unit(factors: np.ndarray) -> np.ndarray:
    return factors / np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-12)


def _fit_factor(
    factors: np.ndarray, offset: np.ndarray, label: np.ndarray, with_bias: bool, seed: int
) -> tuple[np.ndarray, float]:
    """One model's factor and bias by maximum likelihood of sigmoid(factors . p/|p| + b - offset), the rest fixed."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        length = np.linalg.norm(values[:-1]) + 1e-12
        unit = values[:-1] / length
        logit = factors @ unit + values[-1] * with_bias - offset
        slope = (expit(logit) - label) / len(label)
        along = factors.T @ slope
        gradient = np.append((along - unit * (unit @ along)) / length, slope.sum() * with_bias)
        return float(np.mean(np.logaddexp(0, logit) - label * logit)), gradient

    start = np.append(np.random.default_rng(seed).normal(size=factors.shape[1]), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return found[:-1].astype(np.float32), float(found[-1])
