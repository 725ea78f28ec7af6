"""Rows 16 to 22 of the matrix: what can arrive."""

import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from schemas.events import Call, CallStarted, encode
from schemas.scores import ChurnScored, decode_score
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES
from tests.conftest import PARTITIONS
from tests.faults.conftest import Times
from tests.faults.load import EVENTS as RECORDS
from tests.faults.load import START, Record, load
from tests.faults.site import Site, assert_ends_exact
from tests.faults.test_workers import QUICK
from tests.integration.worker import read, redis_contents
from workers.scoring.records import LARGEST_BYTES

VALID: dict[str, Any] = json.loads(load(RECORDS)[-1][1] or b"")
SUBJECT = VALID["subject"].encode()


def changed(**attributes: Any) -> bytes:
    """A valid event, but for some attributes; None leaves one out."""
    return json.dumps({name: v for name, v in (VALID | attributes).items() if v is not None}).encode()


POISON: tuple[Record, ...] = (
    (SUBJECT, b"\xff\xfe" + changed()),
    (SUBJECT, changed()[:-9]),
    (SUBJECT, b""),
    (SUBJECT, None),
    (SUBJECT, b"[1, 2]"),
    (SUBJECT, changed(time=17)),
    (SUBJECT, changed(type="no.such.type")),
    (SUBJECT, changed(id=None)),
    (None, changed()),
    (b"somebody else", changed()),
)


def test_row_16_poison(site: Site, times: Times, random: Random) -> None:
    """Each record that is no event is in the dead-letter topic once, as it came; the rest is scored."""
    poison = POISON * times(100, 10)
    records = list(load(RECORDS if len(poison) < 1000 else 100_000))
    site.clear()
    for record in poison:
        records.insert(random.randrange(len(records)), record)
    site.publish(records)
    worker = site.start_worker()  # one, and with patience: nothing but a record may send it back
    site.wait_applied(len(records))
    letters = Counter((m.key(), m.value()) for m in read(site.kafka, DEAD_LETTERS))
    assert letters == Counter(poison)
    assert len(read(site.kafka, SCORES)) == len(records) - len(poison)
    assert worker.stop() == 0
    assert "going back" not in worker.log.read_text()


def hostile() -> dict[str, bytes]:
    """JSON that parsers have stumbled over, in the place of a number or a text."""
    amount = json.dumps(VALID | {"type": "charge.billed", "data": {"amount": "HERE"}})
    numbers = {
        "NaN": "NaN", "Infinity": "Infinity", "1e999": "1e999", "-1e999": "-1e999", "5,000 digits": "9" * 5000,
        "float limit": "1.7976931348623157e308", "smallest": "5e-324", "negative zero": "-0.0",
    }  # fmt: skip
    texts = {
        "lone surrogate": r'"\ud800"', "NUL": r'"a\u0000b"', "1 MB": f'"{"x" * 990_000}"',
        "homoglyph": '"сustоmеr"', "right to left": '"\u202eevil\u202c"',
    }  # fmt: skip
    whole = json.dumps(VALID)
    return (
        {name: amount.replace('"HERE"', number).encode() for name, number in numbers.items()}
        | {name: json.dumps(VALID | {"id": "HERE"}).replace('"HERE"', text).encode() for name, text in texts.items()}
        | {
            "100,000 levels": whole.replace(
                '"data": {', '"data": {"x": ' + "[" * 100_000 + "]" * 100_000 + ", "
            ).encode(),
            "duplicate keys": whole.replace("{", '{"type": "charge.billed", ', 1).encode(),
        }
    )


def test_row_17_hostile_json(site: Site, times: Times) -> None:
    """Each gets one answer or one dead letter, and no number that is not finite ever leaves."""
    times(1, 1)
    site.clear()
    records = [*load(1_000), *((SUBJECT, value) for value in hostile().values())]
    site.publish(records)
    worker = site.start_worker()
    site.wait_applied(len(records))
    scores = read(site.kafka, SCORES)
    assert len(scores) + len(read(site.kafka, DEAD_LETTERS)) == len(records)
    for message in scores:
        for number in numbers(json.loads(message.value() or b"", parse_constant=pytest.fail)):
            assert math.isfinite(number)
    assert worker.stop() == 0
    assert "going back" not in worker.log.read_text()


IDS = (
    "",
    " ",
    "-1",
    "0",
    str(10**30),
    "27.5",
    "🐙",
    "../../etc/passwd",
    "*",
    "a\r\nSET x y\r\n",
    "x" * 10_000,
    "{1}:applied",
)


def test_row_18_customer_ids(site: Site, times: Times) -> None:
    """Whatever an id is, it is answered or a dead letter, and no Redis key outside our prefix is touched."""
    times(1, 1)
    site.clear()
    records = [(one.encode(), changed(subject=one)) for one in IDS]
    records += [(b"27.5", changed(subject=27.5)), (b"null", changed(subject=None))]
    site.publish(records)
    with site.client() as redis:
        for key in ("x", "*", "applied", "1"):
            redis.set(key, "not ours")
        worker = site.start_worker(QUICK)
        site.wait_applied(len(records))
        ours = redis_contents(redis)
        assert {key: redis.get(key) for key in redis.scan_iter() if key not in ours} == dict.fromkeys(
            (b"x", b"*", b"applied", b"1"), b"not ours"
        )
    scores = [decode_score(m.value() or b"") for m in read(site.kafka, SCORES)]
    assert len(scores) + len(read(site.kafka, DEAD_LETTERS)) == len(records)
    assert {score.data.status for score in scores} == {"could-not-compute"}
    assert worker.stop() == 0


