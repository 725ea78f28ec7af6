"""A record as it was consumed, and whether it is an event that can be answered."""

import msgspec

from schemas.deadletters import Headers
from schemas.errors import InvalidRecordError
from schemas.events import Event, decode_event

# The broker's default limit, which counts compressed bytes: a record that is larger came out of a compressed batch.
LARGEST_BYTES = 1_048_588
LARGEST_EVENT_BYTES = 1_048_000  # one that belongs elsewhere is sent on, which the batch around it makes larger


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
    trouble: str = ""  # why the batch that it is in cannot be unpacked; then it is all that there is


def event_of(record: Record) -> Event:
    """The event in a record.

    Raises `InvalidRecordError` when it is none, when the key is not its customer's id, or when the record is too large
    to be sent on or kept whole, or could not be unpacked.
    """
    if record.trouble:
        raise InvalidRecordError("unreadable", record.trouble)
    if (size := size_of(record)) > LARGEST_BYTES:
        raise InvalidRecordError("too-large", f"the record has {size} bytes, expected at most {LARGEST_BYTES}")
    event = decode_event(record.value)
    if size > LARGEST_EVENT_BYTES:
        raise InvalidRecordError("too-large", f"the event has {size} bytes, expected at most {LARGEST_EVENT_BYTES}")
    if record.key != event.subject.encode():
        raise InvalidRecordError("key-mismatch", "the record's key is not the event's subject - at `$.subject`")
    return event


def size_of(record: Record) -> int:
    """The bytes of a record's key, value and headers."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers) if record.headers else 0
    return len(record.key or b"") + len(record.value or b"") + headers
