"""A thread that reads `churn.scores` into the index; each monitor has the whole topic, so that any can take over."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from model.monitoring.segments import segments
from schemas.cloudevents import Time, to_ms
from schemas.errors import InvalidRecordError, decoded
from schemas.scores import FeatureValue
from schemas.topics import SCORES
from workers.monitoring.index import IndexedScore, IndexFailedError, ScoreIndex

logger = logging.getLogger(__name__)

CALL_TIMEOUT_S = 5.0
BATCH = 5000
RETRY_S = 1.0


class _Model(msgspec.Struct, frozen=True, gc=False):
    version: str


class _Data(msgspec.Struct, frozen=True, gc=False):
    status: str
    probability: float | None
    action: str | None
    model: _Model
    as_of: Time
    features: dict[str, FeatureValue]


class _Scored(msgspec.Struct, frozen=True, gc=False):
    subject: str
    data: _Data


_decode = msgspec.json.Decoder(_Scored).decode


class ScoreReader:
    """Keeps `index` up with the topic; `run` returns after `stop`."""

    def __init__(self, config: Mapping[str, str], index: ScoreIndex) -> None:
        self._config: dict[str, Any] = {
            **config,
            "group.id": "churn-monitor-index",  # never joined: partitions are taken, offsets are in the index
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
        self._index = index
        self._stopping = threading.Event()
        self._reached: dict[int, int] = {}

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def has_reached(self, ends: Mapping[int, int]) -> bool:
        """Whether the index has every score before the offsets `ends`."""
        return all(self._reached.get(partition, 0) >= end for partition, end in ends.items())

    def run(self) -> None:
        """Read until stopped; a broker that is away is waited for, and so is room on the disk."""
        while not self._stopping.is_set():
            try:
                self._read()
            except KafkaException as error:
                logger.warning("scores cannot be read", extra={"error": error.args[0].str()})
            except IndexFailedError as error:
                logger.error("the index of scores cannot be written", extra={"error": str(error)})  # noqa: TRY400
            self._stopping.wait(RETRY_S)

    def _read(self) -> None:
        consumer = Consumer(self._config, logger=logging.getLogger("kafka"))
        try:
            self._start(consumer)
            while not self._stopping.is_set():
                self._take(consumer.consume(BATCH, 0.5))
        finally:
            consumer.close()

    def _start(self, consumer: Consumer) -> None:
        """Take every partition where the index left it; an index that is ahead of the topic is of an older one."""
        partitions = consumer.list_topics(SCORES, CALL_TIMEOUT_S).topics[SCORES].partitions
        marks = {
            number: consumer.get_watermark_offsets(TopicPartition(SCORES, number), CALL_TIMEOUT_S)
            for number in partitions
        }
        known = self._index.offsets()
        if any(offset > marks.get(number, (0, 0))[1] for number, offset in known.items()):
            logger.warning("the scores were made anew; so is the index")
            self._index.forget()
            known = {}
        self._reached = {number: max(low, known.get(number, 0)) for number, (low, _) in marks.items()}
        consumer.assign([TopicPartition(SCORES, number, offset) for number, offset in self._reached.items()])

    def _take(self, messages: Sequence[Any]) -> None:
        reached: dict[int, int] = {}
        scores = []
        for message in messages:
            if (error := message.error()) is None:
                reached[message.partition()] = message.offset() + 1
                if (score := indexed(message.value())) is not None:
                    scores.append(score)
            elif error.code() == KafkaError._PARTITION_EOF:
                reached[message.partition()] = message.offset()  # behind the ends of transactions
            else:
                raise KafkaException(error)
        if reached:
            self._index.add(scores, reached)
            self._reached |= reached


def indexed(value: bytes | None) -> IndexedScore | None:
    """What is kept of a record of `churn.scores`; None when it has no probability or is no score of ours."""
    try:
        scored = decoded(_decode, value or b"")
    except InvalidRecordError:
        return None
    data = scored.data
    if data.probability is None:
        return None
    return IndexedScore(
        scored.subject, to_ms(data.as_of), data.probability, data.model.version, data.action != "none",
        segments(data.features),
    )  # fmt: skip
