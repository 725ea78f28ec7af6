"""The Faust app: agents that read telemetry and outcomes into tables, which are in Kafka and follow the active monitor.

Both topics have one partition, so one monitor has all of it and the others stand by. Faust hands a record that was not
acknowledged out again, so each table says itself what is in it already: an hour by its applied offset, a pair by the
offset of its outcome.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import faust

from schemas.errors import InvalidRecordError
from schemas.outcomes import OutcomeObserved, decode_outcome
from schemas.telemetry import Telemetry, decode_telemetry
from schemas.topics import HOURS, OUTCOMES, PAIRS, TELEMETRY
from workers.monitoring import hours
from workers.monitoring.hours import HourTotals

logger = logging.getLogger(__name__)

APP = "churn-monitor"
KEPT = timedelta(days=35)  # hours
SESSION_S = 10.0  # after a `kill -9` another monitor is active when it is over
RETRY_S = 2.0
STOP_TIMEOUT_S = 10.0
Join = Callable[[OutcomeObserved], bytes]


class Stream:
    """Runs the app, and runs it again when it crashed; what it has read is in `hours` and `pairs`.

    `caught_up` waits until every score that could be joined is known; `join` joins.
    """

    def __init__(
        self, config: Mapping[str, Any], *, folder: str, caught_up: Callable[[], Any], join: Join,
        heard: Callable[[Telemetry], None],
    ) -> None:  # fmt: skip
        self._config, self._folder = config, folder
        self._caught_up, self._join, self._heard = caught_up, join, heard
        self._app: Any = None
        self._hours: Any = {}
        self._pairs: Any = {}
        self._decoded: dict[bytes, tuple[bytes, HourTotals]] = {}

    @property
    def active(self) -> bool:
        """Whether this monitor has the partitions, and has read its tables."""
        app = self._app
        if app is None or not app.started or app.rebalancing or not app.tables.actives_ready:
            return False
        return any(place.topic == TELEMETRY for place in app.consumer.assignment())

    def hours(self) -> dict[str, HourTotals]:
        """What was done in each hour, by its beginning in ISO 8601, in order."""
        kept = dict(self._hours)
        self._decoded = {key: self._read(key, value) for key, value in kept.items()}
        return {key.decode(): self._decoded[key][1] for key in sorted(kept)}

    def pairs(self) -> list[bytes]:
        """What is kept of each outcome."""
        return list(dict(self._pairs).values())

    async def run(self) -> None:
        """Work until cancelled. A broker that is away is waited for."""
        while True:
            self._app = app = self._build()
            try:
                await app.start()
                await app.wait_until_stopped()
            except Exception as error:  # noqa: BLE001 - whatever Faust or its client raises, the monitor goes on
                logger.warning("the monitor's streams ended", extra={"error": type(error).__name__})
            finally:
                self._app = None
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(app.stop(), STOP_TIMEOUT_S)
            await asyncio.sleep(RETRY_S)

    def _build(self) -> Any:
        app = faust.App(
            APP,
            datadir=self._folder,
            store="memory://",
            web_enabled=False,
            topic_allow_declare=False,  # `churn topics` makes them
            topic_disable_leader=True,
            topic_partitions=1,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=SESSION_S,
            broker_heartbeat_interval=SESSION_S / 4,
            broker_commit_interval=1.0,
            **self._config,
        )

        def topic(name: str) -> Any:
            return app.topic(name, partitions=1, key_type=bytes, value_type=bytes, key_serializer="raw",
                             value_serializer="raw")  # fmt: skip

        def table(name: str) -> Any:
            return app.Table(name, partitions=1, key_type=bytes, value_type=bytes, changelog_topic=topic(name))

        self._hours, self._pairs = table(HOURS), table(PAIRS)
        app.agent(topic(TELEMETRY), name="telemetry")(self._telemetry)
        app.agent(topic(OUTCOMES), name="outcomes")(self._outcomes)
        return app

    async def _telemetry(self, stream: Any) -> None:
        events: AsyncIterator[Any] = stream.events()
        async for event in events:
            try:
                summary = decode_telemetry(event.value)
            except InvalidRecordError as error:
                logger.warning("a summary cannot be read", extra={"error_class": error.error_class})
                continue
            self._add(summary, event.message.offset)
            self._heard(summary)

    def _add(self, summary: Telemetry, offset: int) -> None:
        key = hours.hour_of(summary.began).isoformat().encode()
        value = self._hours.get(key)
        before = HourTotals() if value is None else self._read(key, value)[1]
        after = hours.add(before, summary, offset)
        if after is before:
            return
        encoded = hours.encode(after)
        self._hours[key] = encoded
        self._decoded[key] = (encoded, after)
        if value is None:
            oldest = (hours.hour_of(summary.ended) - KEPT).isoformat().encode()
            for old in [known for known in self._hours if known < oldest]:
                del self._hours[old]

    async def _outcomes(self, stream: Any) -> None:
        events: AsyncIterator[Any] = stream.events()
        async for event in events:
            key = b"%d" % event.message.offset
            if key in self._pairs:
                continue
            try:
                outcome = decode_outcome(event.value)
            except InvalidRecordError as error:
                logger.warning("an outcome cannot be read", extra={"error_class": error.error_class})
                continue
            await self._caught_up()
            self._pairs[key] = self._join(outcome)

    def _read(self, key: bytes, value: bytes) -> tuple[bytes, HourTotals]:
        """An hour that is not decoded again while it is the same."""
        known = self._decoded.get(key)
        return known if known is not None and known[0] is value else (value, hours.decode(value))
