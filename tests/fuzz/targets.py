"""Every decoder of bytes that come from outside, what good bytes look like, and what may become of bad ones."""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from churn.stack import record as stack_record
from churn.stack.errors import StackError
from model import artifact
from model.artifact import ModelError
from model.scoring import Scorer
from model.state import LAYOUT, TYPES
from producers.checkpoint import Checkpoint, Place
from producers.errors import ReplayError
from schemas import deadletters, documents
from schemas.alerts import AlertRecord, decode_alert, encode_alert
from schemas.cloudevents import to_ms
from schemas.deadletters import DeadLetterDecision, Headers
from schemas.errors import InvalidRecordError, decoded
from schemas.outcomes import decode_outcome
from schemas.scores import decode_score
from schemas.telemetry import ModelCounts, Telemetry, decode_telemetry, encode_telemetry
from schemas.topics import DEAD_LETTERS, EVENTS
from tests.fuzz import hostile
from tests.fuzz.model import ARTIFACT, DECISION, NOW
from tests.fuzz.mutator import JSON_SCALAR, WORD, Seed, msgpack_seed, text_seed
from tests.fuzz.settle import added, settle
from tests.fuzz.states import CUSTOMER, good_states, use_state
from tests.fuzz.watch import nothing_is_run
from workers.alerts.catalogue import TOPIC_QUIET
from workers.scoring.records import LARGEST_BYTES, Record
from workers.store import decode_applied

EXAMPLES = Path(documents.__file__).parent / "examples"
TOTAL = 1000  # records of the replay
SUBJECT = re.compile(rb'"subject": *"([^"]*)"')
HEADERS: Sequence[Headers] = (
    [],
    [("traceparent", b"00-1-2-01"), ("", b""), ("null", None), ("\x00\r\n", b"\xff\x00")],
    [("churn-dead-letter-offset", b"7"), ("churn-dead-letter-offset", b"8")],
    [("\u202e" * 100, b"x")] * 100,
)


class Target(NamedTuple):
    """A decoder. `feed` returns what became of an input, in a word; what it raises is a bug.

    `share` is the part of all bytes, in percent, that it is fed.
    """

    name: str
    share: int
    seeds: Sequence[Seed]
    tokens: Sequence[bytes]
    huge: Sequence[bytes]
    feed: Callable[[bytes], str]


@contextmanager
def all_targets() -> Iterator[list[Target]]:
    """The decoders; those of files have a folder for as long as the context lasts."""
    with TemporaryDirectory(prefix="churn-fuzz-") as name:
        folder = Path(name)
        model = artifact.save(ARTIFACT, folder)
        manifest, parameters = ((model / file).read_bytes() for file in ("manifest.json", "parameters.json"))
        states, scores = map(msgpack_seed, good_states()), ("churn.scored", "churn.scored-could-not-compute")
        applied = text_seed(f"{LAYOUT}:17".encode(), WORD)
        yield [
            _json("events", 40, feed_event, [_example(kind) for kind in TYPES]),
            Target("states", 20, list(states), hostile.MSGPACK, hostile.HUGE_MSGPACK, use_state),
            _json("scores", 5, _feeder(decode_score), [_example(name) for name in scores]),
            _json("outcomes", 3, _feeder(decode_outcome), [_example("outcome.observed")]),
            _json("telemetry", 4, _feeder(decode_telemetry), [_telemetry()]),
            _json("alerts", 2, _feeder(decode_alert), [_alert()]),
            Target("headers", 5, _headers(), hostile.JSON, hostile.HUGE_JSON, feed_headers),
            _json("decisions", 4, _feeder(deadletters.decode_decision), [_decision()]),
            Target("applied", 2, [applied], hostile.JSON, hostile.HUGE_JSON, feed_applied),
            _json("checkpoint", 3, _checkpoint_feeder(folder / "replay.json"), [msgspec.json.encode(Place(1, TOTAL))]),
            _json("stack", 3, _stack_feeder(folder), [_stack_file(folder)]),
            _json("manifest", 4, _manifest_feeder(model, parameters), [manifest]),
            _json("parameters", 5, _parameters_feeder(model, manifest), [parameters]),
        ]  # fmt: skip


def _json(name: str, share: int, feed: Callable[[bytes], str], seeds: Sequence[bytes]) -> Target:
    parsed = [text_seed(seed, JSON_SCALAR) for seed in seeds]
    return Target(name, share, parsed, hostile.JSON, hostile.HUGE_JSON, feed)


def _example(name: str) -> bytes:
    return (EXAMPLES / "valid" / f"{name}.json").read_bytes()


def _decision() -> bytes:
    return msgspec.json.encode(DeadLetterDecision("replayed", NOW, 1))


def _telemetry() -> bytes:
    counts = {"scored": 9, "could-not-compute": 1}
    model = ModelCounts([5, 5], {"offer": 2}, {"calls": [1, 2, 3]})
    return encode_telemetry(
        Telemetry(process="a-1", kind="score", began=NOW, ended=NOW, counts=counts, lag=3, models={"v1": model})
    )


