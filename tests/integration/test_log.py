"""The scoring worker's Kafka client: transactions, fencing, and what each failure comes out as."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaProducer

from churn.stack.kafka import LocalKafka
from churn.stack.record import Stack
from schemas.topics import EVENTS, SCORES
from tests.integration.worker import read
from workers import failpoints
from workers.scoring import log as log_module
from workers.scoring import transactions
from workers.scoring.log import Bounds, Log
from workers.scoring.records import Record
from workers.scoring.transactions import FencedError, LogError, Output, Transactions

MakeLog = Callable[..., Log]


@pytest.fixture
def make_log(stack: Stack, topics: None) -> Iterator[MakeLog]:  # noqa: ARG001 - new topics
    """Logs of one group; closed at the end."""
    made: list[Log] = []
    group = f"test-{time.time_ns()}"

    def make(worker_id: str = "", config: dict[str, Any] | None = None) -> Log:
        gained: list[int] = []
        made.append(
            Log({"bootstrap.servers": stack.kafka.address} | (config or {}), topic=EVENTS, group=group,
                worker_id=worker_id, gained=gained.extend, lost=lambda _: None)
        )  # fmt: skip
        made[-1].subscribe()
        while not gained:
            made[-1].poll(100)
        return made[-1]

    yield make
    for log in made:
        log.close()


def fill(kafka: str, count: int) -> None:
    """Put `count` records into partition 0."""
    producer = Producer({"bootstrap.servers": kafka})
    for n in range(count):
        producer.produce(EVENTS, str(n).encode(), partition=0)
    assert producer.flush(10) == 0


def take(log: Log, count: int) -> list[Record]:
    """Poll until `count` records have come."""
    records: list[Record] = []
    deadline = time.monotonic() + 20
    while len(records) < count:
        assert time.monotonic() < deadline
        records += log.poll(count - len(records))
    return records


def output(n: int, size: int = 10) -> Output:
    """A made-up score."""
    return Output(SCORES, str(n).encode(), b"x" * size, [("h", b"\xff")])


def test_outputs_and_offsets_are_committed_together(stack: Stack, make_log: MakeLog) -> None:
    """What is published can be read and the offset is committed; lag is what is left."""
    fill(stack.kafka.address, 10)
    log = make_log()
    assert log.bounds([0, 1]) == {0: Bounds(0, 10, None), 1: Bounds(0, 0, None)}
    log.start({0: 4})
    records = take(log, 6)
    assert [(record.partition, record.offset, record.value) for record in records] == [
        (0, n, str(n).encode()) for n in range(4, 10)
    ]
    assert log.lag({0: 7, 1: 0}) == 3
    log.publish([output(1), output(2)], {0: 10})
    assert sorted(m.value() or b"" for m in read(stack.kafka.address, SCORES, least=2)) == [b"x" * 10] * 2
    assert log.bounds([0])[0].committed == 10


def test_paused_partition_delivers_nothing(stack: Stack, make_log: MakeLog) -> None:
    """A partition that was paused comes again only when it is started, and from where it is started."""
    fill(stack.kafka.address, 5)
    log = make_log()
    log.start({0: 0})
    take(log, 5)
    log.pause([0])
    fill(stack.kafka.address, 5)
    assert [log.poll(10) for _ in range(5)] == [[]] * 5
    log.start({0: 3})
    assert [record.offset for record in take(log, 7)] == list(range(3, 10))


def test_older_of_two_with_one_id_is_fenced(stack: Stack, make_log: MakeLog) -> None:
    """The second worker with a transactional id stops the first; the first publishes nothing, and can start again."""
    first = make_log("same")
    first.publish([output(1)], {0: 0})
    group = first._transactions._config["transactional.id"].removesuffix("-same")
    second = Log({"bootstrap.servers": stack.kafka.address}, topic=EVENTS, group=group,
                 worker_id="same", gained=lambda _: None, lost=lambda _: None)  # fmt: skip
    with closing(second):
        second._transactions.open()
        with pytest.raises(LogError, match=r"Kafka: .*(fenced|epoch)"):
            first.publish([output(2)], {0: 1})
        assert first._transactions._producer is None
        first.publish([output(3)], {0: 2})
    assert len(read(stack.kafka.address, SCORES, least=2)) == 2
    assert first.bounds([0])[0].committed == 2


def test_commit_that_fails_while_another_takes_the_id(
    stack: Stack, make_log: MakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker may call it an unknown error; that the id was taken comes out all the same."""
    first = make_log("same")
    first.publish([output(1)], {0: 0})
    other = Transactions(first._transactions._config["transactional.id"], {"bootstrap.servers": stack.kafka.address})

    def taken() -> None:
        other.open()
        raise KafkaException(KafkaError(KafkaError.UNKNOWN))

    monkeypatch.setitem(failpoints.armed, "commit", taken)
    with pytest.raises(FencedError, match=r"Kafka: .*(fenced|epoch)"):
        first.publish([output(2)], {0: 1})
    assert len(read(stack.kafka.address, SCORES, least=1)) == 1


