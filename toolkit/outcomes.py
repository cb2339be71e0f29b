"""``Outcomes``: what every model did with every prompt. The one data structure of the toolkit."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from toolkit.errors import ToolkitError
from toolkit.pricing import PRICE_COLUMNS, token_cost, token_counts

COST_SOURCES = ("measured", "priced", "assumed", "none")
PROMPT_COLUMNS = ("prompt_id", "text", "domain", "language", "group", "split", "suspect")
_NUMBERS = ("quality", "cost_usd", "input_tokens", "output_tokens", "expected_quality")
_MATRICES = (*_NUMBERS, "answers")


@dataclass(frozen=True, eq=False, repr=False)
class Outcomes:
    """Quality and cost of m models on n prompts.

    Attributes:
        name: data set name, as a report prints it.
        prompts: n rows; ``prompt_id`` (unique), ``text``, ``domain``, ``language``, ``group`` (rows that a split must
            keep together, beyond those of equal text; "" = none), ``split`` (the upstream part, or ""), ``suspect``
            (the source is known to have mislabelled this row).
        models: m rows indexed by model name; ``input_usd_per_mtok`` and ``output_usd_per_mtok``, NaN where unknown.
        quality: float32 (n, m) in [0, 1]; NaN = unobserved.
        cost_usd: float64 (n, m), dollars of each call; NaN = unknown.
        input_tokens, output_tokens: float64 (n, m); NaN = unknown.
        expected_quality: (n, m), the true mean of ``quality`` where a generator knows it, else None.
        answers: object (n, m), what each model wrote, "" = unknown; None where a source has no texts.
        cost_source: ``measured`` (billed), ``priced`` (tokens of these very calls, counted or estimated from their
            texts, times a price list), ``assumed`` (tokens or prices are assumptions; written on every figure) or
            ``none`` (cost curves are refused).
        notes: warnings that every report on this data must show.
        synthetic: the outcomes were generated; every figure made from them says so.
    """

    name: str
    prompts: pd.DataFrame
    models: pd.DataFrame
    quality: np.ndarray
    cost_usd: np.ndarray | None = None
    input_tokens: np.ndarray | None = None
    output_tokens: np.ndarray | None = None
    expected_quality: np.ndarray | None = None
    answers: np.ndarray | None = None
    cost_source: str = "none"
    notes: tuple[str, ...] = field(default=())
    synthetic: bool = False

    def __post_init__(self) -> None:
        put = lambda key, value: object.__setattr__(self, key, value)  # noqa: E731 - frozen dataclass
        put("prompts", _complete_prompts(self.prompts, self.name))
        put("models", _complete_models(self.models))
        put("quality", np.asarray(self.quality, dtype=np.float32))
        for key in ("cost_usd", "input_tokens", "output_tokens"):
            value = getattr(self, key)
            put(key, np.full(self.quality.shape, np.nan) if value is None else np.asarray(value, dtype=np.float64))
        if self.expected_quality is not None:
            put("expected_quality", np.asarray(self.expected_quality, dtype=np.float64))
        if self.answers is not None:
            texts = np.asarray(self.answers, dtype=object)
            put("answers", np.where(pd.isna(texts), "", texts))
        self._check()

    def _check(self) -> None:
        shape = (len(self.prompts), len(self.models))
        for key in _MATRICES:
            value = getattr(self, key)
            if value is not None and value.shape != shape:
                raise ToolkitError(
                    f"{self.name}: {key} has shape {value.shape}; {shape} (prompts, models) was expected."
                )
        if 0 in shape:
            raise ToolkitError(f"{self.name}: at least one prompt and one model are needed; found {shape}.")
        for key, upper in (("quality", 1.0), ("expected_quality", 1.0), ("cost_usd", np.inf)):
            value = getattr(self, key)
            if value is not None and (bad := (value < 0) | (value > upper) | np.isinf(value)).any():
                row, column = np.argwhere(bad)[0]
                raise ToolkitError(
                    f"{self.name}: {key} of prompt {self.prompts['prompt_id'].iloc[row]!r} under model "
                    f"{self.names[column]!r} is {value[row, column]}; a finite value in [0, {upper:g}] was expected."
                )
        if self.cost_source not in COST_SOURCES:
            raise ToolkitError(f"{self.name}: cost_source is {self.cost_source!r}; one of {COST_SOURCES} was expected.")

    # -- shape and names ----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.prompts)

    def __repr__(self) -> str:
        made = ", synthetic" if self.synthetic else ""
        return f"<Outcomes {self.name}: {len(self)} prompts x {len(self.names)} models, cost {self.cost_source}{made}>"

    @cached_property
    def names(self) -> list[str]:
        """Model names in column order."""
        return [str(name) for name in self.models.index]

    @cached_property
    def texts(self) -> list[str]:
        """Prompt texts in row order, which is all that a router without ``uses_metadata`` may see."""
        return self.prompts["text"].tolist()

    @cached_property
    def estimated_tokens(self) -> np.ndarray:
        """``pricing.estimate_tokens`` of each prompt, float64 (n,)."""
        return token_counts(self.texts)

    @cached_property
    def groups(self) -> np.ndarray:
        """Integer code of each row's group, shape (n,); rows of one code never straddle a split.

        Rows of equal text belong together, and so do rows of one given ``group``, and whatever these link.
        """
        texts = pd.factorize(self.prompts["text"])[0]
        given = self.prompts["group"]
        if (given == "").all():
            return texts
        named = (given != "").to_numpy()
        group = pd.factorize(given)[0] + texts.max() + 1
        graph = coo_array((np.ones(named.sum()), (texts[named], group[named])), shape=(group.max() + 1,) * 2)
        return pd.factorize(connected_components(graph, directed=False)[1][texts])[0]

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that decides a result, which a manifest records as the data's identity."""
        digest = hashlib.sha256(self.cost_source.encode())
        for column in PROMPT_COLUMNS:
            digest.update("\x1f".join(self.prompts[column].astype(str)).encode("utf-8", "surrogatepass"))
        digest.update("\x1f".join(self.names).encode())
        for matrix in (self.models.to_numpy(), *(getattr(self, key) for key in _NUMBERS)):
            digest.update(b"none" if matrix is None else np.ascontiguousarray(matrix).tobytes())
        if self.answers is not None:
            digest.update("\x1f".join(self.answers.ravel()).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def column(self, model: str) -> int:
        """Column of a model; ToolkitError, with the names there are, for an unknown one."""
        if model not in self.names:
            raise ToolkitError(f"{self.name}: no model {model!r}; it has {', '.join(self.names)}.")
        return self.names.index(model)

    # -- what the data says -------------------------------------------------------------------------------------

    def mean_quality(self) -> np.ndarray:
        """Mean quality of each model over its observed prompts, shape (m,)."""
        return np.nanmean(self.quality, axis=0, dtype=np.float64)

    def oracle(self) -> np.ndarray:
        """Hindsight choice (n,): the best model, of several the cheapest; ToolkitError where no outcome is seen."""
        if np.isnan(self.quality).all(axis=1).any():
            raise ToolkitError(f"{self.name}: a prompt has no observed outcome; use observed() first.")
        # Where costs are unknown, the model that is weaker on average stands for the cheaper one.
        cost = self.cost_usd if np.isfinite(self.cost_usd).all() else np.tile(self.mean_quality(), (len(self), 1))
        best = self.quality == np.nanmax(self.quality, axis=1, keepdims=True)
        return np.where(best, cost, np.inf).argmin(axis=1)

    def realised(self, matrix: np.ndarray, choices: np.ndarray) -> np.ndarray:
        """Entries of an (n, m) matrix at the chosen models; ``choices`` has shape (..., n), so has the result."""
        return matrix[np.arange(len(self)), choices]

    def require_cost(self) -> None:
        """ToolkitError where costs are unknown: a cost curve from nothing would be an invention."""
        if self.cost_source == "none" or not np.isfinite(self.cost_usd).any(axis=0).all():
            raise ToolkitError(
                f"{self.name}: costs are needed and cost_source is {self.cost_source!r}; give costs or tokens with "
                f"prices (Outcomes.reprice)."
            )

    # -- views --------------------------------------------------------------------------------------------------

    def subset(self, rows: np.ndarray | None = None, models: list[str] | None = None) -> "Outcomes":
        """Chosen rows (mask or indices) and models (names, in the order given)."""
        picked = np.arange(len(self)) if rows is None else np.arange(len(self))[np.asarray(rows)]
        columns = list(range(len(self.names))) if models is None else [self.column(name) for name in models]
        matrices = {
            key: None if (value := getattr(self, key)) is None else value[np.ix_(picked, columns)] for key in _MATRICES
        }
        return replace(self, prompts=self.prompts.iloc[picked], models=self.models.iloc[columns], **matrices)

    def complete(self, costs: bool = False) -> np.ndarray:
        """Prompts on which all models can be compared, bool (n,): every quality, with ``costs`` every cost, known."""
        known = ~np.isnan(self.quality).any(axis=1)
        return known & np.isfinite(self.cost_usd).all(axis=1) if costs else known

    def observed(self) -> "Outcomes":
        """Only the prompts for which every model's quality is observed."""
        return self.subset(self.complete())

    def pair(self, weak: str | None = None, strong: str | None = None) -> "Outcomes":
        """Two models, weak first. Default: the best by mean quality against the cheapest (else the worst) other one.

        Raises:
            ToolkitError: fewer than two models, an unknown name, or the same model twice.
        """
        if len(self.names) < 2:
            raise ToolkitError(f"{self.name}: a pair needs two models; it has only {self.names[0]}.")
        quality = self.mean_quality()
        strong = strong or self.names[int(quality.argmax())]
        if weak is None:
            rank = quality if self.cost_source == "none" else np.nanmean(self.cost_usd, axis=0)
            others = [j for j in range(len(self.names)) if j != self.column(strong)]
            weak = self.names[min(others, key=lambda j: rank[j])]
        if weak == strong:
            raise ToolkitError(f"{self.name}: weak and strong must differ; both are {weak!r}.")
        return self.subset(models=[weak, strong])

    def folds(self, count: int, seed: int = 0) -> np.ndarray:
        """Fold of each row, shape (n,), values 0..count-1; every group lies in one fold, fold sizes nearly equal.

        Raises:
            ToolkitError: fewer than 2 folds, or more than distinct prompts.
        """
        groups = self.groups
        distinct = int(groups.max()) + 1
        if not 2 <= count <= distinct:
            raise ToolkitError(
                f"{self.name}: {count} folds were asked for; 2 to {distinct} (distinct prompts) are possible."
            )
        fold_of_group = np.arange(distinct) % count
        np.random.default_rng(seed).shuffle(fold_of_group)
        return fold_of_group[groups]

    def split(self, test_share: float, seed: int = 0) -> tuple["Outcomes", "Outcomes"]:
        """Random (train, test) by distinct prompt: duplicates never straddle the two parts.

        Raises:
            ToolkitError: one of the parts would be empty.
        """
        distinct = int(self.groups.max()) + 1
        size = round(test_share * distinct)
        if not 0 < size < distinct:
            raise ToolkitError(
                f"{self.name}: test_share={test_share} leaves an empty part of {distinct} distinct prompts."
            )
        chosen = np.random.default_rng(seed).permutation(distinct)[:size]
        test = np.isin(self.groups, chosen)
        return self.subset(~test), self.subset(test)

    def sample(self, size: int, seed: int = 0) -> "Outcomes":
        """At most ``size`` rows drawn without replacement, in the original order."""
        if size >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), size, replace=False))
        return self.subset(rows)

    def reprice(self, prices: pd.DataFrame) -> "Outcomes":
        """The same calls under another price table (index: model; see ``pricing.PRICE_COLUMNS``).

        Raises:
            ToolkitError: a model has no price, or the tokens are unknown.
        """
        missing = [name for name in self.names if name not in prices.index]
        if missing:
            raise ToolkitError(f"{self.name}: the price table lacks {', '.join(missing)}.")
        if not (np.isfinite(self.input_tokens).any() and np.isfinite(self.output_tokens).any()):
            raise ToolkitError(f"{self.name}: re-pricing needs token counts, and this data set has none.")
        models = prices.loc[self.names, list(PRICE_COLUMNS)]
        cost = token_cost(self.input_tokens, self.output_tokens, models)
        source = "assumed" if self.cost_source == "assumed" else "priced"
        return replace(self, models=models, cost_usd=cost, cost_source=source)


