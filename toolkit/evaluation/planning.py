"""How many labelled prompts are enough, and what judging them costs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from toolkit import paths
from toolkit.errors import ToolkitError
from toolkit.evaluation import statistics
from toolkit.evaluation.protocol import Predictions
from toolkit.evaluation.systems import areas, at_share, operate, quality_first
from toolkit.outcomes import Outcomes
from toolkit.pricing import ASSUMED_OUTPUT_TOKENS, PRICE_COLUMNS, read_prices

SIZES = (100, 200, 500, 1_000, 2_000, 5_000)
JUDGE = "gpt-4o"
FOUND = 2.8 / 1.96  # half widths of a 95% interval that a true difference must have to be found with chance 80%
RUBRIC_TOKENS, VERDICT_TOKENS = 300, 60  # of a judge's instructions and of what it writes, assumed


def half_widths(predictions: Predictions, name: str, opponent: str, bootstraps: int = 1000, seed: int = 0) -> pd.Series:
    """Half of the 95% interval of what a comparison reports, on the prompts at hand.

    Returns:
        ``quality`` of a router's choices (at half of the strong calls, of a pair), its ``difference`` to the opponent
        (paired), and of pairs ``apgr`` and ``apgr_difference``.

    Raises:
        ToolkitError: a name without predictions, or the same one twice.
    """
    outcomes = predictions.outcomes
    if unknown := [one for one in (name, opponent) if one not in predictions.quality]:
        raise ToolkitError(f"No predictions of {unknown[0]!r}; there are those of {', '.join(predictions.quality)}.")
    if name == opponent:
        raise ToolkitError(f"Two systems were expected; {name!r} was given twice.")
    counts = statistics.bootstrap_counts(outcomes.groups, bootstraps, seed)
    means = {one: statistics.resampled_means(counts, _realised(predictions, one)) for one in (name, opponent)}
    samples = {"quality": means[name], "difference": means[name] - means[opponent]}
    if len(outcomes.names) == 2:
        found = areas(predictions, counts)
        samples |= {"apgr": found[name], "apgr_difference": found[name] - found[opponent]}
    return pd.Series({key: float(np.diff(statistics.interval(values))[0] / 2) for key, values in samples.items()})


def _realised(predictions: Predictions, name: str) -> np.ndarray:
    outcomes = predictions.outcomes
    if len(outcomes.names) > 2:
        return quality_first(predictions, name)
    alone = replace(predictions, routers={name: predictions.routers[name]})
    system = operate(alone, np.array([0.0, 1.0]), np.ones((1, len(outcomes)), dtype=np.uint16))[name]
    return at_share(system, outcomes, 0.5)


def advice(
    predictions: Predictions,
    name: str,
    opponent: str,
    sizes: Sequence[int] = SIZES,
    judge: str = JUDGE,
    bootstraps: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """What so many judged prompts would tell, and what they would cost.

    An interval of a mean narrows with the square root of its prompts: what was measured on n prompts is scaled by
    sqrt(n / size). It holds for prompts like these, each of them different.

    Args:
        predictions: of a comparison that was made, with the two systems in it.
        name, opponent: whose difference is asked for.
        sizes: numbers of prompts to judge on, beside those to fit on.
        judge: a model of data/models.csv that grades answers.

    Returns:
        One row a size: ``prompts``; half widths of ``half_widths``; ``smallest_gain``, the true difference that is
        found with chance 80% (``FOUND`` half widths); ``answers_usd``, one answer of every model, NaN where
        costs are unknown; ``judging_usd``.
    """
    here, outcomes = half_widths(predictions, name, opponent, bootstraps, seed), predictions.outcomes
    distinct = len(np.unique(outcomes.groups))
    per_answer, per_grade = answer_usd(outcomes), judging_usd(outcomes, judge)
    found = []
    for size in sizes:
        scaled = here * np.sqrt(distinct / size)
        found.append(
            {"prompts": size, **scaled, "smallest_gain": scaled["difference"] * FOUND,
             "answers_usd": size * per_answer, "judging_usd": size * per_grade}
        )  # fmt: skip
    table = pd.DataFrame(found)
    table.attrs = {"name": name, "opponent": opponent, "measured_on": distinct, "pair": len(outcomes.names) == 2}
    return table


def prompts_for(
    predictions: Predictions, name: str, opponent: str, gain: float, bootstraps: int = 1000, seed: int = 0
) -> int:
    """Judged prompts that find a true gain of quality between two systems with chance 80%, as ``advice`` scales it.

    Raises:
        ToolkitError: the gain is not positive, or no such systems.
    """
    if not gain > 0:
        raise ToolkitError(f"A gain of quality above 0 was expected; got {gain!r}.")
    half = half_widths(predictions, name, opponent, bootstraps, seed)["difference"]
    if not half > 0:
        raise ToolkitError(f"{name} and {opponent} choose alike on these prompts; there is no difference to find.")
    distinct = len(np.unique(predictions.outcomes.groups))
    return int(np.ceil(distinct * (half * FOUND / gain) ** 2))


def answer_usd(outcomes: Outcomes) -> float:
    """Dollars for one prompt's answers by all models, at the data's own costs; NaN where these are unknown."""
    if outcomes.cost_source == "none":
        return float("nan")
    return float(np.nanmean(outcomes.cost_usd, axis=0).sum())


def judging_usd(outcomes: Outcomes, judge: str = JUDGE) -> float:
    """Dollars for grading one prompt's answers by all models, one call of the judge each.

    A call reads instructions (300 tokens, assumed), prompt and answer, and writes 60 tokens (assumed). Tokens of
    answers that are unknown are assumed as in ``pricing``.

    Raises:
        ToolkitError: the judge has no price in data/models.csv.
    """
    prices = read_prices(paths.data_dir() / "models.csv")
    if judge not in prices.index:
        raise ToolkitError(
            f"No price of a judge {judge!r} in data/models.csv; it has {', '.join(prices.index[:8])}, ..."
        )
    per_input, per_output = prices.loc[judge, list(PRICE_COLUMNS)].astype(float) / 1e6
    answers = np.where(np.isfinite(outcomes.output_tokens), outcomes.output_tokens, ASSUMED_OUTPUT_TOKENS)
    read = RUBRIC_TOKENS + outcomes.estimated_tokens.mean() + answers.mean()
    return float(len(outcomes.names) * (read * per_input + VERDICT_TOKENS * per_output))


def sentence(table: pd.DataFrame, size: int) -> str:
    """The row of a size of an ``advice`` frame, said in words.

    Raises:
        ToolkitError: no such row.
    """
    if size not in set(table["prompts"]):
        raise ToolkitError(f"A size of the table was expected, {', '.join(map(str, table['prompts']))}; got {size}.")
    row, told = table.set_index("prompts").loc[size], table.attrs
    money = f"judging them costs ${row['judging_usd']:,.2f}"
    if np.isfinite(row["answers_usd"]):
        money += f" beside ${row['answers_usd']:,.2f} for the answers"
    at = ", at half of the strong calls" if told["pair"] else ""
    return (
        f"With {size:,} judged prompts the interval of {told['name']}'s quality{at} is ±{row['quality']:.3f}, that of "
        f"its difference to {told['opponent']} ±{row['difference']:.3f}; a true gain of {row['smallest_gain']:.3f} is "
        f"found four times in five; {money}. Scaled from {told['measured_on']:,} prompts."
    )
