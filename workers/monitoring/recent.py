"""The summaries of the last minutes: who is there, and what goes wrong just now."""

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta

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
    """The last ten minutes; a monitor that has just started knows less."""

    def __init__(self, dead_letters_per_minute: int, now: Callable[[], datetime]) -> None:
        self._limit, self._now = dead_letters_per_minute, now
        self._summaries: deque[Telemetry] = deque()
        self._processes: dict[str, Telemetry] = {}

    def add(self, summary: Telemetry) -> None:
        """Take in a summary; one that is older than what is kept says nothing of now."""
        oldest = self._now() - KEPT
        if summary.ended >= oldest:
            self._summaries.append(summary)
            self._processes[summary.process] = summary
        while self._summaries and self._summaries[0].ended < oldest:
            self._summaries.popleft()

    def processes(self) -> list[Process]:
        """Who has told of itself within a minute, by name."""
        oldest = self._now() - SEEN_LATELY
        self._processes = {name: one for name, one in self._processes.items() if one.ended >= oldest}
        return [
            Process(name, one.kind, one.ended, sorted(one.models), one.partitions, one.lag)
            for name, one in sorted(self._processes.items())
        ]

    def judge(self) -> list[Alert]:
        """What is wrong just now, of the KINDS."""
        minute, all_kept = self._counts(MINUTE), self._counts(KEPT)
        answers = all_kept["scored"] + all_kept["could-not-compute"]
        alerts = []
        if (letters := minute["dead-letter"]) > self._limit:
            alerts.append(MANY_DEAD_LETTERS.alert(f"{letters} dead letters within a minute", since=self._since(MINUTE)))
        if astray := all_kept["sent-on"]:
            alerts.append(
                MISROUTED_EVENTS.alert(
                    f"{astray} events within ten minutes were in another partition than their customer's",
                    since=self._since(KEPT),
                )
            )
        if answers >= FEWEST_ANSWERS and (none := all_kept["could-not-compute"]) * 2 > answers:
            alerts.append(
                MANY_COULD_NOT_COMPUTE.alert(
                    f"{none} of {answers} answers within ten minutes are could-not-compute", since=self._since(KEPT)
                )
            )
        if without := [one for one in self._within(MINUTE) if one.errors.get(REDIS)]:
            names = {one.process for one in without}
            alerts.append(
                REDIS_AWAY.alert(f"Redis does not answer {len(names)} processes", since=min(o.began for o in without))
            )
        return alerts

    def _within(self, span: timedelta) -> list[Telemetry]:
        oldest = self._now() - span
        return [one for one in self._summaries if one.ended >= oldest]

    def _counts(self, span: timedelta) -> Counter[str]:
        return sum((Counter(one.counts) for one in self._within(span)), Counter[str]())

    def _since(self, span: timedelta) -> datetime:
        return min(one.began for one in self._within(span))
