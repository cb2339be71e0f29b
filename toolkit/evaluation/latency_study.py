"""Notebook 04's experiments: what is timed in each profile, and the tidy rows that come of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit import encoders
from toolkit.errors import ToolkitError, first_line
from toolkit.evaluation import architectures, serving
from toolkit.evaluation.contenders import HEADS, SCOPE, Contender, Texts, full_cache, gateway, head
from toolkit.evaluation.latency import Timings, interleaved, stages, synchronised, throughput, usd_per_million
from toolkit.evaluation.metrics import measured
from toolkit.evaluation.stages import stage_seconds
from toolkit.gateway import Gateway
from toolkit.outcomes import Outcomes

log = logging.getLogger(__name__)

SHAPES = tuple(architectures.SHAPES)
VARIANTS = ("minilm", "minilm-mixed", "minilm-int8")
SHIPPED = "XLM-RoBERTa-base classifier, plain"
CUT = "English prompts cut out of SYNTHETIC ones"
RANDOM_NOTE = "BERT-base and XLM-RoBERTa-base with random weights of the exact shape, which take as long"


@dataclass(frozen=True)
class Plan:
    """How much is timed.

    Attributes:
        shapes: classifiers through plain transformers; ``fast``: those of them as graphs too.
        budget_s: for each comparison, once its least rounds are done.
        least: rounds of the comparison of all; other comparisons take half.
        calls: counted calls of a visit there.
        tail: calls of the fast path from which high percentiles are read.
        lengths: in tokens.
        variants: encoders whose stages and rates are taken.
        batches: prompts a call.
        turns: fresh processes, and turns of many callers.
    """

    shapes: tuple[str, ...]
    fast: tuple[str, ...]
    budget_s: float
    least: int
    calls: int
    tail: int
    lengths: tuple[int, ...]
    variants: tuple[str, ...]
    batches: tuple[int, ...]
    turns: int


PLANS = {
    "smoke": Plan(("MiniLM",), ("MiniLM",), 0.0, 2, 1, 20, (8, 32), ("minilm-int8",), (1, 4), 1),
    "quick": Plan(SHAPES, ("MiniLM",), 3.0, 6, 1, 200, (8, 32, 128), ("minilm", "minilm-int8"), (1, 32), 1),
    "full": Plan(SHAPES, SHAPES, 120.0, 100, 5, 2000, (8, 16, 32, 64, 128, 256, 512), VARIANTS, (1, 8, 32), 5),
}


def singles(texts: Sequence[str]) -> list[list[str]]:
    """One prompt a call."""
    return [[text] for text in texts]


def compare(
    contenders: Mapping[str, Contender], texts: Sequence[str], budget_s: float, least: int, calls: int, seed: int = 0
) -> Timings:
    """All contenders in turns on single prompts."""
    systems = {name: one.call for name, one in contenders.items()}
    return interleaved(systems, singles(texts), budget_s, calls=calls, least=least, seed=seed)


def tails(
    gateways: Mapping[str, Gateway], texts: Sequence[str], plan: Plan, bootstraps: int, seed: int = 0
) -> pd.DataFrame:
    """Tidy rows of the percentiles of a whole decision, for each gateway, in turns of ten calls."""
    calls = {name: lambda texts, one=one: one.route(texts[0], SCOPE) for name, one in gateways.items()}
    rounds = -(-plan.tail // 10)
    timings = interleaved(calls, singles(texts), 0.0, calls=10, least=max(2, rounds), visit_s=0.0, seed=seed)
    return timings.percentiles(bootstraps)


def percentiles(timings: Timings, contenders: Mapping[str, Contender], bootstraps: int) -> pd.DataFrame:
    """Tidy rows of every percentile, with the contenders' notes."""
    rows = timings.percentiles(bootstraps)
    notes = [contenders[name].note for name in rows["system"]]
    return rows.assign(note=[f"{own}; {note}" if own else note for own, note in zip(notes, rows["note"], strict=True)])


def drawn(rows: pd.DataFrame, contenders: Mapping[str, Contender]) -> pd.DataFrame:
    """Medians among the rows of ``percentiles`` as ``figures.latencies`` takes them."""
    medians = rows[rows["metric"] == "p50_ms"]
    return medians.assign(path=[contenders[name].path for name in medians["system"]])


