"""One run instead of many: the same scores as running every candidate behind the whole prompt."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny_causal
from tests.tiny_causal import TABLE
from toolkit import hardware
from toolkit.errors import ToolkitError
from toolkit.routers.arch import ArchRouter
from toolkit.routes import causal
from toolkit.routes.scoring import Scorer, Tree

TOKENS = st.lists(st.integers(0, 8), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def model() -> causal.Causal:
    return causal.load(str(tiny_causal.trained()), "cpu", "fp32")


def _batched(model: causal.Causal, ids: list[int], candidates: list[list[int]]) -> list[float]:
    """Log probability of each candidate, run by itself behind the whole prompt, nothing kept."""
    import torch

    found = []
    for candidate in candidates:
        with torch.inference_mode():
            chances = model.network(torch.tensor([ids + candidate])).logits[0].double().log_softmax(dim=-1)
        found.append(sum(float(chances[len(ids) - 1 + at, token]) for at, token in enumerate(candidate)))
    return found


@given(st.lists(TOKENS, min_size=1, max_size=8))
def test_a_node_sees_its_ancestors_and_nothing_else(candidates):
    tree = Tree.of(candidates)
    sees, depths = tree.sees(), tree.depths()
    for node in range(len(tree.tokens)):
        line, at = [], node
        while at >= 0:
            line.append(at)
            at = tree.parents[at]
        assert sorted(np.flatnonzero(sees[node])) == sorted(line)
        assert depths[node] == len(line) - 1
    for candidate, path in zip(candidates, tree.paths, strict=True):
        assert [token for _, token in path] == candidate
    beginnings = {tuple(candidate[:end]) for candidate in candidates for end in range(1, len(candidate))}
    assert len(tree.tokens) == len(beginnings)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(3, 300), min_size=2, max_size=40),
    st.integers(0, 45),
    st.lists(st.lists(st.integers(3, 300), min_size=1, max_size=5), min_size=1, max_size=6),
)
def test_the_tree_equals_batched_scoring_whatever_is_kept(model, ids, shared, candidates):
    """The kept beginning may be none, a part, or more than the prompt has."""
    prefix = [*ids, 5, 6, 7, 8, 9][:shared]
    scorer = Scorer(model.network, prefix)
    expected = _batched(model, ids, candidates)
    np.testing.assert_allclose(scorer.tree(ids, candidates), expected, atol=1e-4)
    np.testing.assert_allclose(scorer.tree(ids, candidates), expected, atol=1e-4)  # the first call left nothing behind


def test_labels_and_words_are_those_of_the_whole_network(model):
    import torch

    prompts, _ = tiny_causal.conversations(10, seed=7)
    router = ArchRouter(TABLE, str(tiny_causal.trained()), decide="labels", precision="fp32", device="cpu")
    for turns in prompts:
        ids = model.ids(model.chat(router.prompt(turns)))
        scorer = Scorer(model.network, ids[:100])
        with torch.inference_mode():
            logits = model.network(torch.tensor([ids])).logits[0, -1]
            inputs = torch.tensor([ids])
            whole = model.network.generate(
                inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=12, do_sample=False
            )[0, len(ids) :]
        np.testing.assert_allclose(scorer.next_token(ids, [5, 9, 200]), logits[[5, 9, 200]], atol=1e-4)
        written = scorer.greedy(ids, {model.tokenizer.eos_token_id}, 12)
        assert model.tokenizer.decode(written) == model.tokenizer.decode(whole, skip_special_tokens=True)


@pytest.mark.parametrize("way", ["tree", "labels", "generate"])
def test_reduced_precisions_choose_the_same(way):
    prompts, routes = tiny_causal.conversations(200, seed=1)
    chosen = {
        precision: np.array(
            ArchRouter(TABLE, str(tiny_causal.trained()), decide=way, precision=precision, device="cpu").choose_routes(
                prompts
            )
        )
        for precision in ("fp32", "bf16", "int8")
    }
    assert (chosen["fp32"] == np.array(routes)).mean() >= 0.98  # the model works
    for precision in ("bf16", "int8"):
        assert (chosen[precision] == chosen["fp32"]).mean() >= 0.99


def test_the_system_message_of_the_template_may_stand_or_not(model):
    usual = model.chat("hi")
    assert "<|im_start|>system\nYou are small.<|im_end|>" in usual  # the template puts it in by itself
    assert model.chat("hi", default_system=False) == usual[usual.index("<|im_start|>user") :]
    bare = copy.copy(model.tokenizer)
    bare.chat_template = None
    with pytest.raises(ToolkitError, match="a chat template was expected"):
        causal.Causal(model.network, bare, "fp32").chat("hi")
    bare.chat_template = "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}"
    with pytest.raises(ToolkitError, match="cannot do without its system message"):
        causal.Causal(model.network, bare, "fp32").chat("hi", default_system=False)


def test_weights_that_are_not_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ToolkitError, match=r"katanemo-research.*hf download katanemo/Arch-Router-1.5B"):
        causal.load.__wrapped__("katanemo/Arch-Router-1.5B", "cpu", "fp32")
    with pytest.raises(ToolkitError, match="read their licence"):
        ArchRouter(TABLE, str(tmp_path / "nothing")).route("hi")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ToolkitError, match="in safetensors was expected"):
        ArchRouter(TABLE, str(tmp_path)).route("hi")
    with pytest.raises(ToolkitError, match="int8 is for the CPU"):
        causal.resolve_precision("int8", "cuda")
    with pytest.raises(ToolkitError, match="precision takes auto, fp32, bf16, int8"):
        ArchRouter(TABLE, str(tiny_causal.trained()), precision="fp8", device="cpu").route("hi")


@pytest.mark.gpu
def test_on_a_gpu_routes_are_the_cpus():
    if hardware.cuda() is None:
        pytest.skip("no CUDA GPU on this machine")
    prompts, _ = tiny_causal.conversations(100, seed=1)
    for way in ("tree", "labels", "generate"):
        chosen = [
            ArchRouter(TABLE, str(tiny_causal.trained()), decide=way, precision=precision, device=device)
            for device, precision in (("cpu", "fp32"), ("cuda", "fp32"), ("cuda", "bf16"))
        ]
        usual, *others = (np.array(router.choose_routes(prompts)) for router in chosen)
        for other in others:
            assert (other == usual).mean() >= 0.99
