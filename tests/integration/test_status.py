"""`churn status` against a real server: what it prints, its exit code, and one clear line when nobody answers."""

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import msgspec
import pytest

from churn.commands import status as command
from schemas.status import Status
from tests.conftest import Churn
from tests.integration.monitor import monitor_site
from tests.integration.test_commands import NOWHERE, refused
from tests.status import NEW, empty_status, hostile_status, rich_status
from workers.api.keys import new_key

URL = "CHURN_MONITOR_URL"


def test_not_healthy_is_said_first_and_by_exit_code_1(churn: Churn) -> None:
    """The sentence, the numbers, the tables: what the dashboard shows."""
    with monitor_site(rich_status()) as site:
        ended = churn("status", environment={URL: site.url})
    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    assert lines[0] == f"not healthy: {rich_status().sentence}."
    words = " ".join(ended.stdout.split())
    assert "Answers 11,997 in the last 24 hours" in words
    assert "25 Nov 14:00" in words
    assert "1 of 22 features drifted: spend." in words
    assert "customer.outcomes 21 Nov 14:03 4 days 2 days too quiet" in words
    assert f"score-worker-7c9f-1 score just now {NEW} 3 12" in words
    assert "10 more; all of them with --json" in words


def test_healthy_is_exit_code_0_and_what_is_missing_is_said(churn: Churn) -> None:
    """A system that was just set up."""
    with monitor_site(empty_status()) as site:
        ended = churn("status", environment={URL: f"{site.url}/"})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("healthy: Nothing has happened yet.\n")
    assert "No outcomes yet: accuracy is shown once" in ended.stdout


def test_json_is_what_the_monitor_says(churn: Churn) -> None:
    """For programs; the exit code says the same."""
    key, line = new_key("on-call", ["admin"])
    with monitor_site(rich_status(), [line]) as site:
        ended = churn("status", "--json", environment={URL: site.url, "CHURN_API_KEY": key})
        told = httpx.get(f"{site.url}/status", auth=("", key)).json()
    assert ended.returncode == 1
    assert json.loads(ended.stdout) == told


def test_nothing_hostile_reaches_the_terminal(churn: Churn) -> None:
    """Escapes are shown and markup is text."""
    with monitor_site(hostile_status()) as site:
        ended = churn("status", environment={URL: site.url})
    assert ended.returncode == 1
    assert "\x1b" not in ended.stdout
    assert r"\x1b[31m[bold]{{ 7 * 7 }}" in ended.stdout


def test_wrong_keys_and_addresses_are_named(churn: Churn) -> None:
    """With the setting that mends it."""
    key, line = new_key("crm", ["predict"])
    with monitor_site(rich_status(), [line]) as site:
        there = {URL: site.url}
        absent = refused(churn("status", environment=there))
        weak = refused(churn("status", environment=there | {"CHURN_API_KEY": key}))
        unsendable = refused(churn("status", environment=there | {"CHURN_API_KEY": "ä b"}))
    assert absent.startswith(f"CHURN_API_KEY: CHURN_MONITOR_URL: {site.url}: A key is needed: expected Authorization")
    assert weak.endswith("the key of crm has no scope admin")
    assert unsendable.startswith("CHURN_MONITOR_URL, CHURN_API_KEY: the key cannot be sent")
    assert "the address is none" in refused(churn("status", environment={URL: "monitor"}))
    assert refused(churn("status", environment={URL: f"http://{NOWHERE}"})) == (
        f"CHURN_MONITOR_URL: http://{NOWHERE}: [Errno 111] Connection refused; "
        "if no monitor runs, start it with `churn monitor`"
    )


class Other(BaseHTTPRequestHandler):
    """A program that is no monitor."""

    body, code = b"{}", 200

    def do_GET(self) -> None:
        """Answer the same to everything."""
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (200, b'{"at": "\x1b"}', "the answer is not a monitor's: JSON is malformed"),
        (200, b"{}", "the answer is not a monitor's: Object missing required field `at`"),
        (404, b"<html>", "HTTP 404, and not in the words of a monitor"),
        (302, b"", "HTTP 302, and not in the words of a monitor"),
    ],
)
def test_other_programs_are_recognised(churn: Churn, code: int, body: bytes, told: str) -> None:
    """Whatever they answer is one line."""
    with HTTPServer(("127.0.0.1", 0), type("Answer", (Other,), {"body": body, "code": code})) as server:
        Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert refused(churn("status", environment={URL: url})).startswith(f"CHURN_MONITOR_URL: {url}: {told}")


def test_silence_is_not_waited_for(churn: Churn) -> None:
    """A program that accepts and says nothing is given a few seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = refused(churn("status", environment={URL: url}))
    assert said == f"CHURN_MONITOR_URL: {url}: no answer within {command.TIMEOUT_S:g} s"


def test_status_survives_json() -> None:
    """What is sent is what is read, whatever is in it."""
    for made in (empty_status(), rich_status(), hostile_status()):
        assert msgspec.json.decode(msgspec.json.encode(made), type=Status) == made
