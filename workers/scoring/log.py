"""The Kafka client of the scoring worker: consume, and commit outputs together with the consumed offsets.

Every failure while running comes out as `LogError`, which means: the batch did not happen or nobody knows whether it
did, so go back to the committed offsets.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas.deadletters import Headers
from workers.scoring.records import Record

logger = logging.getLogger(__name__)

# A transaction left open by a killed worker holds readers up for this long.
TRANSACTION_TIMEOUT_MS = 15_000
CALL_TIMEOUT_S = 5.0
# With these a worker that is told to stop while the broker is down still ends within 30 s.
COMMIT_DEADLINE_S = 10.0
OFFSETS_DEADLINE_S = 18.0  # without a broker librdkafka gives up after the transaction's time-out
IDLE_S = 0.2


class LogError(Exception):
    """The transaction did not commit, or it is not known whether it did; the committed offsets tell."""


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to publish; its key decides the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class Bounds(NamedTuple):
    """Where a partition's kept records begin and end, and the group's committed offset, None when there is none."""

    beginning: int
    end: int
    committed: int | None


class Log:
    """The partitions of one topic that the group gives to this worker, and the transactions that answer them.

    `gained` and `lost` are called within `poll` with partition numbers. A gained partition is paused until `start`.
    """

    def __init__(
        self, config: Mapping[str, str], *, topic: str, group: str, worker_id: str = "",
        gained: Callable[[list[int]], None], lost: Callable[[list[int]], None],
    ) -> None:  # fmt: skip
        self._topic = topic
        self._gained, self._lost = gained, lost
        self._producer_config: dict[str, Any] = {
            "transactional.id": f"{group}-{worker_id or uuid.uuid4()}",
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "partitioner": "murmur2_random",  # as Java's and kafka-python's default; librdkafka's own is another
            "queue.buffering.max.messages": 1_000_000,
            "message.max.bytes": 2_097_152,  # a dead letter is a little larger than the record that it was
            "linger.ms": 5,
            **config,
        }
        self._producer: Producer | None = None
        self._consumer = Consumer(
            {
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": 10_000,
                "fetch.wait.max.ms": 50,
                **config,
            },
            logger=logging.getLogger("kafka"),
        )
        self._membership = self._consumer.consumer_group_metadata()

    def subscribe(self) -> None:
        """Join the group."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_loss, on_lost=self._on_loss
        )

    def poll(self, most: int) -> list[Record]:
        """Up to `most` records, as soon as there are any; none after 0.2 s without one."""
        first = self._consumer.poll(IDLE_S)
        if first is None:
            return []
        # What has arrived by now and no more: waiting for a full batch would make the first record late.
        messages = [first, *self._consumer.consume(most - 1, 0)]
        # Who the group knew us as when it gave us these. If it throws us out before the commit, librdkafka has by then
        # the metadata of nobody in particular, and offsets of nobody in particular are accepted.
        self._membership = self._consumer.consumer_group_metadata()
        return [record for message in messages if (record := _record(message))]

    def bounds(self, partitions: Iterable[int]) -> dict[int, Bounds]:
        """The bounds of each partition; offsets of a transaction in flight are waited for. Raises `LogError`."""
        self._open()  # a new producer ends what the one before it left in flight
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            committed = self._consumer.committed(places, CALL_TIMEOUT_S)
            marks = [self._consumer.get_watermark_offsets(place, CALL_TIMEOUT_S) for place in places]
        except KafkaException as error:
            raise LogError(_said(error)) from None
        offsets = {place.partition: place.offset if place.offset >= 0 else None for place in committed}
        return {
            place.partition: Bounds(beginning, end, offsets[place.partition])
            for place, (beginning, end) in zip(places, marks, strict=True)
        }

    def start(self, offsets: Mapping[int, int]) -> None:
        """Deliver the partitions in `offsets` from there on; raises `LogError`."""
        places = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            for place in places:
                self._consumer.seek(place)
            self._consumer.resume(places)
        except KafkaException as error:
            raise LogError(_said(error)) from None

    def pause(self, partitions: Iterable[int]) -> None:
        """Deliver nothing of `partitions` until they are started; polling goes on and keeps the group membership."""
        self._consumer.pause([TopicPartition(self._topic, partition) for partition in partitions])

    def lag(self, positions: Mapping[int, int]) -> int:
        """Records between `positions` and the ends of their partitions, as of the last fetch."""
        ends = {
            partition: self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)[1]
            for partition in positions
        }
        return sum(max(0, ends[partition] - position) for partition, position in positions.items())

    def publish(self, outputs: Iterable[Output], offsets: Mapping[int, int]) -> None:
        """Publish `outputs` and commit `offsets`, both or neither, as the member that the last poll was of.

        Raises `LogError`.
        """
        producer = self._open()
        try:
            producer.begin_transaction()
            for output in outputs:
                _produce(producer, output)
            places = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
            _within(OFFSETS_DEADLINE_S, producer.send_offsets_to_transaction, places, self._membership)
            _insist(producer.commit_transaction)
        except TimeoutError:
            self._producer = None
            raise LogError(f"Kafka: offsets were not taken within {OFFSETS_DEADLINE_S:g} s") from None
        except KafkaException as error:
            self._abort(producer, error)
            raise LogError(_said(error)) from None

    def close(self) -> None:
        """Leave the group; an open transaction is aborted by the broker."""
        self._consumer.close()

    def _open(self) -> Producer:
        if self._producer is None:
            producer = Producer(self._producer_config, logger=logging.getLogger("kafka"))
            try:
                _insist(producer.init_transactions)
            except KafkaException as error:
                raise LogError(_said(error)) from None
            self._producer = producer
        return self._producer

    def _abort(self, producer: Producer, error: KafkaException) -> None:
        """Abort, or throw the producer away where it cannot abort any more."""
        if not error.args[0].fatal():
            try:
                _insist(producer.abort_transaction)
            except KafkaException as second:  # pragma: no cover - a broker that dies between commit and abort
                logger.warning("the transaction cannot be aborted", extra={"error": _said(second)})
            else:
                return
        producer.purge()
        self._producer = None

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_assign(places)
        consumer.pause(places)
        self._gained([place.partition for place in places])

    def _on_loss(self, _: Consumer, places: list[TopicPartition]) -> None:
        self._lost([place.partition for place in places])


