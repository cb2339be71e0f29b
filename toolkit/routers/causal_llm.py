"""RouteLLM's causal-LLM router: a language model foretells, in one token, how good the weak model's answer will be."""

import threading

import numpy as np
import pandas as pd
from tqdm import tqdm

from toolkit import hardware
from toolkit.encoders.text import readable
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.base import Router
from toolkit.routes import causal, dialects
from toolkit.routes.scoring import Scorer, shared

LABELS = tuple(f"[[{score}]]" for score in range(1, 6))
SLOT = "{question}"
LEAST_CHANCE = 0.01  # of all labels together, where one is to come
OWN = """\
How well would a small language model answer the question below? 5 is an excellent answer, 4 a good one, 3 one that
will do, 2 and 1 are bad ones. Reply with the rating alone, as in [[3]].
The question: {question}
The rating:"""


class CausalClassifier(Router):
    """The five-label form of RouteLLM's causal-LLM classifier (Ong et al. 2024, arXiv 2406.18665, section 4.2).

    Its vocabulary holds the labels [[1]] to [[5]], one token each. P(weak suffices) is the softmax over the five,
    summed from ``good_from`` on, and P(strong) is the rest; ``fit`` learns which of two models is the stronger. The
    labels are read where the prompt ends. (The released code lets the network write up to six tokens and reads at the
    first label; where it writes none, as here where the five have next to no chance, the strong model is called.)

    The released Llama-3-8B was trained on a prompt of its own, which is a wire format: its texts stand in
    ``routellm/routers/causal_llm`` of lm-sys/RouteLLM. A ``template`` for it holds the system text, the question and
    the marks of both turns, and ends after those of the assistant's, where the label comes. For other wordings, ``OWN``
    among them, none of their figures holds. Weights are never fetched (``toolkit.routes.causal``); a saved router names
    them.

    Args:
        checkpoint: hub name or local folder.
        template: text with ``{question}``, or the path of a file that holds it; empty for our wording.
        good_from: the lowest label that means a good answer, 2 to 5.
        chat: whether the prompt is a user's message in the tokenizer's chat template; else it is the whole input.
        max_tokens: of a prompt's text; its beginning is kept.
        device: auto, cpu or cuda.
        precision: auto (bf16), fp32, bf16 or int8 (CPU only).

    Raises:
        ToolkitError: a template without its slot, or an option out of range; later, a network that gives the labels no
            chance where this prompt ends.
    """

    def __init__(
        self,
        checkpoint: str = "routellm/causal_llm_gpt4_augmented",
        template: str = "",
        good_from: int = 4,
        chat: bool = False,
        max_tokens: int = 1024,
        device: str = "auto",
        precision: str = "auto",
    ):
        if good_from not in range(2, len(LABELS) + 1) or max_tokens < 1:
            raise ToolkitError(f"CausalClassifier: good_from 2 to 5, max_tokens from 1; got {good_from}, {max_tokens}.")
        causal.check_precision(precision)
        hardware.check_device(device)
        self.checkpoint = causal.absolute(checkpoint)
        self.template = dialects.read_template(template, (SLOT,))
        if self.template and self.template.count(SLOT) != 1:
            raise ToolkitError(f"CausalClassifier: a template with {SLOT} once was expected; got {self.template!r}.")
        self.good_from = good_from
        self.chat = chat
        self.max_tokens = max_tokens
        self.device = device
        self.precision = precision
        self._ready: tuple[causal.Causal, Scorer, list[int]] | None = None
        self._lock = threading.Lock()

    def _fit(self, train: Outcomes) -> None:
        if len(train.names) != 2:
            raise ToolkitError(f"CausalClassifier routes between two models; {len(train.names)} were given.")
        self._engine()
        self.strong_ = int(train.mean_quality().argmax())

    def _predict(self, texts: list[str], metadata: pd.DataFrame | None) -> np.ndarray:
        from scipy.special import softmax

        bar = tqdm(texts, desc="foretelling", disable=True if len(texts) <= 20 else None)
        logs = np.array([self.label_logits(text) for text in bar]).reshape(-1, len(LABELS))
        strong = softmax(logs, axis=1)[:, : self.good_from - 1].sum(axis=1)
        strong = np.where(np.exp(logs).sum(axis=1) < LEAST_CHANCE, 1.0, strong)
        columns = [1 - strong, strong] if self.strong_ == 1 else [strong, 1 - strong]
        return np.stack(columns, axis=1)

    def label_logits(self, text: str) -> np.ndarray:
        """Log probabilities of the labels 1 to 5 where the answer begins, float64 (5,)."""
        model, scorer, labels = self._engine()
        return scorer.tree(self._ids(model, text), [[label] for label in labels])

    def _ids(self, model: causal.Causal, text: str) -> list[int]:
        words = model.harmless(readable(text))
        cut = model.tokenizer(words, add_special_tokens=False, truncation=True, max_length=self.max_tokens)["input_ids"]
        if len(model.ids(words)) > len(cut):
            words = model.tokenizer.decode(cut)
        message = (self.template or OWN).replace(SLOT, words)
        ids = model.ids(model.chat(message, trusted=True) if self.chat else message)
        begins = model.tokenizer.bos_token_id
        ids = ids if begins is None or ids[:1] == [begins] else [begins, *ids]
        if len(ids) > model.longest:
            raise ToolkitError(
                f"{self.checkpoint}: a prompt has {len(ids)} tokens, the network reads {model.longest}; lower "
                f"max_tokens."
            )
        return ids

    def _engine(self) -> tuple[causal.Causal, Scorer, list[int]]:
        """The model, what scores with it, and the labels' tokens; loaded once."""
        with self._lock:
            if self._ready is None:
                device = hardware.resolve_device(self.device)
                model = causal.load(self.checkpoint, device, causal.resolve_precision(self.precision, device))
                labels = [model.ids(label) for label in LABELS]
                if odd := [label for label, ids in zip(LABELS, labels, strict=True) if len(ids) != 1]:
                    raise ToolkitError(
                        f"{self.checkpoint}: a vocabulary with the labels {LABELS[0]} to {LABELS[-1]}, one token each, "
                        f"was expected; {odd[0]} is none."
                    )
                probes = [self._ids(model, text) for text in ("a", "Why?")]
                scorer, tokens = Scorer(model.network, shared(probes)), [ids[0] for ids in labels]
                chance = max(np.exp(scorer.tree(ids, [[token] for token in tokens])).sum() for ids in probes)
                if chance < LEAST_CHANCE:
                    raise ToolkitError(
                        f"{self.checkpoint}: where this prompt ends, a label was expected, and its chance is "
                        f"{chance:.1g}; give the template that the network was trained on."
                    )
                self._ready = model, scorer, tokens
            return self._ready
