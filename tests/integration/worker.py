"""Help for tests of the scoring worker: start one as a process, publish to it, count everything that comes out."""

import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from schemas.events import Event, encode
from schemas.scores import ChurnScored, decode_score
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES
from tests.integration.processes import ChurnProcess


class Worker(ChurnProcess):
    """A `churn score` process; its log goes to `log`."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen([sys.executable, "-m", "churn", "score"], env=environment, stderr=file)

    def wait_for(self, text: str, timeout_s: float = 30, times: int = 1) -> None:
        """Wait until the log says `text` at least so many times."""
        deadline = time.monotonic() + timeout_s
        while self.log.read_text().count(text) < times:
            assert self.process.poll() is None, f"the worker ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02)


class Published(NamedTuple):
    """What a reader of committed records finds."""

    scores: list[ChurnScored]
    dead_letters: list[Message]


def publish(kafka: str, events: Iterable[Event | tuple[bytes | None, bytes | None]]) -> int:
    """Publish events, keyed and partitioned by customer, or (key, value) as they are; returns how many."""
    # Idempotent, so that a batch that has to be sent again, to a topic that is new, does not come after its successors.
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "linger.ms": 20,
                         "queue.buffering.max.messages": 1_000_000, "enable.idempotence": True})  # fmt: skip
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007
        key, value = event if isinstance(event, tuple) else (event.subject.encode(), encode(event))
        producer.produce(EVENTS, value, key)
        producer.poll(0)
    assert producer.flush(30) == 0
    return count


def read(kafka: str, topic: str, *, least: int = 0, timeout_s: float = 60) -> list[Message]:
    """Every committed record of a topic, once there are `least`."""
    config = {"bootstrap.servers": kafka, "group.id": f"test-{time.time_ns()}", "isolation.level": "read_committed",
              "enable.partition.eof": True, "enable.auto.commit": False}  # fmt: skip
    consumer: Any = Consumer(config)
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: list[Message] = []
    ended: set[int] = set()
    deadline = time.monotonic() + timeout_s
    while len(found) < least or len(ended) < len(partitions):
        assert time.monotonic() < deadline, f"{len(found)} of {least} records in {topic} after {timeout_s} s"
        for message in consumer.consume(10_000, 0.1):
            if message.error():
                ended.add(message.partition())
            else:
                found.append(message)
    consumer.close()
    return found


def outputs(kafka: str, *, records: int, timeout_s: float = 60) -> Published:
    """All scores and dead letters, once there are as many as `records`; asserts that each record has just one."""
    deadline = time.monotonic() + timeout_s
    while True:
        scores = [decode_score(message.value() or b"") for message in read(kafka, SCORES)]
        letters = read(kafka, DEAD_LETTERS)
        if len(scores) + len(letters) >= records:
            break
        assert time.monotonic() < deadline, f"{len(scores)} scores and {len(letters)} dead letters of {records} records"
        time.sleep(0.2)
    assert len(scores) + len(letters) == records
    assert len({score.id for score in scores}) == len(scores)
    return Published(scores, letters)


def comparable(scores: Iterable[ChurnScored]) -> dict[str, list[bytes]]:
    """The scores of each customer, in order, without what differs from run to run."""
    result: dict[str, list[bytes]] = {}
    for score in scores:
        plain = msgspec.to_builtins(score)
        plain |= {"time": None, "id": None, "data": plain["data"] | {"scored_at": None}}
        result.setdefault(score.subject, []).append(msgspec.json.encode(plain))
    return result


def redis_contents(redis: Any) -> dict[bytes, bytes]:
    """Every key of ours and its bytes."""
    keys = sorted(redis.scan_iter("churn:*"))
    return dict(zip(keys, redis.mget(keys), strict=True)) if keys else {}
