"""What the API counts for Prometheus, in one place: names, units and labels."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Metrics:
    """The counts of this process; of all of them when they share a folder, which PROMETHEUS_MULTIPROC_DIR names."""

    def __init__(self, folder: str | None) -> None:
        self._registry = CollectorRegistry()
        self._folder = folder
        # The path is the route's, with {id} in it: no customer's id is in a label.
        self._requests = Counter(
            "churn_http_requests_total", "HTTP requests by path and status", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "churn_http_request_seconds", "Seconds from the request's headers to the end of the answer", ["path"],
            buckets=LATENCY_BUCKETS_S, registry=self._registry,
        )  # fmt: skip
        self._of = cache(self._labelled)  # to find them anew takes longer than to count

    def count(self, path: str, status: int, took_s: float) -> None:
        """Count one request."""
        counter, histogram = self._of(path, status)
        counter.inc()
        histogram.observe(took_s)

    def _labelled(self, path: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(path, str(status)), self._seconds.labels(path)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        registry = self._registry
        if self._folder:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
