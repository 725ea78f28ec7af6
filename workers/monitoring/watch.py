"""Silence and standstill, judged from what the broker itself says: newest records, offsets, members of the group."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.alerts import Alert
from schemas.cloudevents import from_ms
from schemas.status import TopicStatus
from schemas.topics import EVENTS
from workers.admin import BrokerError, KafkaAdmin, Newest
from workers.alerts.catalogue import BROKER_AWAY, TOPIC_QUIET, WORKERS_DEAD, WORKERS_STALLED
from workers.spans import duration


class Look(NamedTuple):
    """What the broker said at one moment."""

    newest: Mapping[str, Mapping[int, Newest]]  # by topic and partition
    committed: Mapping[int, int]  # of customer.events, by partition
    members: int

    @property
    def lag(self) -> int:
        """Records of `customer.events` that are not answered, at least.

        Counted to the newest record and not to the partition's end, behind which only the mark of a transaction may be.
        """
        newest = self.newest.get(EVENTS, {})
        return sum(max(0, last.offset + 1 - self.committed.get(number, 0)) for number, last in newest.items())


def look(admin: KafkaAdmin, group: str, topics: Mapping[str, float]) -> Look:
    """Ask the broker; raises `BrokerError`."""
    newest = {topic: admin.newest(topic) for topic in {EVENTS, *topics}}
    return Look(newest, admin.committed(group), admin.members(group))


class Watch:
    """Looks at the broker, and remembers since when what it sees is so."""

    def __init__(
        self, ask: Callable[[], Look], *, limits_s: Mapping[str, float], stalled_s: float, now: Callable[[], datetime]
    ) -> None:
        """`limits_s`: for how long each topic may be quiet; nothing is told of workers within `stalled_s`."""
        self._ask, self._limits_s, self._now = ask, limits_s, now
        self._stalled = timedelta(seconds=stalled_s)
        self._began = self._looked = now()
        self._away_since: datetime | None = None
        self._dead_since: datetime | None = None
        self._standing_since: datetime | None = None
        self._committed: Mapping[int, int] = {}
        self.last: Look | None = None

    def judge(self) -> tuple[list[Alert], set[str]]:
        """What is wrong, and the kinds that could be judged: without a broker, nothing of workers and topics."""
        try:
            self.last = seen = self._ask()
        except BrokerError as error:
            return self._away(str(error)), {BROKER_AWAY.name}
        self._away_since = None
        alerts = [*self._quiet(seen), *self._workers(seen)]
        return alerts, {kind.name for kind in (BROKER_AWAY, TOPIC_QUIET, WORKERS_DEAD, WORKERS_STALLED)}

    def topics(self) -> list[TopicStatus]:
        """How long each watched topic has been quiet, as of the last look."""
        result = []
        for topic, limit_s in self._limits_s.items():
            newest = _newest(self.last, topic)
            quiet_s = None if newest is None else max(0.0, (self._now() - newest).total_seconds())
            result.append(TopicStatus(topic, newest, quiet_s, limit_s))
        return result

    def _away(self, error: str) -> list[Alert]:
        now = self._now()
        if self._away_since is None:  # what was not told of workers before begins anew behind it
            self._dead_since, self._standing_since = map(self._told, (self._dead_since, self._standing_since))
        self._away_since = since = self._away_since or now
        if now - since < self._stalled:
            return []
        return [BROKER_AWAY.alert(f"Kafka does not answer: {error}", since=since)]

    def _told(self, since: datetime | None) -> datetime | None:
        return since if since and self._looked - since >= self._stalled else None

    def _quiet(self, seen: Look) -> list[Alert]:
        alerts, now = [], self._now()
        for topic, limit_s in self._limits_s.items():
            since = _newest(seen, topic) or self._began
            quiet_s = (now - since).total_seconds()
            if quiet_s >= limit_s:
                summary = f"no record has come to {topic} for {duration(quiet_s)}"
                alerts.append(TOPIC_QUIET.alert(summary, since=since, about=topic))
        return alerts

    def _workers(self, seen: Look) -> list[Alert]:
        self._looked = now = self._now()
        moved = seen.committed != self._committed
        self._committed = seen.committed
        self._dead_since = None if seen.members else self._dead_since or now
        standing = seen.lag > 0 and seen.members > 0 and not moved
        self._standing_since = (self._standing_since or now) if standing else None
        if self._dead_since and now - self._dead_since >= self._stalled:
            waiting = f"; {seen.lag} records wait for an answer" if seen.lag else ""
            return [WORKERS_DEAD.alert(f"no scoring worker is there{waiting}", since=self._dead_since)]
        if self._standing_since and now - self._standing_since >= self._stalled:
            return [
                WORKERS_STALLED.alert(
                    f"{seen.members} scoring workers commit nothing; {seen.lag} records wait for an answer",
                    since=self._standing_since,
                )
            ]
        return []


def _newest(seen: Look | None, topic: str) -> datetime | None:
    times = [newest.time_ms for newest in seen.newest.get(topic, {}).values()] if seen else []
    return from_ms(max(times)) if times else None
