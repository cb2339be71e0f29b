"""A causal language model as a router needs it: weights of a precision, chat prompts as token ids.

Nothing is ever fetched by itself: weights of gigabytes, under a licence of their own, are the user's to fetch.
"""

import gc
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.encoders.quiet import quiet_loading
from toolkit.errors import ToolkitError, first_line

ARCH_ROUTER = "katanemo/Arch-Router-1.5B"
LICENCES = {ARCH_ROUTER: "katanemo-research"}
PRECISIONS = ("auto", "fp32", "bf16", "int8")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SCALES = ("logits_scaling", "logit_scale", "final_logit_softcapping")  # what some heads do to their logits
_loading = threading.Lock()
_MARK = "{a system message that nobody writes}"


@dataclass(frozen=True, eq=False)
class Causal:
    """A network that is ready to run, and its tokenizer.

    Attributes:
        network: of transformers, in evaluation mode.
        precision: fp32, bf16 or int8.
    """

    network: Any
    tokenizer: Any
    precision: str

    @property
    def longest(self) -> int:
        """Positions that the network knows."""
        return int(getattr(self.network.config, "max_position_embeddings", 1 << 30))

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, nothing added."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def harmless(self, text: str) -> str:
        """The text with the vocabulary's special marks broken by a blank, so that nobody speaks for the model."""
        for mark in self.tokenizer.get_added_vocab():
            text = text.replace(mark, f"{mark[:1]} {mark[1:]}")
        return text

    def chat(self, text: str, default_system: bool = True, trusted: bool = False) -> str:
        """A user's message as the tokenizer's chat template writes it, up to where the answer begins.

        Args:
            default_system: whether the system message may stand that some templates (Qwen's) put in by themselves.
            trusted: whether special marks inside the text stay what they are; else they are broken (``harmless``).

        Raises:
            ToolkitError: there is no chat template, it fails, or it does not let its system message be left out.
        """
        user = {"role": "user", "content": text if trusted else self.harmless(text)}
        if default_system:
            return self._templated([user], answer=True)
        system = {"role": "system", "content": _MARK}
        alone, whole = self._templated([system]), self._templated([system, user], answer=True)
        if _MARK not in alone or not whole.startswith(alone):
            raise ToolkitError("The chat template cannot do without its system message; take default_system=True.")
        begins = self.tokenizer.bos_token or ""
        return (begins if alone.startswith(begins) else "") + whole.removeprefix(alone)

    def _templated(self, messages: list[dict[str, str]], answer: bool = False) -> str:
        if not getattr(self.tokenizer, "chat_template", None):
            raise ToolkitError("A tokenizer with a chat template was expected, as instruction-tuned models have one.")
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer)
        except Exception as err:  # templates are programs, and raise what they like
            roles = " and ".join(message["role"] for message in messages)
            raise ToolkitError(f"The chat template does not take messages of {roles} ({first_line(err)}).") from err


def at_hand(name: str) -> bool:
    """Whether weights by hub name or local folder are on this machine."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if (folder := Path(name).expanduser()).is_dir():
            return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
        found = [try_to_load_from_cache(name, file) for file in ("config.json", *_WEIGHTS)]
    except (HFValidationError, OSError):  # a path that does not exist
        return False
    return isinstance(found[0], str) and any(isinstance(path, str) for path in found[1:])


def absolute(name: str | Path) -> str:
    """A local folder by its whole path, so that a saved router finds it; a hub name as it is."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else str(name)


def check_precision(precision: str) -> None:
    """Refuse what is no precision.

    Raises:
        ToolkitError: it is none.
    """
    if precision not in PRECISIONS:
        raise ToolkitError(f"precision takes {', '.join(PRECISIONS)}; {precision!r} was given.")


