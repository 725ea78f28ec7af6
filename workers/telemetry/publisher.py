"""Publishes summaries with a producer of its own: they get out when transactions fail, and nothing waits for them."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.telemetry import Telemetry, encode_telemetry
from schemas.topics import TELEMETRY
from workers.telemetry.summaries import hour_of, merged

logger = logging.getLogger(__name__)

LAST_S = 2.0  # for what is left when the process ends
STEP_S = 0.1


class Publisher:
    """Has one summary on its way at a time; those behind it wait, merged by hour, and so take little room.

    A summary that did not arrive waits again. The producer is idempotent and never gives up by itself, so that none
    arrives twice: that would count twice.
    """

    def __init__(self, config: Mapping[str, str]) -> None:
        self._config: dict[str, Any] = {"enable.idempotence": True, "message.timeout.ms": 0, **config}
        self._producer: Producer | None = None
        self._waiting: dict[datetime, Telemetry] = {}
        self._on_its_way: list[Telemetry] = []  # one at most
        self._troubled = False

    def tell(self, summaries: Sequence[Telemetry]) -> None:
        """Take summaries, and send what can be sent; returns at once."""
        self._keep(summaries)
        self._poll(0)
        if self._waiting and not self._on_its_way:
            self._send(self._waiting.pop(min(self._waiting)))

    def close(self, summaries: Sequence[Telemetry]) -> None:
        """Send the last summaries, and wait for that, but not for long."""
        deadline_s = time.monotonic() + LAST_S
        self.tell(summaries)
        while (self._waiting or self._on_its_way) and time.monotonic() < deadline_s:
            self._poll(STEP_S)
            self.tell([])
        if self._waiting or self._on_its_way:
            logger.warning("the last telemetry is lost: the broker did not take it in time")
        if self._producer:
            self._producer.purge()

    def _poll(self, wait_s: float) -> None:
        """Hear what became of what was sent."""
        if self._producer is None:
            time.sleep(wait_s)
            return
        try:
            self._producer.poll(wait_s)
        except KafkaException as error:  # says why; the delivery report behind it only that the queue was purged
            self._failed(error.args[0])

    def _send(self, summary: Telemetry) -> None:
        self._on_its_way = [summary]
        try:
            if self._producer is None:
                self._producer = Producer(self._config, logger=logging.getLogger("kafka"))
            self._producer.produce(TELEMETRY, encode_telemetry(summary), summary.process, on_delivery=self._ended)
        except KafkaException as error:
            self._failed(error.args[0])

    def _keep(self, summaries: Sequence[Telemetry]) -> None:
        for summary in summaries:
            hour = hour_of(summary.began)
            self._waiting[hour] = merged(self._waiting[hour], summary) if hour in self._waiting else summary

    def _ended(self, error: KafkaError | None, _: object) -> None:
        if error:
            self._failed(error)
            return
        self._on_its_way = []
        if self._troubled:
            logger.info("telemetry is taken again")
        self._troubled = False

    def _failed(self, error: KafkaError) -> None:
        if not self._troubled:
            logger.warning("telemetry is not taken; it is kept and sent later", extra={"error": error.str()})
        self._troubled = True
        self._keep(self._on_its_way)
        self._on_its_way = []
        self._producer = None  # one that has failed for good never works again
