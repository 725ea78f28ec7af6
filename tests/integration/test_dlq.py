"""Dead letters at a user's terminal: looked at, sent again exactly once whatever happens, given up."""

import base64
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from kafka import KafkaProducer

from churn.stack.record import Stack
from schemas.deadletters import Headers, Place, dead_letter_headers
from schemas.errors import ErrorClass, InvalidRecordError
from schemas.events import encode
from schemas.partitioning import partition_of
from schemas.scores import decode_score
from schemas.topics import DEAD_LETTERS, DECISIONS, EVENTS, SCORES
from tests.conftest import PARTITIONS, ROOT, Churn
from tests.integration.test_commands import NOWHERE, refused
from tests.integration.test_scoring import StartWorker, made_up_events, start_worker
from tests.integration.worker import read
from workers import deadletters, failpoints
from workers.admin import BrokerError, KafkaAdmin
from workers.deadletters import DeadLetters, DeadLettersError
from workers.letters import BATCH_LETTERS

__all__ = ["start_worker"]  # a fixture that is used here too

pytestmark = pytest.mark.usefixtures("topics")
HOSTILE = b"\x1b]0;owned\x07\xff\xe2\x80\xae[red]\n\x9b2J"
ENDED = "another `churn dlq replay` or `churn dlq drop` was started, which ended this one"


class Dead(NamedTuple):
    """A record that became a dead letter, and why."""

    value: bytes | None
    key: bytes | None = b"c1"
    headers: Headers = []  # noqa: RUF012 - nobody changes it
    error_class: ErrorClass = "undecodable"
    partition: int = 3
    time_ms: int = 0


def bury(kafka: str, dead: Iterable[Dead]) -> int:
    """Publish dead letters as a worker does, at 0:0 and so on; returns how many."""
    config = {"linger.ms": 20, "queue.buffering.max.messages": 1_000_000, "message.max.bytes": 2_097_152}
    producer = Producer({"bootstrap.servers": kafka, **config})
    count = 0
    for count, one in enumerate(dead, 1):  # noqa: B007
        error = InvalidRecordError(one.error_class, "JSON is malformed \x1b[31m")
        headers: Any = dead_letter_headers(one.headers, error, topic=EVENTS, partition=one.partition, offset=17)
        producer.produce(DEAD_LETTERS, one.value, one.key, 0, timestamp=one.time_ms, headers=headers)
    assert producer.flush(30) == 0
    return count


def many(count: int) -> Iterable[Dead]:
    """So many dead letters, each with another value."""
    return (Dead(b"%d" % number, b"c%d" % (number % 50)) for number in range(count))


