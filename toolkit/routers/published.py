"""RouteLLM's released factorisation: their weights, their models, their encoder."""

from pathlib import Path

import numpy as np

from toolkit import encoders
from toolkit.errors import ToolkitError, first_line
from toolkit.outcomes import Outcomes
from toolkit.routers.factorization import MatrixFactorization

# Their order is that of their names; the place of a name is its row.
PUBLISHED_MODELS = tuple(
    """
    RWKV-4-Raven-14B alpaca-13b chatglm-6b chatglm2-6b chatglm3-6b claude-1 claude-2.0 claude-2.1 claude-instant-1
    codellama-34b-instruct deepseek-llm-67b-chat dolly-v2-12b dolphin-2.2.1-mistral-7b falcon-180b-chat
    fastchat-t5-3b gemini-pro gemini-pro-dev-api gpt-3.5-turbo-0125 gpt-3.5-turbo-0314 gpt-3.5-turbo-0613
    gpt-3.5-turbo-1106 gpt-4-0125-preview gpt-4-0314 gpt-4-0613 gpt-4-1106-preview gpt4all-13b-snoozy guanaco-33b
    koala-13b llama-13b llama-2-13b-chat llama-2-70b-chat llama-2-7b-chat llama2-70b-steerlm-chat mistral-7b-instruct
    mistral-7b-instruct-v0.2 mistral-medium mixtral-8x7b-instruct-v0.1 mpt-30b-chat mpt-7b-chat
    nous-hermes-2-mixtral-8x7b-dpo oasst-pythia-12b openchat-3.5 openchat-3.5-0106 openhermes-2.5-mistral-7b palm-2
    pplx-70b-online pplx-7b-online qwen-14b-chat qwen1.5-4b-chat qwen1.5-72b-chat qwen1.5-7b-chat
    solar-10.7b-instruct-v1.0 stablelm-tuned-alpha-7b starling-lm-7b-alpha stripedhyena-nous-7b tulu-2-dpo-70b
    vicuna-13b vicuna-33b vicuna-7b wizardlm-13b wizardlm-70b yi-34b-chat zephyr-7b-alpha zephyr-7b-beta
    """.split()  # noqa: SIM905 - 64 names read better as a paragraph
)


class PublishedFactorization(MatrixFactorization):
    """RouteLLM's released weights: two of their 64 models, and vectors of OpenAI's text-embedding-3-small only.

    ``fit`` learns nothing but which column is the stronger model.

    Args:
        checkpoint: hub name (``routellm/mf_gpt4_augmented``) or local folder with model.safetensors.
        encoder: name of a 1,536-dimensional encoder, one that you add to ``toolkit.encoders.ENCODERS``.
        weak, strong: names in their list (``PUBLISHED_MODELS``).
    """

    def __init__(
        self,
        checkpoint: str = "routellm/mf_gpt4_augmented",
        encoder: str = "text-embedding-3-small",
        weak: str = "mixtral-8x7b-instruct-v0.1",
        strong: str = "gpt-4-1106-preview",
    ):
        self.checkpoint = checkpoint
        self.weak = weak
        self.strong = strong
        super().__init__(encoder)
        for name in (weak, strong):
            if name not in PUBLISHED_MODELS:
                raise ToolkitError(f"RouteLLM's factorisation has no model {name!r}; see PUBLISHED_MODELS.")

    def _fit(self, train: Outcomes) -> None:
        if len(train.names) != 2:
            raise ToolkitError(f"RouteLLM's factorisation routes between two models; {len(train.names)} were given.")
        weights = published_weights(self.checkpoint)
        dimension = encoders.get(self.encoder).dimension if self.encoder in encoders.ENCODERS else 0
        if dimension != weights["text_proj.0.weight"].shape[1]:
            raise ToolkitError(
                f"RouteLLM's factorisation was trained on OpenAI's text-embedding-3-small and takes its 1,536 "
                f"dimensions only; encoder {self.encoder!r} has {dimension or 'no entry in ENCODERS'}."
            )
        order = train.mean_quality().argsort(kind="stable").argsort(kind="stable")
        pair = [PUBLISHED_MODELS.index(name) for name in (self.weak, self.strong)]
        self.models_factors_ = weights["P.weight"][[pair[rank] for rank in order]].astype(np.float32)
        self.projection_ = weights["text_proj.0.weight"].astype(np.float32)
        self.output_ = weights["classifier.0.weight"][0].astype(np.float32)
        self.bias_ = np.zeros(2)


def published_weights(checkpoint: str) -> dict[str, np.ndarray]:
    """RouteLLM's factorisation by hub name or from a local folder: (64, 128), (128, 1536) and (1, 128) by name.

    Raises:
        ToolkitError: it cannot be fetched, or its tensors are others.
    """
    from safetensors.numpy import load_file

    shapes = {"P.weight": (64, 128), "text_proj.0.weight": (128, 1536), "classifier.0.weight": (1, 128)}
    path = Path(checkpoint) / "model.safetensors"
    try:
        if not path.is_file():
            from huggingface_hub import hf_hub_download

            path = hf_hub_download(checkpoint, "model.safetensors")
        weights = load_file(path)
    except Exception as err:  # the hub's client and the reader have a dozen kinds of their own
        raise ToolkitError(
            f"{checkpoint}: model.safetensors of the hub or of a local folder was expected and could not be read "
            f"({first_line(err)})."
        ) from err
    found = {name: array.shape for name, array in weights.items()}
    if found != shapes:
        raise ToolkitError(f"{checkpoint}: tensors {shapes} were expected; found {found}.")
    return weights
