"""A classifier as a graph answers as torch does."""

from importlib.util import find_spec

import numpy as np
import pytest

from tests.conftest import make_outcomes, tiny_bert
from toolkit import load_router, save_router
from toolkit.errors import ToolkitError
from toolkit.routers.bert import BertRouter, load_classifier
from toolkit.routers.compiled import PRECISION, Compiled, _eager

TEXTS = [
    "prove this now",
    "greet",
    "What is the capital of France?",
    "法国的首都是哪里？",
    "",
    "word " * 3000,
    "🙂",
    "half \ud800 pair",
]
WORDS = [f"{word} {number}" for number in range(60) for word in ("prove", "greet")]
DATA = make_outcomes(np.eye(2)[[0, 1] * 60], texts=WORDS)
OPTIONS = {"max_tokens": 24, "epochs": 6, "patience": 6, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def trained():
    return BertRouter(str(tiny_bert()), **OPTIONS).fit(DATA)


@pytest.mark.parametrize(
    ("backend", "tolerance"), [("onnx", 1e-5), ("onnx-mixed", 0.2), ("onnx-int8", 0.2), ("openvino", 0.1)]
)
def test_every_backend_answers_as_torch_does(trained, backend, tolerance):
    if backend == "openvino" and find_spec("openvino") is None:
        pytest.skip("openvino is an optional extra and not installed")
    expected = trained._logits(TEXTS)
    fast = Compiled(trained._network, trained._tokenizer, backend, trained.max_tokens)
    found = fast.logits(TEXTS)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(found, expected, atol=tolerance)
    if PRECISION[backend] in ("mixed", "int8"):  # quantised by its own range, a text does not depend on its neighbours
        np.testing.assert_array_equal(np.concatenate([fast.logits([text]) for text in TEXTS]), found)


def test_a_router_predicts_through_its_backend_once_it_is_loaded(trained, tmp_path):
    router = BertRouter(str(tiny_bert()), **OPTIONS, backend="onnx-int8").fit(DATA)
    assert not np.array_equal(router.predict(TEXTS), trained.predict(TEXTS))
    np.testing.assert_allclose(router.predict(TEXTS), trained.predict(TEXTS), atol=0.05)
    loaded = load_router(save_router(router, tmp_path / "router"))
    np.testing.assert_array_equal(loaded.predict(TEXTS), router.predict(TEXTS))
    router.fit(make_outcomes(np.eye(2)[[1, 0] * 60], texts=WORDS))  # the old graph is not asked again
    assert np.abs(router.predict(TEXTS) - loaded.predict(TEXTS)).max() > 0.1


def test_padding_ids_are_the_tokenizers_own():
    """RoBERTa counts positions from the padding id, so a wrong one would move every position."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    _, tokenizer = load_classifier(str(tiny_bert()))
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=66, num_labels=3, pad_token_id=tokenizer.pad_token_id, type_vocab_size=1,
    )  # fmt: skip
    network = XLMRobertaForSequenceClassification(config).eval()
    fast = Compiled(network, tokenizer, "onnx", 24)
    with torch.inference_mode():
        alone = [network(**tokenizer([text], return_tensors="pt")).logits[0].numpy() for text in TEXTS[:3]]
    np.testing.assert_allclose(fast.logits(TEXTS[:3]), alone, atol=1e-5)
    assert _eager(network).config._attn_implementation == "eager"


def test_what_cannot_be_compiled_is_told(trained):
    with pytest.raises(ToolkitError, match="backend torch, onnx"):
        BertRouter(backend="tensorrt")
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    other = DistilBertForSequenceClassification(DistilBertConfig(dim=32, n_layers=1, n_heads=2, hidden_dim=32))
    with pytest.raises(ToolkitError, match=r"found distilbert\. Use backend 'torch'"):
        Compiled(other, trained._tokenizer, "onnx", 24)
