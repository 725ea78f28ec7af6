"""A record as it was consumed, and whether it is an event that can be answered."""

from typing import NamedTuple

from schemas.deadletters import Headers
from schemas.errors import InvalidRecordError
from schemas.events import Event, decode_event


class Record(NamedTuple):
    """One record of the log; `timestamp_ms` is the broker's clock when it arrived."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers


def event_of(record: Record) -> Event:
    """The event in a record; raises `InvalidRecordError` when it is none, or the key is not its customer's id."""
    event = decode_event(record.value)
    if record.key != event.subject.encode():
        raise InvalidRecordError("key-mismatch", "the record's key is not the event's subject - at `$.subject`")
    return event
