"""Every metric of every process for Prometheus, in one place: name, unit, labels, and what it is.

Units are in the names. No customer's id is in a label, and every label has few values. `docs/reference/metrics.md` is
made from this.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from schemas.telemetry import TIME_EDGES_S

Kind = Literal["counter", "gauge", "histogram"]
Process = Literal["score", "api"]


class Metric(NamedTuple):
    """One metric; a histogram has the buckets `buckets`, in its unit."""

    name: str
    kind: Kind
    processes: tuple[Process, ...]
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


# All processes. `absent` of it by kind says that none of a kind is there.
INFO = Metric("churn_info", "gauge", ("score", "api"), "1; what runs, and of which release",
              ("kind", "release"))  # fmt: skip
# A scoring worker knows one version; of several processes of an API that of the one that is asked is told.
MODEL_INFO = Metric("churn_model_info", "gauge", ("score", "api"), "1; the version of the model in service",
                    ("version",))  # fmt: skip

# The scoring worker. Records count when their answers are committed.
EVENTS = Metric("churn_events_total", "counter", ("score",),
                "Records of customer.events by what they came to: scored, could-not-compute, dead-letter, sent-on",
                ("status",))  # fmt: skip
DEAD_LETTERS = Metric("churn_dead_letters_total", "counter", ("score",), "Dead letters by what is wrong with them",
                      ("error_class",))  # fmt: skip
LAG = Metric("churn_lag_records", "gauge", ("score",),
             "Records of the worker's partitions that are not answered yet; not there while it has none")  # fmt: skip
PARTITIONS = Metric("churn_partitions", "gauge", ("score",), "Partitions that the worker works on")
# Every second of the bounds that telemetry counts by, so that both say the same.
LATENCY = Metric("churn_latency_seconds", "histogram", ("score",),
                 "Seconds from the arrival of an event at the broker to its committed answer",
                 buckets=TIME_EDGES_S[::2])  # fmt: skip
TROUBLES = Metric("churn_troubles_total", "counter", ("score",),
                  "Turns of the worker that failed, by what did not answer: kafka, redis; nothing is lost",
                  ("what",))  # fmt: skip

# The API. The path is the route's, with {id} in it.
REQUESTS = Metric("churn_http_requests_total", "counter", ("api",), "HTTP requests by path and status",
                  ("path", "status"))  # fmt: skip
REQUEST_SECONDS = Metric("churn_http_request_seconds", "histogram", ("api",),
                         "Seconds from the request's headers to the end of the answer", ("path",),
                         (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0))  # fmt: skip

METRICS = (INFO, MODEL_INFO, EVENTS, DEAD_LETTERS, LAG, PARTITIONS, LATENCY, TROUBLES, REQUESTS,
           REQUEST_SECONDS)  # fmt: skip


class Values(NamedTuple):
    """A counter or gauge and its values, by the values of its labels."""

    metric: Metric
    by_labels: Mapping[tuple[str, ...], float]


class Bins(NamedTuple):
    """A histogram without labels: counts below, between and above its buckets, and the sum of all values."""

    metric: Metric
    counts: Sequence[int]
    total: float


Read = Callable[[], Iterable[Values | Bins]]
