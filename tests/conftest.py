"""What several test modules share: real data where it is at hand, and small outcomes made on the spot."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toolkit import datasets
from toolkit.datasets.catalogue import CATALOGUE
from toolkit.encoders import minilm
from toolkit.outcomes import Outcomes
from toolkit.routers import ROUTERS, Router
from toolkit.routers.bert import BertRouter


@cache
def _load(name: str, **options: object) -> Outcomes:
    return datasets.load(name, **options)


@pytest.fixture(scope="session")
def upstream() -> Callable[..., Outcomes]:
    """Load a data set, or skip where its files are neither in the mirror nor in the cache."""

    def load(name: str, **options: object) -> Outcomes:
        if CATALOGUE[name].at_hand() == "no":
            pytest.skip(f"{name} is not at hand; set TOOLKIT_DATA_MIRROR or fetch it once")
        return _load(name, **options)

    return load


@pytest.fixture(scope="session")
def synthetic() -> Outcomes:
    """The embedded data set, default options."""
    return _load("synthetic")


def make_outcomes(
    quality: np.ndarray, cost: np.ndarray | None = None, texts: list[str] | None = None, **columns: object
) -> Outcomes:
    """Outcomes from a matrix; models are m0, m1, ..., texts are distinct unless given."""
    quality = np.asarray(quality, dtype=float)
    texts = texts or [f"prompt number {row}" for row in range(len(quality))]
    prompts = pd.DataFrame({"prompt_id": [str(row) for row in range(len(quality))], "text": texts, **columns})
    models = pd.DataFrame(index=[f"m{column}" for column in range(quality.shape[1])])
    source = "none" if cost is None else "measured"
    return Outcomes("made", prompts, models, quality, cost_usd=cost, cost_source=source)


@cache
def tiny_bert() -> Path:
    """A BERT of two narrow layers with random weights and MiniLM's vocabulary, as a checkpoint on disk."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = Path(tempfile.mkdtemp(prefix="tiny-bert-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm.checkpoint()).save_pretrained(folder)
    return folder


def make_router(name: str) -> Router:
    """A router of the registry, unfitted; the one that takes minutes to train starts from a tiny network here."""
    return BertRouter(str(tiny_bert()), max_tokens=24, epochs=2) if name == "bert" else ROUTERS[name]()
