"""The client that an upstream application embeds to publish customer events."""

import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from producers.connection import connected
from producers.errors import DeliveryError, ProducersError
from producers.validation import checked
from schemas.cloudevents import CloudEvent
from schemas.events import Data
from schemas.outcomes import Outcome
from schemas.topics import EVENTS

MAX_UNCONFIRMED = 20_000  # records; kafka-python itself has no limit to what it keeps in memory
# The marking of a CloudEvent in structured mode: CloudEvents, Kafka protocol binding 1.0, section 3.3.1.
HEADERS = [("content-type", b"application/cloudevents+json; charset=UTF-8")]

_BOUNDS = {
    "max_block_ms": 10_000,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 30_000,
    "linger_ms": 5,
    "batch_size": 131_072,
    # kafka-python checksums every byte in Python: gzip makes publishing 1.7 times as fast, and it is always there.
    "compression_type": "gzip",
}
_GUARANTEES = {"acks": "all", "enable_idempotence": True, "allow_auto_create_topics": False}
_CLOSE_TIMEOUT_S = 15.0


class ChurnEvents:
    """Publishes events and outcomes, keyed by customer id, so that all of a customer's records are in one partition.

        with ChurnEvents({"bootstrap_servers": "kafka:9092"}, source="billing") as events:
            events.publish("charge.billed", "1234", {"amount": 12.5})

    `kafka` is kafka-python's configuration of the connection; its `delivery_timeout_ms` (default 30 s) bounds how long
    an event is tried. `source` is the application's name. Sending happens in the background, in batches; `flush` waits.
    Safe to share among threads. Raises `BrokerUnavailableError` within 10 s when no broker answers.
    """

    def __init__(self, kafka: Mapping[str, Any], *, source: str) -> None:
        config = {**_BOUNDS, **kafka, **_GUARANTEES}
        self._source = source
        self._patience_s = config["delivery_timeout_ms"] / 1000 + 2
        self._unconfirmed: deque[Any] = deque()
        self._failed = 0
        self._first_error: KafkaError | None = None
        self._lock = Lock()
        self._producer, self._network = connected(KafkaProducer, config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:  # fmt: skip
        if error is None:
            self.close()
            return
        try:
            self.close()
        except ProducersError as second:
            error.add_note(str(second))  # what went wrong first is what the caller must see

    def publish(
        self,
        event_type: str,
        customer: str,
        data: Mapping[str, Any] | Data | Outcome | None = None,
        *,
        time: datetime | None = None,
        id: str | None = None,  # noqa: A002 - the attribute's name in CloudEvents
    ) -> str:
        """Publish one event, or `outcome.observed` to the topic of outcomes; returns the event's id.

        `time` is when it happened, with its UTC offset (default: now). An event published again with the same `id`
        (default: a new UUID) within the customer's last few is counted once. A field of `data` that the schema does not
        know travels along unread. Raises `InvalidEventError` before anything is sent, and `DeliveryError` when this or
        an earlier event cannot be delivered.
        """
        event_id = str(uuid.uuid4()) if id is None else id
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": self._source,
            "type": event_type,
            "subject": customer,
            "time": datetime.now(UTC) if time is None else time,
            "data": {} if data is None else data,
        }
        self._send(*checked(event_type, event))
        return event_id

    def send(self, event: CloudEvent) -> None:
        """Publish a ready event or outcome as it is; raises as `publish` does."""
        self._send(*checked(str(event.__struct_config__.tag), event))

    def send_unchecked(self, value: bytes, *, key: bytes) -> None:
        """Publish bytes that need not be an event, to see what becomes of bad records; raises `DeliveryError`."""
        self._send(EVENTS, key, value)

    def topic_id(self, topic: str) -> str:
        """The broker's own id of the topic, another one when it is deleted and made anew; raises `DeliveryError`."""
        try:
            self._producer.partitions_for(topic)
        except KafkaError as error:
            raise _refusal(topic, error) from None
        return str(self._network.cluster.topic_id(topic))

    def flush(self) -> None:
        """Wait until Kafka has confirmed every event sent so far.

        Raises `DeliveryError` naming how many it did not confirm, and the first error. Returns or raises within
        `delivery_timeout_ms` and 2 s.
        """
        deadline_s = monotonic() + self._patience_s
        with self._lock:
            while self._unconfirmed:
                self._settle(max(0.0, deadline_s - monotonic()))
            self._raise_failures()

    def close(self) -> None:
        """Flush, then disconnect, also when that raises `DeliveryError`; a second close does nothing."""
        try:
            self.flush()
        finally:
            # flush() has waited enough. With records left, kafka-python's close() would wait once more, then raise and
            # leave its thread running. There is no public way.
            self._producer._sender.force_close()
            self._producer._sender.join(_CLOSE_TIMEOUT_S)
            with suppress(KafkaError):
                self._producer.close(timeout=0)

    def _send(self, topic: str, key: bytes, value: bytes) -> None:
        with self._lock:
            self._make_room()
        try:
            future = self._producer.send(topic, value, key=key, headers=HEADERS)
        except KafkaError as error:
            raise _refusal(topic, error) from None
        self._unconfirmed.append(future)

    def _make_room(self) -> None:
        """Settle what is done, and wait for the oldest record where too many are not; raises `DeliveryError`."""
        waiting = self._unconfirmed
        while waiting and (waiting[0].is_done or len(waiting) >= MAX_UNCONFIRMED):
            self._settle(self._patience_s)
            self._raise_failures()

    def _settle(self, timeout_s: float) -> None:
        try:
            self._unconfirmed.popleft().get(timeout=timeout_s)
        except KafkaError as error:
            self._failed += 1
            self._first_error = self._first_error or error

    def _raise_failures(self) -> None:
        if self._failed:
            failed, first = self._failed, self._first_error
            self._failed, self._first_error = 0, None
            raise DeliveryError(f"{failed} of the events sent were not delivered; the first error: {first}")


def _refusal(topic: str, error: KafkaError) -> DeliveryError:
    hint = " (does the topic exist?)" if isinstance(error, KafkaTimeoutError) else ""
    return DeliveryError(f"nothing was sent to {topic}: {error}{hint}")
