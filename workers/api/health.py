"""`/livez`, `/readyz` and `/metrics`."""

import asyncio
from collections.abc import Callable

from schemas.http import Health
from workers.api.messages import Request, Response, answer
from workers.api.problems import unavailable
from workers.api.routes import Route
from workers.store import FeatureStore, StoreUnavailableError

METRICS = "text/plain; version=0.0.4; charset=utf-8"


def answers(store: FeatureStore) -> Callable[[], None]:
    """What raises `ApiError` while `store` does not answer."""

    def check() -> None:
        try:
            store.clock_s()
        except StoreUnavailableError as error:
            raise unavailable(str(error), 1) from None

    return check


class HealthChecks:
    """The handlers; `ready` raises the `ApiError` called `problem`, `metrics` gives the text for Prometheus."""

    def __init__(
        self,
        ready: Callable[[], None],
        metrics: Callable[[], bytes],
        *,
        problem: str = "unavailable",
        about: str = "503 while Redis is away: send requests elsewhere.",
    ) -> None:
        self._ready, self._metrics = ready, metrics
        self._problem, self._about = problem, about

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("GET", "/livez", self.live, None, "Whether the process lives", Health),
            Route("GET", "/readyz", self.ready, None, "Whether the process can answer", Health,
                  problems=(self._problem,), description=self._about),
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
        await asyncio.to_thread(self._ready)

    async def metrics(self, _: Request) -> Response:
        """GET /metrics."""
        return Response(200, await asyncio.to_thread(self._metrics), METRICS)
