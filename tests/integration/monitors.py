"""Help for tests of alerts: several monitors with a clock of their own, and what became of it in the log."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.alerts import Alert, AlertRecord, decode_alert
from schemas.topics import ALERTS
from tests.integration.worker import read
from workers.alerts.catalogue import KINDS, TOPIC_QUIET
from workers.alerts.claims import LEASE_S, Claims
from workers.alerts.episodes import Episodes
from workers.alerts.log import AlertLog
from workers.alerts.receivers import Receivers, parsed

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
REMINDER_S = 86_400.0
QUIET = TOPIC_QUIET.alert("Nothing came to customer.events.", since=START - timedelta(days=1), about="customer.events")
TITLE = "topic quiet (customer.events)"


class Clock:
    """The time of all monitors, for receivers in seconds; sleeping moves only what receivers see."""

    def __init__(self) -> None:
        self.now = START
        self.slept_s = 0.0

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def seconds(self) -> float:
        """The time for receivers."""
        return (self.now - START).total_seconds() + self.slept_s

    def sleep(self, span_s: float) -> None:
        """Wait without waiting."""
        self.slept_s += span_s

    def move(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)


class Monitor:
    """The part of a monitor that tells."""

    def __init__(
        self, kafka: str, redis: str, urls: str, clock: Clock, *, lease_s: float = LEASE_S, per_hour: int = 1000
    ) -> None:
        self.claims = Claims(redis, timeout_s=0.5, lease_s=lease_s)
        self.log = AlertLog({"bootstrap.servers": kafka})
        self.receivers = Receivers(parsed(urls), per_hour=per_hour, sleep=clock.sleep, clock=clock.seconds)
        self.episodes = Episodes(
            receivers=self.receivers,
            claims=self.claims,
            log=self.log,
            runbook_url="docs/runbook.md",
            reminder_s=REMINDER_S,
            clock=clock,
        )

    def look(self, *alerts: Alert, judged: Collection[str] = tuple(KINDS), active: bool = False) -> None:
        """One look, and wait until everybody is told."""
        self.episodes.look(alerts, judged=judged, active=active)
        assert self.episodes.settle(30)

    def close(self) -> None:
        """Disconnect."""
        self.claims.close()
        self.log.close()


Start = Callable[..., Monitor]


@contextmanager
def monitors(kafka: str, redis: str, urls: str, clock: Clock) -> Iterator[Start]:
    """A way to start monitors, which are closed at the end."""
    started: list[Monitor] = []

    def start(**options: Any) -> Monitor:
        started.append(Monitor(**{"kafka": kafka, "redis": redis, "urls": urls, "clock": clock, **options}))
        return started[-1]

    try:
        yield start
    finally:
        for monitor in started:
            monitor.close()


def all_look(some: Sequence[Monitor], *alerts: Alert, active: int | None = 0) -> None:
    """All look at the same moment; the one of that number is the active one."""
    together = threading.Barrier(len(some))

    def look(monitor: Monitor, *, active: bool, begun: threading.Event) -> None:
        begun.set()
        together.wait()
        monitor.look(*alerts, active=active)

    threads = []
    for number, monitor in enumerate(some):
        begun = threading.Event()
        threads.append(
            threading.Thread(target=look, args=[monitor], kwargs={"active": number == active, "begun": begun})
        )
        threads[-1].start()
        begun.wait()  # coverage cannot begin to watch two threads at once
    for thread in threads:
        thread.join()


def logged(kafka: str) -> list[AlertRecord]:
    """Every record in the log, in order; asserts that each has the key of its subject."""
    found = []
    for message in read(kafka, ALERTS):
        record = decode_alert(message.value())
        assert message.key() == record.alert.subject.encode()
        found.append(record)
    return found


def states(kafka: str) -> list[str]:
    """The states in the log."""
    return [record.state for record in logged(kafka)]
