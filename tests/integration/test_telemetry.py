"""What workers and APIs tell of themselves is what happened: counted by a reader of what they published."""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AclOperation, ResourceType

from churn.settings import Settings
from churn.stack.ports import free_port
from churn.stack.record import Stack
from churn.stack.redis import LocalRedis
from schemas.deadletters import added_headers
from schemas.events import Call, CallStarted, encode
from schemas.partitioning import partition_of
from schemas.scores import ChurnScored, decode_score
from schemas.telemetry import FRESHNESS_ORDER, SCORE_EDGES, Telemetry, decode_telemetry
from schemas.topics import EVENTS, SCORES, TELEMETRY
from tests.conftest import PARTITIONS, Churn
from tests.faults.proxy import Proxy
from tests.integration.api_fixtures import StartApi, api_redis, start_api
from tests.integration.test_doctor_login import allow, broker, worker
from tests.integration.test_scoring import StartWorker, made_up_events, start_worker, wait_until_applied
from tests.integration.worker import outputs, publish, read
from tests.unit.model.test_state import NOW
from tests.unit.model.test_training import ARTIFACT
from tests.unit.workers.telemetry.test_summaries import Watch
from workers.headers import headers_of
from workers.telemetry.publisher import LAST_S, Publisher
from workers.telemetry.summaries import Summaries, merged

__all__ = ["api_redis", "broker", "start_api", "start_worker", "worker"]  # fixtures that are used here too
VERSION = ARTIFACT.manifest.version
OFTEN = {"CHURN_TELEMETRY_EVERY_S": "0.2"}


def told(kafka: str) -> list[Telemetry]:
    """Every summary."""
    return [decode_telemetry(message.value()) for message in read(kafka, TELEMETRY)]


def total(summaries: list[Telemetry]) -> Telemetry:
    """The sum of all, whichever process they are of."""
    return reduce(merged, summaries)


def bins(values: list[float], edges: Any) -> list[int]:
    """As numpy counts them."""
    counts: list[int] = np.histogram(values, [-np.inf, *edges, np.inf])[0].tolist()
    return counts


