"""Episodes with a real Kafka, a real Redis and real receivers: told once, whatever happens to any of them."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from msgspec.structs import replace

from churn.stack.kafka import LocalKafka
from churn.stack.record import Stack
from churn.stack.redis import LocalRedis
from schemas.alerts import AlertRecord
from schemas.topics import ALERTS
from tests.integration.clusters import redis_cluster
from tests.integration.monitors import (
    QUIET,
    REMINDER_S,
    START,
    TITLE,
    Clock,
    Monitor,
    Start,
    all_look,
    logged,
    monitors,
    states,
)
from tests.integration.test_commands import NOWHERE
from tests.receivers import HttpReceiver, http_receiver
from workers.admin import BrokerError
from workers.alerts import log as log_module
from workers.alerts.catalogue import BROKER_AWAY, FEATURE_DRIFT
from workers.alerts.claims import Claims, ClaimsUnavailableError
from workers.alerts.episodes import Episodes
from workers.alerts.log import AlertLog
from workers.keys import EPISODES_KEY, lease_key

DOWN = BROKER_AWAY.alert("No broker answers.", since=START)
RAISED, STILL, CLEAR = f"CRITICAL: {TITLE}", f"STILL CRITICAL: {TITLE}", f"ALL CLEAR: {TITLE}"


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    """A receiver that is well."""
    with http_receiver() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """The time of the test."""
    return Clock()


@pytest.fixture
def start(stack: Stack, topics: None, redis: Any, web: HttpReceiver, clock: Clock) -> Iterator[Start]:  # noqa: ARG001
    """A way to start monitors on an empty Kafka and Redis."""
    with monitors(stack.kafka.address, stack.redis.address, web.url, clock) as start:
        yield start


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[LocalRedis]:
    """A Redis of this test's own, to be mistreated."""
    server = LocalRedis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """A Kafka of this test's own, with the topic of alerts."""
    broker = LocalKafka(tmp_path / "kafka")
    broker.start()
    make_topic(broker.address)
    yield broker
    broker.process.resume()
    broker.stop()


def make_topic(kafka: str) -> None:
    """Create the topic of alerts."""
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(ALERTS, 1, 1)])[ALERTS].result(10)
    while ALERTS not in admin.list_topics(timeout=10).topics:
        time.sleep(0.05)


def test_three_monitors_tell_once(start: Start, web: HttpReceiver, clock: Clock, stack: Stack) -> None:
    """All three look again and again: one message, one reminder a day, one all-clear, and each is in the log."""
    three = [start() for _ in range(3)]
    for _ in range(4):
        all_look(three, QUIET, QUIET)
        clock.move(seconds=10)
    assert web.titles() == [RAISED]
    for _ in range(2):
        clock.move(seconds=REMINDER_S)
        all_look(three, replace(QUIET, summary="Still nothing.", since=clock.now))
        all_look(three, QUIET)
    assert web.titles() == [RAISED, STILL, STILL]
    for _ in range(4):
        clock.move(seconds=10)
        all_look(three)
    assert web.titles() == [RAISED, STILL, STILL, CLEAR]
    assert states(stack.kafka.address) == ["raised", "reminded", "reminded", "cleared"]
    assert {record.alert.since for record in logged(stack.kafka.address)} == {QUIET.since}
    all_look(three, QUIET)
    assert web.titles()[4:] == [RAISED], "what begins anew is another episode"
    all_look(three, QUIET)
    assert [record.state for record in three[1].episodes.records()] == ["raised"]


def test_restart_of_all_tells_nothing_again(start: Start, web: HttpReceiver, redis: Any) -> None:
    """What is open is known from Redis and from the log, each without the other too."""
    start().look(QUIET)
    start().look(QUIET)
    redis.delete(EPISODES_KEY)
    all_look([start() for _ in range(3)], QUIET)
    assert web.titles() == [RAISED]
    assert redis.hlen(EPISODES_KEY) == 1, "it is in Redis again"
    redis.delete(EPISODES_KEY)
    monitor = start()
    for _ in range(3):
        monitor.look()
    assert web.titles() == [RAISED, CLEAR]


def test_redis_that_lost_everything_tells_nothing_again(start: Start, web: HttpReceiver, redis: Any) -> None:
    """Monitors put back what they know before they judge, also what is over: no second message of either."""
    three = [start() for _ in range(3)]
    all_look(three, QUIET)
    redis.delete(EPISODES_KEY)
    all_look(three, QUIET)
    all_look(three)
    all_look(three)
    redis.delete(EPISODES_KEY)
    all_look(three)
    assert web.titles() == [RAISED, CLEAR]
    assert three[0].claims.records()[0].state == "cleared"


