"""The client for predictions, at addresses where no such API is, and with what can never be asked."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from producers.errors import PredictionError, PredictionsUnavailableError, RequestRefusedError
from producers.predictions import ChurnPredictions

NOWHERE = "http://127.0.0.1:1"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(*answers: Answer) -> Iterator[str]:
    """Something else that speaks HTTP; it gives the answers in turn, the last one for ever."""
    waiting = list(answers)

    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        def do_GET(self) -> None:
            """The next answer."""
            (waiting.pop(0) if len(waiting) > 1 else waiting[0])(self)

        def do_POST(self) -> None:
            """The same."""
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def says(code: int, body: bytes, size: int | None = None, **headers: str) -> Answer:
    """An answer with `body`, said to have `size` bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in (headers | {"Content-Length": str(size or len(body))}).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (says(200, b"<html>"), PredictionsUnavailableError, "the answer is not of this API: JSON is malformed"),
        (says(200, b"{}"), PredictionsUnavailableError, "the answer is not of this API: Object missing required"),
        (says(200, b"{", size=9), PredictionsUnavailableError, "peer closed connection"),
        (says(301, b""), RequestRefusedError, "HTTP 301 Moved Permanently, and not in the words of this API"),
        (says(404, b"<html>"), RequestRefusedError, "HTTP 404 Not Found, and not in the words of this API"),
        (says(502, b"<html>"), PredictionsUnavailableError, "HTTP 502 Bad Gateway, and not in the words of this API"),
        (says(503, b"", Retry_After="Wed, 25 Nov 2026 12:00:00 GMT"), PredictionsUnavailableError, "HTTP 503 Service"),
        (says(503, b"", Retry_After="3600"), PredictionsUnavailableError, "HTTP 503 Service Unavailable"),
        (lambda _: time.sleep(0.8), PredictionsUnavailableError, "no answer within 0.5 s"),
    ],
)  # fmt: skip
def test_something_else_that_answers_is_told(answer: Answer, kind: type[PredictionError], message: str) -> None:
    """Whatever is at the address, there is one line in bounded time that names it."""
    with server(answer) as url, ChurnPredictions(url, timeout_s=0.5) as predictions, pytest.raises(kind) as caught:
        predictions.predict("1234")
    assert str(caught.value).startswith(f"{url}: {message}")
    assert len(str(caught.value).splitlines()) == 1


def test_waiting_ends_with_the_time_out() -> None:
    """A server that never can is asked a few times, at least a tenth of a second apart; what it said last is kept."""
    asked = 0

    def never(handler: BaseHTTPRequestHandler) -> None:
        nonlocal asked
        asked += 1
        says(503, b"", Retry_After="-1")(handler)

    gives_up = pytest.raises(PredictionsUnavailableError, match="HTTP 503")
    with server(never) as url, ChurnPredictions(url, timeout_s=0.55) as predictions, gives_up:
        predictions.predict("1234")
    assert 2 <= asked <= 6
    then_silent = server(says(503, b"", Retry_After="0.2"), lambda _: time.sleep(1.5))
    with then_silent as url, ChurnPredictions(url, timeout_s=1) as predictions, gives_up:
        predictions.predict("1234")


def test_batch_that_is_cut_off_is_told() -> None:
    """Fewer answers than rows are an error, and a half one is no answer."""
    score: dict[str, Any] = {
        "status": "could-not-compute", "probability": None, "band": None, "action": None, "reasons": [], "features": {},
        "flags": [], "model": {"name": "m", "version": "1"}, "event_id": "1", "as_of": "2026-01-01T00:00:00Z",
        "scored_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    line = json.dumps({"row": 0, "score": score}).encode()
    with server(says(200, line + b"\n" + line[:20])) as url, ChurnPredictions(url) as predictions:
        answers = predictions.predict_many([{"customer": "1"}, {"customer": "2"}])
        assert next(answers).row == 0
        with pytest.raises(PredictionsUnavailableError, match="1 answers to 2 rows"):
            next(answers)


@pytest.mark.parametrize(
    "url",
    ["", "churn:8000", "ftp://churn", "http://", "http://[::1", "http://churn:99999", "http://user:hunter2@churn"],
)
def test_wrong_address_is_told_and_not_quoted(url: str) -> None:
    """An address that is none is refused at once, and so is one with a password in it."""
    with pytest.raises(RequestRefusedError, match="expected http://host:port, without user and password") as caught:
        ChurnPredictions(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "two words", "hunter2\r\nx: y", "hünter2"])
def test_key_that_cannot_be_sent_is_told_and_not_quoted(key: str) -> None:
    """A key that no header can hold is refused at once."""
    with pytest.raises(RequestRefusedError, match="the key cannot be sent") as caught:
        ChurnPredictions(NOWHERE, key)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "ask",
    [
        lambda predictions: predictions.predict("\ud800"),
        lambda predictions: predictions.predict("x" * 70_000),
        lambda predictions: predictions.predict_features({"tenure": float("nan")}),
        lambda predictions: predictions.predict_features({"tenure": 1j}),
        lambda predictions: list(predictions.predict_many([{"customer": b"1"}])),
    ],
)
def test_what_cannot_be_asked_is_refused(ask: Callable[[ChurnPredictions], object]) -> None:
    """What is no text for an address, or no JSON, is refused before anything is sent."""
    with ChurnPredictions(NOWHERE) as predictions, pytest.raises(RequestRefusedError, match=r"cannot be (sent|JSON): "):
        ask(predictions)


def test_a_moment_is_sent_as_json() -> None:
    """Rows may have times; nobody is asked when there is nobody."""
    with ChurnPredictions(NOWHERE) as predictions, pytest.raises(PredictionsUnavailableError, match="refused"):
        list(predictions.predict_many([{"customer": "1", "at": datetime(2026, 1, 1, tzinfo=UTC)}]))
