"""What the API counts for Prometheus, as `workers/metrics.py` declares it."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from workers.exposition import Exposition
from workers.metrics import REQUEST_SECONDS, REQUESTS, Read


class Metrics:
    """The counts of this process; of all of them when they share a folder, which PROMETHEUS_MULTIPROC_DIR names.

    `read` gives what else there is to show, as it is in the process that is asked.
    """

    def __init__(self, folder: str | None, read: Read = tuple) -> None:
        self._registry = CollectorRegistry()
        self._folder, self._others = folder, Exposition(read)
        counts, seconds = REQUESTS, REQUEST_SECONDS
        self._requests = Counter(counts.name, counts.about, counts.labels, registry=self._registry)
        self._seconds = Histogram(
            seconds.name, seconds.about, seconds.labels, buckets=seconds.buckets, registry=self._registry
        )
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
        registry = CollectorRegistry()
        registry.register(self._others)
        if self._folder:
            MultiProcessCollector(registry, path=self._folder)  # type: ignore[no-untyped-call]
        else:
            registry.register(self._registry)
        return generate_latest(registry)
