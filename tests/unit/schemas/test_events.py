"""Decoding events: what is valid is decoded, and everything else gets the one declared error."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import documents
from schemas.cloudevents import from_ms, to_ms
from schemas.errors import InvalidRecordError
from schemas.events import EVENT_TYPES, UsageRecorded, decode_event, encode
from schemas.outcomes import decode_outcome

EXAMPLES = Path(documents.__file__).parent / "examples"
ERRORS = json.loads((EXAMPLES / "invalid" / "errors.json").read_text())
USAGE = (EXAMPLES / "valid" / "usage.recorded.json").read_bytes()


@pytest.mark.parametrize("kind", [str(kind.__struct_config__.tag) for kind in EVENT_TYPES])
def test_valid_example_is_decoded_and_encoded_again(kind: str) -> None:
    """The example of every type survives decoding and encoding."""
    event = decode_event((EXAMPLES / "valid" / f"{kind}.json").read_bytes())
    assert event.__struct_config__.tag == kind
    assert decode_event(encode(event)) == event


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_invalid_example_gives_its_error(name: str) -> None:
    """Every invalid example gives the error that is written down for it."""
    with pytest.raises(InvalidRecordError) as caught:
        decode_event((EXAMPLES / "invalid" / name).read_bytes())
    assert {"error_class": caught.value.error_class, "message": str(caught.value)} == ERRORS[name]


@pytest.mark.parametrize("decode", [decode_event, decode_outcome])
def test_null_value_is_invalid(decode: object) -> None:
    """A record without a value is a dead letter, not a crash."""
    with pytest.raises(InvalidRecordError, match="the value is null"):
        decode(None)  # type: ignore[operator]


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"x":' * 100_000,
        USAGE.replace(b'"calls": 71', b'"x": ' + b"[" * 100_000 + b"]" * 100_000),
        USAGE.replace(b"71", b"9" * 5000),
        USAGE.replace(b"71", b"1e999"),
        USAGE.replace(b"71", b"Infinity"),
        USAGE.replace(b"1234", "١٢٣".encode()),
        USAGE.replace(b'"1234"', b'"1234\\n"'),
        USAGE.replace(b'"1234"', b'"\\u0000"'),
        USAGE.replace(b'"1234"', b'""'),
        USAGE.replace(b'"1234"', b'"' + b"1" * 10_000 + b'"'),
        USAGE.replace(b'"1234"', b"-5"),
        b"\x00",
        b"",
        b"\xef\xbb\xbf" + USAGE,
    ],
    ids=lambda value: repr(value[:24]),
)
def test_hostile_json_gets_the_declared_error(hostile: bytes) -> None:
    """Hostile JSON of every kind raises the declared error and no other."""
    with pytest.raises(InvalidRecordError):
        decode_event(hostile)


def test_last_of_duplicate_keys_wins() -> None:
    """Duplicate keys are settled as JSON parsers do: the last one counts."""
    event = decode_event(USAGE.replace(b'"calls": 71', b'"calls": 1, "calls": 2'))
    assert isinstance(event, UsageRecorded)
    assert event.data.calls == 2


@given(st.binary(max_size=300))
def test_random_bytes_get_the_declared_error(value: bytes) -> None:
    """Whatever the bytes are, they are an event or the declared error."""
    with pytest.raises(InvalidRecordError):
        decode_event(value)


@given(st.integers(0, len(USAGE) - 1), st.binary(min_size=1, max_size=3))
def test_mutated_event_is_an_event_or_the_declared_error(at: int, junk: bytes) -> None:
    """A damaged event is still an event that can be encoded, or the declared error."""
    try:
        event = decode_event(USAGE[:at] + junk + USAGE[at + 1 :])
    except InvalidRecordError:
        return
    assert decode_event(encode(event)) == event


@given(st.datetimes(timezones=st.timezones()))
def test_milliseconds_and_back(time: object) -> None:
    """A time survives as milliseconds, to the millisecond."""
    time_ms = to_ms(time)  # type: ignore[arg-type]
    try:
        back = from_ms(time_ms)
    except OverflowError:  # the first or last day that a date can be, in another time zone
        return
    assert to_ms(back) == time_ms


def test_unknown_fields_are_ignored() -> None:
    """An upstream application may be newer than the workers."""
    newer = msgspec.json.decode(USAGE)
    newer["data"]["holograms"] = 3
    newer["traceparent"] = "00-1-2-01"
    assert decode_event(msgspec.json.encode(newer)) == decode_event(USAGE)