def listed(churn: Churn, environment: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    """What `churn dlq list --json` prints."""
    result = churn("dlq", "list", "--json", *arguments, environment=environment)
    assert result.returncode == 0, result
    return [json.loads(line) for line in result.stdout.splitlines()]


def places(churn: Churn, environment: dict[str, str], *arguments: str) -> list[str]:
    """The places of the letters that are listed."""
    return [letter["place"] for letter in listed(churn, environment, *arguments)]


def done(result: Any) -> str:
    """What a command that ended well printed."""
    assert result.returncode == 0, result
    assert result.stderr == ""
    return str(result.stdout.strip())


def start(environment: dict[str, str], *arguments: str) -> Any:
    """`churn dlq` with these arguments, as a process that is not waited for."""
    command = [sys.executable, "-m", "churn", "dlq", *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def replayed_values(kafka: str) -> Counter[bytes | None]:
    """The values in `customer.events` that a reader of committed records finds, and how often."""
    return Counter(message.value() for message in read(kafka, EVENTS))


def wait_until_it_sends(kafka: str, process: Any) -> None:
    """Wait until the process has sent thousands of letters."""
    admin = KafkaAdmin({"bootstrap.servers": kafka}, partitions=PARTITIONS, replication=1)
    before = admin.records(EVENTS)
    while admin.records(EVENTS) < before + 2000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def headers_of(message: Message) -> Headers:
    """The headers as a list, as confluent-kafka gives them."""
    headers: Any = message.headers() or []
    return list(headers)


def test_replayed_records_are_the_original_ones(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Bytes, key and headers arrive as they were, in the partition of the key, without what made them dead letters."""
    headers: Headers = [("trace", b"t\x00\xff"), ("trace", b"2"), ("empty", b""), ("null", None)]
    noise = os.urandom(1_048_000)
    dead = [
        Dead(b"plain", b"c1"),
        Dead(HOSTILE, b"c2", headers),
        Dead(b"", b"", headers),
        Dead(None, None),
        Dead(b"x" * 1_048_585, b"c3"),  # as large as one out of a compressed batch may be
        Dead(noise, b"c4"),  # nearly as large as one may be that does not compress
    ]
    bury(stack.kafka.address, dead)
    assert done(churn("dlq", "replay", "--yes", environment=environment)) == "replayed 6 dead letters"
    found = read(stack.kafka.address, EVENTS)
    assert sorted(repr((m.value(), m.key(), headers_of(m))) for m in found) == sorted(
        repr((one.value, one.key, one.headers)) for one in dead
    )
    for message in found:
        if key := message.key():
            assert message.partition() == partition_of(str(key, "utf-8"), PARTITIONS)
    assert listed(churn, environment) == []
    assert {letter["status"] for letter in listed(churn, environment, "--all")} == {"replayed"}


def test_a_letter_is_replayed_once(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """A second time, by filter or by name, sends nothing; what was dropped or cut is not sent at all."""
    bury(stack.kafka.address, [Dead(b"a"), Dead(b"b", error_class="too-large"), Dead(b"c"), Dead(b"d")])
    assert done(churn("dlq", "drop", "0:2", "--yes", environment=environment)) == "dropped 1 dead letter"
    some = churn("dlq", "replay", "0:0", "0:1", "0:2", "0:0", "--yes", environment=environment)
    assert done(some) == "replayed 1 dead letter, skipped 2: 1 too large (cut), 1 already dropped"
    rest = churn("dlq", "replay", "--yes", environment=environment)
    assert done(rest) == "replayed 1 dead letter, skipped 1: 1 too large (cut)"
    again = churn("dlq", "replay", "--yes", environment=environment)
    assert done(again) == "replayed 0 dead letters, skipped 1: 1 too large (cut)"
    named = churn("dlq", "replay", "0:0", environment=environment)
    assert done(named) == "replayed 0 dead letters, skipped 1: 1 already replayed"
    dropped = churn("dlq", "drop", "--yes", environment=environment)
    assert done(dropped) == "dropped 1 dead letter"
    assert done(churn("dlq", "drop", "--yes", environment=environment)) == "dropped 0 dead letters"
    assert done(churn("dlq", "list", environment=environment)) == "no open dead letters"
    assert replayed_values(stack.kafka.address) == {b"a": 1, b"d": 1}
    assert len(read(stack.kafka.address, DEAD_LETTERS)) == 4, "nothing is deleted"


def test_killed_replay_sends_each_letter_once(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """`kill -9` in the middle, again and again: the next run sends what is left and nothing twice."""
    count = bury(stack.kafka.address, many(30_000))
    for _ in range(3):
        process = start(environment, "replay", "--yes")
        wait_until_it_sends(stack.kafka.address, process)
        process.kill()
        process.communicate()
    assert len(read(stack.kafka.address, EVENTS)) < count, "the last kill came too late to be in the middle"
    last = churn("dlq", "replay", "--yes", environment=environment)
    assert last.returncode == 0, last
    assert replayed_values(stack.kafka.address) == {b"%d" % number: 1 for number in range(count)}
    assert len({message.key() for message in read(stack.kafka.address, DECISIONS)}) == count
    assert listed(churn, environment) == []


def test_two_at_once_send_each_letter_once(environment: dict[str, str], stack: Stack) -> None:
    """The second command ends the first, which says so in one line, and sends what the first did not."""
    count = bury(stack.kafka.address, many(60_000))
    first = start(environment, "replay", "--yes")
    wait_until_it_sends(stack.kafka.address, first)
    second = start(environment, "replay", "--yes")
    while second.poll() is None:  # in slow motion, or the first would be done before the second has started
        first.send_signal(signal.SIGSTOP)
        time.sleep(0.09)
        first.send_signal(signal.SIGCONT)
        time.sleep(0.01)
    output, errors = first.communicate(timeout=60)
    assert (first.returncode, output) == (2, ""), errors
    assert errors.startswith(f"churn: {ENDED}; before that: replayed ")
    assert errors.count("\n") == 1
    said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert replayed_values(stack.kafka.address) == {b"%d" % number: 1 for number in range(count)}


def test_transaction_that_was_aborted_is_tried_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that says no more than that something is wrong does not end a replay, unless it goes on to say so."""
    count = bury(stack.kafka.address, many(3))
    letters = DeadLetters({"bootstrap.servers": stack.kafka.address}, {DEAD_LETTERS: 1, DECISIONS: 1})
    places = [Place(0, offset) for offset in range(count)]
    fails = len(deadletters.PAUSES_S)

    def unknown() -> None:
        nonlocal fails
        if fails:
            fails -= 1
            raise KafkaException(KafkaError(KafkaError.UNKNOWN))

    monkeypatch.setitem(failpoints.armed, "commit", unknown)
    with pytest.raises(BrokerError, match="Kafka: "):
        next(letters.decide("replayed", places))
    assert read(stack.kafka.address, EVENTS) == []
    fails = len(deadletters.PAUSES_S) - 1
    assert list(letters.decide("replayed", places)) == [{"replayed": count}]
    assert replayed_values(stack.kafka.address) == {b"%d" % number: 1 for number in range(count)}


def test_second_ends_the_first_between_two_transactions(stack: Stack) -> None:
    """Whoever decides is ended by who decides next, at whatever step it is; each letter is decided once."""
    count = bury(stack.kafka.address, many(BATCH_LETTERS + 1))
    letters = DeadLetters({"bootstrap.servers": stack.kafka.address}, {DEAD_LETTERS: 1, DECISIONS: 1})
    everything = [Place(0, offset) for offset in range(count)]
    first = letters.decide("replayed", everything)
    assert next(first) == {"replayed": BATCH_LETTERS}
    second = sum(letters.decide("replayed", everything), Counter[str]())
    assert second == {"already replayed": BATCH_LETTERS, "replayed": 1}
    with pytest.raises(DeadLettersError, match=ENDED):
        next(first)
    assert replayed_values(stack.kafka.address) == {b"%d" % number: 1 for number in range(count)}


def test_stopped_replay_goes_on_later(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Ctrl-C ends a replay between two transactions, with what was done so far; the same command does the rest."""
    count = bury(stack.kafka.address, many(30_000))
    process = start(environment, "replay", "--yes")
    wait_until_it_sends(stack.kafka.address, process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    assert output == f"replayed {len(read(stack.kafka.address, EVENTS)):,} dead letters\n"
    assert done(churn("dlq", "replay", "--yes", environment=environment)).startswith("replayed ")
    assert replayed_values(stack.kafka.address) == {b"%d" % number: 1 for number in range(count)}


def test_replayed_letter_that_is_valid_now_is_scored(
    churn: Churn, environment: dict[str, str], start_worker: StartWorker, stack: Stack
) -> None:
    """What older workers refused is scored by newer ones; what is still wrong is another dead letter, open."""
    (registered,) = made_up_events(customers=1, each=1)
    bury(stack.kafka.address, [Dead(encode(registered), b"c0", error_class="unknown-type"), Dead(b"junk", b"c1")])
    assert done(churn("dlq", "replay", "--yes", environment=environment)) == "replayed 2 dead letters"
    start_worker()
    (score,) = read(stack.kafka.address, SCORES, least=1)
    assert decode_score(score.value() or b"").data.event_id == registered.id
    read(stack.kafka.address, DEAD_LETTERS, least=3)
    (again,) = listed(churn, environment)
    assert (again["error_class"], again["topic"], again["bytes"]) == ("undecodable", EVENTS, 6)


def test_many_dead_letters_are_told_once(start_worker: StartWorker, stack: Stack) -> None:
    """A worker that publishes more than the limit within a minute says so in one line, and goes on."""
    producer = Producer({"bootstrap.servers": stack.kafka.address})
    for number in range(60):
        producer.produce(EVENTS, b"junk", b"c%d" % number)
    assert producer.flush(10) == 0
    worker = start_worker(CHURN_DEAD_LETTERS_PER_MINUTE="20", CHURN_BATCH_RECORDS="10")
    read(stack.kafka.address, DEAD_LETTERS, least=60)
    worker.wait_for("dead_letters=60 ")
    (line,) = [line for line in worker.log.read_text().splitlines() if "many dead letters" in line]
    assert " ERROR many dead letters limit_per_minute=20 dead_letters=" in line
    assert " undecodable=" in line


def test_letters_are_chosen_by_filters(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Class, partition and time choose, alone and together, for every command; the newest is last."""
    day_ms = 86_400_000
    today_ms = time.time_ns() // 1_000_000 // day_ms * day_ms
    day = time.strftime("%Y-%m-%d", time.gmtime(today_ms / 1000))
    classes: list[ErrorClass] = ["invalid", "undecodable", "invalid", "unknown-type"]
    bury(
        stack.kafka.address,
        [
            Dead(b"%d" % n, error_class=error_class, partition=n % 2, time_ms=today_ms - (3 - n) * 1000)
            for n, error_class in enumerate(classes)
        ],
    )
    assert places(churn, environment) == ["0:0", "0:1", "0:2", "0:3"]
    assert places(churn, environment, "--error-class", "invalid") == ["0:0", "0:2"]
    both = ("--error-class", "invalid", "--error-class", "unknown-type")
    assert places(churn, environment, *both, "--partition", "0") == ["0:0", "0:2"]
    assert places(churn, environment, "--since", day) == ["0:3"]
    assert places(churn, environment, "--until", day) == ["0:0", "0:1", "0:2"]
    assert places(churn, environment, "--until", f"{day}T02:00+02:00", "--partition", "1") == ["0:1"]
    replay = churn("dlq", "replay", *both, "--until", day, "--yes", environment=environment)
    assert done(replay) == "replayed 2 dead letters"
    dropped = churn("dlq", "drop", "--since", day, "--yes", environment=environment)
    assert done(dropped) == "dropped 1 dead letter"
    assert places(churn, environment) == ["0:1"]
    statuses = [letter["status"] for letter in listed(churn, environment, "--all")]
    assert statuses == ["replayed", "open", "replayed", "dropped"]
    assert replayed_values(stack.kafka.address) == {b"0": 1, b"2": 1}
    table = done(churn("dlq", "list", environment=environment | {"COLUMNS": "120"}))
    assert [line.split() for line in table.splitlines()][1][:1] == ["0:1"]
    assert table.endswith("\n1 open dead letter: 1 undecodable")
    everything = done(churn("dlq", "list", "--all", environment=environment))
    assert everything.endswith("\n4 dead letters: 2 invalid, 1 undecodable, 1 unknown-type")
    assert everything.splitlines()[1].split()[:2] == ["0:0", "replayed"]


def test_list_for_people_is_bounded(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Of very many letters the newest thousand are shown, and all are counted."""
    bury(stack.kafka.address, many(1002))
    lines = done(churn("dlq", "list", environment=environment | {"COLUMNS": "200"})).splitlines()
    assert len(lines) == 1003
    assert lines[1].startswith("0:2 ")
    assert lines[-2:] == [
        "the newest 1,000 of them; options choose others, --json has them all",
        "1,002 open dead letters: 1,002 undecodable",
    ]


def test_hostile_letters_are_shown_harmlessly(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Nothing that a stranger wrote reaches the terminal but printable characters; programs get the exact bytes."""
    bury(stack.kafka.address, [Dead(HOSTILE, HOSTILE, [("\x1b[2J\u202e", HOSTILE)]), Dead(b"x" * 5000)])
    for arguments in (["show", "0:0"], ["list"], ["show", "0:0", "--json"], ["list", "--json"]):
        output = done(churn("dlq", *arguments, environment=environment))
        assert all(line.isprintable() for line in output.split("\n")), arguments
    shown = done(churn("dlq", "show", "0:0", environment=environment)).splitlines()
    assert shown[0] == "dead letter 0:0, open"
    assert r"header       \x1b[2J\u202e: \x1b]0;owned\x07\xff\u202e[red]\n\x9b2J" in shown
    assert shown[-2:] == [r"  \x1b]0;owned\x07\xff\u202e[red]", r"  \x9b2J"]
    exact = json.loads(done(churn("dlq", "show", "0:0", "--json", environment=environment)))
    assert base64.b64decode(exact["value"]["base64"]) == HOSTILE
    assert exact["headers"][0]["name"] == "\x1b[2J\u202e"
    long = done(churn("dlq", "show", "0:1", environment=environment))
    assert long.endswith("cut after 4,000 of 5,000 bytes; --json has them all")
    whole = json.loads(done(churn("dlq", "show", "0:1", "--json", environment=environment)))
    assert whole["value"] == {"text": "x" * 5000}


class Misnamed(str):
    """The name of a header that is not UTF-8."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        """What kafka-python sends."""
        return b"\xff"


def test_records_that_are_no_dead_letters_are_told_apart(
    churn: Churn, environment: dict[str, str], stack: Stack
) -> None:
    """What strangers wrote into the topic is listed and can be dropped, and is not sent to customer.events."""
    producer = KafkaProducer(bootstrap_servers=stack.kafka.address)
    producer.send(DEAD_LETTERS, b"v", headers=[(Misnamed("x"), b"1")])
    producer.close()
    (letter,) = listed(churn, environment)
    assert (letter["error_class"], letter["topic"]) == ("unknown", None)
    replay = churn("dlq", "replay", "--yes", environment=environment)
    assert done(replay) == "replayed 0 dead letters, skipped 1: 1 no dead letter of ours"
    dropped = churn("dlq", "drop", "--error-class", "unknown", "--yes", environment=environment)
    assert done(dropped) == "dropped 1 dead letter"


def at_a_terminal(environment: dict[str, str], answer: str, *arguments: str) -> tuple[int, str]:
    """Run `churn dlq` at a terminal, answer its question; returns the exit code and what is on the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "churn", "dlq", *arguments]
    process = subprocess.Popen(
        command, env=environment | {"TERM": "xterm"}, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    screen = b""
    try:
        while part := os.read(ours, 10_000):
            screen += part
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(ours)
    return process.wait(10), screen.decode()


def test_it_asks_at_a_terminal(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Without --yes nothing is done unless somebody at a terminal agrees to how many it will be."""
    bury(stack.kafka.address, [Dead(b"a"), Dead(b"b"), Dead(b"c", error_class="too-large")])
    question = "Send 2 dead letters to customer.events again and skip 1?"
    line = refused(churn("dlq", "replay", environment=environment))
    assert line == f"{question} There is no terminal to ask at; say --yes"
    code, screen = at_a_terminal(environment, "n\n", "replay")
    assert (code, f"{question} [y/N]" in screen, "replayed 0 dead letters\r\n" in screen) == (0, True, True)
    assert replayed_values(stack.kafka.address) == {}
    code, screen = at_a_terminal(environment, "y\n", "replay")
    assert (code, "3/3" in screen) == (0, True)
    assert screen.endswith("replayed 2 dead letters, skipped 1: 1 too large (cut)\r\n")
    assert replayed_values(stack.kafka.address) == {b"a": 1, b"b": 1}
    code, screen = at_a_terminal(environment, "\x04", "drop", "0:2")
    assert (code, "Drop 1 dead letter?" in screen) == (130, True)
    assert places(churn, environment) == ["0:2"]


def test_what_cannot_be_done_is_one_line(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """Unknown places, wrong times, no broker, no topic, a decision that is none: one line and exit code 2."""
    bury(stack.kafka.address, [Dead(b"a")])

    def line(*arguments: str, **more: str) -> str:
        return refused(churn("dlq", *arguments, environment=environment | more))

    assert line("show", "0:1") == "no dead letter at 0:1"
    assert line("show", "7:0") == "no dead letter at 7:0"
    assert line("replay", "0:0", "0:9", "0:4", "--yes") == "no dead letter at 0:4, 0:9"
    assert line("show", "17").startswith("Invalid value for 'PLACE': '17' is no place, expected PARTITION:OFFSET")
    assert line("list", "--since", "monday").startswith("Invalid value for '--since': 'monday' is no time, expected")
    assert line("list", "--error-class", "bad").startswith("Invalid value for '--error-class': 'bad' is not one of")
    assert line("drop", "0:0", "--partition", "1") == "Give places or filters, not both."
    assert line("list", KAFKA_BOOTSTRAP_SERVERS=NOWHERE).startswith(f"KAFKA_BOOTSTRAP_SERVERS={NOWHERE}: ")
    producer = Producer({"bootstrap.servers": stack.kafka.address})
    producer.produce(DECISIONS, b'{"decision": "\\u001b[2J"}', b"0:0")
    assert producer.flush(10) == 0
    assert line("list") == (
        rf"topic {DECISIONS}, partition 0, offset 0: no decision: Invalid enum value '\x1b[2J' - at `$.decision`"
    )
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    admin.delete_topics([DECISIONS])[DECISIONS].result(10)
    while DECISIONS in admin.list_topics(timeout=10).topics:
        time.sleep(0.05)
    assert line("list") == f"topic {DECISIONS} is missing; create it with `churn topics`"


def test_broker_that_refuses_is_quoted(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """When customer.events takes no records of that size any more, the line says so, and nothing was decided."""
    bury(stack.kafka.address, [Dead(os.urandom(5000))])
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    smaller = ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, EVENTS, incremental_configs=[smaller])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)
    line = refused(churn("dlq", "replay", "--yes", environment=environment))
    assert line.startswith(f"KAFKA_BOOTSTRAP_SERVERS={stack.kafka.address}: Kafka: ")
    assert line.endswith("; before that: replayed 0 dead letters")
    assert places(churn, environment) == ["0:0"]


def test_reading_ends_when_the_broker_is_silent_or_refuses(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that went away, or that reports an error in place of a record, is no wait without end."""
    strict = DeadLetters({"bootstrap.servers": stack.kafka.address, "auto.offset.reset": "error"}, {DEAD_LETTERS: 1})
    with pytest.raises(BrokerError, match="out of range"):
        list(strict.letters([Place(0, 99)]))
    monkeypatch.setattr(deadletters, "SILENCE_S", 0.5)
    away = DeadLetters({"bootstrap.servers": NOWHERE}, {DEAD_LETTERS: 1})
    with pytest.raises(BrokerError, match=f"nothing came of topic {DEAD_LETTERS} within 0.5 s"):
        list(away.letters())