def test_redis_with_older_data_is_made_newer(start: Start, web: HttpReceiver, redis: Any) -> None:
    """A Redis that came back as it was an hour ago learns what was told since."""
    monitor = start()
    monitor.look(QUIET)
    before = redis.hgetall(EPISODES_KEY)
    monitor.look()
    monitor.look()
    redis.hset(EPISODES_KEY, mapping=before)
    monitor.look()
    start().look()
    assert web.titles() == [RAISED, CLEAR]


def test_damaged_records_are_written_anew(start: Start, web: HttpReceiver, redis: Any, stack: Stack) -> None:
    """What somebody else wrote into Redis or the log is no alert, and stands in nobody's way."""
    producer = Producer({"bootstrap.servers": stack.kafka.address})
    producer.produce(ALERTS, b"no alert", b"x")
    producer.produce(ALERTS, None, b"y")
    assert producer.flush(10) == 0
    redis.hset(EPISODES_KEY, QUIET.subject, b"nothing of ours at all")
    monitor = start()
    assert monitor.claims.last(QUIET.subject) is None
    monitor.look(QUIET)
    monitor.look(QUIET)
    assert web.titles() == [RAISED]
    assert start().claims.last(QUIET.subject) == monitor.episodes.records()[0]


def test_redis_away(
    stack: Stack, topics: None, own_redis: LocalRedis, web: HttpReceiver, clock: Clock  # noqa: ARG001
) -> None:  # fmt: skip
    """Only the active monitor tells. When Redis is back, empty, the others know it from the log."""
    with monitors(stack.kafka.address, own_redis.url, web.url, clock) as start:
        three = [start() for _ in range(3)]
        own_redis.stop()
        for _ in range(3):
            all_look(three, QUIET, active=1)
        assert web.titles() == [RAISED]
        own_redis.start()
        all_look(three, QUIET, active=2)
        assert web.titles() == [RAISED]
        own_redis.stop()
        for _ in range(3):
            all_look(three, active=0)
        assert web.titles() == [RAISED, CLEAR]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for Kafka are short."""
    monkeypatch.setattr(log_module, "CALL_TIMEOUT_S", 1.0)


@pytest.mark.usefixtures("impatient")
def test_kafka_away(redis: Any, stack: Stack, own_kafka: LocalKafka, web: HttpReceiver, clock: Clock) -> None:
    """One tells; what was told meanwhile is in the log when Kafka is back, all of it, the newest last."""
    with monitors(own_kafka.address, stack.redis.address, web.url, clock) as start:
        three = [start() for _ in range(3)]
        all_look(three)
        own_kafka.stop()
        all_look(three, DOWN, active=None)
        all_look(three, DOWN, QUIET, active=None)
        all_look(three, DOWN, QUIET, active=None)  # now all know of it
        assert sorted(web.titles()) == ["CRITICAL: broker away", RAISED]
        redis.delete(EPISODES_KEY)
        all_look(three, QUIET, active=None)
        all_look(three, QUIET, active=None)
        assert len(web.titles()) == 3
        own_kafka.start()
        deadline_s = time.monotonic() + 30
        found: list[str] = []
        while "raised" not in found or found[-1] != "cleared":  # whose monitor is first may publish first
            assert time.monotonic() < deadline_s
            all_look(three, QUIET)
            found = [record.state for record in logged(own_kafka.address) if record.alert == DOWN]
        all_look(three, QUIET)
        assert len(web.titles()) == 3
        assert QUIET in [record.alert for record in logged(own_kafka.address)]


def test_newest_record_is_the_last_in_the_log(start: Start, clock: Clock, stack: Stack) -> None:
    """A record that comes late into the log is not what is left of the episode when the log is compacted."""
    monitor = start()
    monitor.look(QUIET)
    (late,) = monitor.episodes.records()
    clock.move(seconds=10)
    monitor.look()
    monitor.look()
    start().log.publish(late)
    for _ in range(3):
        monitor.look()
    assert states(stack.kafka.address) == ["raised", "cleared", "raised", "cleared"]


@pytest.mark.usefixtures("impatient")
def test_kafka_and_redis_away(web: HttpReceiver, clock: Clock) -> None:
    """Nobody knows who is active, so every monitor tells: each of them once."""
    with monitors(NOWHERE, f"redis://{NOWHERE}/0", web.url, clock) as start:
        both = [start(), start()]
        all_look(both, DOWN, active=None)
        all_look(both, DOWN, active=None)
        assert web.titles() == 2 * ["CRITICAL: broker away"]


def test_monitor_killed_before_it_told(start: Start, web: HttpReceiver) -> None:
    """While its lease lasts nobody tells; then another one does."""
    dead, alive = start(lease_s=1.0), start()
    assert dead.claims.take(QUIET.subject)
    alive.look(QUIET)
    assert web.titles() == []
    time.sleep(1.1)
    alive.look(QUIET)
    assert web.titles() == [RAISED]
    dead.claims.release(QUIET.subject)
    assert alive.claims.take(QUIET.subject), "a lease that has ended is not ended again"
    dead.claims.release(QUIET.subject)
    assert not dead.claims.take(QUIET.subject)


def test_what_another_told_just_now_is_not_told(
    start: Start, web: HttpReceiver, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A monitor that looked before another one told, and takes the lease after it, sees that it was told."""
    first, second = start(), start()
    take = second.claims.take

    def late(subject: str) -> bool:
        first.look(QUIET)
        return take(subject)

    monkeypatch.setattr(second.claims, "take", late)
    second.look(QUIET)
    assert web.titles() == [RAISED]
    assert not redis.exists(lease_key(QUIET.subject))


