"""A sample subscriber for the system of the call center: the scores, each once, in the order of its partition."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from producers.connection import connected
from producers.errors import BrokerUnavailableError, ScoresError
from schemas.errors import InvalidRecordError, decoded
from schemas.scores import ChurnScored, decode_score
from schemas.topics import SCORES

CALL_TIMEOUT_MS = 10_000


class Received(NamedTuple):
    """A score, and the record that it came in."""

    partition: int
    offset: int
    value: bytes
    scored: ChurnScored


class ChurnScores:
    """Iterates over the scores, for ever: those there are, then each as it comes; only committed ones are seen.

        with ChurnScores({"bootstrap_servers": "kafka:9092"}, group="call-center") as scores:
            for received in scores:
                show(received.scored)
                scores.commit()

    `kafka` is kafka-python's configuration of the connection. A named `group` goes on behind what it committed last.
    Without that, reading starts at what comes after this call, or with `from_beginning` at the oldest score kept. One
    process reads all partitions. Raises `BrokerUnavailableError` within 10 s when no broker answers, and `ScoresError`
    when there is no topic.
    """

    def __init__(self, kafka: Mapping[str, Any], *, group: str | None = None, from_beginning: bool = False) -> None:
        config = {
            **kafka,
            "group_id": group,
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            # None of the usual ones: they would jump over records that were deleted before they were read.
            "auto_offset_reset": "none",
        }
        self._consumer, _ = connected(KafkaConsumer, config)
        try:
            self._start(group, from_beginning=from_beginning)
        except KafkaError as error:
            self.close()
            raise BrokerUnavailableError(f"where to start in {SCORES} is not known: {error}") from None
        except ScoresError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Received:
        """The next score, as soon as there is one.

        Raises `ScoresError` when the record is not one (the next call then goes on behind it), or when records were
        deleted before they were read.
        """
        try:
            record = next(self._consumer)
        except OffsetOutOfRangeError as error:
            lost = ", ".join(
                f"partition {place.partition} from offset {offset}" for place, offset in error.args[0].items()
            )
            raise ScoresError(f"{SCORES}: records were deleted before they were read: {lost}") from None
        try:
            scored = decoded(decode_score, record.value or b"")
        except InvalidRecordError as error:
            raise ScoresError(f"{SCORES}, partition {record.partition}, offset {record.offset}: {error}") from None
        return Received(record.partition, record.offset, record.value, scored)

    def commit(self) -> None:
        """Remember for the group that every score got so far has been dealt with; raises `ScoresError`."""
        try:
            self._consumer.commit(timeout_ms=CALL_TIMEOUT_MS)
        except KafkaError as error:
            raise ScoresError(f"what was read of {SCORES} cannot be committed: {error}") from None

    def close(self) -> None:
        """Disconnect; what was not committed comes again."""
        self._consumer.close()

    def _start(self, group: str | None, *, from_beginning: bool) -> None:
        consumer = self._consumer
        places = [TopicPartition(SCORES, partition) for partition in sorted(consumer.partitions_for_topic(SCORES))]
        if not places:
            raise ScoresError(f"topic {SCORES} does not exist")
        consumer.assign(places)
        find = consumer.beginning_offsets if from_beginning else consumer.end_offsets
        offsets = find(places, timeout_ms=CALL_TIMEOUT_MS)
        for place in places:
            committed = consumer.committed(place, timeout_ms=CALL_TIMEOUT_MS) if group is not None else None
            consumer.seek(place, offsets[place] if committed is None else committed)
