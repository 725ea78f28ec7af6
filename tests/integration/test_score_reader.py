"""The reader of scores on a real broker: all of the topic, once, also when the topic was made anew."""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from churn.stack.ports import free_port
from churn.stack.record import Stack
from schemas.cloudevents import to_ms
from schemas.topics import SCORES
from tests.integration.monitor_process import eventually
from tests.unit.workers.monitoring.test_scores import AS_OF, record
from workers.admin import KafkaAdmin
from workers.monitoring.index import ScoreIndex
from workers.monitoring.scores import ScoreReader


@contextmanager
def reading(kafka: str, index: ScoreIndex) -> Iterator[ScoreReader]:
    """A reader at work in a thread."""
    reader = ScoreReader({"bootstrap.servers": kafka}, index)
    thread = threading.Thread(target=reader.run)
    thread.start()
    try:
        yield reader
    finally:
        reader.stop()
        thread.join(20)
        assert not thread.is_alive()


def publish(kafka: str, *values: bytes) -> dict[int, int]:
    """Publish to `churn.scores`; the ends of its partitions."""
    producer = Producer({"bootstrap.servers": kafka})
    for value in values:
        producer.produce(SCORES, value)
    assert producer.flush(10) == 0
    bounds = KafkaAdmin({"bootstrap.servers": kafka}, partitions=1, replication=1).bounds(SCORES)
    return {number: place.end for number, place in bounds.items()}


@pytest.mark.usefixtures("topics")
def test_topic_is_read_once_and_again_when_it_is_another(
    stack: Stack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no score is passed over, a second reader goes on, and the index of an older topic is made anew."""
    log = tmp_path / "log"
    log.touch()
    with closing(ScoreIndex(tmp_path / "scores")) as index:
        ends = publish(stack.kafka.address, record("1"), b"\xff", record("2"))
        with reading(stack.kafka.address, index) as reader:
            assert not reader.has_reached({0: 10**9})
            eventually("all is read", lambda: reader.has_reached(ends), log, 20)
        assert {subject for subject in ("1", "2", "3") if index.last(subject, to_ms(AS_OF))} == {"1", "2"}
        assert index.offsets() == ends
        ends = publish(stack.kafka.address, record("3"))
        with reading(stack.kafka.address, index) as reader:
            eventually("the rest is read", lambda: reader.has_reached(ends), log, 20)
        assert index.last("3", to_ms(AS_OF))
        index.add([], {0: 10**6})
        with reading(stack.kafka.address, index) as reader:
            eventually("all is read anew", lambda: reader.has_reached(ends) and index.offsets() == ends, log, 20)
        assert "the scores were made anew; so is the index" in caplog.messages
        assert index.last("1", to_ms(AS_OF))


def test_broker_that_is_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reader says so and goes on, and ends when it is told to."""
    caplog.set_level(logging.WARNING)
    (tmp_path / "log").touch()
    with closing(ScoreIndex(tmp_path / "scores")) as index, reading(f"127.0.0.1:{free_port()}", index):
        eventually("it says so", lambda: "scores cannot be read" in caplog.messages, tmp_path / "log", 20)


@pytest.mark.usefixtures("topics")
def test_full_disk_is_waited_for(stack: Stack, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reader says so and goes on once there is room."""
    (tmp_path / "log").touch()
    ends = publish(stack.kafka.address, *(record(f"{n}" * 50) for n in range(2000)))
    with closing(ScoreIndex(tmp_path / "scores")) as index:
        index._connection.execute("pragma max_page_count = 10")
        with reading(stack.kafka.address, index) as reader:
            said = "the index of scores cannot be written"
            eventually("it says so", lambda: said in caplog.messages, tmp_path / "log", 20)
            index._connection.execute("pragma max_page_count = 1000000")
            eventually("all is read", lambda: reader.has_reached(ends), tmp_path / "log", 20)
        assert index.last("1" * 50, to_ms(AS_OF))


def test_error_among_the_records_is_raised(tmp_path: Path) -> None:
    """So that the reader begins anew: the partition is not read on as if nothing were missing. No records are none."""

    class Broken:
        def error(self) -> KafkaError:
            return KafkaError(KafkaError._ALL_BROKERS_DOWN)

    with closing(ScoreIndex(tmp_path / "scores")) as index:
        reader = ScoreReader({}, index)
        reader._take([])
        assert index.offsets() == {}
        with pytest.raises(KafkaException):
            reader._take([Broken()])
