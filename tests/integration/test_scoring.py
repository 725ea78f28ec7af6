"""The scoring worker as a process on a real Kafka and a real Redis: every record is answered once, whatever happens."""

import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from churn.stack.record import Stack
from churn.stack.redis import LocalRedis
from model.artifact import save
from model.state import LAYOUT
from schemas.events import Call, CallStarted, Charge, ChargeBilled, CustomerRegistered, Event, Profile, encode
from schemas.partitioning import partition_of
from schemas.scores import decode_score, result_id
from schemas.topics import EVENTS, SCORES
from tests.conftest import PARTITIONS
from tests.integration.worker import Worker, comparable, outputs, publish, read, redis_contents
from tests.unit.model.test_state import NOW
from tests.unit.model.test_training import ARTIFACT
from workers.keys import applied_key, customer_key

StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(
    environment: dict[str, str],
    topics: None,  # noqa: ARG001 - new topics, and nothing in Redis
    redis: Any,  # noqa: ARG001
    tmp_path: Path,
) -> Iterator[StartWorker]:
    """Start scoring workers; what still runs at the end is told to stop, and does."""
    save(ARTIFACT, Path(environment["CHURN_MODELS"]))
    workers: list[Worker] = []

    def start(**more: str) -> Worker:
        workers.append(Worker(environment | more, tmp_path / f"worker-{len(workers)}.log"))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            assert worker.stop() == 0


def made_up_events(customers: int, each: int) -> list[Event]:
    """A registration for each customer and then bills and calls, `each` in all, with ids of their own, in turns."""
    turns: list[Event] = []
    for turn, customer in itertools.product(range(each), range(customers)):
        common: dict[str, Any] = {"id": f"{turn}-{customer}", "source": "test", "subject": f"c{customer}",
                                  "time": NOW + timedelta(minutes=turn), "specversion": "1.0"}  # fmt: skip
        if turn == 0:
            turns.append(CustomerRegistered(data=Profile(age_group=1 + customer % 5), **common))
        elif turn % 2:
            turns.append(ChargeBilled(data=Charge(amount=customer + turn / 100), **common))
        else:
            turns.append(CallStarted(data=Call(), **common))
    return turns


def test_every_record_is_answered_once_in_order(stack: Stack, start_worker: StartWorker, tmp_path: Path) -> None:
    """Events are scored, unknown customers answered, junk kept as dead letters with its bytes, key and headers."""
    events = made_up_events(customers=50, each=6)
    stranger = CallStarted(id="s", source="test", subject="stranger", time=NOW, specversion="1.0", data=Call())
    future = CallStarted(
        id="f", source="test", subject="c1", time=NOW + timedelta(days=36_500), specversion="1.0", data=Call()
    )
    junk = [(b"c1", b"junk"), (None, None), (b"c2", b"[]"), (b"other", json.dumps({}).encode())]
    misnamed = (b"c3", encode(stranger))
    records = publish(stack.kafka.address, [*events, stranger, future, *junk, misnamed])
    worker = start_worker(CHURN_HEARTBEAT=str(tmp_path / "alive"))
    scores, letters = outputs(stack.kafka.address, records=records)
    worker.wait_for("lag=0")
    assert worker.stop() == 0
    assert (tmp_path / "alive").exists()

    by_event = {(score.subject, score.data.event_id): score for score in scores}
    assert len(by_event) == len(events) + 2
    assert {score.data.status for score in scores if score.subject != "stranger" and score.data.event_id != "f"} == {
        "scored"
    }
    unknown, early = by_event["stranger", "s"].data, by_event["c1", "f"].data
    assert [score.problem and score.problem.code for score in (unknown, early)] == [
        "unknown-customer",
        "event-in-future",
    ]
    for customer, of_customer in itertools.groupby(sorted(scores, key=lambda s: s.subject), key=lambda s: s.subject):
        turns = [int(s.data.event_id.split("-")[0]) for s in of_customer if "-" in s.data.event_id]
        assert turns == sorted(turns), f"the scores of {customer} are out of order"

    assert {(letter.key(), letter.value()) for letter in letters} == {*junk, misnamed}
    headers = [dict(letter.headers() or []) for letter in letters]
    classes = Counter(str(h["churn-dead-letter-error-class"]) for h in headers)
    assert classes == {"b'undecodable'": 2, "b'invalid'": 2, "b'key-mismatch'": 1}
    assert {h["churn-dead-letter-topic"] for h in headers} == {EVENTS.encode()}


