"""Real receivers of alerts: an HTTP server that writes down what arrives and may be slow or fail, a mail server."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class HttpReceiver(ThreadingHTTPServer):
    """Takes what is posted to it; `answers` are the codes of the first requests, before it is well."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *answers: int, delay_s: float = 0.0) -> None:
        self.answers, self.delay_s = list(answers), delay_s
        self.arrived: list[dict[str, Any]] = []
        self.requests = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where Apprise finds it."""
        return f"json://user:hunter2@127.0.0.1:{self.server_port}/hooks/s3cret"

    def titles(self) -> list[str]:
        """The titles of what arrived."""
        return [message["title"] for message in self.arrived]

    def wait_for(self, count: int, timeout_s: float = 20.0) -> list[str]:
        """The titles, once there are so many; asserts that they come."""
        deadline_s = time.monotonic() + timeout_s
        while len(self.arrived) < count:
            assert time.monotonic() < deadline_s, f"{self.titles()}, expected {count}"
            time.sleep(0.01)
        return self.titles()


class _Handler(BaseHTTPRequestHandler):
    server: HttpReceiver

    def do_POST(self) -> None:
        """Take the message, after the delay, with the next code."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        time.sleep(self.server.delay_s)
        code = self.server.answers.pop(0) if self.server.answers else 200
        if code == 200:
            self.server.arrived.append(json.loads(body))
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def http_receiver(*answers: int, delay_s: float = 0.0) -> Iterator[HttpReceiver]:
    """A server that listens while the context lasts."""
    with HttpReceiver(*answers, delay_s=delay_s) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Mailbox:
    """The mails that a server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - aiosmtpd's
        """Keep the mail."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, int]]:
    """A mail server on this machine, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()
