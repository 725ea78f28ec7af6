"""The sample subscriber on a real Kafka, with scores that are published in transactions as the workers do."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from producers import subscriber
from producers.errors import BrokerUnavailableError, ScoresError
from producers.subscriber import ChurnScores, Received
from schemas.scores import ChurnScored, ModelRef, Score, decode_score, encode
from schemas.topics import SCORES
from tests.integration.producers.topics import delete_topic

Kafka = dict[str, str]
NOW = datetime(2026, 6, 30, tzinfo=UTC)


def scored(customer: str) -> bytes:
    """A score of a customer, as the workers write it."""
    data = Score(
        status="scored", probability=0.5, band="medium", action="offer-discount", reasons=[], features={}, flags=[],
        model=ModelRef("test", "1"), event_id="e", as_of=NOW, scored_at=NOW,
    )  # fmt: skip
    return encode(
        ChurnScored(id=f"score-{customer}", source="test", subject=customer, time=NOW, specversion="1.0", data=data)
    )


@pytest.fixture
def producer(kafka: Kafka) -> Iterator[Any]:
    """A transactional producer, as a worker has."""
    made = Producer({"bootstrap.servers": kafka["bootstrap_servers"], "transactional.id": "test-subscriber"})
    made.init_transactions(20)
    yield made
    made.flush(10)


def publish(producer: Any, *values: bytes | None, partition: int = 0, abort: bool = False) -> None:
    """Publish values in one transaction."""
    producer.begin_transaction()
    for value in values:
        producer.produce(SCORES, value, b"key", partition)
    if abort:
        producer.flush(10)
        producer.abort_transaction(10)
    else:
        producer.commit_transaction(10)


def take(scores: ChurnScores, count: int) -> list[Received]:
    """The next scores."""
    return [next(scores) for _ in range(count)]


def test_committed_scores_are_read_in_order(kafka: Kafka, producer: Any) -> None:
    """Scores of committed transactions come once, in order, with partition, offset and bytes; aborted ones never."""
    publish(producer, scored("1"), scored("2"))
    publish(producer, scored("aborted"), abort=True)
    publish(producer, scored("3"))
    with ChurnScores(kafka, from_beginning=True) as scores:
        assert iter(scores) is scores
        received = take(scores, 3)
    assert [one.scored.subject for one in received] == ["1", "2", "3"]
    assert [(one.partition, one.offset) for one in received] == [(0, 0), (0, 1), (0, 5)]
    assert all(one.scored == decode_score(one.value) for one in received)


def test_reading_starts_at_what_comes(kafka: Kafka, producer: Any) -> None:
    """Without a group, what was there before is not read, and what comes right after the start is."""
    publish(producer, scored("old"))
    with ChurnScores(kafka) as scores:
        publish(producer, scored("new"), partition=3)
        (received,) = take(scores, 1)
    assert (received.scored.subject, received.partition) == ("new", 3)


def test_group_goes_on_behind_what_it_committed(kafka: Kafka, producer: Any) -> None:
    """A group gets again what it did not commit, and what came while it was away."""
    with ChurnScores(kafka, group="call-center") as scores:
        publish(producer, *(scored(str(i)) for i in range(4)))
        take(scores, 2)
        scores.commit()
        take(scores, 1)
    publish(producer, scored("away"), partition=5)
    with ChurnScores(kafka, group="call-center") as scores:
        assert sorted(one.scored.subject for one in take(scores, 2)) == ["2", "3"]
    with ChurnScores(kafka, group="call-center", from_beginning=True) as scores:
        assert sorted(one.scored.subject for one in take(scores, 3)) == ["2", "3", "away"]


@pytest.mark.parametrize(("value", "reason"), [(b"{", "truncated"), (None, "truncated"), (b"{}", "missing required")])
def test_what_is_no_score_is_told(kafka: Kafka, producer: Any, value: bytes | None, reason: str) -> None:
    """A record that is no score is an error with its offset, and the next one is read after it."""
    publish(producer, scored("1"), value, scored("2"))
    with ChurnScores(kafka, from_beginning=True) as scores:
        assert next(scores).scored.subject == "1"
        with pytest.raises(ScoresError, match=rf"churn\.scores, partition 0, offset 1: .*{reason}"):
            next(scores)
        assert next(scores).scored.subject == "2"


def test_deleted_records_are_told(kafka: Kafka, producer: Any) -> None:
    """Records that were deleted before they were read are an error, not a jump."""
    with ChurnScores(kafka, group="call-center") as scores:
        publish(producer, scored("1"))
        take(scores, 1)
        scores.commit()
    publish(producer, scored("2"), scored("3"))
    admin: Any = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    for future in admin.delete_records([TopicPartition(SCORES, 0, 4)]).values():
        future.result(10)
    with ChurnScores(kafka, group="call-center") as scores, pytest.raises(ScoresError) as caught:
        next(scores)
    assert str(caught.value) == "churn.scores: records were deleted before they were read: partition 0 from offset 1"


def test_commit_without_a_group_is_told(kafka: Kafka) -> None:
    """Without a group there is nothing to commit to."""
    with ChurnScores(kafka) as scores, pytest.raises(ScoresError, match=r"cannot be committed: .*group_id"):
        scores.commit()


def test_missing_topic_is_named(kafka: Kafka) -> None:
    """A topic that does not exist is named at once."""
    delete_topic(kafka, SCORES)
    with pytest.raises(ScoresError, match=r"topic churn\.scores does not exist"):
        ChurnScores(kafka)


def test_unanswered_start_is_told(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is not found out in time where to start, the error says so and nothing stays open."""
    before = set(threading.enumerate())
    monkeypatch.setattr(subscriber, "CALL_TIMEOUT_MS", 0)
    with pytest.raises(
        BrokerUnavailableError, match=r"where to start in churn\.scores is not known: KafkaTimeoutError"
    ):
        ChurnScores(kafka)
    assert set(threading.enumerate()) <= before
