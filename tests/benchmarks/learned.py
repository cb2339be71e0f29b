"""Bars of the learned routers' speed: encoding, a similarity-weighted decision, notebook 03.

``python -m tests.benchmarks.learned``; figures on real data need TOOLKIT_DATA_MIRROR or cached files and are left out,
with a line on stderr, where there are none. Every run starts with an empty cache folder.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks import harness
from toolkit import datasets, paths
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.outcomes import Outcomes
from toolkit.routers.pairwise import battles
from toolkit.routers.similarity import SimilarityWeighted

ENCODE = """
import sys, time
from toolkit import datasets, encoders
texts = datasets.load("routellm/mmlu?decontaminate=false").texts
encoder = encoders.get("minilm")
start = time.perf_counter(); encoder.encode(texts); print(time.perf_counter() - start)
"""


def measure_encoding(environment: dict[str, str]) -> None:
    """All MMLU prompts, cold and from the disk, each in a process of its own; the first one exports the graph too."""
    for name, bar in (("encode_mmlu_s", "<=240"), ("encode_mmlu_again_s", "<=2")):
        done = subprocess.run(
            [sys.executable, "-c", ENCODE], env=environment, capture_output=True, text=True, check=True
        )
        harness.line(name, float(done.stdout), np.nan, np.nan, bar)


def measure_similarity(outcomes: Outcomes) -> None:
    """One decision of the similarity-weighted router among 10,000 battles, embedding of the prompt at hand."""
    fought = len(battles(outcomes))
    router = SimilarityWeighted("lexical").fit(outcomes)
    texts = [f"{text} ({number})" for number, text in enumerate(outcomes.texts[:50])]
    router.predict(texts)
    taken = [1000 * harness.seconds(lambda text=text: router.predict([text]), 3).min() for text in texts]
    harness.spread(f"sw_query_ms_at_{fought}_battles", np.array(taken), "<=5")


def measure_notebook(name: str, bar: str, environment: dict[str, str]) -> None:
    """The whole command from an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "toolkit", "report", "--only", "03", "--dataset", name, "--out", folder]
        environment = environment | {"TOOLKIT_CACHE": str(Path(folder) / "cache")}
        seconds, _ = harness.run(command, environment)
    harness.line(f"notebook_03_{name.replace('/', '_')}_s", seconds, np.nan, np.nan, bar)


def main() -> None:
    """All figures, the quick ones first."""
    synthetic = datasets.load("synthetic?prompts=3334")  # three pairs a prompt
    measure_similarity(synthetic)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"TOOLKIT_CACHE": folder}
        if not paths.mirror_dir():  # downloaded files stay where they are
            environment["TOOLKIT_DATA_MIRROR"] = str(paths.cache_dir())
        measure_notebook("synthetic", "<=75", environment)
        if CATALOGUE["routellm/mmlu"].at_hand() == "no":
            harness.tell("routellm/mmlu is not at hand (set TOOLKIT_DATA_MIRROR): its figures are left out")
            return
        measure_encoding(environment)
        measure_notebook("routellm/mmlu", "<=480", environment)


if __name__ == "__main__":
    main()
