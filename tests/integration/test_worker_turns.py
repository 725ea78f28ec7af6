"""Single steps of the scoring worker, in this process, with a Redis that changes between two of them."""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from churn.stack.record import Stack
from schemas.events import Call, CallStarted, encode
from schemas.topics import EVENTS
from tests.conftest import PARTITIONS
from tests.unit.model.test_scoring import SCORER
from tests.unit.model.test_state import NOW
from workers.scoring.batch import Rules
from workers.scoring.log import Log
from workers.scoring.progress import Progress
from workers.scoring.records import Record
from workers.scoring.worker import ScoringWorker
from workers.store import FeatureStore


@pytest.fixture
def worker(stack: Stack, topics: None, redis: Any) -> Iterator[ScoringWorker]:  # noqa: ARG001 - all new and empty
    """A worker that owns every partition."""
    log = partial(Log, {"bootstrap.servers": stack.kafka.address}, topic=EVENTS, group=f"turns-{time.time_ns()}")
    with closing(FeatureStore(stack.redis.address, ttl_days=1, timeout_s=1.0)) as store:
        store.connect()
        one = ScoringWorker(
            log, store, SCORER, Rules(PARTITIONS, 0), batch_records=100, watchers=[Progress()]
        )  # fmt: skip
        with closing(one._log):
            one._log.subscribe()
            while len(one._owned) < PARTITIONS:
                one._turn()
            yield one


def call(offset: int) -> Record:
    """A record of partition 0 as it is consumed."""
    event = CallStarted(id=str(offset), source="test", subject="c1", time=NOW, specversion="1.0", data=Call())
    return Record(0, offset, b"c1", encode(event), 2**45, [])


def test_what_is_in_hand_can_be_told(worker: ScoringWorker) -> None:
    """While it works: partitions and offsets, and the model; between the batches the model alone."""
    model = {"model_version": SCORER.artifact.manifest.version}
    assert worker.in_hand() == model
    worker._owned[0].position = 7
    worker._work([call(7), call(8)])
    assert worker.in_hand() == {"partition": "0", "offset": "7-8", **model}
    worker._turn()
    assert worker.in_hand() == model


def test_redis_that_changed_before_the_read_is_noticed(worker: ScoringWorker, redis: Any) -> None:
    """Nothing is folded into states that are not those that the worker left; the partition starts anew."""
    worker._owned[0].applied = 7
    assert worker._fold(0, [call(7)]) is None
    assert worker._unsynchronised == {0}
    assert not redis.keys("churn:*")
    worker._turn()
    assert worker._owned[0].applied is None


def test_redis_that_changed_before_the_write_refuses_it(worker: ScoringWorker, redis: Any) -> None:
    """States made of a Redis that has lost its data since are not written."""
    batch = worker._fold(0, [call(0)])
    assert batch is not None
    worker._owned[0].applied = 7
    worker._apply(batch)
    assert worker._unsynchronised == {0}
    assert not redis.keys("churn:*")
