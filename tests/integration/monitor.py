"""Help for tests of the monitor's pages: serves made-up numbers, from a loop in a thread as the monitor does."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import httpx

from churn.stack.ports import free_port
from schemas.status import Status
from workers.api.keys import Keys
from workers.api.metrics import Metrics
from workers.monitoring.pages import Monitoring, routes
from workers.monitoring.site import application, serve

RUNBOOK = "https://wiki.example/runbook.md"


class MonitorSite:
    """What the monitor says, which a test may change, and where."""

    def __init__(self, status: Status, port: int) -> None:
        self.status, self.port = status, port
        self.active = True
        self.url = f"http://127.0.0.1:{port}"


@contextmanager
def monitor_site(status: Status, keys: Iterable[str] = (), port: int | None = None) -> Iterator[MonitorSite]:
    """Pages of `status` while the block runs; `keys` are lines of `churn key`."""
    site = MonitorSite(status, port or free_port())
    metrics = Metrics(None)
    monitoring = Monitoring(lambda: site.status, lambda: site.active, metrics.text, RUNBOOK)
    app = application(routes(monitoring), Keys(keys), metrics, log_access=False)
    loop = asyncio.new_event_loop()
    serving = loop.create_task(serve(app, "127.0.0.1", site.port))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        _wait(site, thread)
        yield site
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(20)
        assert not thread.is_alive()


def _wait(site: MonitorSite, thread: threading.Thread) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            httpx.get(f"{site.url}/livez").raise_for_status()
        except httpx.TransportError:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
