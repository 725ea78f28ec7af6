"""What a scoring worker shows to Prometheus."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import get_args

import numpy as np

from schemas.errors import ErrorClass
from schemas.telemetry import TIME_EDGES_S
from workers import metrics
from workers.metrics import Bins, Values
from workers.scoring.account import Account

LAG_EVERY_S = 1.0
STATUSES = ("scored", "could-not-compute", "dead-letter", "sent-on")
TROUBLES = ("kafka", "redis")


class WorkerMetrics:
    """Watches a scoring worker; `read` is called by the thread that serves /metrics.

    Everything that may happen is there from the start, as 0: of what appears as 1 nobody sees that it has grown.
    """

    def __init__(self, version: str, release: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing; `version` is the model's, `release` the program's."""
        self._lock = threading.Lock()
        self._version, self._release = version, release
        self._counts = Counter(dict.fromkeys(STATUSES, 0))
        self._errors = Counter(dict.fromkeys(get_args(ErrorClass), 0))
        self._troubles = Counter(dict.fromkeys(TROUBLES, 0))
        self._latency, self._waited_s = np.zeros(len(TIME_EDGES_S) + 1, np.int64), 0.0
        self._partitions, self._lag = 0, 0
        self._clock, self._due_s = clock, clock()

    def count(self, account: Account) -> None:
        """Add a batch."""
        with self._lock:
            self._version = account.scorer.artifact.manifest.version
            self._counts.update(account.counts)
            self._errors.update(account.error_classes)
            self._latency += account.latency
            self._waited_s += float(account.waits_s.sum())

    def report(self, positions: Mapping[int, int], lag: Callable[[Mapping[int, int]], int], trouble: str) -> None:
        """Note how things stand."""
        with self._lock:
            if trouble:
                self._troubles[trouble] += 1
            self._partitions = len(positions)
            if self._clock() >= self._due_s:
                self._due_s = self._clock() + LAG_EVERY_S
                self._lag = lag(positions)

    def read(self) -> Iterable[Values | Bins]:
        """Everything, as it is now."""
        with self._lock:
            # A bucket ends at every second edge, so its count is that of two bins.
            bins = np.add.reduceat(self._latency, np.r_[0, 1 : len(self._latency) : 2]).tolist()
            return [
                Values(metrics.INFO, {("score", self._release): 1}),
                Values(metrics.MODEL_INFO, {(self._version,): 1}),
                Values(metrics.EVENTS, _labelled(self._counts)),
                Values(metrics.DEAD_LETTERS, _labelled(self._errors)),
                Values(metrics.TROUBLES, _labelled(self._troubles)),
                Bins(metrics.LATENCY, bins, self._waited_s),
                Values(metrics.PARTITIONS, {(): self._partitions}),
                Values(metrics.LAG, {(): self._lag} if self._partitions else {}),
            ]


def _labelled(counts: Counter[str]) -> dict[tuple[str, ...], int]:
    return {(label,): count for label, count in counts.items()}