def test_redis_that_goes_away_in_between(
    start: Start, own_redis: LocalRedis, web: HttpReceiver, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Before the lease: the next look tells. While receivers are told: the next look puts it into Redis."""
    with caplog.at_level(logging.WARNING):
        monitor = start(redis=own_redis.url)
        take, put = monitor.claims.take, monitor.claims.put

        def gone(subject: str) -> bool:
            own_redis.stop()
            return take(subject)

        with monkeypatch.context() as patch:
            patch.setattr(monitor.claims, "take", gone)
            monitor.look(QUIET)
        assert (web.titles(), "monitors cannot agree" in caplog.text) == ([], True)
        own_redis.start()

        def gone_later(record: Any) -> None:
            own_redis.stop()
            put(record)

        with monkeypatch.context() as patch:
            patch.setattr(monitor.claims, "put", gone_later)
            monitor.look(QUIET)
        assert (web.titles(), "not in Redis yet" in caplog.text) == ([RAISED], True)
        own_redis.start()
        monitor.look(QUIET)
        assert monitor.claims.last(QUIET.subject) == monitor.episodes.records()[0]


def test_what_cannot_be_judged_is_not_over(start: Start, web: HttpReceiver) -> None:
    """A monitor that knows nothing of a kind clears nothing of it, and one look without it is not enough."""
    drift = FEATURE_DRIFT.alert("PSI is 0.4.", since=START, about="age")
    monitor = start()
    monitor.look(QUIET, drift)
    for _ in range(3):
        monitor.look(judged=())
        monitor.look(judged=["topic-quiet"])
        monitor.look(QUIET, judged=["topic-quiet"])
    assert sorted(web.titles()) == [RAISED, "WARNING: feature drift (age)"]
    monitor.look(QUIET)
    monitor.look(QUIET)
    assert web.titles()[2:] == ["ALL CLEAR: feature drift (age)"]


def test_clock_that_is_behind_still_clears(start: Start, web: HttpReceiver, clock: Clock, stack: Stack) -> None:
    """The end of an episode comes after its beginning, whatever the clock of the monitor that sees it."""
    start().look(QUIET)
    clock.move(seconds=-30)
    behind = start()
    behind.look()
    behind.look()
    start().look()
    assert web.titles() == [RAISED, CLEAR]
    raised, cleared = logged(stack.kafka.address)
    assert cleared.at - raised.at == timedelta(milliseconds=1)


def test_who_was_not_told_is_told_later(start: Start, web: HttpReceiver, clock: Clock, stack: Stack) -> None:
    """A receiver that was down is tried again by whichever monitor lives until it has the message, and no other."""
    with http_receiver(*[500] * 1000) as down:
        urls = f"{web.url} {down.url} data={down.url}"
        start(urls=urls).look(QUIET)
        name = f"json://127.0.0.1:{down.server_port} (2)"
        (record,) = logged(stack.kafka.address)
        assert record.undelivered == [name]
        monitor = start(urls=urls)
        tried = down.requests
        monitor.look(QUIET)
        assert down.requests == tried, "not at once"
        clock.move(minutes=1)
        monitor.look(QUIET)
        assert down.requests > tried
        tried = down.requests
        clock.move(minutes=1)
        monitor.look(QUIET)
        assert down.requests == tried, "waits grow"
        down.answers.clear()
        clock.move(minutes=1)
        monitor.look(QUIET)
        clock.move(minutes=5)
        monitor.look(QUIET)
        assert (web.titles(), down.titles()) == ([RAISED], [RAISED])
    first, second = logged(stack.kafka.address)
    assert (first.state, second.state, second.undelivered) == ("raised", "raised", [])


def test_beyond_the_rate_limit_is_in_the_log(start: Start, web: HttpReceiver, clock: Clock, stack: Stack) -> None:
    """It is not sent, not lost, and not tried again before its reminder."""
    monitor = start(per_hour=1)
    monitor.look(DOWN)
    monitor.look(DOWN, QUIET)
    clock.move(minutes=5)
    monitor.look(DOWN, QUIET)
    assert web.titles() == ["CRITICAL: broker away"]
    assert [record.undelivered for record in logged(stack.kafka.address)] == [
        [], [f"json://127.0.0.1:{web.server_port} (1): rate limit"],
    ]  # fmt: skip


def test_slow_receiver_does_not_block_a_look(start: Start, web: HttpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    """The look returns while the receiver still thinks; a second look meanwhile tells nothing twice."""
    caplog.set_level(logging.WARNING)
    web.delay_s = 2.0
    monitor = start()
    began_s = time.monotonic()
    for _ in range(2):
        monitor.episodes.look([QUIET], judged=[], active=True)
    assert time.monotonic() - began_s < 1.5
    assert not monitor.episodes.settle(0)
    assert monitor.episodes.settle(10)
    assert web.titles() == [RAISED]
    assert not {"hunter2", "s3cret"} & set(caplog.text.replace("@", "/").replace(":", "/").split("/"))


def test_time_is_that_of_the_machine(start: Start) -> None:
    """Unless a test has another one."""
    part = start()
    episodes = Episodes(receivers=part.receivers, claims=part.claims, log=part.log, runbook_url="", reminder_s=60)
    episodes.look([QUIET], judged=[], active=True)
    assert episodes.settle(10)
    assert abs(datetime.now(UTC) - episodes.records()[0].at) < timedelta(minutes=1)


def test_claims_of_a_cluster(tmp_path: Path) -> None:
    """A Redis Cluster is recognised by itself."""
    with redis_cluster(tmp_path) as url, closing(Claims(url, timeout_s=1.0)) as claims:
        assert claims.take("a/b")
        assert claims.records() == []
        claims.release("a/b")
        assert claims.take("a/b")
    with closing(Claims(url, timeout_s=0.2)) as claims, pytest.raises(ClaimsUnavailableError, match="Redis: "):
        claims.records()


def test_log_that_is_made_anew_is_read_anew(start: Start, stack: Stack) -> None:
    """A reader that was further than the topic is long begins at its beginning."""
    monitor: Monitor = start()
    monitor.look(QUIET)
    assert monitor.log.news() == monitor.episodes.records()
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    admin.delete_topics([ALERTS])[ALERTS].result(10)
    while ALERTS in admin.list_topics(timeout=10).topics:
        time.sleep(0.05)
    with pytest.raises(BrokerError):
        monitor.log.news()
    make_topic(stack.kafka.address)
    deadline_s = time.monotonic() + 20
    while True:
        try:
            assert monitor.log.news() == []
        except BrokerError:
            assert time.monotonic() < deadline_s
        else:
            break


@pytest.mark.usefixtures("impatient")
def test_log_of_a_broker_that_is_silent(own_kafka: LocalKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither reading nor writing waits for ever, and after an error all is read again."""
    with closing(AlertLog({"bootstrap.servers": own_kafka.address})) as log:
        record = AlertRecord(alert=QUIET, state="raised", at=START)
        log.publish(record)
        own_kafka.process.pause()
        with pytest.raises(BrokerError):
            log.news()
        with pytest.raises(BrokerError):
            log.publish(record)
        with monkeypatch.context() as patch:
            patch.setattr(log, "_bounds", lambda: (0, 1))
            with pytest.raises(BrokerError, match="cannot be read"):
                log.news()
        own_kafka.process.resume()
        assert log.news()[0] == record
