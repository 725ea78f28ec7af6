"""The ASGI application: who asks, what for, how often; what went wrong; what is told of it afterwards."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import NamedTuple, Protocol

from workers.api.keys import ANYBODY, Client, Keys
from workers.api.messages import Limits, Receive, Request, Response, Scope, Send, answer
from workers.api.problems import CONTENT_TYPE, ApiError, Header
from workers.api.rate import RateLimit
from workers.api.routes import Route, Router
from workers.traces import Trace, untraced

logger = logging.getLogger(__name__)
access = logging.getLogger("access")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
_NOBODY = Client("-", frozenset())
_HARDENED: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
# A page brings its own policy; everything else is for programs, and no browser is to do anything with it.
_POLICY: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PLAIN = (*_HARDENED, _POLICY)
_PREFLIGHT = ((b"access-control-allow-methods", b"GET, POST"), (b"access-control-max-age", b"600"),
              (b"access-control-allow-headers", b"authorization, content-type, x-request-id"))  # fmt: skip


class Admission(NamedTuple):
    """Who is let in: keys, how often each client may ask, what a body may be, the origins of other sites' pages."""

    keys: Keys
    rate: RateLimit
    limits: Limits
    origins: frozenset[str]


class RequestCounts(Protocol):
    """Where requests are counted."""

    def count(self, path: str, status: int, took_s: float) -> None:
        """Count one request, by the path of its route."""


class Api:
    """The application; `start` runs as long as it does."""

    def __init__(
        self,
        routes: Sequence[Route],
        admission: Admission,
        metrics: RequestCounts,
        *,
        start: Callable[[], Awaitable[None]],
        log_access: bool,
        trace: Trace = untraced,
    ) -> None:
        self._router = Router(routes)
        self._admission, self._metrics, self._start = admission, metrics, start
        self._log_access, self._trace = log_access, trace
        process = secrets.token_hex(8)
        self._ids = (f"{process}-{number}" for number in count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of the ASGI protocol."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        running = asyncio.ensure_future(self._beside())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await send({"type": "lifespan.shutdown.complete"})

    async def _beside(self) -> None:
        try:
            await self._start()
        except Exception:  # nobody waits for it until the end
            logger.exception("what runs beside the requests has ended")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.perf_counter()
        request = Request(scope, receive, "", {}, self._admission.limits)
        sent_id = request.headers.get(b"x-request-id", b"")
        request.id = sent_id.decode() if _REQUEST_ID.fullmatch(sent_id) else next(self._ids)
        place, client = "none", _NOBODY
        try:
            routes, request.path = self._router.find(scope["path"]) or _not_found()
            place = next(iter(routes.values())).path
            if scope["method"] == "OPTIONS" and self._origin(request):
                response = Response(204, b"", headers=_PREFLIGHT)
            else:
                route = routes.get(scope["method"]) or _wrong_method(routes)
                client = self._admit(request, route)
                with self._trace(place):
                    response = await route.handler(request)
        except ApiError as error:
            response = _problem(error, request.id)
        except Exception:  # whatever a handler raises, the caller gets an answer and the next request its turn
            logger.exception("a request failed", extra={"path": place, "request_id": request.id})
            response = _problem(ApiError("failed", "this is not your fault; it was logged"), request.id)
        size = await self._answer(request, response, send, place)
        took_s = time.perf_counter() - began_s
        self._metrics.count(place, response.status, took_s)
        if self._log_access:
            access.info(
                "request",
                extra={"method": scope["method"], "path": place, "status": response.status, "bytes": size,
                       "ms": round(took_s * 1000, 2), "client": client.name, "request_id": request.id},
            )  # fmt: skip

    async def _answer(self, request: Request, response: Response, send: Send, place: str) -> int:
        """Send it all; returns the size of the body in bytes, 0 when it broke off."""
        try:
            return await _send(response, send, self._headers(request, response))
        except Exception:  # the server would end the answer too, and log the error with all that it quotes
            logger.exception("an answer broke off", extra={"path": place, "request_id": request.id})
            return 0

    def _admit(self, request: Request, route: Route) -> Client:
        """Who asks; raises `ApiError` when they may not, or not now."""
        if route.scope is None:
            return ANYBODY
        client = self._admission.keys.client(request.headers.get(b"authorization", b""))
        if client is None:
            wanted = b'Basic realm="churn"' if request.accepts_html() else b"Bearer"
            raise ApiError(
                "no-key", "expected Authorization: Bearer KEY, with a key of this service",
                headers=[(b"www-authenticate", wanted)],
            )  # fmt: skip
        if route.scope not in client.scopes:
            raise ApiError("not-allowed", f"the key of {client.name} has no scope {route.scope}")
        if wait_s := self._admission.rate.wait_s(client.name):
            raise ApiError(
                "too-often", f"again in {wait_s} s", headers=[(b"retry-after", str(wait_s).encode())]
            )  # fmt: skip
        return client

    def _origin(self, request: Request) -> bytes | None:
        origin = request.headers.get(b"origin")
        return origin if origin and origin.decode("latin-1") in self._admission.origins else None

    def _headers(self, request: Request, response: Response) -> list[Header]:
        own = response.headers
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"x-request-id", request.id.encode()),
            *(_HARDENED if any(name == _POLICY[0] for name, _ in own) else _PLAIN),
            *own,
        ]
        if isinstance(response.body, bytes):
            headers.append((b"content-length", str(len(response.body)).encode()))
        if origin := self._origin(request):
            headers += [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
        return headers


async def _send(response: Response, send: Send, headers: list[Header]) -> int:
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if isinstance(response.body, bytes):
        await send({"type": "http.response.body", "body": response.body})
        return len(response.body)
    size = 0
    async for piece in response.body:
        size += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    return size


def _problem(error: ApiError, request_id: str) -> Response:
    details = error.details(request_id)
    return answer(details, details.status)._replace(content_type=CONTENT_TYPE, headers=tuple(error.headers))


def _not_found() -> tuple[dict[str, Route], dict[str, str]]:
    raise ApiError("not-found", "there is nothing at this path; see /")


def _wrong_method(routes: dict[str, Route]) -> Route:
    allowed = ", ".join(routes)
    raise ApiError("wrong-method", f"this path takes {allowed}", headers=[(b"allow", allowed.encode())])
