"""Serves the monitor's pages from within the loop that runs the monitor."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from workers.api.app import Admission, Api, RequestCounts
from workers.api.keys import Keys
from workers.api.messages import Limits
from workers.api.rate import RateLimit
from workers.api.routes import Route

REQUESTS_PER_S = 50.0  # of one client; an open page makes one in five seconds
HEADERS_TIMEOUT_S = 10
# Threads of the server end milliseconds after it says that it has, and tell nobody. A Python that ends before them is
# aborted, so that a monitor would not end in good order.
AFTERWARDS_S = 0.5
NO_BODY = Limits(body_bytes=1024, body_timeout_s=1.0)  # nothing that the monitor answers takes one


def application(routes: Sequence[Route], keys: Keys, metrics: RequestCounts, *, log_access: bool) -> Api:
    """The pages as an application; `metrics` counts what is asked."""
    admission = Admission(keys, RateLimit(REQUESTS_PER_S, time.monotonic), NO_BODY, frozenset())
    return Api(routes, admission, metrics, start=_nothing, log_access=log_access)


async def serve(app: Any, host: str, port: int) -> None:
    """Answer until cancelled; ends in good order."""
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_TIMEOUT_S * 1000),
        log_level=LogLevels.error,  # it warns that it is embedded
        log_dictconfig={"handlers": {}, "loggers": {}},  # ours, which are at the root
    )
    serving = asyncio.ensure_future(server.serve())
    try:
        await asyncio.shield(serving)
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await serving
        await asyncio.sleep(AFTERWARDS_S)


async def _nothing() -> None:
    """What runs beside the application: nothing, the monitor does."""