def wait_until(true: Callable[[], object], timeout_s: float = 30) -> None:
    """Wait until it is true."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_worker_tells_what_it_published(stack: Stack, start_worker: StartWorker, redis: Any) -> None:
    """The summaries add up to the scores and the dead letters: statuses, types, problems, classes, every histogram."""
    kafka = stack.kafka.address
    events = made_up_events(customers=60, each=6)
    stranger = CallStarted(id="s", source="test", subject="stranger", time=NOW, specversion="1.0", data=Call())
    future = CallStarted(
        id="f", source="test", subject="c1", time=NOW + timedelta(days=36_500), specversion="1.0", data=Call()
    )
    junk = [(b"c1", b"junk"), (None, None), (b"c2", b"[]"), (b"other", json.dumps({}).encode())]
    producer = Producer({"bootstrap.servers": kafka})
    astray = CallStarted(id="a", source="test", subject="c2", time=NOW, specversion="1.0", data=Call())
    producer.produce(EVENTS, encode(astray), b"c2", (partition_of("c2", PARTITIONS) + 1) % PARTITIONS)
    producer.flush()
    records = 1 + publish(kafka, [*events, stranger, future, *junk])
    first, second = start_worker(**OFTEN), start_worker(**OFTEN)
    scores, letters = outputs(kafka, records=records)
    wait_until_applied(redis, records + 1)
    redis.flushall()  # what is folded once more is not answered, and does not count
    wait_until_applied(redis, records + 1)
    assert (first.stop(), second.stop()) == (0, 0)

    summaries = told(kafka)
    sums = total(summaries)
    statuses: Counter[str] = Counter(score.data.status for score in scores)
    assert sums.counts == statuses + Counter({"dead-letter": 4, "sent-on": 1})
    answered = {**{event.id: event for event in events}, "s": stranger, "f": future, "a": astray}
    tags = Counter(str(answered[score.data.event_id].__struct_config__.tag) for score in scores)
    assert sums.types == tags
    assert sums.problems == Counter(score.data.problem.code for score in scores if score.data.problem)
    classes = Counter(added.error_class for letter in letters if (added := added_headers(headers_of(letter))))
    assert sums.errors == classes
    check_model(sums, scores)
    assert sum(sums.latency) == len(scores)
    assert {summary.kind for summary in summaries} == {"score"}
    assert len({summary.process for summary in summaries}) == 2
    last = {summary.process: summary for summary in summaries}.values()
    assert sum(summary.partitions for summary in last) >= PARTITIONS
    assert 0 in {summary.lag for summary in last}


def check_model(sums: Telemetry, scores: list[ChurnScored]) -> None:
    """Compare everything that is told of the model with what its scores say."""
    model = sums.models[VERSION]
    given = [score.data.probability for score in scores if score.data.probability is not None]
    assert model.scores == bins(given, SCORE_EDGES)
    assert model.actions == Counter(score.data.action for score in scores if score.data.action)
    for name, reference in ARTIFACT.reference.features.items():
        cells = [score.data.features[name] for score in scores]
        known = [cell.value for cell in cells if cell.value is not None]
        assert model.features[name] == [*bins(known, reference.edges), len(cells) - len(known)]
        fresh: Counter[str] = Counter(cell.freshness for cell in cells)
        assert sums.freshness[name] == [fresh[kind] for kind in FRESHNESS_ORDER]


def test_idle_worker_tells_that_it_is_there(stack: Stack, start_worker: StartWorker) -> None:
    """Every so often, with its partitions, and with nothing that it did; told not to, it tells nothing."""
    silent = start_worker(CHURN_TELEMETRY_EVERY_S="0")
    silent.wait_for("partition started", times=PARTITIONS)
    assert silent.stop() == 0
    assert told(stack.kafka.address) == []
    worker = start_worker(**OFTEN)
    worker.wait_for("partition started", times=PARTITIONS)
    worker.wait_for(" INFO progress ", times=3)
    assert worker.stop() == 0
    summaries = told(stack.kafka.address)
    assert len(summaries) >= 5
    last = summaries[-1]
    assert (last.counts, last.lag, last.partitions) == ({}, 0, PARTITIONS)


def test_troubles_are_told(stack: Stack, start_worker: StartWorker, tmp_path: Path) -> None:
    """While Redis is away its worker says so, in its summaries and to Prometheus."""
    own, port = LocalRedis(tmp_path / "redis"), free_port()
    own.start()
    try:
        worker = start_worker(REDIS_URL=own.url, CHURN_METRICS_PORT=str(port), **OFTEN)
        worker.wait_for("partition started", times=PARTITIONS)
        own.process.pause()
        worker.wait_for("going back to the committed offsets")
        wait_until(lambda: metrics(port)['churn_troubles_total{what="redis"}'] > 1)
        own.process.resume()
        worker.wait_for("working again")
        assert worker.stop() == 0
        sums = total(told(stack.kafka.address))
        assert set(sums.errors) == {"redis"}
        assert sums.errors["redis"] > 1
        assert sums.counts == {}
    finally:
        own.process.resume()
        own.stop()


def metrics(port: int) -> dict[str, float]:
    """What a worker shows: every line, and its number."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").raise_for_status().text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_worker_shows_its_metrics(stack: Stack, start_worker: StartWorker) -> None:
    """Over HTTP there is everything that was declared, and the numbers are those of the topics."""
    port = free_port()
    records = publish(stack.kafka.address, [*made_up_events(customers=20, each=5), (b"c1", b"junk")])
    worker = start_worker(CHURN_METRICS_PORT=str(port))
    scores, _ = outputs(stack.kafka.address, records=records)
    worker.wait_for("lag=0")
    wait_until(lambda: metrics(port)["churn_lag_records"] == 0)
    found = metrics(port)
    assert found['churn_events_total{status="scored"}'] == len(scores) == records - 1
    assert found['churn_events_total{status="dead-letter"}'] == 1
    assert found['churn_dead_letters_total{error_class="undecodable"}'] == 1
    assert found['churn_dead_letters_total{error_class="invalid"}'] == 0
    assert found['churn_troubles_total{what="kafka"}'] == 0
    assert found[f'churn_model_info{{version="{VERSION}"}}'] == 1
    assert found["churn_partitions"] == PARTITIONS
    assert found["churn_latency_seconds_count"] == found['churn_latency_seconds_bucket{le="+Inf"}'] == len(scores)
    assert found["churn_latency_seconds_sum"] > 0


