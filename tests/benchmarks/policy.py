"""Bars of routers of policies: latency of the exact architecture, what scoring changes, CLINC150, the notebook.

``python -m tests.benchmarks.policy [NAME ...]``; no name runs all. ``clinc`` reads upstream files. Run it on an idle
machine with 10 GB of free memory: milliseconds are of this machine, ratios hold on others.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil

from tests import tiny_causal
from tests.benchmarks import harness
from toolkit.datasets import intents
from toolkit.evaluation import architectures, policy_latency, policy_study
from toolkit.evaluation.policy_latency import QUERY, WAYS
from toolkit.routers.arch import ArchRouter
from toolkit.routes.scoring import Scorer

ROUNDS = 10
WHOLE_QUERY = 40  # a query of 20 tokens with the JSON and the chat marks around it


def latency() -> None:
    """300 tokens of policies kept, 10 routes: scored in one run against 8 tokens written behind the whole prompt."""
    medians = {}
    for precision in ("bf16", "int8"):
        for query in (QUERY, WHOLE_QUERY):
            one = policy_latency.bench(precision, "cpu", ROUNDS + 1, query)
            timings = policy_latency.in_rounds(one, ROUNDS)
            ratios = timings.speedups(WAYS[0]).set_index("system")
            times = timings.percentiles().query("metric == 'p50_ms'").set_index("system")
            words = f"{precision}_{query}_tokens"
            for name, short in zip(WAYS, ("written", "written_kept", "tree", "labels"), strict=True):
                row = times.loc[name]
                harness.line(f"{short}_{words}_p50_ms", row["value"], row["ci_low"], row["ci_high"], "-")
                if name != WAYS[0]:
                    bar = ">=8" if short == "labels" and query == QUERY else "-"
                    row = ratios.loc[name]
                    harness.line(f"{short}_{words}_over_written", row["value"], row["ci_low"], row["ci_high"], bar)
            medians[precision, query] = times.loc[WAYS[3]]
            del one
    for query, bar in ((QUERY, "<=250"), (WHOLE_QUERY, "-")):
        best = min((row for (_, size), row in medians.items() if size == query), key=lambda row: row["value"])
        harness.line(f"fastest_labels_{query}_tokens_ms", best["value"], best["ci_low"], best["ci_high"], bar)


def memory() -> None:
    """Resident memory of a process of its own that holds 1.5 billion weights in bf16 and has scored a prompt."""
    code = (
        "from toolkit.evaluation import policy_latency as p; import psutil; one = p.bench('bf16', 'cpu', 2); "
        "[one.calls[way](one.inputs[0]) for way in p.WAYS[2:]]; print('GB', psutil.Process().memory_info().rss / 1e9)"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    harness.line("resident_bf16_gb", float(done.stdout.split("GB")[1]), np.nan, np.nan, "<=4")


def tree() -> None:
    """The tree against each candidate run by itself behind the whole prompt, fp32: the largest difference."""
    import torch

    network = architectures.causal("fp32").network
    rng = np.random.default_rng(0)
    ids, lead = rng.integers(0, 150_000, 320).tolist(), [1, 2, 3, 4]
    candidates = [[*lead, *rng.integers(0, 150_000, rng.integers(1, 5)).tolist(), 7] for _ in range(10)]
    scored = Scorer(network, ids[:300]).tree(ids, candidates)
    alone = []
    for candidate in candidates:
        with torch.inference_mode():
            chances = network(torch.tensor([ids + candidate]), logits_to_keep=len(candidate) + 1).logits[0]
        chances = chances.double().log_softmax(dim=-1)
        alone.append(sum(float(chances[at, token]) for at, token in enumerate(candidate)))
    harness.line("tree_against_batched_exact_shape", np.abs(scored - alone).max(), np.nan, np.nan, "<=0.0001")


def precision() -> None:
    """A tiny trained model, 200 queries: reduced precisions against fp32, scored routes against written ones."""
    folder, (prompts, routes) = str(tiny_causal.trained()), tiny_causal.conversations(200, seed=1)
    vague = tiny_causal.vague(200, seed=2)
    for way in ("tree", "labels", "generate"):

        def chosen(precision: str, asked: list, way: str = way) -> np.ndarray:
            router = ArchRouter(tiny_causal.TABLE, folder, decide=way, precision=precision, device="cpu")
            return np.array(router.choose_routes(asked))

        usual, torn = chosen("fp32", prompts), chosen("fp32", vague)
        harness.line(f"tiny_{way}_right", float((usual == np.array(routes)).mean()), np.nan, np.nan, ">=0.98")
        for name in ("bf16", "int8"):
            same = float((chosen(name, prompts) == usual).mean())
            harness.line(f"tiny_{way}_{name}_agrees_with_fp32", same, np.nan, np.nan, ">=0.99")
            same = float((chosen(name, vague) == torn).mean())
            harness.line(f"tiny_{way}_{name}_agrees_on_vague_queries", same, np.nan, np.nan, "-")
        if way != "generate":
            written = ArchRouter(tiny_causal.TABLE, folder, decide="generate", precision="fp32", device="cpu")
            for words, asked, scored in (("", prompts, usual), ("_vague", vague, torn)):
                same = float((np.array(written.choose_routes(asked)) == scored).mean())
                harness.line(f"tiny_{way}_agrees_with_written{words}", same, np.nan, np.nan, "-")


def clinc() -> None:
    """All 5,500 test requests: descriptions alone, and ten examples of each intent, mean of five draws."""
    plan = replace(policy_study.PLANS["full"], draws=5)
    found = policy_study.subjects(plan, "minilm", "none", "own", "cpu")
    rows = policy_study.requests(policy_study.richest(found), plan, 1000).set_index(["system", "metric"])
    bars = {
        ("MiniLM, descriptions", "coarse_accuracy"): ("zero_shot_domain", ">=0.87"),
        ("MiniLM, descriptions", "closed_accuracy"): ("zero_shot_intent", "-"),
        ("MiniLM, descriptions", "other_auroc"): ("zero_shot_auroc", "-"),
        ("MiniLM, examples", "closed_accuracy"): ("ten_examples_intent", ">=0.92"),
        ("MiniLM, examples", "coarse_accuracy"): ("ten_examples_domain", "-"),
        ("MiniLM, examples", "other_auroc"): ("ten_examples_auroc", ">=0.955"),
        ("MiniLM, examples", "turn_accuracy"): ("ten_examples_with_other", "-"),
        ("MiniLM, examples", "other_recall"): ("ten_examples_other_caught", "-"),
    }
    for key, (name, bar) in bars.items():
        row: pd.Series = rows.loc[key]
        harness.line(f"clinc150_{name}", row["value"], row["ci_low"], row["ci_high"], bar)
    broad = next(one for one in found if one.name == "clinc150 domains")
    for _, row in policy_study.requests(broad, plan, 1000).iterrows():
        if row["system"] != policy_study.CHANCE:
            name = f"{row['system'].split(', ')[1]}_{row['metric']}"
            harness.line(f"clinc150_ten_routes_{name}", row["value"], row["ci_low"], row["ci_high"], "-")


def notebook() -> None:
    """Notebook 08, quick, cold and warm."""
    harness.notebook("08", "<=40")


BARS: dict[str, Callable[[], None]] = {
    "latency": latency,
    "memory": memory,
    "tree": tree,
    "precision": precision,
    "clinc": clinc,
    "notebook": notebook,
}


def lacks(name: str) -> str:
    """What a bar needs and is not there."""
    if name == "clinc" and not intents.at_hand():
        return "clinc150 is not at hand (set TOOLKIT_DATA_MIRROR)"
    if name in ("latency", "tree") and psutil.virtual_memory().available < 10e9:
        return "10 GB of free memory are needed"
    return ""


if __name__ == "__main__":
    harness.main(BARS, sys.argv[1:], lacks)
