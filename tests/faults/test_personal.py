"""Row 28 of the matrix: personal data. Canaries go in wherever somebody can write; none comes out."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from model.artifact import save
from schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, OUTCOMES, SCORES, TELEMETRY
from tests.conftest import PARTITIONS, clean_environment
from tests.faults.conftest import Times
from tests.faults.process import Fault, quick
from tests.faults.site import FaultyWorker, Site, eventually
from tests.faults.test_inputs import changed
from tests.faults.test_silence import wait_title, watched
from tests.integration.api import ApiProcess, with_key
from tests.integration.sentry_receiver import SentryReceiver, sentry_receiver
from tests.integration.worker import read
from tests.unit.model.test_training import ARTIFACT
from workers.failpoints import POINTS
from workers.keys import customer_key

CANARY = f"canary-{secrets.token_hex(8)}"  # not in the code, whose lines are told
DAMAGED = "a state in Redis is damaged; making all anew"


@pytest.fixture
def sentry() -> Iterator[SentryReceiver]:
    """A Sentry that the processes of a test tell."""
    with sentry_receiver() as receiver:
        yield receiver


def settings(sentry: SentryReceiver) -> dict[str, str]:
    """What a process is started with."""
    return {"SENTRY_DSN": sentry.dsn, "CHURN_TRACES_SHARE": "1", "CHURN_DEAD_LETTERS_PER_MINUTE": "5"}


def poison() -> list[tuple[bytes, bytes]]:
    """Records that are no events, of each class of error, with canaries in key and payload."""
    canary = CANARY.encode()
    values = [canary, b'{"%s": 1' % canary, b"\xff" + canary, b'["%s"]' % canary, b"[" * 5000 + canary,
              changed(type=CANARY), changed(time=CANARY), changed(id=[CANARY]), changed(subject=CANARY + "\x00"),
              changed(data={CANARY: CANARY}), changed(specversion=CANARY), changed(source={CANARY: 1})]  # fmt: skip
    return [(canary, value) for value in values]


def messages(sentry: SentryReceiver) -> set[str]:
    """What the events say."""
    return {event["logentry"]["message"] for event in sentry.of("event")}


def crash(sentry: SentryReceiver) -> list[dict[str, Any]]:
    """The events of processes that ended."""
    return [event for event in sentry.of("event") if event["level"] == "fatal"]


def assert_no_canary(sentry: SentryReceiver, *logs: Path) -> None:
    """Neither in what Sentry got, unpacked, nor in a log."""
    assert sentry.raw
    for envelope in sentry.raw:
        assert CANARY.encode() not in envelope, envelope[:3000]
    for log in logs:
        assert CANARY not in log.read_text(), log.read_text()[-3000:]


def test_row_28_personal_data_in_a_worker(site: Site, times: Times, sentry: SentryReceiver) -> None:
    """Bad records, damaged states, Redis and Kafka away, errors that nobody catches: told of, and 0 canaries."""
    times(1, 1)
    site.clear()
    workers: list[FaultyWorker] = []

    def start(fault: Fault | None = None) -> FaultyWorker:
        workers.append(site.start_worker(quick(fault), batch=500, measured=True, more=settings(sentry)))
        workers[-1].wait_for("partition started", times=PARTITIONS)
        return workers[-1]

    worker = start()
    # Each class of bad record, one with headers, and good ones of customers whose ids are canaries.
    site.publish(poison())
    producer = Producer({"bootstrap.servers": site.kafka})
    producer.produce(EVENTS, CANARY.encode(), CANARY, headers=[(CANARY, CANARY.encode())])
    assert producer.flush(30) == 0
    customers = [f"{CANARY}-{n}" for n in range(60)]
    good = [(one.encode(), changed(subject=one, id=f"{CANARY}-{n}")) for n, one in enumerate(customers)]
    site.publish(good)
    done = len(poison()) + 1 + len(good)
    site.wait_applied(done)
    assert len(read(site.kafka, DEAD_LETTERS)) >= len(poison())
    sentry.wait("many dead letters", lambda: "many dead letters" in messages(sentry))
    # A state that is no state, in each partition; then a key that holds something else.
    for spoil in (_damage, _retype):
        with site.client() as redis:
            for partition in range(PARTITIONS):
                spoil(redis, partition, customers)
        site.publish(good)
        done += len(good)
        site.wait_applied(done)
    sentry.wait("damaged states", lambda: len(_damaged(sentry)) >= 2 * PARTITIONS)
    # Redis is away, then Kafka, and nothing of that ends the worker.
    site.redis.process.pause()
    worker.wait_for("going back to the committed offsets")
    site.redis.process.resume()
    worker.wait_for("working again")
    site.brokers[0].stop()
    sentry.wait("Kafka away", lambda: "an error in kafka FAIL" in messages(sentry))
    site.brokers[0].start()
    site.publish(good)
    done += len(good)
    site.wait_applied(done)
    assert worker.stop() == 0
    # What nobody catches ends it, in the middle of a batch.
    for point in POINTS:
        one = start(Fault(point=point, does="raise", says=CANARY))
        site.publish(good)
        eventually("it has ended", one.is_dead, 60, site.tell)
        assert one.process.returncode == 1
    last = start()
    assert last.stop() == 0
    assert_no_canary(sentry, *[worker.log for worker in workers])
    _assert_grouped(sentry)
    assert {one["transaction"] for one in sentry.of("transaction")} == {"batch"}


def _damaged(sentry: SentryReceiver) -> list[dict[str, Any]]:
    return [event for event in sentry.of("event") if event["logentry"]["message"] == DAMAGED]


def _damage(redis: Any, partition: int, customers: list[str]) -> None:
    for customer in customers:
        if redis.exists(customer_key(partition, customer)):
            redis.set(customer_key(partition, customer), CANARY)


def _retype(redis: Any, partition: int, customers: list[str]) -> None:
    for customer in customers:
        if redis.exists(customer_key(partition, customer)):
            redis.delete(customer_key(partition, customer))
            redis.lpush(customer_key(partition, customer), CANARY)


def _assert_grouped(sentry: SentryReceiver) -> None:
    """Damage in every partition is one issue; each crash says where it was, with which model, in which functions."""
    damaged = _damaged(sentry)
    assert {event["tags"]["partition"] for event in damaged} == {*range(PARTITIONS)}
    assert len({tuple(event["fingerprint"]) for event in damaged}) == 1
    crashes = crash(sentry)
    assert len(crashes) == 6
    for event in crashes:
        (error,) = event["exception"]["values"]
        functions = [frame["function"] for frame in error["stacktrace"]["frames"]]
        assert error["type"] == "ValueError"
        assert "_work" in functions
        assert functions[-1] == "act"
        assert {"process", "partition", "offset", "model_version"} == {*event["tags"]}
        assert event["fingerprint"] == ["ValueError", "workers.failpoints.reach"]


@pytest.fixture
def api(site: Site, sentry: SentryReceiver, tmp_path: Path) -> Iterator[tuple[ApiProcess, dict[str, str]]]:
    """An API with mistakes in it, and the headers of a client who sends canaries beside a key that is good."""
    site.clear()
    save(ARTIFACT, tmp_path / "models")
    base = {**clean_environment(), **settings(sentry), "REDIS_URL": site.redis.url}
    environment, key = with_key({**base, "CHURN_MODELS": str(tmp_path / "models")}, "predict", "explain", "admin")
    process = ApiProcess(environment, tmp_path / "api.log", module="tests.faults.broken_api")
    try:
        process.wait()
        yield process, {**key, "X-Request-Id": f"{CANARY} x", "Cookie": CANARY, "Referer": CANARY}
    finally:
        process.end()


def test_row_28_personal_data_in_the_api(
    site: Site, times: Times, sentry: SentryReceiver, api: tuple[ApiProcess, dict[str, str]], tmp_path: Path
) -> None:
    """Mistakes of ours, an answer that breaks off, damaged states, bad models, no Redis: told of, and 0 canaries."""
    times(1, 1)
    process, headers = api
    with httpx.Client(base_url=process.url, headers=headers, timeout=10) as client:
        _make_mistakes(client)
        _damage_a_state(site, client)
        _spoil_models(tmp_path / "models", process)
        assert CANARY not in client.get("/metrics").text
        # Redis is away; and a process that then has to start anew cannot.
        site.redis.process.pause()
        try:
            assert client.get("/predict", params={"customer": CANARY}).status_code == 503
            (child,) = process.children()
            os.kill(child, signal.SIGKILL)
            sentry.wait("a failed start", lambda: "a process of the API cannot start" in messages(sentry), 30)
        finally:
            site.redis.process.resume()
    expected = {"a request failed", "an answer broke off", "the new model cannot be used; the old one stays",
                "what runs beside the requests has ended", "a process of the API cannot start"}  # fmt: skip
    sentry.wait("all that was forced", lambda: expected <= messages(sentry))
    assert_no_canary(sentry, process.log)
    failed = [event for event in sentry.of("event") if event["logentry"]["message"] == "a request failed"]
    assert {(event["exception"]["values"][-1]["type"], event["extra"]["path"]) for event in failed} == {
        ("KeyError", "/predict"), ("KeyError", "/predict/batch"), ("KeyError", "/customers/{id}/features"),
    }  # fmt: skip
    assert len({tuple(event["fingerprint"]) for event in failed}) == 1
    assert {event["tags"]["model_version"] for event in failed} == {ARTIFACT.manifest.version}
    assert {"/predict", "/predict/batch"} <= {one["transaction"] for one in sentry.of("transaction")}


def _make_mistakes(client: httpx.Client) -> None:
    broken = f"broken-{CANARY}"
    assert client.get("/predict", params={"customer": broken}).status_code == 500
    assert client.get("/predict", params={"customer": broken}, headers={"Authorization": CANARY}).status_code == 401
    assert client.get(f"/customers/{broken}/features").status_code == 500
    assert client.post("/predict/batch", json=[{"customer": broken}]).status_code == 500
    lines = {"Content-Type": "application/x-ndjson"}
    assert len(client.post("/predict/batch", content=f"{{}}\n{broken}", headers=lines).text.splitlines()) < 2
    whole = client.post("/predict/batch", content=f'{{"customer":"{broken}"}}', headers=lines)
    assert (whole.status_code, whole.text) == (500, "Internal server error")


def _damage_a_state(site: Site, client: httpx.Client) -> None:
    with site.client() as redis:
        for partition in range(PARTITIONS):
            redis.set(customer_key(partition, CANARY), CANARY)
    assert client.get("/predict", params={"customer": CANARY}).status_code == 503


def _spoil_models(models: Path, process: ApiProcess) -> None:
    later = models / "99990101T000000Z"
    later.mkdir()
    (later / "manifest.json").write_text(f'{{"format": "{CANARY}", "{CANARY}": 1}}')
    process.wait_for("the new model cannot be used")
    (models / "broken").write_text(CANARY)
    process.wait_for("what runs beside the requests has ended")


def test_row_28_personal_data_in_the_monitor(site: Site, times: Times, sentry: SentryReceiver, tmp_path: Path) -> None:
    """Bad records in every topic that it reads, requests with canaries, alerts of it all: told of, and 0 canaries."""
    times(1, 1)
    site.clear()
    with watched(site, tmp_path, 1, SENTRY_DSN=sentry.dsn) as (watchers, receiver):
        (monitor,) = watchers.monitors
        producer = Producer({"bootstrap.servers": site.kafka})
        for topic in (TELEMETRY, OUTCOMES, SCORES, ALERTS):
            for key, value in poison():
                producer.produce(topic, value, key, headers=[(CANARY, key)])
        assert producer.flush(30) == 0
        site.publish(poison())
        headers = {"X-Request-Id": f"{CANARY} x", "Cookie": CANARY, "Authorization": CANARY}
        with httpx.Client(base_url=monitor.url, headers=headers, timeout=10) as client:
            for path in (f"/{CANARY}", f"/static/{CANARY}", f"/status?customer={CANARY}"):
                client.get(path)
            wait_title(receiver, "CRITICAL: workers dead", watchers)
            for said in ("a summary cannot be read", "an outcome cannot be read"):
                eventually(said, lambda: said in monitor.log.read_text(), 30, watchers.tell)  # noqa: B023
            shown = [client.get(path).text for path in ("/", "/status", "/metrics")]
        assert not any(CANARY in text for text in [*shown, str(receiver.arrived)])
        sentry.wait("a heartbeat", lambda: bool(sentry.of("check_in")))
    assert_no_canary(sentry, monitor.log)