def test_metrics_port_that_is_taken(stack: Stack, start_worker: StartWorker, environment: dict[str, str],
                                    churn: Churn) -> None:  # fmt: skip
    """One line that names the setting; the other worker goes on."""
    port = free_port()
    worker = start_worker(CHURN_METRICS_PORT=str(port))
    wait_until(lambda: "listening" if port_answers(port) else "")
    ended = churn("score", environment=environment | {"CHURN_METRICS_PORT": str(port)})
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == f"churn: CHURN_METRICS_PORT={port}: Address already in use"
    assert worker.process.poll() is None
    assert stack.kafka.address


def port_answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        metrics(port)
    except httpx.TransportError:
        return False
    return True


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("workers", [1, 2])
def test_api_tells_what_it_answered(stack: Stack, start_api: StartApi, workers: int) -> None:
    """The summaries of its processes add up to what a client saw, to the bin; customers' ids are in none."""
    api = start_api("--workers", str(workers), KAFKA_BOOTSTRAP_SERVERS=stack.kafka.address, **OFTEN)
    statuses: Counter[str] = Counter()
    found = []

    def ask(path: str) -> Any:
        response = httpx.get(f"{api.url}{path}")
        statuses[str(response.status_code)] += 1
        return response.json()

    found += [ask(f"/predict?customer=c{n % 20}") for n in range(60)]
    found += [ask("/predict?customer=nobody")]
    ask("/predict?customer=-")
    ask("/nothing")
    ask("/predict?customer=c1&at=1990-01-01T00:00:00Z")
    batch = httpx.post(f"{api.url}/predict/batch", json=[{"features": {"tenure": 2, "complaints": n % 3}}
                                                         for n in range(30)])  # fmt: skip
    statuses[str(batch.status_code)] += 1
    found += [item["score"] for item in batch.json()]
    assert api.stop() == 0

    messages = read(stack.kafka.address, TELEMETRY)
    summaries = [decode_telemetry(message.value()) for message in messages]
    sums = total(summaries)
    probes = sum(sums.requests.values()) - statuses.total()
    assert probes >= 1, "what waited for it to answer asked /livez"
    assert Counter(sums.requests) - Counter({"200": probes}) == statuses
    assert sum(sums.latency) == sum(sums.requests.values())
    assert sums.counts == Counter(score["status"] for score in found)
    assert sums.problems == {"unknown-customer": 1}
    assert sums.models[VERSION].scores == bins([s["probability"] for s in found if s["probability"]], SCORE_EDGES)
    assert sums.models[VERSION].actions == Counter(score["action"] for score in found if score["action"])
    assert not sums.errors
    assert not sums.freshness
    assert not sums.models[VERSION].features
    assert {summary.kind for summary in summaries} == {"api"}
    assert len({summary.process for summary in summaries}) == workers
    assert not any(b"nobody" in (message.value() or b"") for message in messages)


@pytest.mark.usefixtures("topics")
def test_api_tells_that_redis_is_away(stack: Stack, start_api: StartApi, tmp_path: Path) -> None:
    """503 is in the requests, and the trouble in the errors; the version is shown to Prometheus."""
    own = LocalRedis(tmp_path / "redis")
    own.start()
    try:
        api = start_api(REDIS_URL=own.url, KAFKA_BOOTSTRAP_SERVERS=stack.kafka.address)
        text = httpx.get(f"{api.url}/metrics").text
        assert f'churn_model_info{{version="{VERSION}"}} 1.0' in text
        assert 'churn_info{kind="api",release="' in text
        own.process.pause()
        assert httpx.get(f"{api.url}/predict?customer=c1").status_code == 503
        own.process.resume()
        assert api.stop() == 0
    finally:
        own.process.resume()
        own.stop()
    sums = total(told(stack.kafka.address))
    assert (sums.requests["503"], sums.errors) == (1, {"redis": 1})


