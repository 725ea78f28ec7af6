"""The summaries of the last minutes: who is there, and what goes wrong just now."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from schemas.alerts import Alert
from schemas.status import Process
from schemas.telemetry import Telemetry
from workers.alerts.catalogue import MANY_COULD_NOT_COMPUTE, MANY_DEAD_LETTERS, MISROUTED_EVENTS, REDIS_AWAY, Kind

KEPT = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
SEEN_LATELY = timedelta(seconds=60)  # a process that has told nothing for longer is gone
FEWEST_ANSWERS = 100
REDIS = "redis"
KINDS: tuple[Kind, ...] = (MANY_DEAD_LETTERS, MISROUTED_EVENTS, MANY_COULD_NOT_COMPUTE, REDIS_AWAY)


class Recent:
    """The last ten minutes; a monitor that has just started knows less. Threads may add and ask at the same time."""

    def __init__(self, dead_letters_per_minute: int, now: Callable[[], datetime]) -> None:
        self._limit, self._now = dead_letters_per_minute, now
        self._lock = threading.Lock()
        self._summaries: deque[Telemetry] = deque()
        self._processes: dict[str, Telemetry] = {}

    def add(self, summary: Telemetry) -> None:
        """Take in a summary; one that is older than what is kept says nothing of now.

        One that is dated ahead is of now: where a clock is wrong, it would never be old.
        """
        now = self._now()
        oldest = now - KEPT
        if summary.ended > now:
            summary = msgspec.structs.replace(summary, began=min(summary.began, now), ended=now)
        with self._lock:
            if summary.ended >= oldest:
                self._summaries.append(summary)
                self._processes[summary.process] = summary
            while self._summaries and self._summaries[0].ended < oldest:
                self._summaries.popleft()

    def processes(self) -> list[Process]:
        """Who has told of itself within a minute, by name."""
        oldest = self._now() - SEEN_LATELY
        with self._lock:
            self._processes = {name: one for name, one in self._processes.items() if one.ended >= oldest}
            lately = sorted(self._processes.items())
        return [Process(name, one.kind, one.ended, sorted(one.models), one.partitions, one.lag) for name, one in lately]

    def judge(self) -> list[Alert]:
        """What is wrong just now, of the KINDS."""
        minute, kept = self._within(MINUTE, KEPT)
        last_minute, counts = _counts(minute), _counts(kept)
        answers = counts["scored"] + counts["could-not-compute"]
        alerts = []
        if (letters := last_minute["dead-letter"]) > self._limit:
            since = _since(minute, "dead-letter")
            alerts.append(MANY_DEAD_LETTERS.alert(f"{letters} dead letters within a minute", since=since))
        if astray := counts["sent-on"]:
            alerts.append(
                MISROUTED_EVENTS.alert(
                    f"{astray} events within ten minutes were in another partition than their customer's",
                    since=_since(kept, "sent-on"),
                )
            )
        if answers >= FEWEST_ANSWERS and (none := counts["could-not-compute"]) * 2 > answers:
            alerts.append(
                MANY_COULD_NOT_COMPUTE.alert(
                    f"{none} of {answers} answers within ten minutes are could-not-compute",
                    since=_since(kept, "could-not-compute"),
                )
            )
        if without := [one for one in minute if one.errors.get(REDIS)]:
            names = {one.process for one in without}
            alerts.append(
                REDIS_AWAY.alert(f"Redis does not answer {len(names)} processes", since=min(o.began for o in without))
            )
        return alerts

    def _within(self, *spans: timedelta) -> list[list[Telemetry]]:
        now = self._now()
        with self._lock:
            kept = list(self._summaries)
        return [[one for one in kept if one.ended >= now - span] for span in spans]


def _counts(summaries: Iterable[Telemetry]) -> Counter[str]:
    return sum((Counter(one.counts) for one in summaries), Counter[str]())


def _since(summaries: Iterable[Telemetry], name: str) -> datetime:
    return min(one.began for one in summaries if one.counts.get(name))
