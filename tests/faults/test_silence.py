"""Rows 22 and 25 to 27: what the monitor tells of silence and standstill, read at a real receiver."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tests.faults.conftest import Times
from tests.faults.load import load
from tests.faults.process import quick
from tests.faults.site import Site, eventually
from tests.faults.test_inputs import POISON, dead_letters_denied
from tests.integration.monitor_process import MonitorProcess
from tests.integration.sentry_receiver import sentry_receiver
from tests.receivers import HttpReceiver, http_receiver

QUIET_S = 6.0  # a day, at a scaled clock
STALLED_S = 3.0
QUICK = quick()


class Watchers:
    """The monitors of a site; they share a Redis database that the workers do not use."""

    def __init__(self, site: Site, folder: Path, receiver: HttpReceiver, **more: str) -> None:
        self._site, self._folder = site, folder
        self._started = 0
        self.monitors: list[MonitorProcess] = []
        self._environment = clean_environment() | {
            "KAFKA_BOOTSTRAP_SERVERS": site.kafka,
            "REDIS_URL": site.redis.url.removesuffix("/0") + "/1",
            "CHURN_MODELS": str(site.folder / "models"),
            "CHURN_SILENCE": f"customer.events={QUIET_S:g}",
            "CHURN_STALLED_S": f"{STALLED_S:g}",
            "CHURN_MONITOR_EVERY_S": "0.3",
            "ALERT_URLS": receiver.url,
            **more,
        }

    def start(self) -> MonitorProcess:
        """One more."""
        self._started += 1
        local = {"CHURN_LOCAL": str(self._folder / f"monitor-{self._started}")}
        monitor = MonitorProcess(self._environment | local, self._folder / f"monitor-{self._started}.log")
        self.monitors.append(monitor)
        return monitor

    def replace(self, count: int) -> None:
        """`kill -9` the oldest so many, and start others."""
        for _ in range(count):
            self.monitors.pop(0).kill()
            self.start()

    def wait_active(self) -> None:
        """Wait until one of them is the active one."""
        eventually("a monitor is active", lambda: any(m.is_active() for m in self.monitors), 60, self.tell)

    def end(self) -> None:
        """`kill -9` whatever runs."""
        for monitor in self.monitors:
            monitor.kill()
        self.monitors.clear()

    def tell(self) -> str:
        """The ends of their logs."""
        return "".join(f"\n{m.log.name}: {m.log.read_text()[-2000:]}" for m in self.monitors)


@contextmanager
def watched(
    site: Site, folder: Path, count: int = 1, answers: tuple[int, ...] = (), delay_s: float = 0.0, **more: str
) -> Iterator[tuple[Watchers, HttpReceiver]]:
    """Monitors of a site, and the receiver that they tell; `answers` and `delay_s` are what is bad of it."""
    with http_receiver(*answers, delay_s=delay_s) as receiver:
        watchers = Watchers(site, folder, receiver, **more)
        try:
            for _ in range(count):
                watchers.start()
            watchers.wait_active()
            yield watchers, receiver
        finally:
            watchers.end()


@pytest.fixture
def feed(site: Site) -> Callable[[], None]:
    """Publish one more event, to a site that is empty at first."""
    site.clear()
    records = iter(load(1_000))
    return lambda: site.publish([next(records)])


def wait_title(receiver: HttpReceiver, title: str, watchers: Watchers, timeout_s: float = 60) -> str:
    """Wait until a message with that title has come, and return what it says."""
    eventually(f"{title!r} is told", lambda: title in receiver.titles(), timeout_s, watchers.tell)
    return str(next(message["message"] for message in receiver.arrived if message["title"] == title))


def test_row_25_silence(site: Site, times: Times, tmp_path: Path, feed: Callable[[], None]) -> None:
    """Three monitors, restarts of two, Redis emptied: one alert an episode, not before its time, and one all-clear."""
    raised, cleared = "CRITICAL: topic quiet (customer.events)", "ALL CLEAR: topic quiet (customer.events)"
    feed()  # before the monitors start: of a topic that is empty they would count from then on
    fed_s = time.monotonic()
    with watched(site, tmp_path, 3) as (watchers, receiver):
        site.start_worker(QUICK)
        for episode in range(1, times(5, 1) + 1):
            eventually("silence is told", lambda: receiver.titles().count(raised) >= episode, 60, watchers.tell)  # noqa: B023
            assert time.monotonic() - fed_s >= QUIET_S - 0.5  # of the clocks of broker and monitor
            watchers.replace(2)
            with site.client() as redis:
                redis.flushall()
            time.sleep(QUIET_S)
            watchers.wait_active()
            assert receiver.titles().count(raised) == episode, watchers.tell()
            feed()
            fed_s = time.monotonic()
            eventually("it is over", lambda: receiver.titles().count(cleared) >= episode, 60, watchers.tell)  # noqa: B023
        assert set(receiver.titles()) == {raised, cleared}
        assert receiver.titles().count(cleared) == episode


def test_row_25_dead_workers_and_dead_broker(
    site: Site, times: Times, tmp_path: Path, feed: Callable[[], None]
) -> None:
    """Dead workers and a dead broker are told apart from a quiet topic, and from one another."""
    times(1, 1)
    with watched(site, tmp_path, 1, CHURN_SILENCE="customer.events=3600") as (watchers, receiver):
        feed()
        wait_title(receiver, "CRITICAL: workers dead", watchers)
        worker = site.start_worker(QUICK)
        site.wait_applied(1)
        wait_title(receiver, "ALL CLEAR: workers dead", watchers)
        site.brokers[0].process.kill()
        try:
            wait_title(receiver, "CRITICAL: broker away", watchers)
        finally:
            site.brokers[0].start()
        wait_title(receiver, "ALL CLEAR: broker away", watchers)
        assert worker.stop() == 0
        assert {title.partition(": ")[2] for title in receiver.titles()} <= {"workers dead", "broker away"}


def test_row_26_outside_heartbeat(site: Site, times: Times, tmp_path: Path, feed: Callable[[], None]) -> None:
    """Sentry hears from the monitor that it is not well during a silence, and misses the monitor once it is dead."""
    times(1, 1)
    with sentry_receiver() as sentry, watched(site, tmp_path, 1, SENTRY_DSN=sentry.dsn) as (watchers, receiver):
        sentry.wait("the first heartbeat", lambda: len(sentry.of("check_in")) == 1)
        feed()
        time.sleep(QUIET_S + 0.5)  # an empty topic may have been told of before
        wait_title(receiver, "CRITICAL: topic quiet (customer.events)", watchers)
        watchers.replace(1)
        sentry.wait("that of the next monitor", lambda: len(sentry.of("check_in")) == 2)
        watchers.end()
        time.sleep(2)
        first, second = sentry.of("check_in")
        assert (first["status"], second["status"]) == ("ok", "error")
        # What makes Sentry itself tell: no heartbeat in the next minutes.
        assert second["monitor_slug"] == "churn-monitor"
        assert second["monitor_config"] == {
            "schedule": {"type": "interval", "value": 1, "unit": "minute"}, "checkin_margin": 1, "max_runtime": 1,
            "failure_issue_threshold": 2, "recovery_threshold": 1,
        }  # fmt: skip


def test_row_27_receiver_slow_and_failing(site: Site, times: Times, tmp_path: Path, feed: Callable[[], None]) -> None:
    """A receiver that takes 2 s and answers 500 is tried again, later each time, and nothing waits for it."""
    times(1, 1)
    with watched(site, tmp_path, 1, (500, 500, 500), 2.0, CHURN_SILENCE="customer.events=3600") as (watchers, receiver):
        (monitor,) = watchers.monitors
        wait_title(receiver, "CRITICAL: workers dead", watchers, 3 * 2.0 + 1 + 2 + 4 + 30)
        assert receiver.requests == 4
        receiver.answers = [500] * 1000  # none of what is told from now on gets through
        worker = site.start_worker(QUICK)
        for answered in range(1, 6):
            feed()
            site.wait_applied(answered)
            began_s = time.monotonic()
            assert monitor.status().lag is not None
            assert time.monotonic() - began_s < 1
        assert worker.stop() == 0
        receiver.answers = []
        wait_title(receiver, "ALL CLEAR: workers dead", watchers, 120)
        assert receiver.titles().count("CRITICAL: workers dead") == 1


def test_row_22_dead_letters_not_writable_is_told(site: Site, times: Times, tmp_path: Path) -> None:
    """Workers that cannot write dead letters, and so commit nothing, are told of within 60 s, and when they go on."""
    times(1, 1)
    site.clear()
    with watched(site, tmp_path, 1, CHURN_SILENCE="customer.events=3600") as (watchers, receiver):
        worker = site.start_worker(QUICK)
        with dead_letters_denied(site):
            site.publish(POISON[:3])
            wait_title(receiver, "CRITICAL: workers stalled", watchers, 60)
        wait_title(receiver, "ALL CLEAR: workers stalled", watchers)
        assert worker.stop() == 0