@pytest.mark.usefixtures("topics")
def test_broker_away_loses_and_blocks_nothing(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be sent waits, merged; when the broker is back all of it is there, once."""
    caplog.set_level(logging.INFO)
    watch = Watch()
    summaries = Summaries("p", "score", watch)
    proxy = Proxy(int(stack.kafka.address.rpartition(":")[2]))
    proxy.hold()
    publisher = Publisher({"bootstrap.servers": f"127.0.0.1:{proxy.port}", "message.timeout.ms": "2000",
                           "socket.timeout.ms": "1000"})  # fmt: skip

    def tell() -> None:
        summaries.now().counts["scored"] += 1
        watch.now += timedelta(minutes=7)
        began_s = time.monotonic()
        publisher.tell(summaries.take())
        assert time.monotonic() - began_s < 1

    def logged(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records)

    try:
        count = 0
        while count < 20 or not logged("telemetry is not taken"):
            tell()
            count += 1
            time.sleep(0.1)
        proxy.release()
        while not logged("telemetry is taken again"):  # pytest's own limit ends what never does
            publisher.tell([])
            time.sleep(0.05)
        tell()
        publisher.close(summaries.take())
    finally:
        proxy.close()
    found = told(stack.kafka.address)
    assert sum(summary.counts.get("scored", 0) for summary in found) == count + 1
    hours = [summary.began.replace(minute=0) for summary in found]
    assert len(found) < count
    assert len(set(hours)) >= count * 7 // 60
    assert logged("telemetry is not taken") == 1
    assert logged("is lost") == 0


def test_telemetry_that_is_not_allowed_is_kept(
    broker: tuple[str, str], worker: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """A process that may not write the topic goes on; once it may write the topic, all is there."""
    caplog.set_level(logging.INFO)
    # It sees the topic, so what it is refused is the producer id, which only poll tells.
    allow(broker[0], [(ResourceType.TOPIC, TELEMETRY, AclOperation.DESCRIBE)])
    summaries = Summaries("p", "api", Watch())
    publisher = Publisher(Settings.load(worker).librdkafka())

    def tell_until(said: str) -> int:
        count = 0
        while said not in caplog.messages:
            summaries.now().counts["scored"] += 1
            count += 1
            publisher.tell(summaries.take())
            time.sleep(0.05)
        return count

    count = tell_until("telemetry is not taken; it is kept and sent later")
    (record,) = (record for record in caplog.records if record.name == "workers.telemetry.publisher")
    assert "Cluster authorization failed" in vars(record)["error"]
    allow(broker[0], [(ResourceType.TOPIC, TELEMETRY, AclOperation.WRITE)])
    count += tell_until("telemetry is taken again")
    publisher.close(summaries.take())
    assert sum(summary.counts.get("scored", 0) for summary in told(broker[0])) == count


def test_last_summary_is_waited_for_but_not_for_long(caplog: pytest.LogCaptureFixture) -> None:
    """At the end, with the broker away, or with a summary that it would not take, the process ends all the same."""
    nowhere = {"bootstrap.servers": f"127.0.0.1:{free_port()}"}
    for config in (nowhere, {**nowhere, "message.max.bytes": "1000"}):
        summaries = Summaries("p", "score", Watch())
        summaries.now().counts.update({f"{n:0100}": 1 for n in range(20)})
        publisher = Publisher(config)
        began_s = time.monotonic()
        publisher.close(summaries.take())
        assert LAST_S <= time.monotonic() - began_s < LAST_S + 2
    lost = [record for record in caplog.records if "the last telemetry is lost" in record.getMessage()]
    assert len(lost) == 2


def test_publisher_that_was_never_used_ends_at_once() -> None:
    """A process that failed at its start has nothing to say."""
    began_s = time.monotonic()
    Publisher({}).close([])
    assert time.monotonic() - began_s < 1


def test_scores_are_of_the_hour_that_telemetry_says(stack: Stack, start_worker: StartWorker) -> None:
    """By the time of the scores, and not by that of their commit."""
    records = publish(stack.kafka.address, made_up_events(customers=10, each=3))
    worker = start_worker(**OFTEN)
    outputs(stack.kafka.address, records=records)
    assert worker.stop() == 0
    by_hour: Counter[Any] = Counter()
    for summary in told(stack.kafka.address):
        by_hour[summary.began.replace(minute=0, second=0, microsecond=0)] += summary.counts.get("scored", 0)
    times = [decode_score(message.value() or b"").time for message in read(stack.kafka.address, SCORES)]
    assert +by_hour == Counter(time.replace(minute=0, second=0, microsecond=0) for time in times)