def test_row_19_largest_records(site: Site, times: Times) -> None:
    """At the broker's limit, and over it out of a compressed batch: a dead letter each, and a stall of 5 s at most."""
    times(1, 1)
    site.clear()
    worker = site.start_worker(QUICK)
    worker.wait_for("partition started", times=PARTITIONS)
    _send(site, "none", b"x" * 1_048_300)
    _send(site, "gzip", b"x" * 30_000_000, headers=[("h", b"x" * 3_000_000)])
    began_s = time.monotonic()
    site.publish(load(RECORDS)[:100])
    site.wait_applied(102)
    assert time.monotonic() - began_s < 5
    letters = read(site.kafka, DEAD_LETTERS)
    assert sorted(len(letter.value() or b"") for letter in letters) == [1_048_300, LARGEST_BYTES]
    assert len(read(site.kafka, SCORES)) == 100


@pytest.mark.parametrize(("compression", "size"), [("gzip", 60_000_000), ("zstd", 60_000_000), ("zstd", 400_000_000)])
def test_row_20_compressed_bomb(site: Site, times: Times, compression: str, size: int) -> None:
    """What is large when unpacked, or too large to be unpacked, costs a dead letter and at most 200 MB of memory."""
    times(1, 1)
    site.clear()
    worker = site.start_worker(QUICK, measured=True)
    worker.wait_for("partition started", times=PARTITIONS)
    before_mb = peak_mb(worker.process.pid)
    _send(site, compression, b"0" * size)
    site.publish(load(RECORDS)[:100])
    site.wait_applied(101)
    assert peak_mb(worker.process.pid) - before_mb < 200
    assert len(read(site.kafka, DEAD_LETTERS)) == 1
    assert worker.stop() == 0


def test_row_21_duplicates_and_clocks(site: Site, times: Times) -> None:
    """Repeated, late and early events and absurd times end as documented; no age is ever negative."""
    times(1, 1)
    site.clear()
    now = datetime.now(UTC)
    moments = {
        "first": START, "first again": START, "late": START - timedelta(days=300),
        "a day slow": now - timedelta(days=1),
        "1970": datetime(1970, 1, 1, tzinfo=UTC), "1601": datetime(1601, 1, 1, tzinfo=UTC),
        "a day fast": now + timedelta(days=1), "2100": datetime(2100, 1, 1, tzinfo=UTC),
        "9999": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    }  # fmt: skip
    customer = load(RECORDS)[0]
    calls = [
        CallStarted(id=name.split()[0], source="t", subject="c0", time=at, specversion="1.0", data=Call())
        for name, at in moments.items()
    ]
    site.publish([customer, *((b"c0", encode(call)) for call in calls)])
    worker = site.start_worker(QUICK)
    site.wait_applied(1 + len(calls))
    scores = [decode_score(m.value() or b"") for m in read(site.kafka, SCORES)][1:]
    early = {"2100", "9999", "a day fast"}
    for name, score in zip(moments, scores, strict=True):
        problem = score.data.problem and score.data.problem.code
        assert problem == ("event-in-future" if name in early else None), name
        assert all(value.age_s is None or value.age_s >= 0 for value in score.data.features.values())
    assert _calls(scores[0]) == _calls(scores[1]), "the repeated event was counted again"
    assert worker.stop() == 0


def test_row_22_dead_letters_not_writable(site: Site, times: Times) -> None:
    """While the dead-letter topic may not be written no offset advances; allowed again, the work resumes by itself."""
    times(1, 1)
    records = (*load(1_000), *POISON[:-2], POISON[-1])  # one without a key goes anywhere
    expected = site.prepare(records)
    with dead_letters_denied(site):
        worker = site.start_worker(QUICK, batch=5000)
        worker.wait_for("going back to the committed offsets")
        time.sleep(3)
        ends = site.applied()
        assert ends < len(records)
        time.sleep(2)
        assert site.applied() == ends
    assert_ends_exact(site, expected, len(records), [worker])


@contextmanager
def dead_letters_denied(site: Site) -> Iterator[None]:
    """Within it nobody may write dead letters."""
    admin = AdminClient({"bootstrap.servers": site.kafka})
    binding = AclBinding(
        ResourceType.TOPIC, DEAD_LETTERS, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", AclOperation.WRITE,
        AclPermissionType.DENY,
    )  # fmt: skip
    for future in admin.create_acls([binding]).values():
        future.result(10)
    try:
        yield
    finally:
        same = AclBindingFilter(*(getattr(binding, name) for name in (
            "restype", "name", "resource_pattern_type", "principal", "host", "operation", "permission_type"
        )))  # fmt: skip
        for deleted in admin.delete_acls([same]).values():
            deleted.result(10)


def _send(site: Site, compression: str, value: bytes, **more: Any) -> None:
    producer = Producer(
        {"bootstrap.servers": site.kafka, "message.max.bytes": 1_000_000_000, "compression.type": compression}
    )
    producer.produce(EVENTS, value, b"c1", **more)
    assert producer.flush(30) == 0


def peak_mb(pid: int) -> float:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _calls(score: ChurnScored) -> object:
    return score.data.features["tenure"].value


def numbers(value: Any) -> list[float]:
    """Every number in what came of JSON."""
    match value:
        case dict():
            return [number for one in value.values() for number in numbers(one)]
        case list():
            return [number for one in value for number in numbers(one)]
        case bool() | None | str():
            return []
        case _:
            return [value]
