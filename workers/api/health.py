"""`/livez`, `/readyz` and `/metrics`."""

import asyncio
from collections.abc import Callable

from schemas.http import Health
from workers.api.messages import Request, Response, answer
from workers.api.problems import unavailable
from workers.api.routes import Route
from workers.store import FeatureStore, StoreUnavailableError

METRICS = "text/plain; version=0.0.4; charset=utf-8"


class HealthChecks:
    """The handlers; `metrics` gives the text for Prometheus."""

    def __init__(self, store: FeatureStore, metrics: Callable[[], bytes]) -> None:
        self._store, self._metrics = store, metrics

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("GET", "/livez", self.live, None, "Whether the process lives", Health),
            Route("GET", "/readyz", self.ready, None, "Whether the process can answer", Health,
                  problems=("unavailable",), description="503 while Redis is away: send requests elsewhere."),
            Route("GET", "/metrics", self.metrics, "admin", "Counts and times for Prometheus", str, media=(METRICS,)),
        ]  # fmt: skip

    async def live(self, _: Request) -> Response:
        """GET /livez."""
        return answer(Health("ok"))

    async def ready(self, _: Request) -> Response:
        """GET /readyz."""
        await self.check()
        return answer(Health("ok"))

    async def check(self) -> None:
        """Raise `ApiError` while requests cannot be answered."""
        try:
            await asyncio.to_thread(self._store.clock_s)
        except StoreUnavailableError as error:
            raise unavailable(str(error), 1) from None

    async def metrics(self, _: Request) -> Response:
        """GET /metrics."""
        return Response(200, await asyncio.to_thread(self._metrics), METRICS)