def by_length(contenders: Mapping[str, Contender], plan: Plan, bootstraps: int, seed: int = 0) -> pd.DataFrame:
    """Rows ``p50_ms`` on English prompts of each length, with columns ``tokens``, ``network`` and ``path``."""
    found = []
    least = max(2, plan.least // 2)
    for tokens in plan.lengths:
        texts = architectures.prompts_of(tokens, 20, seed=seed)
        timings = compare(contenders, texts, plan.budget_s / 2 / len(plan.lengths), least, 1, seed)
        rows = timings.percentiles(bootstraps)
        found.append(rows[rows["metric"] == "p50_ms"].assign(tokens=tokens))
    rows = pd.concat(found, ignore_index=True)
    path = [contenders[name].path for name in rows["system"]]
    return rows.assign(network=rows["system"].str.rsplit(", ", n=1).str[0], path=path)


def variants(train: Outcomes, names: Sequence[str] = VARIANTS) -> dict[str, Gateway]:
    """A gateway for each precision of the encoder, with a ridge head on that precision's vectors."""
    return {name: gateway(HEADS["ridge"](name).fit(train), full_cache(encoders.get(name))) for name in names}


def stage_rows(gateways: Mapping[str, Gateway], texts: Sequence[str], bootstraps: int) -> pd.DataFrame:
    """Tidy rows ``stage_ms``; the gateways take turns of a fifth of the texts each."""
    parts: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in gateways}
    for chunk in np.array_split(np.array(texts, dtype=object), 5):
        for name, one in gateways.items():
            stage_seconds(one, list(chunk[:2]), SCOPE)  # the caches that the others emptied
            parts[name].append(stage_seconds(one, list(chunk), SCOPE))
    joined = {
        name: {stage: np.concatenate([part[stage] for part in found]) for stage in found[0]}
        for name, found in parts.items()
    }
    return pd.concat([stages(found, name, bootstraps) for name, found in joined.items()], ignore_index=True)


