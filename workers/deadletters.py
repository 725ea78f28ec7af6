"""The topics of dead letters and of the decisions about them: read both, and decide.

The record that is sent again and the decision to send it are one transaction, so that neither is there without the
other. All transactions have one transactional id: opening it ends what another process has in flight, and lets that
process commit nothing more. Whoever opens it reads the decisions only then, and so knows all that there will ever be
besides its own.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.deadletters import DeadLetterDecision, Place, Verdict, added_headers, decode_decision, original_headers
from schemas.errors import InvalidRecordError
from schemas.topics import DEAD_LETTERS, DECISIONS
from workers.admin import BrokerError
from workers.headers import headers_of
from workers.letters import DeadLetter, batches, obstacle, original
from workers.scoring.transactions import AbortedError, FencedError, LogError, Output, Transactions

GROUP = "churn-dlq"  # nobody joins it: Kafka's clients want a name
TRANSACTIONAL_ID = "churn-dlq"
SILENCE_S = 10.0
READ_RECORDS = 1000
PAUSES_S = (0.1, 0.2, 0.4, 0.0)  # after each transaction that was aborted; no more are tried than there are


class DeadLettersError(Exception):
    """What was asked of the dead letters cannot be done."""


class DeadLetters:
    """The dead letters of one cluster; `partitions` are those of every topic. Every method may raise `BrokerError`."""

    def __init__(self, config: Mapping[str, str], partitions: Mapping[str, int]) -> None:
        self._config, self._partitions = config, partitions

    def letters(self, places: Collection[Place] | None = None) -> Iterator[DeadLetter]:
        """The letters at `places`, or all; in the order of the topic, the newest last."""
        for partition in range(self._partitions[DEAD_LETTERS]):
            offsets = None if places is None else {place.offset for place in places if place.partition == partition}
            if offsets is not None and not offsets:
                continue
            first, last = (min(offsets), max(offsets)) if offsets else (0, math.inf)
            for message in self._read(DEAD_LETTERS, partition, first, last):
                if offsets is None or message.offset() in offsets:
                    headers = headers_of(message)
                    yield DeadLetter(
                        Place(partition, message.offset()),
                        message.timestamp()[1],
                        message.key(),
                        message.value(),
                        original_headers(headers),
                        added_headers(headers),
                    )

    def decisions(self) -> dict[Place, DeadLetterDecision]:
        """Every decision, by the place of its letter; raises `DeadLettersError` when one cannot be read."""
        found = {}
        for partition in range(self._partitions[DECISIONS]):
            for message in self._read(DECISIONS, partition):
                try:
                    place = Place.parse((message.key() or b"").decode("utf-8", "replace"))
                    found[place] = decode_decision(message.value())
                except (ValueError, InvalidRecordError) as error:
                    raise DeadLettersError(
                        f"topic {DECISIONS}, partition {partition}, offset {message.offset()}: no decision: {error}"
                    ) from None
        return found

    def decide(self, verdict: Verdict, places: Collection[Place]) -> Iterator[Counter[str]]:
        """Carry the verdict out on the letters at `places`, one transaction after the other.

        Yields after each how many letters came to what: to the verdict, or to what stands in its way. What was yielded
        stays. Raises `DeadLettersError` when another process began to decide.
        """
        # A record that only just fitted into a compressed batch is to fit again.
        transactions = Transactions(TRANSACTIONAL_ID, {"compression.type": "gzip", **self._config})
        with closing(self._consumer()) as nobody:
            membership = nobody.consumer_group_metadata()  # of a group without members or offsets
        try:
            transactions.open()
            decisions = self.decisions()
            for batch in batches(self.letters(places)):
                obstacles = [obstacle(letter, decisions, verdict) for letter in batch]
                if free := [letter for letter, why_not in zip(batch, obstacles, strict=True) if why_not is None]:
                    _publish(transactions, verdict, free, membership)
                yield Counter(why_not or verdict for why_not in obstacles)
        except FencedError:
            raise DeadLettersError(
                "another `churn dlq replay` or `churn dlq drop` was started, which ended this one"
            ) from None
        except LogError as error:
            raise BrokerError(str(error)) from None

    def _read(self, topic: str, partition: int, first: int = 0, last: float = math.inf) -> Iterator[Any]:
        """The committed records of a partition from `first` to `last`, or to the end."""
        with closing(self._consumer()) as consumer:
            consumer.assign([TopicPartition(topic, partition, first)])
            while (message := consumer.poll(SILENCE_S)) is not None:
                records: tuple[Any, ...] = (message, *consumer.consume(READ_RECORDS, 0))
                for record in records:
                    if (error := record.error()) is not None:
                        if error.code() == KafkaError._PARTITION_EOF:
                            return
                        raise BrokerError(error.str())
                    if record.offset() > last:
                        return
                    yield record
        raise BrokerError(f"nothing came of topic {topic} within {SILENCE_S:g} s")

    def _consumer(self) -> Consumer:
        config = {
            "group.id": GROUP,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
        }
        return Consumer({**config, **self._config}, logger=logging.getLogger("kafka"))


def _publish(transactions: Transactions, verdict: Verdict, letters: Sequence[DeadLetter], membership: Any) -> None:
    """In one transaction, which is tried again while nothing but that it was aborted is known of it.

    While another process takes the transactional id the broker gives no better reason; a transaction after that does.
    """
    for pause_s in PAUSES_S:
        try:
            transactions.publish(_outputs(verdict, letters, datetime.now(UTC)), [], membership)
        except AbortedError as error:
            aborted = error
            time.sleep(pause_s)
        else:
            return
    raise aborted


def _outputs(verdict: Verdict, letters: Iterable[DeadLetter], now: datetime) -> Iterator[Output]:
    for letter in letters:
        if verdict == "replayed":
            yield original(letter)
        decision = DeadLetterDecision(verdict, now, letter.timestamp_ms)
        yield Output(DECISIONS, str(letter.place).encode(), msgspec.json.encode(decision))
