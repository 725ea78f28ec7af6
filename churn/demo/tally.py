"""The demo's accounts: what was sent and when, and what came back for it."""

import threading
import time
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from schemas.scores import ChurnScored

RECENT = 6


class View(NamedTuple):
    """The accounts at one moment; latencies are of the last thousand scores, 0 before the first."""

    sent: int
    counts: Counter[str]
    elapsed_s: float
    p50_ms: float
    p99_ms: float
    recent: list[ChurnScored]


class Tally:
    """Filled by the thread that sends and the thread that reads, looked at by the one that shows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_s = time.perf_counter()
        self._sent_s: dict[str, float] = {}
        self._sent = 0
        self._seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._latencies_ms: list[float] = []
        self._recent: dict[str, ChurnScored] = {}
        self.last: dict[str, ChurnScored] = {}
        self.last_answer_s = self._started_s

    def sending(self, event_id: str | None) -> None:
        """One record is about to be sent; one that is no event has no id."""
        with self._lock:
            if self._sent == 0:
                self._started_s = time.perf_counter()
            self._sent += 1
            if event_id is not None:
                self._sent_s[event_id] = time.perf_counter()

    def scored(self, message: ChurnScored) -> None:
        """An answer was read."""
        now_s = time.perf_counter()
        with self._lock:
            if self._first_time(message.id):
                self.counts[message.data.status] += 1
                self._latencies_ms.append((now_s - self._sent_s[message.data.event_id]) * 1000)
                self._recent.pop(message.subject, None)
                self._recent[message.subject] = message
                if len(self._recent) > RECENT:
                    del self._recent[next(iter(self._recent))]
                if message.data.status == "scored":
                    self.last[message.subject] = message

    def dead_letter(self, place: str) -> None:
        """A dead letter was read; `place` is the partition and offset of the record it was."""
        with self._lock:
            if self._first_time(place):
                self.counts["dead-letter"] += 1

    def unaccounted(self) -> int:
        """Records sent that have no answer and no dead letter, and those that have two."""
        with self._lock:
            return abs(self._sent - len(self._seen)) + self.counts["repeated"]

    def sent(self) -> int:
        """How many records were sent."""
        with self._lock:
            return self._sent

    def view(self) -> View:
        """The accounts now."""
        with self._lock:
            p50_ms, p99_ms = percentiles(self._latencies_ms[-1000:])
            elapsed_s = time.perf_counter() - self._started_s
            return View(self._sent, self.counts.copy(), elapsed_s, p50_ms, p99_ms, list(self._recent.values()))

    def latency_ms(self) -> tuple[float, float]:
        """The median and the 99th percentile, over all answers, from sending an event to reading its answer."""
        with self._lock:
            return percentiles(self._latencies_ms)

    def _first_time(self, key: str) -> bool:
        if key in self._seen:
            self.counts["repeated"] += 1
            return False
        self._seen.add(key)
        self.last_answer_s = time.perf_counter()
        return True


def percentiles(latencies_ms: Collection[float]) -> tuple[float, float]:
    """The median and the 99th percentile, 0 where there is nothing."""
    if not latencies_ms:
        return 0.0, 0.0
    p50, p99 = np.percentile(list(latencies_ms), [50, 99])
    return float(p50), float(p99)
