"""The application by itself: what it makes of mistakes of ours, and of callers who go away."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, Literal

import msgspec
import pytest

from schemas.http import Health
from workers.api.app import Admission, Api
from workers.api.keys import Keys
from workers.api.messages import Limits, Request, Response, answer
from workers.api.metrics import Metrics
from workers.api.rate import RateLimit
from workers.api.routes import Route


async def fails(_: Request) -> Response:
    """A handler with a bug."""
    raise KeyError("secret")


async def breaks_off(_: Request) -> Response:
    """A handler whose answer ends too early."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"1"
        raise KeyError("secret")

    return Response(200, pieces())


async def reads(request: Request) -> Response:
    """A handler that wants the body."""
    return answer(len(await request.body()))


async def nothing() -> None:
    """What runs beside."""


def asked(path: str, *messages: dict[str, Any], log_access: bool = False) -> list[MutableMapping[str, Any]]:
    """What the application sends to one request."""
    handlers = {"/fails": fails, "/breaks-off": breaks_off, "/reads": reads}
    method: Literal["GET", "POST"] = "POST" if path == "/reads" else "GET"
    routes = [Route(method, path, handlers[path], None, "", Health)]
    admission = Admission(Keys(), RateLimit(10, time.monotonic), Limits(1000, 1), frozenset())
    api = Api(routes, admission, Metrics(None), start=nothing, log_access=log_access)
    sent: list[MutableMapping[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    asyncio.run(api(scope, receive, send))
    return sent


def test_mistake_of_ours_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """500 with the request's id, which the log has too; what went wrong is for the log only."""
    start, body = asked("/fails")
    problem = msgspec.json.decode(body["body"])
    assert (start["status"], problem["type"]) == (500, "urn:churn:problem:failed")
    assert b"secret" not in body["body"]
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "a request failed")
    assert vars(record)["request_id"] == problem["request_id"]


def test_answer_that_breaks_off_is_seen_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets no end of it, and the server no error to log."""
    sent = asked("/breaks-off")
    assert [message.get("body") for message in sent] == [None, b"1"]
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "an answer broke off")
    assert vars(record)["path"] == "/breaks-off"


def test_what_runs_beside_is_logged_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Requests are answered on; without the line nobody would know before the end."""

    async def start() -> None:
        raise KeyError("secret")

    admission = Admission(Keys(), RateLimit(10, time.monotonic), Limits(1000, 1), frozenset())
    api = Api([], admission, Metrics(None), start=start, log_access=False)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    sent: list[str] = []
    asyncio.run(api({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [record.getMessage() for record in caplog.records] == ["what runs beside the requests has ended"]


def test_caller_who_goes_away(caplog: pytest.LogCaptureFixture) -> None:
    """The body never ends: a problem, that nobody reads, and no mistake of ours."""
    start, _ = asked("/reads", {"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"})
    assert start["status"] == 408
    assert not caplog.records


def test_log_may_be_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """One line a request, or none."""
    caplog.set_level(logging.INFO)
    asked("/reads", {"type": "http.request", "body": b"xyz"})
    assert not caplog.records
    _, body = asked("/reads", {"type": "http.request", "body": b"xyz"}, log_access=True)
    assert body["body"] == b"3"
    assert [record.getMessage() for record in caplog.records] == ["request"]
