"""Bars of latency: a whole decision, and ratios from interleaved rounds of one run.

``python -m tests.benchmarks.latency [NAME ...]``; no name runs all. Needs nothing but the package, except ``variants``,
which reads RouteLLM's MMLU. Run it on an idle machine: milliseconds are of this machine, ratios hold on others.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks import harness
from toolkit import datasets, encoders, save_router
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.encoders import minilm
from toolkit.encoders.sentence import SentenceEncoder
from toolkit.evaluation import architectures, contenders, curves, latency_study, serving, statistics
from toolkit.evaluation.latency import Timings, interleaved
from toolkit.evaluation.protocol import cross_predict, holdout
from toolkit.evaluation.systems import DECILES, operate
from toolkit.routers.classical import RidgeRegression
from toolkit.routers.compiled import Compiled
from toolkit.routers.local import KNearestNeighbours

BUDGET_S = 40.0


def report(timings: Timings, system: str, metric: str, name: str, bar: str) -> None:
    """One percentile of one system."""
    rows = timings.percentiles()
    row = rows[(rows["system"] == system) & (rows["metric"] == metric)].iloc[0]
    harness.line(name, row["value"], row["ci_low"], row["ci_high"], bar)


def report_ratio(timings: Timings, baseline: str, system: str, name: str, bar: str) -> None:
    """How many times faster ``system`` is."""
    row = timings.speedups(baseline).set_index("system").loc[system]
    harness.line(name, row["value"], row["ci_low"], row["ci_high"], bar)


def decision() -> None:
    """Text in, model out: 10,000 entries, 40 models, one draw; every precision of the encoder in turns."""
    gateways = latency_study.variants(contenders.many_models(datasets.load("synthetic").sample(500)))
    for tokens, bars in ((20, {"p50_ms": "<=3", "p99_ms": "<=6"}), (128, {"p50_ms": "<=14"})):
        inputs = latency_study.singles(architectures.prompts_of(tokens, 50))
        calls = {name: lambda texts, one=one: one.route(texts[0], contenders.SCOPE) for name, one in gateways.items()}
        timings = interleaved(calls, inputs, BUDGET_S, tight=0.0, least=220, visit_s=0.0)  # ten calls beyond the 99th
        for system in calls:
            for metric in ("p50_ms", "p99_ms"):
                bar = bars.get(metric, "-") if system == contenders.FAST else "-"
                report(timings, system, metric, f"decision_{tokens}_tokens_{system}_{metric}", bar)


def encoding() -> None:
    """The fast path against the same encoder, and against what RouteLLM ships, through transformers at 32 tokens."""
    cache = contenders.full_cache(contenders.fast_encoder())
    train = contenders.many_models(datasets.load("synthetic").sample(500))
    whole = contenders.gateway(RidgeRegression(encoder=contenders.FAST).fit(train), cache)
    sentence = SentenceEncoder(str(minilm.checkpoint()), device="cpu")
    fp32, int8 = encoders.fresh("minilm"), encoders.fresh(contenders.FAST)
    calls = {
        "whole": lambda texts: whole.route(texts[0], contenders.SCOPE),
        "int8": int8.encode,
        "fp32": fp32.encode,
        "sentence-transformers": sentence.encode,
        "xlm-roberta": architectures.plain(*architectures.classifier("XLM-RoBERTa-base")),
        "xlm-roberta-bf16": architectures.plain(*architectures.classifier("XLM-RoBERTa-base"), half=True),
    }
    timings = interleaved(calls, latency_study.singles(architectures.prompts_of(32, 50)), BUDGET_S, tight=0.0)
    report_ratio(timings, "xlm-roberta", "whole", "whole_decision_over_xlm_roberta_32_tokens", ">=15")
    report_ratio(timings, "xlm-roberta-bf16", "whole", "whole_decision_over_xlm_roberta_bf16_32_tokens", "-")
    report_ratio(timings, "sentence-transformers", "int8", "int8_encode_over_sentence_transformers", ">=5")
    report_ratio(timings, "sentence-transformers", "fp32", "fp32_encode_over_sentence_transformers", "-")


def classifier() -> None:
    """BERT-base with two labels at 128 tokens: graphs against plain transformers."""
    network, tokenizer = architectures.classifier("BERT-base")
    calls = {"plain": architectures.plain(network, tokenizer)}
    backends = ["onnx-int8", "onnx-mixed", "onnx"]
    try:
        import openvino  # noqa: F401

        backends.append("openvino")
    except ImportError:
        harness.tell("openvino is not installed: left out")
    calls |= {backend: Compiled(network, tokenizer, backend, 512).logits for backend in backends}
    timings = interleaved(calls, latency_study.singles(architectures.prompts_of(128, 20)), BUDGET_S, tight=0.0)
    for backend in backends:
        bar = ">=3" if backend == "onnx-int8" else "-"  # what the fast path takes
        report_ratio(timings, "plain", backend, f"bert_base_128_tokens_{backend}_over_plain", bar)


def process() -> None:
    """A fresh process that routes, its graph on disk; and two hundred callers in threads against one."""
    train = contenders.many_models(datasets.load("synthetic").sample(500))
    router = RidgeRegression(encoder=contenders.FAST).fit(train)
    with tempfile.TemporaryDirectory() as folder:
        taken, held = serving.cold_starts(save_router(router, Path(folder) / "router"), 5)
    harness.spread("first_decision_s", taken, "<=1.5")
    harness.spread("resident_mb", held / 1e6, "<=500")
    one = contenders.gateway(router, contenders.full_cache(contenders.fast_encoder()))
    ratios = []
    for _ in range(5):
        rows = latency_study.callers_rows(one, train.texts[:300], 200)  # raises where an answer is another
        ratios.append(rows["value"][1] / rows["value"][0])
    harness.spread("two_hundred_callers_over_one", np.array(ratios), ">=1")


def variants() -> None:
    """APGR of each precision minus that of fp32, heads trained on their own vectors: MMLU, 7,000 labels, five seeds."""
    pair = datasets.load("routellm/mmlu").pair()
    counts = statistics.bootstrap_counts(pair.groups, 1000)
    found: dict[str, list[np.ndarray]] = {}
    for seed in range(5):
        marked = holdout(pair, 7000, seed)
        part = counts[:, np.flatnonzero(marked.prompts["split"] != "train")]
        routers = {f"ridge {name}": RidgeRegression(encoder=name) for name in latency_study.VARIANTS}
        routers |= {f"knn {name}": KNearestNeighbours(80, name) for name in latency_study.VARIANTS}
        predictions = cross_predict(marked, routers)
        weak, strong = statistics.resampled_means(part, predictions.outcomes.quality.T).T
        for name, system in operate(predictions, np.array([0.0, 1.0]), part).items():
            area = curves.apgr(system.charge[:, DECILES], system.quality[:, DECILES], weak, strong)
            found.setdefault(name, []).append(area)
    for head in ("ridge", "knn"):
        fp32 = np.mean(found[f"{head} minilm"], axis=0)
        harness.line(f"apgr_{head}_minilm", fp32[0], *statistics.interval(fp32), "-")
        for name in latency_study.VARIANTS[1:]:
            gap = np.mean(found[f"{head} {name}"], axis=0) - fp32
            harness.line(f"apgr_{head}_{name}_over_fp32", gap[0], *statistics.interval(gap), ">=-0.005")


def notebook() -> None:
    """Notebook 04, quick, cold and warm; and whether the ratios of two runs agree within their intervals."""
    gains = []
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"TOOLKIT_CACHE": str(Path(folder) / "cache")}
        for name, bar in (("cold", "-"), ("warm", "<=45"), ("again", "<=45")):
            out = Path(folder) / name
            command = [sys.executable, "-m", "toolkit", "report", "--only", "04", "--out", str(out)]
            seconds, peak = harness.run(command, environment)
            harness.line(f"notebook_04_{name}_s", seconds, np.nan, np.nan, bar)
            harness.line(f"notebook_04_{name}_peak_gb", peak, np.nan, np.nan, "-")
            (table,) = out.glob("*/measurements.csv")
            rows = pd.read_csv(table)
            gains.append(rows[rows["metric"] == "speedup"].set_index("system"))
    first, second = gains[1], gains[2].loc[gains[1].index]
    agree = (first["ci_low"] <= second["ci_high"]) & (second["ci_low"] <= first["ci_high"])
    harness.tell(f"apart: {', '.join(first.index[~agree]) or 'none'}")
    harness.line(f"speedups_that_agree_of_{len(agree)}", float(agree.mean()), np.nan, np.nan, ">=0.95")


BARS: dict[str, Callable[[], None]] = {
    "decision": decision,
    "encoding": encoding,
    "classifier": classifier,
    "process": process,
    "notebook": notebook,
    "variants": variants,
}


def lacks(name: str) -> str:
    """What a bar needs and is not there."""
    missing = name == "variants" and CATALOGUE["routellm/mmlu"].at_hand() == "no"
    return "routellm/mmlu is not at hand (set TOOLKIT_DATA_MIRROR)" if missing else ""


if __name__ == "__main__":
    harness.main(BARS, sys.argv[1:], lacks)
