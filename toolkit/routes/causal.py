"""A causal language model as a router needs it: weights of a precision, chat prompts as token ids.

Nothing is ever fetched by itself: weights of gigabytes, under a licence of their own, are the user's to fetch.
"""

import gc
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

    def chat(self, text: str, default_system: bool = True) -> str:
        """A user's message as the tokenizer's chat template writes it, up to where the answer begins.

        Args:
            default_system: whether the system message may stand that some templates (Qwen's) put in by themselves.

        Raises:
            ToolkitError: there is no chat template, or it does not let its system message be left out.
        """
        user = {"role": "user", "content": text}
        if default_system:
            return self._templated([user], answer=True)
        system = {"role": "system", "content": _MARK}
        alone, whole = self._templated([system]), self._templated([system, user], answer=True)
        if _MARK not in alone or not whole.startswith(alone):
            raise ToolkitError("The chat template cannot do without its system message; take default_system=True.")
        return whole.removeprefix(alone)

    def _templated(self, messages: list[dict[str, str]], answer: bool = False) -> str:
        if not getattr(self.tokenizer, "chat_template", None):
            raise ToolkitError("A tokenizer with a chat template was expected, as instruction-tuned models have one.")
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer)


def at_hand(name: str) -> bool:
    """Whether weights by hub name or local folder are on this machine."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if (Path(name).expanduser() / "config.json").is_file():
        return True
    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:  # a path that does not exist
        return False


def resolve_precision(precision: str, device: str) -> str:
    """``auto`` is bf16, on a CPU as on a GPU.

    Raises:
        ToolkitError: no such precision, or int8 on a GPU.
    """
    if precision not in PRECISIONS:
        raise ToolkitError(f"precision takes {', '.join(PRECISIONS)}; {precision!r} was given.")
    if precision == "int8" and device != "cpu":
        raise ToolkitError("precision int8 is for the CPU (torch's dynamic quantisation); take bf16 on a GPU.")
    return "bf16" if precision == "auto" else precision


@lru_cache(maxsize=2)
def load(name: str, device: str, precision: str) -> Causal:
    """Network and tokenizer; the last two stay in memory, since routers of other routes share them.

    Args:
        name: hub name or local folder.
        device: cpu or cuda.
        precision: fp32, bf16 or int8.

    Raises:
        ToolkitError: the weights are not on this machine, or are none.
    """
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
    """A network put on its device in its precision; int8 replaces its layers in place."""
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


def _missing(name: str) -> str:
    licence = LICENCES.get(name)
    terms = f"their licence is {licence}" if licence else "read their licence"
    return (
        f"{name}: the weights are not on this machine and are never shipped; {terms} (https://huggingface.co/{name}). "
        f"Fetch them with `hf download {name}`, or name a local folder that holds them."
    )