def resolve_precision(precision: str, device: str) -> str:
    """``auto`` is bf16, on a CPU as on a GPU.

    Raises:
        ToolkitError: no such precision, or int8 on a GPU.
    """
    check_precision(precision)
    if precision == "int8" and device != "cpu":
        raise ToolkitError("precision int8 is for the CPU (torch's dynamic quantisation); take bf16 on a GPU.")
    return "bf16" if precision == "auto" else precision


def load(name: str, device: str, precision: str) -> Causal:
    """Network and tokenizer; the last two stay in memory, since routers of other routes share them.

    Args:
        name: hub name or local folder.
        device: cpu or cuda.
        precision: fp32, bf16 or int8.

    Raises:
        ToolkitError: the weights are not on this machine, are none, or are of an architecture that is not known here.
    """
    with _loading:  # transformers' imports and loading do not stand threads
        return _loaded(name, device, precision)


@lru_cache(maxsize=2)
def _loaded(name: str, device: str, precision: str) -> Causal:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(name).expanduser()
    source = str(folder) if folder.is_dir() else name
    if not at_hand(name):
        raise ToolkitError(_missing(name))
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    try:
        with quiet_loading():
            network = AutoModelForCausalLM.from_pretrained(
                source, dtype=dtype, local_files_only=True, trust_remote_code=False, use_safetensors=True
            )
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
    except Exception as err:  # transformers passes on whatever its file readers raise
        raise ToolkitError(
            f"{name}: a causal language model in safetensors was expected and could not be loaded ({first_line(err)})."
        ) from err
    return ready(network, tokenizer, device, precision)


def ready(network: Any, tokenizer: Any, device: str, precision: str) -> Causal:
    """A network put on its device in its precision; int8 replaces its layers in place.

    Raises:
        ToolkitError: scoring would not be what the network itself computes.
    """
    if odd := _oddity(network):
        raise ToolkitError(
            f"A causal model built like Qwen2, Qwen3 or Llama was expected; {type(network).__name__} has {odd}, which "
            "scoring on kept keys and values does not know."
        )
    if precision == "int8":
        quantise(network)
    return Causal(network.to(device).eval(), tokenizer, precision)


def quantise(network: Any) -> None:
    """Linear layers to int8 with activations quantised as they come, one block after the other; the rest to fp32.

    The head stays as it is: which of two routes wins may hang on its last digits.
    """
    import torch

    if "x86" in torch.backends.quantized.supported_engines:
        torch.backends.quantized.engine = "x86"
    with _quiet_quantising():
        for block in network.model.layers:
            torch.ao.quantization.quantize_dynamic(block.float(), {torch.nn.Linear}, torch.qint8, inplace=True)
            gc.collect()  # what was replaced hangs in circles, gigabytes of it
    network.float()


@contextmanager
def _quiet_quantising() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that torchao will take over
        yield


def _oddity(network: Any) -> str:
    """What of a network lies outside of embeddings, blocks with full attention, and a plain head; empty if nothing."""
    inner, config = getattr(network, "model", None), network.config
    if not all(hasattr(inner, part) for part in ("layers", "embed_tokens")) or not hasattr(network, "lm_head"):
        return "other parts"
    if getattr(network.lm_head, "bias", None) is not None:
        return "a head with a bias"
    if scaled := [name for name in _SCALES if getattr(config, name, None)]:
        return scaled[0]
    kinds = getattr(config, "layer_types", None)
    sliding = "sliding_attention" in kinds if kinds else bool(getattr(config, "sliding_window", None))
    return "sliding windows" if sliding else ""


def _missing(name: str) -> str:
    if not _HUB_NAME.fullmatch(name):
        return f"{name}: a folder with config.json and weights in safetensors, or a hub name owner/model, was expected."
    licence = LICENCES.get(name)
    terms = f"their licence is {licence}" if licence else "read their licence"
    return (
        f"{name}: the weights are not on this machine and are never shipped; {terms} (https://huggingface.co/{name}). "
        f"Fetch them with `hf download {name}`, or name a local folder that holds them."
    )
