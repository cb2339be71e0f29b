"""What MiniLM does not read, two prompts may differ in: their vectors are one, and no answer must pass between them."""

import numpy as np
import pytest

from toolkit import encoders
from toolkit.cache.scope import Scope
from toolkit.cache.semantic import SemanticCache
from toolkit.cache.threshold import Fixed

SCOPE = Scope("ann", "small", "", {})
FILLER = "the customer wrote again about the order that came late and was then paid back in part " * 12
PAIRS = {
    "emoji": ("What does my boss mean by this sign: 😀", "What does my boss mean by this sign: 😡"),
    "a sign more": ("Rate the mood of this review of my kettle", "Rate the mood of this review of my kettle 🤮"),
    "the middle of a long text": (
        f"{FILLER} She wants her money back. {FILLER}", f"{FILLER} She says that she will hurt herself. {FILLER}",
    ),
    "the middle of a huge text": tuple(f"{FILLER * 20}{one} times{FILLER * 20}" for one in ("three", "nine")),
    "a long word": tuple(f"Decode this word: {sign * 60}{'Zm9v' * 30}" for sign in "ab"),
}  # fmt: skip


@pytest.fixture(scope="module")
def minilm():
    return encoders.fresh("minilm-int8")


@pytest.mark.parametrize("what", PAIRS)
def test_prompts_that_differ_in_what_is_not_read_are_not_one(tmp_path, minilm, what):
    one, other = PAIRS[what]
    with SemanticCache(tmp_path / "cache", minilm, Fixed(0.9)) as cache:
        cache.put(one, "answer", SCOPE)
        found = cache.get(other, SCOPE)
        assert found.similarity > 0.95 and found.threshold == 0.9  # it would have been served
        assert not found.hit and found.rule == "unreadable" and found.objection in found.reason
        if len(one) < 20_000:  # where a longer one is cut depends on its length
            again = cache.get(f"{one} ", SCOPE)
            assert again.hit and again.rule == "similar" and not again.objection


@pytest.mark.parametrize("words", [0, 50, 126, 127, 253, 254, 255, 256, 300, 5000])
def test_what_is_left_out_is_what_no_vector_depends_on(minilm, words):
    text = " ".join(["cat"] * words)
    unread = minilm.unread(text)
    assert unread.share == 0 and bool(unread.parts) == (words > 254)
    taken = minilm.tokenise([text])[0]
    left_out = sum(part.split().count("cat") for part in unread.parts)
    assert left_out == words + 2 - len(taken) if words <= 254 + 4000 else left_out >= words - 254
    if unread.parts and words <= 4254:
        start = text.index(unread.parts[0], 127 * 4)
        changed = text[:start] + unread.parts[0].replace("cat", "dog") + text[start + len(unread.parts[0]) :]
        assert minilm.unread(changed).parts != unread.parts
        np.testing.assert_array_equal(minilm.encode([changed]), minilm.encode([text]))


@pytest.mark.parametrize("name", ["minilm", "minilm-int8"])
def test_a_kept_or_remembered_encoder_tells_too(name):
    assert encoders.unread(encoders.get(name), "你好吗 😀").share > 0.5
    assert encoders.unread(encoders.get(f"lexical+{name}"), "你好吗 😀") == encoders.Unread()
