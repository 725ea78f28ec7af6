"""The scoring worker as a process on a real Kafka and a real Redis: every record is answered once, whatever happens."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.stack.record import Stack
from model.artifact import save
from schemas.events import Call, CallStarted, Charge, ChargeBilled, CustomerRegistered, Event, Profile
from schemas.scores import decode_score, result_id
from schemas.topics import EVENTS, SCORES
from tests.conftest import PARTITIONS
from tests.integration.worker import Worker, comparable, outputs, publish, read, redis_contents
from tests.unit.model.test_state import NOW
from tests.unit.model.test_training import ARTIFACT

StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(
    environment: dict[str, str],
    topics: None,  # noqa: ARG001 - new topics, and nothing in Redis
    redis: Any,  # noqa: ARG001
    tmp_path: Path,
) -> Iterator[StartWorker]:
    """Start scoring workers; what still runs at the end is killed."""
    save(ARTIFACT, Path(environment["CHURN_MODELS"]))
    workers: list[Worker] = []

    def start(**more: str) -> Worker:
        workers.append(Worker(environment | more, tmp_path / f"worker-{len(workers)}.log"))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


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


def test_every_record_is_answered_once_in_order(stack: Stack, start_worker: StartWorker) -> None:
    """Events are scored, unknown customers answered, junk kept as dead letters with its bytes, key and headers."""
    events = made_up_events(customers=50, each=6)
    stranger = CallStarted(id="s", source="test", subject="stranger", time=NOW, specversion="1.0", data=Call())
    future = CallStarted(
        id="f", source="test", subject="c1", time=NOW + timedelta(days=36_500), specversion="1.0", data=Call()
    )
    junk = [(b"c1", b"junk"), (None, None), (b"c2", b"[]"), (b"other", json.dumps({}).encode())]
    misnamed = (b"c3", b'{"specversion":"1.0","id":"1","source":"a","type":"call.started","subject":"c4",'
                       b'"time":"2026-01-01T00:00:00Z","data":{}}')  # fmt: skip
    records = publish(stack.kafka.address, [*events, stranger, future, *junk, misnamed])
    worker = start_worker()
    scores, letters = outputs(stack.kafka.address, records=records)
    assert worker.stop() == 0

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
    assert sorted(h["churn-dead-letter-error-class"] for h in headers) == sorted(
        [b"undecodable", b"undecodable", b"invalid", b"invalid", b"key-mismatch"]
    )
    assert {h["churn-dead-letter-topic"] for h in headers} == {EVENTS.encode()}


def test_ids_are_those_of_the_records(stack: Stack, start_worker: StartWorker) -> None:
    """The id of an answer is the UUIDv5 of its record's place in the log."""
    publish(stack.kafka.address, made_up_events(customers=3, each=2))
    start_worker()
    scores, _ = outputs(stack.kafka.address, records=6)
    places = {result_id(EVENTS, m.partition() or 0, m.offset() or 0) for m in read(stack.kafka.address, EVENTS)}
    assert {score.id for score in scores} == places


def test_killed_worker_loses_and_repeats_nothing(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """`kill -9` again and again in the middle of the work: every record is answered once, as in a run without a fault."""
    events = made_up_events(customers=400, each=60)
    small = {"CHURN_BATCH_RECORDS": "300"}
    records = publish(stack.kafka.address, events)
    for _ in range(4):
        worker = start_worker(**small)
        worker.wait_for("partition started", times=PARTITIONS)
        worker.wait_for("progress", times=1)
        worker.kill()
    last = start_worker(**small)
    scores, letters = outputs(stack.kafka.address, records=records, timeout_s=120)
    assert not letters
    last.wait_for("lag=0")
    assert last.stop() == 0
    killed_scores, killed_states = comparable(scores), redis_contents(redis)

    for key in killed_states:
        redis.delete(key)
    clean = start_worker(CHURN_GROUP="clean-run")
    again = read(stack.kafka.address, SCORES, least=2 * records, timeout_s=120)
    clean.wait_for("lag=0")
    assert clean.stop() == 0
    clean_scores = comparable(decode_score(m.value() or b"") for m in again[:])
    assert {c: rows[: len(rows) // 2] for c, rows in clean_scores.items()} == killed_scores
    assert {c: rows[len(rows) // 2 :] for c, rows in clean_scores.items()} == killed_scores
    assert redis_contents(redis) == killed_states
