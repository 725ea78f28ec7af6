"""Shows numbers to Prometheus as they are when it asks, under the names that `workers/metrics.py` declares."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from workers.metrics import Bins, Read, Values


class Exposition(Collector):
    """What `read` gives, whenever somebody asks; from whatever thread."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        return map(_family, self._read())


def _family(values: Values | Bins) -> Metric:
    declared = values.metric
    if isinstance(values, Bins):
        bounds = [*map(floatToGoString, declared.buckets), "+Inf"]
        buckets = list(zip(bounds, accumulate(values.counts), strict=True))
        return HistogramMetricFamily(declared.name, declared.about, buckets, values.total)
    kind = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
    family = kind(declared.name, declared.about, labels=declared.labels)
    for labels, value in values.by_labels.items():
        family.add_metric(labels, value)
    return family


@contextmanager
def served(port: int, read: Read) -> Iterator[None]:
    """Within it /metrics is on this port, in a thread of its own; raises `OSError` when the port cannot be had."""
    registry = CollectorRegistry()
    registry.register(Exposition(read))
    server, thread = start_http_server(port, registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
