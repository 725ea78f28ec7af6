"""The CloudEvents 1.0 attributes that every message of ours has, with the limits that are checked on arrival."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec

CUSTOMER_ID = "1 to 64 letters, digits and . _ @ : - that start with a letter or digit"
# `$(?!\n)` and not `$`: Python's `$` would let a trailing newline through.
CustomerId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,63}$(?!\n)",
        description=f"The customer's id: {CUSTOMER_ID}.",
        examples=["1234"],
    ),
]
EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Unique within the source.")]
Source = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="The application that publishes.")]
Time = Annotated[datetime, msgspec.Meta(tz=True, description="When it happened, with its offset from UTC.")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """One CloudEvent in JSON structured mode; attributes that are not listed are ignored."""

    id: EventId
    source: Source
    subject: CustomerId
    time: Time
    specversion: Literal["1.0"]


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z of an aware `time`, rounded down; exact for every year."""
    return (time - _EPOCH) // _MILLISECOND


def from_ms(time_ms: int) -> datetime:
    """The UTC time that is `time_ms` milliseconds after 1970-01-01T00:00Z."""
    return _EPOCH + time_ms * _MILLISECOND
