"""A Sentry for tests: it takes the envelopes that the real SDK sends over HTTP, and keeps what is in them."""

import gzip
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import msgspec

PROJECT = "1"
KEY = "0123456789abcdef"


class Item(NamedTuple):
    """One item of an envelope: an event, a transaction, a check-in, a report of what was dropped."""

    kind: str
    content: Any


class SentryReceiver:
    """Everything that arrived: `raw` is each envelope, unpacked; `items` what is in them."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.items: list[Item] = []
        self.paths: list[str] = []
        self.delay_s = 0.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def dsn(self) -> str:
        """What to set SENTRY_DSN to."""
        return f"http://{KEY}@127.0.0.1:{self._server.server_port}/{PROJECT}"

    def take(self, path: str, envelope: bytes) -> None:
        """Keep one envelope."""
        time.sleep(self.delay_s)
        self.paths.append(path)
        self.raw.append(envelope)
        self.items.extend(items(envelope))

    def of(self, kind: str) -> list[Any]:
        """The content of the items of one kind: event, transaction, check_in."""
        return [item.content for item in [*self.items] if item.kind == kind]

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until what has arrived is enough."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, f"Sentry did not get {what}: {self.items}"
            time.sleep(0.02)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def items(envelope: bytes) -> Iterator[Item]:
    """The items of an envelope: behind a line of headers, each a line of headers and so many bytes, or one line."""
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        head, _, rest = rest.partition(b"\n")
        headers = msgspec.json.decode(head)
        length = headers.get("length", len(rest.partition(b"\n")[0]))
        yield Item(headers["type"], msgspec.json.decode(rest[:length]))
        rest = rest[length:].lstrip(b"\n")


@contextmanager
def sentry_receiver() -> Iterator[SentryReceiver]:
    """One that ends with the block."""
    receiver = SentryReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The SDK packs with brotli where that happens to be installed, and with gzip elsewhere."""
    if encoding == "br":
        plain: bytes = importlib.import_module("brotli").decompress(body)
        return plain
    return gzip.decompress(body)


def _handler(receiver: SentryReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.take(self.path, _unpacked(body, self.headers["Content-Encoding"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