def _complete_prompts(prompts: pd.DataFrame, name: str) -> pd.DataFrame:
    """Fill the optional prompt columns and check ids."""
    missing = [column for column in ("prompt_id", "text") if column not in prompts.columns]
    if missing:
        raise ToolkitError(f"{name}: the prompts lack the column(s) {', '.join(missing)}.")
    filled = prompts.copy()
    defaults = {"domain": "", "language": "", "group": "", "split": "", "suspect": False}
    for column, value in defaults.items():
        filled[column] = filled[column].fillna(value) if column in filled.columns else value
    filled["group"] = filled["group"].astype(str)
    filled["prompt_id"] = filled["prompt_id"].astype(str)
    if filled["prompt_id"].duplicated().any():
        twice = filled.loc[filled["prompt_id"].duplicated(), "prompt_id"].iloc[0]
        raise ToolkitError(f"{name}: prompt ids must be unique; {twice!r} stands more than once.")
    return filled[list(PROMPT_COLUMNS)].reset_index(drop=True)


def _complete_models(models: pd.DataFrame) -> pd.DataFrame:
    """Fill unknown prices with NaN and keep one row per model."""
    filled = models.reindex(columns=list(PRICE_COLUMNS)).astype(float)
    filled.index = filled.index.astype(str).rename("model")
    if filled.index.duplicated().any():
        raise ToolkitError(f"model names must be unique; {filled.index[filled.index.duplicated()][0]!r} stands twice.")
    return filled