def test_transaction_that_cannot_be_is_aborted(stack: Stack, make_log: MakeLog) -> None:
    """An output that is too large aborts the transaction: nothing of it is seen, and the next one works."""
    log = make_log()
    with pytest.raises(LogError, match="too large"):
        log.publish([output(1), output(2, size=3_000_000)], {0: 5})
    log.publish([output(3)], {0: 1})
    assert len(read(stack.kafka.address, SCORES, least=1)) == 1
    assert log.bounds([0])[0].committed == 1


def test_full_queue_is_waited_for(stack: Stack, make_log: MakeLog) -> None:
    """A batch that does not fit the client's queue is published all the same."""
    log = make_log(config={"queue.buffering.max.messages": 10})
    log.publish([output(n) for n in range(100)], {0: 1})
    assert len(read(stack.kafka.address, SCORES, least=100)) == 100


def test_header_whose_name_is_not_utf_8_is_no_crash(stack: Stack, make_log: MakeLog) -> None:
    """Kafka takes such a header and its clients cannot give it to us: the record comes without headers."""

    class Bad(str):
        def encode(self, *_: Any) -> bytes:
            return b"\xff"

    log = make_log()
    with closing(KafkaProducer(bootstrap_servers=stack.kafka.address)) as producer:
        headers = [(Bad("x"), b"1"), ("good", b"2")]
        producer.send(EVENTS, b"value", headers=headers, partition=0).get(10)
    fill(stack.kafka.address, 1)
    log.start({0: 0})
    assert [(record.value, record.headers) for record in take(log, 2)] == [(b"value", []), (b"0", [])]


def test_error_of_the_broker_is_logged(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    """An error that comes instead of a record is told and stops nothing."""
    log = Log({"bootstrap.servers": stack.kafka.address}, topic="no-such-topic", group="test", gained=print, lost=print)
    with closing(log), caplog.at_level(logging.WARNING):
        log.subscribe()
        while "the broker reports an error" not in caplog.text:
            assert log.poll(10) == []


def test_broker_that_goes_away_comes_out_as_log_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker every call ends in time with the one error, and after its return all works again."""
    monkeypatch.setattr(log_module, "CALL_TIMEOUT_S", 1.0)
    monkeypatch.setattr(transactions, "CALL_TIMEOUT_S", 1.0)
    monkeypatch.setattr(transactions, "COMMIT_DEADLINE_S", 2.0)
    monkeypatch.setattr(transactions, "OFFSETS_DEADLINE_S", 4.0)
    broker = LocalKafka(
        tmp_path / "kafka", extra={"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
    )
    broker.start(60)
    try:
        config: dict[str, Any] = {"bootstrap.servers": broker.address}
        admin = AdminClient(config)
        admin.create_topics([NewTopic(name, 1, 1) for name in (EVENTS, SCORES)])[EVENTS].result(10)
        gained: list[int] = []
        log = Log(config, topic=EVENTS, group="test", gained=gained.extend, lost=lambda _: None)
        with closing(log):
            log.subscribe()
            while not gained:
                log.poll(10)
            log.publish([output(1)], {0: 0})
            broker.process.kill()
            calls: list[Callable[[], object]] = [
                lambda: log.bounds([0]),
                lambda: log.publish([*map(output, range(9)), output(2, size=3_000_000)], {0: 1}),
                lambda: log.publish([output(2)], {0: 1}),
                lambda: log.bounds([0]),
            ]
            for call in calls:
                started_s = time.monotonic()
                with pytest.raises(LogError, match="Kafka: "):
                    call()
                assert time.monotonic() - started_s < 10
            broker.start(60)
            _eventually(lambda: log.publish([output(3)], {0: 1}))
            assert log.bounds([0])[0].committed == 1
            assert len(read(broker.address, SCORES, least=2)) == 2
    finally:
        broker.stop()


def test_start_of_a_partition_that_is_not_ours_is_a_log_error(make_log: MakeLog) -> None:
    """A partition lost between two calls ends in the one error too."""
    log = make_log()
    with pytest.raises(LogError, match="Kafka: "):
        log.start({77: 0})


def _eventually(call: Callable[[], None], timeout_s: float = 40) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return call()
        except LogError:
            assert time.monotonic() < deadline
        threading.Event().wait(0.2)
