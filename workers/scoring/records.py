"""A record as it was consumed, and whether it is an event that can be answered."""

import msgspec

from schemas.deadletters import Headers
from schemas.errors import InvalidRecordError
from schemas.events import Event, decode_event

# The broker's default limit, which counts compressed bytes: a record that is larger came out of a compressed batch.
LARGEST_BYTES = 1_048_588


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the log; `timestamp_ms` is the broker's clock when it arrived.

    A struct, as all that there is one of for each event: it is made in a third of a named tuple's time.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers


def event_of(record: Record) -> Event:
    """The event in a record.

    Raises `InvalidRecordError` when it is none, when the key is not its customer's id, or when the record is too large
    to be sent on or kept whole.
    """
    if (size := size_of(record)) > LARGEST_BYTES:
        raise InvalidRecordError("too-large", f"the record has {size} bytes, expected at most {LARGEST_BYTES}")
    event = decode_event(record.value)
    if record.key != event.subject.encode():
        raise InvalidRecordError("key-mismatch", "the record's key is not the event's subject - at `$.subject`")
    return event


def size_of(record: Record) -> int:
    """The bytes of a record's key, value and headers."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers) if record.headers else 0
    return len(record.key or b"") + len(record.value or b"") + headers