def test_ids_are_those_of_the_records(stack: Stack, start_worker: StartWorker) -> None:
    """The id of an answer is the UUIDv5 of its record's place in the log."""
    publish(stack.kafka.address, made_up_events(customers=3, each=2))
    start_worker()
    scores, _ = outputs(stack.kafka.address, records=6)
    places = {result_id(EVENTS, m.partition() or 0, m.offset() or 0) for m in read(stack.kafka.address, EVENTS)}
    assert {score.id for score in scores} == places


def clean_run(stack: Stack, start_worker: StartWorker, redis: Any, records: int) -> Any:
    """The scores and the Redis contents of a run without a fault over the same log, by a group of its own."""
    for key in redis_contents(redis):
        redis.delete(key)
    before = len(read(stack.kafka.address, SCORES))
    clean = start_worker(CHURN_GROUP="clean-run")
    found = read(stack.kafka.address, SCORES, least=before + records, timeout_s=120)
    clean.wait_for("lag=0")
    assert clean.stop() == 0
    rows = comparable(decode_score(m.value() or b"") for m in found)
    return {customer: some[len(some) // 2 :] for customer, some in rows.items()}, redis_contents(redis)


def test_zombie_commits_nothing(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """A worker that is paused in the middle of its work, loses its partitions and wakes up again changes nothing."""
    events = made_up_events(customers=400, each=60)
    records = publish(stack.kafka.address, events[:20_000])
    small = {"CHURN_BATCH_RECORDS": "500"}
    zombie = start_worker(**small)
    while applied(redis) < 2000:
        time.sleep(0.001)
    zombie.process.send_signal(signal.SIGSTOP)
    heir = start_worker(**small)
    wait_until_applied(redis, records)
    zombie.process.send_signal(signal.SIGCONT)
    records += publish(stack.kafka.address, events[20_000:])
    scores, letters = outputs(stack.kafka.address, records=records, timeout_s=120)
    assert not letters
    wait_until_applied(redis, records)
    assert zombie.process.poll() is None
    assert (zombie.stop(), heir.stop()) == (0, 0)
    found = comparable(scores), redis_contents(redis)
    assert clean_run(stack, start_worker, redis, records) == found


def test_redis_that_lost_everything_is_filled_again(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """After a FLUSHALL under load the states are made anew from the log, to the byte, and nothing is answered twice."""
    records = publish(stack.kafka.address, made_up_events(customers=300, each=40))
    worker = start_worker(CHURN_BATCH_RECORDS="200")
    worker.wait_for("partition started", times=PARTITIONS)
    read(stack.kafka.address, SCORES, least=1000)
    redis.flushall()
    scores, letters = outputs(stack.kafka.address, records=records, timeout_s=120)
    assert not letters
    worker.wait_for("lag=0")
    redis.flushall()  # now while there is nothing to do
    wait_until_applied(redis, records)
    found = comparable(scores), redis_contents(redis)
    assert worker.stop() == 0
    assert clean_run(stack, start_worker, redis, records) == found


def test_damaged_state_is_made_anew(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """A state that cannot be read is made anew from the log with its partition, and scores are as they should be."""
    events = made_up_events(customers=20, each=6)
    records = publish(stack.kafka.address, events[:100])
    worker = start_worker()
    outputs(stack.kafka.address, records=records)
    wait_until_applied(redis, records)
    partition = partition_of("c3", PARTITIONS)
    redis.set(customer_key(partition, "c3"), b"\xc1junk")
    records += publish(stack.kafka.address, events[100:])
    scores, _ = outputs(stack.kafka.address, records=records)
    worker.wait_for("a state in Redis is damaged")
    wait_until_applied(redis, records)
    found = comparable(scores), redis_contents(redis)
    assert worker.stop() == 0
    assert clean_run(stack, start_worker, redis, records) == found


def test_event_in_the_wrong_partition_is_sent_on(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """An event that its sender put elsewhere is folded and answered once, in its customer's own partition."""
    events = made_up_events(customers=1, each=3)
    producer = Producer({"bootstrap.servers": stack.kafka.address})
    wrong = (partition_of("c0", PARTITIONS) + 1) % PARTITIONS
    for event in events:
        producer.produce(EVENTS, encode(event), b"c0", wrong, headers=[("traceparent", b"00-1")])
    producer.flush()
    worker = start_worker()
    scores = [decode_score(m.value() or b"") for m in read(stack.kafka.address, SCORES, least=3)]
    assert [score.data.event_id for score in scores] == [event.id for event in events]
    worker.wait_for("sent_on=3")
    assert len(read(stack.kafka.address, EVENTS)) == 6
    assert [key for key in redis_contents(redis) if b":c:" in key] == [
        customer_key(partition_of("c0", PARTITIONS), "c0").encode()
    ]
    wait_until_applied(redis, 6)
    redis.flushall()
    wait_until_applied(redis, 6)
    assert [key for key in redis_contents(redis) if b":c:" in key] == [
        customer_key(partition_of("c0", PARTITIONS), "c0").encode()
    ]
    assert len(read(stack.kafka.address, EVENTS)) == 6, "what was sent on is not sent on again"


def test_repeated_event_is_answered_and_not_counted_again(stack: Stack, start_worker: StartWorker) -> None:
    """A producer that sends an event twice gets two answers with the same features."""
    registered, billed = made_up_events(customers=1, each=2)
    publish(stack.kafka.address, [registered, billed, billed])
    start_worker()
    scores, _ = outputs(stack.kafka.address, records=3)
    assert scores[1].data.features == scores[2].data.features
    assert scores[1].data.features["spend"].value == 0.01


def test_applied_offset_stands_in_for_a_forgotten_committed_one(
    stack: Stack, start_worker: StartWorker, redis: Any
) -> None:
    """When Kafka has forgotten the group, or the group got another name, nothing is answered a second time."""
    events = made_up_events(customers=10, each=4)
    records = publish(stack.kafka.address, events[:30])
    first = start_worker()
    outputs(stack.kafka.address, records=records)
    wait_until_applied(redis, records)
    assert first.stop() == 0
    start_worker(CHURN_GROUP="another-name")
    records += publish(stack.kafka.address, events[30:])
    outputs(stack.kafka.address, records=records)


def test_redis_away_pauses_the_work(stack: Stack, start_worker: StartWorker, tmp_path: Path) -> None:
    """While Redis does not answer nothing is lost and the worker stays; when it is back the work goes on."""
    own = LocalRedis(tmp_path / "redis")
    own.start()
    try:
        events = made_up_events(customers=100, each=20)
        records = publish(stack.kafka.address, events[:1000])
        worker = start_worker(REDIS_URL=own.url, CHURN_BATCH_RECORDS="100")
        outputs(stack.kafka.address, records=records)
        own.process.pause()
        records += publish(stack.kafka.address, events[1000:])
        worker.wait_for("going back to the committed offsets")
        time.sleep(1.5)  # it tries again, and says nothing more
        assert worker.log.read_text().count("going back") == 1
        own.process.resume()
        worker.wait_for("working again")
        outputs(stack.kafka.address, records=records)
        assert worker.stop() == 0
    finally:
        own.process.resume()
        own.stop()


def test_states_ahead_of_the_committed_offset_are_made_anew(
    stack: Stack, start_worker: StartWorker, redis: Any
) -> None:
    """States that claim to be further than the group ever was are not believed."""
    records = publish(stack.kafka.address, made_up_events(customers=20, each=6))
    first = start_worker()
    outputs(stack.kafka.address, records=records)
    wait_until_applied(redis, records)
    states = redis_contents(redis)
    assert first.stop() == 0
    for partition in range(PARTITIONS):
        redis.set(applied_key(partition), f"{LAYOUT}:1000000")
    start_worker()
    wait_until_applied(redis, records)
    assert redis_contents(redis) == states
    assert len(read(stack.kafka.address, SCORES)) == records


def test_records_deleted_before_they_were_applied_are_told(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """When Redis is older than what the topic still holds, the gap is told, and the work goes on behind it."""
    records = publish(stack.kafka.address, made_up_events(customers=60, each=4))
    first = start_worker()
    outputs(stack.kafka.address, records=records)
    wait_until_applied(redis, records)
    assert first.stop() == 0
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    deleted = admin.delete_records([TopicPartition(EVENTS, partition, 10) for partition in range(PARTITIONS)])
    for future in deleted.values():
        future.result(10)
    for partition in range(PARTITIONS):
        redis.set(applied_key(partition), f"{LAYOUT}:5")
    second = start_worker()
    second.wait_for("records were deleted before they were applied", times=PARTITIONS)
    wait_until_applied(redis, records)
    assert len(read(stack.kafka.address, SCORES)) == records


def wait_until_applied(redis: Any, records: int) -> None:
    """Wait until the states in Redis are those after so many records of `customer.events`."""
    deadline = time.monotonic() + 60
    while (found := applied(redis)) != records:
        assert time.monotonic() < deadline, f"{found} of {records} applied"
        time.sleep(0.05)


def applied(redis: Any) -> int:
    """How many records of `customer.events` the states in Redis are of."""
    values = redis.mget([applied_key(partition) for partition in range(PARTITIONS)])
    return sum(int(value.partition(b":")[2]) for value in values if value)
