"""Silence and standstill: told in time, not before, and apart from one another."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.cloudevents import to_ms
from schemas.topics import EVENTS
from tests.unit.workers.monitoring.clock import START, Clock
from workers.admin import BrokerError, Newest
from workers.monitoring.watch import Look, Watch, look

QUIET_S, STALLED_S = 3600.0, 30.0


class Site:
    """A broker as it is seen; `away` is one that does not answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.away = False
        self.newest = {0: Newest(to_ms(START), 9), 1: Newest(to_ms(START) - 5000, 4)}
        self.committed = {0: 10, 1: 5}
        self.members = 1
        self.watch = Watch(self.ask, limits_s={EVENTS: QUIET_S}, stalled_s=STALLED_S, now=self.clock)

    def ask(self) -> Look:
        """What it says."""
        if self.away:
            raise BrokerError("no answer within 5 s")
        return Look({EVENTS: dict(self.newest)}, dict(self.committed), self.members)

    def told(self, after_s: float = 0.0) -> dict[str, str]:
        """What is wrong after so many seconds more, by kind."""
        self.clock.wait(after_s)
        return {alert.kind: alert.summary for alert in self.watch.judge()[0]}


def test_quiet_topic_is_told_at_its_limit() -> None:
    """Not before; and the topic says how long it has been so."""
    site = Site()
    assert site.watch.topics()[0].quiet_s is None
    assert site.told() == {}
    assert site.told(QUIET_S - 0.001) == {}
    assert site.told(0.001) == {"topic-quiet": "no record has come to customer.events for 60 min"}
    (topic,) = site.watch.topics()
    assert (topic.name, topic.newest, topic.quiet_s, topic.limit_s) == (EVENTS, START, QUIET_S, QUIET_S)


def test_topic_without_records_is_quiet_since_the_monitor_began() -> None:
    """It says nothing itself of how long."""
    site = Site()
    site.newest = {}
    assert site.told(QUIET_S - 1) == {}
    assert set(site.told(1)) == {"topic-quiet"}
    assert site.watch.topics()[0].quiet_s is None


def test_dead_workers_are_told_and_what_waits() -> None:
    """After a while; one that comes back in time is not told of."""
    site = Site()
    site.members = 0
    assert site.told() == site.told(STALLED_S - 1) == {}
    assert site.told(1) == {"workers-dead": "no scoring worker is there"}
    site.newest[1] = Newest(to_ms(START), 6)
    assert site.told(1) == {"workers-dead": "no scoring worker is there; 2 records wait for an answer"}
    site.members = 1
    assert site.told(1) == {}
    site.members = 0
    assert site.told(1) == {}


def test_workers_that_commit_nothing_are_told() -> None:
    """Where there is something to do; one commit is a sign of life."""
    site = Site()
    site.members = 2
    site.told()
    assert site.told(STALLED_S) == {}, "there is nothing to do"
    site.newest[0] = Newest(to_ms(START), 12)
    assert site.told(1) == site.told(STALLED_S - 1) == {}
    assert site.told(1) == {"workers-stalled": "2 scoring workers commit nothing; 3 records wait for an answer"}
    site.committed[0] = 11
    assert site.told(1) == site.told(1) == {}


def test_broker_that_is_away_is_told_and_nothing_else_can_be() -> None:
    """After a while; what was about to be told of workers begins anew behind it, what was told stays."""
    site = Site()
    site.members = 0
    site.told()
    site.away = True
    assert site.told(STALLED_S - 1) == site.told(STALLED_S - 1) == {}
    alerts, judged = site.watch.judge()
    assert (alerts, judged) == ([], {"broker-away"})
    assert site.told(1) == {"broker-away": "Kafka does not answer: no answer within 5 s"}
    site.away = False
    assert site.told() == {}
    assert set(site.told(STALLED_S)) == {"workers-dead"}
    site.away = True
    site.told(1)
    site.away = False
    assert set(site.told(1)) == {"workers-dead"}


def test_broker_is_asked_for_every_topic_that_is_watched() -> None:
    """And for the events, from which the lag is known."""
    admin: Any = SimpleNamespace(newest=lambda _: {0: Newest(0, 4)}, committed=lambda _: {0: 2}, members=lambda _: 3)
    seen = look(admin, "g", {"customer.outcomes": 60})
    assert (set(seen.newest), seen.lag, seen.members) == ({EVENTS, "customer.outcomes"}, 3, 3)


@pytest.mark.parametrize(
    ("newest", "committed", "lag"),
    [({}, {}, 0), ({0: 4}, {}, 5), ({0: 4}, {0: 5}, 0), ({0: 4}, {0: 6}, 0), ({0: 4, 1: 0}, {0: 1}, 5)],
)
def test_lag_is_what_is_not_answered(newest: dict[int, int], committed: dict[int, int], lag: int) -> None:
    """Counted to the newest record of each partition; the mark of a transaction behind it is none."""
    places = {EVENTS: {number: Newest(0, offset) for number, offset in newest.items()}}
    assert Look(places, committed, 1).lag == lag
    assert Look({}, committed, 1).lag == 0


def test_away_since_is_the_first_failure() -> None:
    """So that the alert says how long it has been so."""
    site = Site()
    site.away = True
    site.told(7)
    site.clock.wait(STALLED_S)
    (alert,) = site.watch.judge()[0]
    assert alert.since == START + timedelta(seconds=7)
