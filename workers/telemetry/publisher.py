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
        self._on_its_way = False
        self._troubled = False

    def tell(self, summaries: Sequence[Telemetry]) -> None:
        """Take summaries, and send what can be sent; returns at once."""
        for summary in summaries:
            self._keep(summary)
        if self._producer:
            self._producer.poll(0)
        if self._waiting and not self._on_its_way:
            self._send(self._waiting.pop(min(self._waiting)))

    def close(self, summaries: Sequence[Telemetry]) -> None:
        """Send the last summaries, and wait for that, but not for long."""
        deadline_s = time.monotonic() + LAST_S
        self.tell(summaries)
        while (self._waiting or self._on_its_way) and time.monotonic() < deadline_s:
            if self._producer:
                self._producer.poll(STEP_S)
            else:
                time.sleep(STEP_S)
            self.tell([])
        if self._waiting or self._on_its_way:
            logger.warning("the last telemetry is lost: the broker did not take it in time")
        if self._producer:
            self._producer.purge()

    def _send(self, summary: Telemetry) -> None:
        def ended(error: KafkaError | None, _: object) -> None:
            self._on_its_way = False
            if error is None:
                self._well()
            else:
                self._failed(summary, error)

        try:
            if self._producer is None:
                self._producer = Producer(self._config, logger=logging.getLogger("kafka"))
            self._on_its_way = True
            self._producer.produce(TELEMETRY, encode_telemetry(summary), summary.process, on_delivery=ended)
        except KafkaException as error:
            ended(error.args[0], None)

    def _keep(self, summary: Telemetry) -> None:
        hour = hour_of(summary.began)
        self._waiting[hour] = merged(self._waiting[hour], summary) if hour in self._waiting else summary

    def _failed(self, summary: Telemetry, error: KafkaError) -> None:
        if not self._troubled:
            logger.warning("telemetry is not taken; it is kept and sent later", extra={"error": error.str()})
        self._troubled = True
        self._keep(summary)
        self._producer = None  # one that has failed for good never works again

    def _well(self) -> None:
        if self._troubled:
            logger.info("telemetry is taken again")
        self._troubled = False
