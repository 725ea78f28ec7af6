"""The topic `churn.alerts`: every moment of every episode, from which a monitor that starts learns what is open."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.alerts import AlertRecord, decode_alert, encode_alert
from schemas.errors import InvalidRecordError
from schemas.topics import ALERTS
from workers.admin import BrokerError

logger = logging.getLogger(__name__)

CALL_TIMEOUT_S = 5.0
GROUP = "churn-alerts"  # nobody joins it: Kafka's clients want a name
_PARTITION = 0


class AlertLog:
    """Reads and writes the topic. Every method raises `BrokerError` when Kafka is away."""

    def __init__(self, config: Mapping[str, str]) -> None:
        quiet: Any = {"logger": logging.getLogger("kafka")}
        config = {"reconnect.backoff.max.ms": "1000", **config}  # a broker that is back is to be noticed
        reading = {"group.id": GROUP, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        writing = {"acks": "all", "message.timeout.ms": str(int(CALL_TIMEOUT_S * 1000)), "linger.ms": "0"}
        self._consumer = Consumer({**reading, **config}, **quiet)
        self._producer = Producer({**writing, **config}, **quiet)
        self._next: int | None = None

    def news(self) -> list[AlertRecord]:
        """The records since the last call, at first all of them; after an error all of them again."""
        beginning, end = self._bounds()
        if self._next is None or not beginning <= self._next <= end:
            self._consumer.assign([TopicPartition(ALERTS, _PARTITION, beginning)])
            self._next = beginning
        found = []
        while self._next < end:
            message = self._consumer.poll(CALL_TIMEOUT_S)
            if message is None or message.error() is not None:
                self._next = None
                raise BrokerError(f"topic {ALERTS} cannot be read")
            self._next = (message.offset() or 0) + 1
            try:
                found.append(decode_alert(message.value()))
            except InvalidRecordError as error:
                place = {"topic": ALERTS, "offset": message.offset()}
                logger.warning("a record is no alert", extra={**place, "error": str(error)})
        return found

    def publish(self, record: AlertRecord) -> None:
        """Publish the record, and return when the brokers have it."""
        ends: list[KafkaError | None] = []
        self._producer.produce(
            ALERTS,
            encode_alert(record),
            record.alert.subject,
            _PARTITION,
            on_delivery=lambda error, _: ends.append(error),
        )
        while not ends:
            self._producer.poll(0.1)
        if ends[0] is not None:
            raise BrokerError(ends[0].str())

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _bounds(self) -> tuple[int, int]:
        """Where the topic begins and ends; a broker that has just started may take a moment to find its partition."""
        deadline_s = time.monotonic() + CALL_TIMEOUT_S
        while True:
            try:
                bounds = self._consumer.get_watermark_offsets(TopicPartition(ALERTS, _PARTITION), CALL_TIMEOUT_S)
            except KafkaException as error:
                if time.monotonic() > deadline_s:
                    raise BrokerError(error.args[0].str()) from None
                time.sleep(0.1)
            else:
                return bounds
