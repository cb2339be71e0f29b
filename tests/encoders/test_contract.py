"""What every encoder keeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import encoders
from toolkit.encoders import ENCODERS, Remembering
from toolkit.errors import ToolkitError

MEANING = [name for name in ENCODERS if name != "surface"]
TEXTS = [
    "What is the capital of France?",
    "法国的首都是哪里？",
    "def f(x): return x",
    "",
    "🙂",
    "word " * 5000,
    "half \ud800 pair",
]


@pytest.mark.parametrize("name", ENCODERS)
def test_vectors_are_unit_and_do_not_depend_on_the_batch(name):
    encoder = ENCODERS[name]()
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    length = np.linalg.norm(vectors, axis=1)
    assert ((np.abs(length - 1) < 1e-5) | (length == 0)).all()
    assert (length[[0, 1, 2, 5]] > 0).all()
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, vectors, atol=1e-6)
    assert encoder.encode([]).shape == (0, encoder.dimension)


@pytest.mark.parametrize("name", MEANING)
@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("How do I sort a list in Python?", "Sort a list in Python, please", "A poem about the autumn sea"),
        ("请把这句话翻译成法语", "把这句话翻译成德语", "计算三角形的面积"),
    ],
)
def test_a_paraphrase_is_nearer_than_another_topic(name, text, near, far):
    anchor, paraphrase, other = ENCODERS[name]().encode([text, near, far])
    assert anchor @ paraphrase > anchor @ other


@given(st.lists(st.text(max_size=20), max_size=12), st.integers(1, 6))
@settings(deadline=None, max_examples=50)
def test_remembering_changes_nothing(texts, limit):
    plain = ENCODERS["lexical"]()
    remembering = Remembering(plain, limit)
    for part in (texts, texts[::-1], texts[: len(texts) // 2]):
        np.testing.assert_array_equal(remembering.encode(part), plain.encode(part))


def test_an_unknown_encoder_is_refused_with_what_there_is():
    with pytest.raises(ToolkitError, match="No encoder 'minlm'; there are lexical"):
        encoders.get("minlm")
    for name in ("", "lexical+"):
        with pytest.raises(ToolkitError, match="No encoder ''"):
            encoders.get(name)
