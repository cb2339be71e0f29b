"""The adapter against a real server on this machine: it is off, it stays below its cap, it tells what went wrong."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from toolkit.endpoint import Endpoint
from toolkit.errors import ToolkitError

PRICES = pd.DataFrame({"input_usd_per_mtok": [1.0, 10.0], "output_usd_per_mtok": [2.0, 20.0]}, index=["small", "large"])


class Server(BaseHTTPRequestHandler):
    """Answers as it is told to, and keeps what it was asked."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        status, reply = self.server.reply
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Quiet."""


def said(text="hello", **usage):
    return {"model": "small-1", "choices": [{"message": {"content": text}}], "usage": usage}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    found = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    found.asked, found.reply = [], (200, said(prompt_tokens=10, completion_tokens=5))
    found.url = f"http://127.0.0.1:{found.server_port}/v1"
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def test_nothing_is_sent_unless_it_is_live(server, monkeypatch):
    with pytest.raises(ToolkitError, match="live=True"):
        Endpoint(server.url, PRICES, 1.0).complete("hi", "small")
    one = Endpoint(server.url, PRICES, 1.0, live=True)
    for call, message in ((("hi", "other"), "a model with a price"), (("hi", "small", 0), "max_tokens")):
        with pytest.raises(ToolkitError, match=message):
            one.complete(*call)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ToolkitError, match="OPENAI_API_KEY"):
        one.complete("hi", "small")
    assert not server.asked and one.spent_usd == 0
    for cap in (0, -1, float("inf"), float("nan"), "1"):
        with pytest.raises(ToolkitError, match="cap_usd"):
            Endpoint(server.url, PRICES, cap)


def test_an_answer_is_booked_as_it_was_billed(server):
    one = Endpoint(server.url + "/", PRICES, 1.0, live=True)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    found = one.complete(turns, "large", max_tokens=20)
    assert (found.text, found.model, found.input_tokens, found.output_tokens) == ("hello", "small-1", 10, 5)
    assert [found.cost_usd, one.spent_usd] == pytest.approx([10 * 10e-6 + 5 * 20e-6] * 2)
    ((path, key, body),) = server.asked
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert body == {"model": "large", "messages": turns, "max_tokens": 20, "temperature": 0.0}


def test_the_cap_holds_with_many_callers_at_once(server):
    server.reply = 200, said(prompt_tokens=40, completion_tokens=100)
    one = Endpoint(server.url, PRICES, 0.0015, live=True)

    def call(_):
        with suppress(ToolkitError):
            return one.complete("x" * 40, "small", max_tokens=100)

    with ThreadPoolExecutor(16) as pool:
        answers = [found for found in pool.map(call, range(60)) if found]
    assert 1 <= len(answers) == len(server.asked) < 60
    assert one.spent_usd == pytest.approx(sum(found.cost_usd for found in answers)) and one.spent_usd <= 0.0015
    with pytest.raises(ToolkitError, match="It was not made"):
        one.complete("x" * 4000, "large", max_tokens=1000)
    assert len(server.asked) == len(answers)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ((500, {"error": "overloaded"}), "answered 500 .*overloaded"),
        ((200, b"not json"), "could not be asked"),
        ((200, {"choices": []}), "no answer in the chat format"),
        ((200, []), "no answer in the chat format"),
        ((200, {"choices": [{"message": {"content": None}}]}), "no answer in the chat format"),
    ],
)
def test_what_fails_after_it_was_sent_stays_booked(server, reply, message):
    server.reply = reply
    one = Endpoint(server.url, PRICES, 1.0, live=True)
    with pytest.raises(ToolkitError, match=message):
        one.complete("hi", "small", max_tokens=50)
    assert one.spent_usd >= 50 * 2e-6
    server.reply = 200, {"choices": [{"message": {"content": "x"}}]}  # it does not say what it billed
    before = one.spent_usd
    assert one.complete("hi", "small", max_tokens=50).cost_usd == pytest.approx(one.spent_usd - before)


def test_a_price_that_is_none_and_input_that_is_dense_do_not_lift_the_cap(server):
    for price in (float("nan"), -1.0, float("inf")):
        with pytest.raises(ToolkitError, match="from 0 was expected"):
            Endpoint(server.url, PRICES.assign(input_usd_per_mtok=price), 1.0)
    for wrong in (PRICES[["input_usd_per_mtok"]], {}, PRICES.iloc[:0]):
        with pytest.raises(ToolkitError, match="a table of models"):
            Endpoint(server.url, wrong, 1.0)
    dense = "Zq#7~" * 200
    server.reply = 200, said(prompt_tokens=1000, completion_tokens=1)  # a token for every character
    one = Endpoint(server.url, PRICES, 0.002, live=True)
    assert one.complete(dense, "small", max_tokens=1).cost_usd <= 0.002
    with pytest.raises(ToolkitError, match="It was not made"):
        one.complete(dense, "small", max_tokens=1)


def test_the_key_follows_no_redirect(server):
    def redirect(handler):
        handler.server.asked.append((handler.path, handler.headers["Authorization"], None))
        handler.send_response(302)
        handler.send_header("Location", f"http://localhost:{handler.server.server_port}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.RequestHandlerClass = type("Redirecting", (Server,), {"do_POST": redirect, "do_GET": redirect})
    with pytest.raises(ToolkitError, match="answered 302"):
        Endpoint(server.url, PRICES, 1.0, live=True).complete("hi", "small")
    assert [path for path, *_ in server.asked] == ["/v1/chat/completions"]
