"""A live endpoint that speaks OpenAI's chat protocol: off by default, and never beyond a cap on what it may spend."""

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.errors import ToolkitError, first_line
from toolkit.pricing import PRICE_COLUMNS
from toolkit.prompt import Prompt, as_messages

_OVERHEAD = 16  # tokens that a chat format adds to a message, generously


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the address that was given, and to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Answer:
    """What came back: text, the model that answered, tokens, dollars and seconds."""

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float


class Endpoint:
    """Calls models through ``/chat/completions``.

    Before each call its dearest outcome is set aside: a token for every byte of the input, and all output tokens that
    are allowed, at the list's prices. A call that could pass the cap is not made. What was billed replaces it
    afterwards; where an answer does not say, or a call fails after it was sent, the dearest outcome stays booked. Only
    a server that bills more tokens than it was allowed could pass the cap, by the calls under way.

    Args:
        url: up to and without ``/chat/completions``, such as ``https://api.example.com/v1``.
        prices: of the models that may be called (``pricing.read_prices``).
        cap_usd: never spent more, over the life of this object.
        live: must be True for any call; else each is refused, so that nothing is paid by accident.
        key_variable: environment variable that holds the key.
        timeout_s: of a call.

    Raises:
        ToolkitError: a cap that is none, or no prices.
    """

    def __init__(
        self,
        url: str,
        prices: pd.DataFrame,
        cap_usd: float,
        live: bool = False,
        key_variable: str = "OPENAI_API_KEY",
        timeout_s: float = 60.0,
    ):
        if not isinstance(cap_usd, int | float) or not 0 < cap_usd < float("inf"):
            raise ToolkitError(f"Endpoint: a finite cap_usd above 0 was expected; got {cap_usd!r}.")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise ToolkitError(f"Endpoint: an http(s) address was expected; got {url!r}.")
        fine = isinstance(prices, pd.DataFrame) and len(prices) and set(PRICE_COLUMNS) <= set(prices.columns)
        listed = prices[list(PRICE_COLUMNS)].to_numpy(float) if fine else np.array([np.nan])
        if not (np.isfinite(listed) & (listed >= 0)).all():  # a price that is no number would lift the cap
            raise ToolkitError(f"Endpoint: a table of models with {', '.join(PRICE_COLUMNS)} from 0 was expected.")
        self.url = url.rstrip("/")
        self.prices = prices[list(PRICE_COLUMNS)].astype(float)
        self.cap_usd = float(cap_usd)
        self.live = live
        self.key_variable = key_variable
        self.timeout_s = timeout_s
        self.spent_usd = 0.0
        self._lock = threading.Lock()

    def complete(self, prompt: Prompt, model: str, max_tokens: int = 256, temperature: float = 0.0) -> Answer:
        """One answer.

        Raises:
            ToolkitError: not live, no price or no key, the cap would be passed, or the call failed.
        """
        messages = as_messages(prompt)
        dearest = self._dearest(messages, model, max_tokens)
        key = os.environ.get(self.key_variable, "")
        if not key:
            raise ToolkitError(f"Endpoint: a key in the environment variable {self.key_variable} was expected.")
        with self._lock:
            if self.spent_usd + dearest > self.cap_usd:
                raise ToolkitError(
                    f"Endpoint: this call may cost ${dearest:.6f}, and ${self.spent_usd:.6f} of the cap of "
                    f"${self.cap_usd:g} are spent. It was not made; raise cap_usd or lower max_tokens."
                )
            self.spent_usd += dearest
        body = {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": temperature}
        reply, seconds = self._post(body, key)
        return self._booked(reply, model, dearest, seconds)

    def _dearest(self, messages: list[dict[str, str]], model: str, max_tokens: int) -> float:
        if not self.live:
            raise ToolkitError("Endpoint: calls cost money and are off; Endpoint(..., live=True) was expected.")
        if model not in self.prices.index:
            raise ToolkitError(f"Endpoint: a model with a price was expected; got {model!r}.")
        if not isinstance(max_tokens, int) or max_tokens < 1:
            raise ToolkitError(f"Endpoint: max_tokens of 1 or more was expected; got {max_tokens!r}.")
        texts = [text for turn in messages for text in turn.values() if isinstance(text, str)]
        inputs = sum(len(text.encode("utf-8", "surrogatepass")) + _OVERHEAD for text in texts)
        return self._price(model, inputs, max_tokens)

    def _price(self, model: str, inputs: float, outputs: float) -> float:
        per_input, per_output = self.prices.loc[model, list(PRICE_COLUMNS)].astype(float) / 1e6
        return float(inputs * per_input + outputs * per_output)

    def _post(self, body: dict, key: str) -> tuple[dict, float]:
        request = urllib.request.Request(
            f"{self.url}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        )
        start = time.perf_counter()
        try:
            with _OPENER.open(request, timeout=self.timeout_s) as answer:
                reply = json.loads(answer.read())
        except urllib.error.HTTPError as err:
            told = first_line(err.read().decode("utf-8", "replace") or str(err))
            raise ToolkitError(f"Endpoint: {self.url} answered {err.code} ({told}).") from err
        except (OSError, ValueError, http.client.HTTPException) as err:
            raise ToolkitError(f"Endpoint: {self.url} could not be asked ({err}).") from err
        return reply, time.perf_counter() - start

    def _booked(self, reply: dict, model: str, dearest: float, seconds: float) -> Answer:
        try:
            text = reply["choices"][0]["message"]["content"]
            if not isinstance(text, str):
                raise TypeError(f"content is {text!r}")
            usage = reply.get("usage") or {}
            inputs, outputs = usage.get("prompt_tokens"), usage.get("completion_tokens")
        except (KeyError, IndexError, TypeError, AttributeError) as err:
            raise ToolkitError(f"Endpoint: {self.url} sent no answer in the chat format ({err!r}).") from err
        if not all(isinstance(count, int) and count >= 0 for count in (inputs, outputs)):
            return Answer(text, str(reply.get("model", model)), 0, 0, dearest, seconds)
        cost = self._price(model, inputs, outputs)
        with self._lock:
            self.spent_usd += cost - dearest
        return Answer(text, str(reply.get("model", model)), inputs, outputs, cost, seconds)