def _record(message: Any) -> Record | None:
    if (error := message.error()) is not None:
        logger.warning("the broker reports an error", extra={"error": error.str()})
        return None
    return Record(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.timestamp()[1],
        message.headers() or [],
    )


def _produce(producer: Producer, output: Output) -> None:
    headers: Any = output.headers
    while True:
        try:
            producer.produce(output.topic, output.value, output.key, headers=headers)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _insist(call: Callable[..., Any], *arguments: object) -> None:
    """Call until it succeeds; raises `KafkaException` when calling again is no use or 10 s are over."""
    deadline = time.monotonic() + COMMIT_DEADLINE_S
    while True:
        try:
            call(*arguments, CALL_TIMEOUT_S)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return


def _within(deadline_s: float, call: Callable[..., Any], *arguments: object) -> None:
    """Call in another thread; raises `TimeoutError` when it has not returned after `deadline_s`, or what it raises.

    `send_offsets_to_transaction` has a time-out and ignores it: when the coordinator of the group goes away just then,
    it may wait for ever (librdkafka issues 5456 and 5511). The thread is then left behind with its producer.
    """
    ending: SimpleQueue[KafkaException | None] = SimpleQueue()

    def run() -> None:
        try:
            _insist(call, *arguments)
        except KafkaException as error:
            ending.put(error)
        else:
            ending.put(None)

    threading.Thread(target=run, name="offsets", daemon=True).start()
    try:
        error = ending.get(timeout=deadline_s)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error


def _said(error: KafkaException) -> str:
    return f"Kafka: {error.args[0].str()}"