def rates(calls: Mapping[str, Texts], texts: Sequence[str], plan: Plan, bootstraps: int) -> pd.DataFrame:
    """Tidy rows ``prompts_per_s`` with a column ``batch``."""
    found, least = [], max(2, plan.least // 2)
    for batch in plan.batches:
        inputs = [list(texts[start : start + batch]) for start in range(0, len(texts) - batch + 1, batch)]
        timings = interleaved(calls, inputs, plan.budget_s / 2 / len(plan.batches), calls=1, least=least)
        found.append(throughput(timings, batch, bootstraps).assign(batch=batch))
    return pd.concat(found, ignore_index=True)


def process_rows(router: Path, repeats: int, system: str) -> pd.DataFrame:
    """Tidy rows ``first_decision_s`` and ``memory_mb`` of fresh processes: medians, with the range in the note."""
    taken, held = serving.cold_starts(router, repeats)
    return pd.DataFrame(
        [
            measured(system, metric, np.array([np.median(values)]), f"{values.min():.3g} to {values.max():.3g}")
            | {"n": repeats}
            for metric, values in (("first_decision_s", taken), ("memory_mb", held / 1e6))
        ]
    )


def prices(means: pd.DataFrame, usd_per_hour: float, sooner_ms: float) -> pd.DataFrame:
    """Rows ``usd_per_million`` and ``break_even_share`` of every mean: totals add up from means, not from medians.

    Args:
        means: of ``Timings.means``.
        usd_per_hour: of the machine.
        sooner_ms: how much sooner the faster of two models answers; the decision's time is paid back when that share of
            the calls goes to it.
    """
    bounds = ["value", "ci_low", "ci_high"]
    dollars = means.assign(metric="usd_per_million", unit="USD", note=f"at {usd_per_hour:g} USD per hour")
    dollars[bounds] = usd_per_million(means[bounds].to_numpy() / 1000, usd_per_hour)
    share = means.assign(metric="break_even_share", unit="share of calls", note=f"{sooner_ms:g} ms sooner, assumed")
    share[bounds] = means[bounds] / sooner_ms
    return pd.concat([dollars, share], ignore_index=True)


def on_gpu(device: str, shapes: Sequence[str], budget_s: float, bootstraps: int) -> pd.DataFrame:
    """Classifiers on a GPU: rows ``p50_ms`` and ``prompts_per_s`` with a column ``batch``; empty where there is none.

    Prompts of 32 tokens, batches of 1 and 32; fp32, fp16, and fp16 with CUDA graphs where torch.compile works.
    """
    if device != "cuda":
        return pd.DataFrame()
    variants = {"fp32": {}, "fp16": {"half": True}, "fp16, CUDA graphs": {"half": True, "compiled": True}}
    found, texts = [], architectures.prompts_of(32, 128)
    for batch in (1, 32):
        calls, inputs = {}, [texts[start : start + batch] for start in range(0, len(texts), batch)]
        for shape in shapes:
            for words, options in variants.items():
                network, tokenizer = architectures.classifier(shape)
                call = architectures.plain(network, tokenizer, device=device, **options)
                try:
                    call(inputs[0])
                except Exception as err:  # a compiler or a driver is missing
                    log.warning("%s, %s: not measured (%s)", shape, words, first_line(err))
                else:
                    calls[f"{shape} classifier, GPU {words}"] = synchronised(call, device)
        timings = interleaved(calls, inputs, budget_s, calls=min(5, len(inputs) - 1))
        rows = timings.percentiles(bootstraps)
        rows = pd.concat([rows[rows["metric"] == "p50_ms"], throughput(timings, batch, bootstraps)])
        found.append(rows.assign(batch=batch))
    return pd.concat(found, ignore_index=True)


def batched(gateways: Mapping[str, Gateway]) -> dict[str, Texts]:
    """Text to predicted quality of a batch, through each gateway's encoder and head; no lookup, no draw."""
    return {name: lambda texts, one=one: head(one.router, one.encoder.encode(texts)) for name, one in gateways.items()}


def callers_rows(one: Gateway, texts: Sequence[str], callers: int, turns: int = 5) -> pd.DataFrame:
    """Tidy rows ``prompts_per_s`` of one caller and of many threads at once: medians of alternating turns.

    Raises:
        ToolkitError: an answer under load differs from the one given alone.
    """
    taken: dict[int, list[float]] = {1: [], callers: []}
    alone = None
    for _ in range(turns):
        for count in taken:
            seconds, answers = serving.together(lambda text: one.route(text, SCOPE).predicted, texts, count)
            taken[count].append(seconds)
            alone = answers if alone is None else alone
            if not all(np.array_equal(*pair) for pair in zip(alone, answers, strict=True)):
                raise ToolkitError(f"{count} callers: the answers of one caller were expected; some differ.")
    return pd.DataFrame(
        [
            measured(f"{count} caller{'s' * (count > 1)}", "prompts_per_s", np.array([len(texts) / np.median(seconds)]))
            | {"n": turns * len(texts)}
            for count, seconds in taken.items()
        ]
    )


def baseline(rows: pd.DataFrame) -> str:
    """What the others are held against: what RouteLLM ships where it was timed, else the slowest."""
    median = rows[rows["metric"] == "p50_ms"].set_index("system")["value"]
    return SHIPPED if SHIPPED in median.index else str(median.idxmax())


def for_length(contenders: Mapping[str, Contender]) -> dict[str, Contender]:
    """One head on MiniLM and the classifiers, each network once: BERT-base takes what XLM-RoBERTa-base does."""
    return {
        name: one
        for name, one in contenders.items()
        if name.startswith("ridge on") or ("classifier" in name and not name.startswith("BERT-base"))
    }


def conclusion(rows: pd.DataFrame, timings: Timings) -> str:
    """One sentence: what a whole decision takes on the fast path, as a ratio to the baseline too."""
    median = rows[rows["metric"] == "p50_ms"].set_index("system")
    name, base = "ridge on MiniLM, fast path", baseline(rows)
    gain = timings.speedups(base).set_index("system").loc[name]
    row = median.loc[name]
    return (
        f"A whole decision on the fast path takes {row['value']:.2f} ms [{row['ci_low']:.2f}, {row['ci_high']:.2f}] at "
        f"the median. {base}, takes {gain['value']:.1f} times [{gain['ci_low']:.1f}, {gain['ci_high']:.1f}] as long on "
        f"the same prompts."
    )