def _alert() -> bytes:
    return encode_alert(AlertRecord(alert=TOPIC_QUIET.alert("quiet", since=NOW, about=EVENTS), state="raised", at=NOW))


def _headers() -> list[Seed]:
    error = InvalidRecordError("invalid", "Expected `int`, got `str` - at `$.data.calls`")
    made = deadletters.dead_letter_headers([("a", b"b")], error, topic="customer.events", partition=3, offset=17)
    return [text_seed(b"\n".join(name.encode() + b"=" + (value or b"") for name, value in made), WORD)]


def _one_line(error: Exception) -> None:
    assert "\n" not in str(error)


def feed_event(value: bytes) -> str:
    """A record with this value; its key, headers, partition and customer's state are chosen by a checksum."""
    luck = zlib.crc32(value)
    found = SUBJECT.search(value)
    key = found[1] if found and luck % 8 else (None, b"", b"\xff", b"x" * LARGEST_BYTES)[luck // 8 % 4]
    arrived_ms = (to_ms(NOW), to_ms(NOW), -1, 0, 2**62)[luck // 32 % 5]
    record = Record(luck // 160 % 2, 17, key, value, arrived_ms, HEADERS[luck // 320 % len(HEADERS)])
    states = good_states()
    stored = {CUSTOMER: states[luck // 1280 % len(states)]} if luck // 640 % 2 else {}
    settled = settle([record], stored)
    (output,) = settled.published
    return added(output).error_class if output.topic == DEAD_LETTERS else next(iter(settled.counts))


def feed_headers(value: bytes) -> str:
    """Headers, one a line."""
    lines = [line.partition(b"=") for line in value.split(b"\n")]
    headers: Headers = [(name.decode("utf-8", "replace"), text if equals else None) for name, equals, text in lines]
    added = deadletters.added_headers(headers)
    assert len(deadletters.original_headers(headers)) <= len(headers)
    with suppress(ValueError):
        deadletters.Place.parse(value.decode("utf-8", "replace"))
    if added is None:
        return "unknown"
    assert deadletters.Place(int(added.partition), int(added.offset)) >= (0, 0)
    return "accepted"


def feed_applied(value: bytes) -> str:
    """The applied value of a partition."""
    offset = decode_applied(value)
    assert offset is None or offset >= 0
    return "none" if offset is None else "accepted"


def _feeder(decode: Callable[[bytes], Any]) -> Callable[[bytes], str]:
    def feed(value: bytes) -> str:
        try:
            message = decoded(decode, value)
        except InvalidRecordError as error:
            return error.error_class
        assert decode(msgspec.json.encode(message)) == message
        return "accepted"

    return feed


def _checkpoint_feeder(file: Path) -> Callable[[bytes], str]:
    def feed(value: bytes) -> str:
        file.write_bytes(value)
        try:
            place = Checkpoint(file).read(TOTAL)
        except ReplayError as error:
            _one_line(error)
            return "refused"
        assert 0 <= place.sent <= place.total == TOTAL
        return "accepted"

    return feed


def _stack_file(folder: Path) -> bytes:
    kafka = stack_record.Service("kafka", "127.0.0.1:9092", "Kafka", ours=True)
    redis = stack_record.Service("redis", "redis://:secret@127.0.0.1:6379/0", "Redis", ours=False)
    stack_record.write(folder, stack_record.Record(stack_record.Stack(kafka, redis), kept=True))
    return (folder / "stack.json").read_bytes()


def _stack_feeder(folder: Path) -> Callable[[bytes], str]:
    def feed(value: bytes) -> str:
        (folder / "stack.json").write_bytes(value)
        try:
            found = stack_record.read(folder)
        except StackError as error:
            _one_line(error)
            return "refused"
        assert found is not None
        return "accepted"

    return feed


def _manifest_feeder(model: Path, parameters: bytes) -> Callable[[bytes], str]:
    def feed(value: bytes) -> str:
        (model / "manifest.json").write_bytes(value)
        (model / "parameters.json").write_bytes(parameters)
        return _loaded(model)

    return feed


def _parameters_feeder(model: Path, manifest: bytes) -> Callable[[bytes], str]:
    hashed = hashlib.sha256((model / "parameters.json").read_bytes()).hexdigest().encode()
    before, after = manifest.split(hashed)

    def feed(value: bytes) -> str:
        (model / "manifest.json").write_bytes(before + hashlib.sha256(value).hexdigest().encode() + after)
        (model / "parameters.json").write_bytes(value)
        return _loaded(model)

    return feed


def _loaded(model: Path) -> str:
    """What becomes of a model; one that is accepted must be able to answer."""
    try:
        with nothing_is_run():
            loaded = artifact.load(model)
    except ModelError as error:
        _one_line(error)
        return "refused"
    value = _example("call.started")
    record = Record(0, 0, CUSTOMER.encode(), value, to_ms(NOW), [])
    for stored in good_states():
        settle([record], {CUSTOMER: stored}, Scorer(loaded, DECISION))
    return "accepted"
