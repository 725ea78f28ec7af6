"""The Kafka client of the scoring worker: consume, and commit outputs together with the consumed offsets.

Every failure while running comes out as `LogError`, which means: the batch did not happen or nobody knows whether it
did, so go back to the committed offsets.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from workers.headers import headers_of
from workers.scoring.records import Record
from workers.scoring.transactions import CALL_TIMEOUT_S, LogError, Output, Transactions, said

logger = logging.getLogger(__name__)

IDLE_S = 0.2
SESSION_TIMEOUT_MS = 10_000  # after a `kill -9`, the partitions of the dead are given to others when it is over
MOST_BETWEEN_POLLS_MS = 300_000  # a worker whose batch takes longer loses its partitions


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
        self._transactions = Transactions(f"{group}-{worker_id or uuid.uuid4()}", config)
        self._consumer = Consumer(
            {
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": SESSION_TIMEOUT_MS // 4,
                "max.poll.interval.ms": MOST_BETWEEN_POLLS_MS,
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
        self._transactions.open()  # a new producer ends what the one before it left in flight
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            committed = self._consumer.committed(places, CALL_TIMEOUT_S)
            marks = [self._consumer.get_watermark_offsets(place, CALL_TIMEOUT_S) for place in places]
        except KafkaException as error:
            raise LogError(said(error)) from None
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
            raise LogError(said(error)) from None

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
        places = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        self._transactions.publish(outputs, places, self._membership)

    def close(self) -> None:
        """Leave the group; an open transaction is aborted by the broker."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_assign(places)
        consumer.pause(places)
        self._gained([place.partition for place in places])

    def _on_loss(self, _: Consumer, places: list[TopicPartition]) -> None:
        self._lost([place.partition for place in places])


def _record(message: Any) -> Record | None:
    if (error := message.error()) is not None:
        logger.warning("the broker reports an error", extra={"error": error.str()})
        if error.code() != KafkaError._BAD_COMPRESSION:
            return None
        # It will not get better, and nothing behind it comes before somebody seeks past it.
        return Record(message.partition(), message.offset() or 0, None, None, 0, [], error.str())
    return Record(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.timestamp()[1],
        headers_of(message),
    )
