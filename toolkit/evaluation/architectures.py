"""What is timed: the classifiers that routers ship, and prompts of a given length.

The latency of an architecture does not depend on its weights, so those without weights at hand get random ones of the
exact shape; every table says so.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from toolkit import datasets
from toolkit.encoders import minilm
from toolkit.errors import ToolkitError

RANDOM = "random weights of the exact shape"
SHAPES = {
    "MiniLM": "22M, the packaged encoder's weights, untrained head",
    "BERT-base": f"110M, {RANDOM}",
    "XLM-RoBERTa-base": f"278M, what RouteLLM ships as bert; {RANDOM}, tokenised as BERT's text is",
}


def classifier(shape: str, seed: int = 0) -> tuple[Any, Any]:
    """Network with two labels, on the CPU, and tokenizer.

    Args:
        shape: of ``SHAPES``.
        seed: of the random weights.

    Raises:
        ToolkitError: no such shape.
    """
    import torch
    import transformers
    from transformers import AutoTokenizer

    from toolkit.routers.bert import load_classifier

    if shape not in SHAPES:
        raise ToolkitError(f"No architecture {shape!r}; there are {', '.join(SHAPES)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if shape == "MiniLM":
            return load_classifier("minilm", labels=2)
        tokenizer = AutoTokenizer.from_pretrained(minilm.checkpoint())  # BERT-base uncased has the same vocabulary
        if shape == "BERT-base":
            network = transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=2))
        else:
            config = transformers.XLMRobertaConfig(
                vocab_size=250_002,
                max_position_embeddings=514,
                type_vocab_size=1,
                layer_norm_eps=1e-5,
                num_labels=2,
                pad_token_id=tokenizer.pad_token_id,
            )
            network = transformers.XLMRobertaForSequenceClassification(config)
    return network.eval(), tokenizer


def causal(precision: str = "bf16", device: str = "cpu", seed: int = 0) -> Any:
    """A ``routes.causal.Causal`` without tokenizer: the exact architecture of Arch-Router, random weights.

    28 layers of width 1,536 with 12 query and 2 key-value heads, feed-forward 8,960, 151,936 tokens, embeddings tied
    (Qwen2.5-1.5B). Weights are written block by block: to draw 1.5 billion would take longer than to time them.

    Args:
        precision: fp32, bf16 or int8.
        device: cpu or cuda.
        seed: of the weights.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from toolkit.routes.causal import ready

    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
    )
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    with torch.device("meta"):
        network = Qwen2ForCausalLM(config).to(dtype)
    network.lm_head.weight = network.model.embed_tokens.weight  # before memory is taken: one table for both
    network = network.to_empty(device="cpu")
    network.model.rotary_emb = type(network.model.rotary_emb)(config)  # its frequencies are no parameters
    block = (0.02 * torch.randn(1 << 20, generator=torch.Generator().manual_seed(seed))).to(dtype)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if weights.dim() == 1:
                weights.fill_(float("norm" in name))
                continue
            for part in weights.view(-1).split(len(block)):
                part.copy_(block[: len(part)])
    network.lm_head.weight = network.model.embed_tokens.weight
    return ready(network, None, device, precision)


def written(network: Any, ids: Sequence[int], tokens: int) -> Any:
    """So many tokens behind a whole prompt, through transformers' own ``generate``."""
    import torch

    inputs = torch.tensor([list(ids)], device=network.device)
    options = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, "pad_token_id": 0}
    with torch.inference_mode():
        return network.generate(inputs, attention_mask=torch.ones_like(inputs), **options)


def plain(
    network: Any, tokenizer: Any, max_tokens: int = 512, device: str = "cpu", half: bool = False, compiled: bool = False
) -> Callable[[Sequence[str]], np.ndarray]:
    """The classifier as its model card calls it: texts to probabilities (n, labels), through transformers and torch.

    Args:
        max_tokens: of a text.
        device: cpu or cuda.
        half: weights in float16 on a GPU, in bfloat16 on a CPU.
        compiled: through torch.compile, which replays CUDA graphs.
    """
    import torch

    dtype = (torch.float16 if device == "cuda" else torch.bfloat16) if half else torch.float32
    network = network.to(device=device, dtype=dtype)
    run = torch.compile(network, mode="reduce-overhead") if compiled else network

    def call(texts: Sequence[str]) -> np.ndarray:
        inputs = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=max_tokens)
        with torch.inference_mode():
            return run(**inputs.to(device)).logits.float().softmax(dim=-1).cpu().numpy()

    return call


def prompts_of(tokens: int, count: int, language: str = "en", seed: int = 0) -> list[str]:
    """Texts with exactly so many tokens of BERT's vocabulary, the two marks included, cut out of synthetic prompts.

    Args:
        tokens: from 8 to 512.
        count: texts.
        language: en or zh.

    Raises:
        ToolkitError: a length outside, or a language without prompts.
    """
    tokenizer, text, borders = _stream(language)
    inner = tokens - 2
    if not 8 <= tokens <= 512 or len(borders) < 2 * tokens:
        raise ToolkitError(f"prompts of 8 to 512 tokens in en or zh were expected; got {tokens} in {language!r}.")
    rng, found = np.random.default_rng((seed, tokens)), []
    while len(found) < count:
        first = int(rng.integers(0, len(borders) - inner))
        cut = text[borders[first][0] : borders[first + inner - 1][1]]
        if len(tokenizer.encode(cut).ids) == tokens:  # a word that was cut may fall into other pieces
            found.append(cut)
    return found


@cache
def _stream(language: str) -> tuple[Any, str, list[tuple[int, int]]]:
    """Tokenizer, the synthetic prompts of one language as one text, and where in it each token begins and ends."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(minilm.checkpoint() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    prompts = datasets.load("synthetic").prompts
    text = " ".join(prompts["text"][prompts["language"] == language])
    return tokenizer, text, tokenizer.encode(text, add_special_tokens=False).offsets
