"""A generative router of half a million weights that really routes: tests train it in seconds and keep it on disk.

The architecture is Qwen2's, which is Arch-Router's; the tokenizer is a byte-level BPE of its own texts; the chat
template puts in a system message by itself, as Qwen's does. It knows one table of routes, in the words of the ``own``
dialect, by their names and by their labels.
"""

import atexit
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from toolkit.routers.arch import ArchRouter
from toolkit.routers.gradient import one_thread
from toolkit.routes.answers import answer_of
from toolkit.routes.causal import Causal
from toolkit.routes.scoring import cache_argument, shared
from toolkit.routes.table import OTHER, RouteTable

LEARNING_RATE = 3e-3
Kind = tuple[list[int], list[tuple[list[int], list[int]]]]  # what all prompts begin with; (rest of a prompt, answer)
TABLE = RouteTable.build(
    policies={
        "code_writing": "Writing programs, functions and scripts.",
        "code_repair": "Errors, crashes and failing tests.",
        "what's cooking": "Recipes and dishes.",
        "travel": "Trips, trains and hotels.",
        "poetry": "Poems, verses and songs.",
    },
    models={
        "code_writing": "large",
        "code_repair": "large",
        "what's cooking": "small",
        "travel": "medium",
        "poetry": "medium",
    },
    default="small",
)
_WORDS = {
    "code_writing": "program function script class macro parser loop query module compiler",
    "code_repair": "error crash exception bug failure traceback timeout leak segfault warning",
    "what's cooking": "soup cake bread stew salad pancake risotto curry omelette pie",
    "travel": "train hotel flight visa beach museum ferry itinerary luggage campsite",
    "poetry": "poem verse sonnet rhyme ballad haiku limerick ode stanza lyric",
    OTHER: "weather dentist football bicycle laundry lottery garden birthday window coffee",
}
_FRAMES = (
    "please help me with the {}",
    "I need a {} today",
    "tell me about this {}",
    "what about a better {} for my friend",
    "the {} again, but shorter",
    "can you look at my {} now",
)
_CHAT = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are small.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def conversations(count: int, seed: int) -> tuple[list[list[dict[str, str]]], list[str]]:
    """Conversations of one to three user turns, and the route of the last one; ``seed`` 0 is what was trained on."""
    rng, found, routes = random.Random(seed), [], []
    for _ in range(count):
        turns: list[dict[str, str]] = []
        for _ in range(rng.choice([1, 1, 2, 3])):
            route = rng.choice(list(_WORDS))
            if turns:
                turns.append({"role": "assistant", "content": "done"})
            said = rng.choice(_FRAMES).format(rng.choice(_WORDS[route].split()))
            turns.append({"role": "user", "content": said})
        found.append(turns)
        routes.append(route)
    return found, routes


def said_of(route: str) -> list[str]:
    """One sentence for each second word of a route."""
    return [_FRAMES[at % len(_FRAMES)].format(word) for at, word in enumerate(_WORDS[route].split()[::2])]


def vague(count: int, seed: int) -> list[list[dict[str, str]]]:
    """One turn with words of two routes, so that none is right: where precisions may part."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        one, other = (rng.choice(_WORDS[route].split()) for route in rng.sample(list(_WORDS), 2))
        found.append([{"role": "user", "content": rng.choice(_FRAMES).format(f"{one} {other}")}])
    return found


@cache
def trained(steps: int = 600, batch: int = 32) -> Path:
    """The folder of its weights and tokenizer."""
    ways = ("tree", "labels")
    texts = [ArchRouter(TABLE, decide=way).prompt(turns) for way in ways for turns in conversations(300, 0)[0]]
    folder = untrained(texts)
    learn(folder, lambda model: [_examples(model, way) for way in ways], steps, batch)
    return folder


def _removed(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not take it from its parent
        shutil.rmtree(folder, ignore_errors=True)


def untrained(texts: Sequence[str], labels: Sequence[str] = ()) -> Path:
    """A folder, gone with this process, of random weights and a tokenizer of some texts, each label one token."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    folder = Path(tempfile.mkdtemp(prefix="tiny-causal-"))
    atexit.register(_removed, folder, os.getpid())
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=700, special_tokens=marks, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=_CHAT
    )
    tokenizer.add_tokens(list(labels))
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True,
        initializer_range=0.08, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def learn(folder: Path, kinds: Callable[[Causal], list[Kind]], steps: int, batch: int) -> None:
    """Train until the answers are right; kinds of prompts in turn.

    What all prompts of a kind begin with runs once a step, and its batch of endings behind it. Products are tiny: a
    second thread that spins beside other programs takes thrice the time.
    """
    with one_thread():
        _learn(folder, kinds, steps, batch)


def _learn(folder: Path, kinds: Callable[[Causal], list[Kind]], steps: int, batch: int) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

    network = AutoModelForCausalLM.from_pretrained(folder)
    model = Causal(network, AutoTokenizer.from_pretrained(folder), "fp32")
    taught = kinds(model)
    rng = random.Random(0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, 1.0, total_iters=20)
    losses: list[float] = []
    network.train()
    for step in range(steps):
        prefix, rows = taught[step % len(taught)]
        part = rng.sample(rows, batch)
        longest = max(len(prompt) + len(answer) for prompt, answer in part)
        ids = torch.full((batch, longest), model.tokenizer.pad_token_id)
        labels = torch.full((batch, longest), -100)
        for row, (prompt, answer) in enumerate(part):
            ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        start, cache = DynamicCache(), DynamicCache()
        name = cache_argument(network.model)
        network.model(input_ids=torch.tensor([prefix]), use_cache=True, **{name: start})
        for layer, (keys, values, *_) in enumerate(start):
            cache.update(keys.expand(batch, -1, -1, -1), values.expand(batch, -1, -1, -1), layer)
        hidden = network.model(input_ids=ids, use_cache=True, **{name: cache})[0][:, :-1]
        wanted = labels[:, 1:]
        loss = torch.nn.functional.cross_entropy(network.lm_head(hidden[wanted >= 0]), wanted[wanted >= 0])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) >= 10 and max(losses[-10:]) < 0.02:  # it answers rightly
            break
    else:
        raise AssertionError(f"the tiny model did not learn its answers in {steps} steps")
    network.eval().save_pretrained(folder)


def _examples(model: Causal, way: str) -> Kind:
    """Every conversation and its route, as a router in one of its ways asks and hears it."""
    router = ArchRouter(TABLE, decide=way)
    answers = dict(zip((*TABLE.names, OTHER), [*(name for name, _ in router.presented()), OTHER], strict=True))
    told, routes = conversations(1500, 0)
    prompts = [model.ids(model.chat(router.prompt(turns))) for turns in told]
    ends = [model.tokenizer.eos_token_id]
    return kind_of(prompts, [model.ids(answer_of(answers[route])) + ends for route in routes])


def kind_of(prompts: Sequence[list[int]], answers: Sequence[list[int]]) -> Kind:
    """Prompts of one beginning and their answers, as ``learn`` takes them."""
    prefix = shared(prompts)
    return prefix, [(ids[len(prefix) :], answer) for ids, answer in zip(prompts, answers, strict=True)]
