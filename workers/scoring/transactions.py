"""The producing half of the scoring worker's Kafka client: transactions of outputs and the offsets that they answer."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from schemas.deadletters import Headers
from workers.failpoints import reach

logger = logging.getLogger(__name__)

# A transaction left open by a killed worker holds readers up for this long.
TRANSACTION_TIMEOUT_MS = 15_000
CALL_TIMEOUT_S = 5.0
# With these a worker that is told to stop while the broker is down still ends within 30 s.
COMMIT_DEADLINE_S = 10.0
OFFSETS_DEADLINE_S = 18.0  # without a broker librdkafka gives up after the transaction's time-out
# What is said at first, and whatever is asked of the producer after that.
_FENCED = (KafkaError._FENCED, KafkaError._FATAL)


class LogError(Exception):
    """The transaction did not commit, or it is not known whether it did; the committed offsets tell."""


class FencedError(LogError):
    """Another producer has taken the transactional id: nothing of this one will commit any more."""


class AbortedError(LogError):
    """Nothing of the transaction was committed, for certain: it may be tried again."""


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to publish; its key decides the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class Transactions:
    """One transaction after the other, all with one transactional id. Every method raises `LogError`."""

    def __init__(self, transactional_id: str, config: Mapping[str, str]) -> None:
        self._config: dict[str, Any] = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "partitioner": "murmur2_random",  # as Java's and kafka-python's default; librdkafka's own is another
            "queue.buffering.max.messages": 1_000_000,
            "message.max.bytes": 2_097_152,  # a dead letter is a little larger than the record that it was
            "linger.ms": 5,
            **config,
        }
        self._producer: Producer | None = None

    def open(self) -> Producer:
        """The producer; a new one ends what the one before it, in this process or another, left in flight."""
        if self._producer is None:
            producer = Producer(self._config, logger=logging.getLogger("kafka"))
            try:
                _insist(producer.init_transactions)
            except KafkaException as error:
                raise LogError(said(error)) from None
            self._producer = producer
        return self._producer

    def publish(self, outputs: Iterable[Output], places: Sequence[TopicPartition], membership: Any) -> None:
        """Publish `outputs` and commit the offsets of `places`, both or neither, as that member of the group."""
        producer = self.open()
        try:
            producer.begin_transaction()
            reach("offsets")
            sent = _started(producer.send_offsets_to_transaction, places, membership)
            try:
                reach("outputs")
                for output in outputs:
                    _produce(producer, output)
            finally:
                sent.result(OFFSETS_DEADLINE_S)
            reach("commit")
            _insist(producer.commit_transaction)
            reach("committed")
        except TimeoutError:
            self._producer = None
            raise LogError(f"Kafka: offsets were not taken within {OFFSETS_DEADLINE_S:g} s") from None
        except KafkaException as error:
            raise self._aborted(producer, error) from None

    def _aborted(self, producer: Producer, error: KafkaException) -> LogError:
        """Abort, or throw the producer away where it cannot abort any more; returns what tells most of it.

        A commit just when another takes the id may fail with nothing but an unknown error. The abort tells why, or it
        succeeds, as the broker has aborted already, and the next transaction tells.
        """
        if not error.args[0].fatal():
            try:
                _insist(producer.abort_transaction)
            except KafkaException as second:
                logger.warning("the transaction cannot be aborted", extra={"error": said(second)})
                error = second
            else:
                return AbortedError(said(error))
        producer.purge()
        self._producer = None
        return (FencedError if error.args[0].code() in _FENCED else LogError)(said(error))


def _produce(producer: Producer, output: Output) -> None:
    # To say that there are no headers costs as much as all the rest of the call.
    headers: Any = {} if output.headers is None else {"headers": output.headers}
    while True:
        try:
            producer.produce(output.topic, output.value, output.key, **headers)
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


def _started(call: Callable[..., Any], *arguments: object) -> Future[None]:
    """Call in another thread, and tell when it has returned.

    The offsets can be on their way while the outputs are made. And `send_offsets_to_transaction` has a time-out that it
    ignores: when the coordinator of the group goes away just then, it may wait for ever (librdkafka issues 5456 and
    5511). The thread is then left behind with its producer.
    """
    ending: Future[None] = Future()

    def run() -> None:
        try:
            _insist(call, *arguments)
        except KafkaException as error:
            ending.set_exception(error)
        else:
            ending.set_result(None)

    threading.Thread(target=run, name="offsets", daemon=True).start()
    return ending


def said(error: KafkaException) -> str:
    """What went wrong, in a few words."""
    return f"Kafka: {error.args[0].str()}"
