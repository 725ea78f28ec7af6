"""A dead letter: the original key, value and headers, and headers that say what was wrong and where it came from.

Where it is in `customer.events.dlq` is its name; what somebody decided about it is a record of its own, by that name.
"""

import re
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec

from schemas.errors import ErrorClass, InvalidRecordError, decoded

SCHEMA_VERSION = "1.0.0"  # of everything in this folder
PREFIX = "churn-dead-letter-"
Headers = list[tuple[str, bytes | None]]
Verdict = Literal["replayed", "dropped"]


class DeadLetterHeaders(msgspec.Struct, frozen=True, rename={n: PREFIX + n.replace("_", "-") for n in (
    "error_class", "error_message", "topic", "partition", "offset", "schema_version")}):  # fmt: skip
    """The headers that a dead letter has beyond those of the original record; all are UTF-8 text."""

    error_class: ErrorClass
    error_message: str
    topic: str
    partition: str
    offset: str
    schema_version: str = SCHEMA_VERSION


class DeadLetterDecision(msgspec.Struct, frozen=True):
    """What was decided about the dead letter that the record's key names; there is at most one decision for each."""

    decision: Annotated[Verdict, msgspec.Meta(description="Sent to customer.events once more, or given up.")]
    at: Annotated[datetime, msgspec.Meta(tz=True, description="When it was decided.")]
    letter_timestamp_ms: Annotated[
        int, msgspec.Meta(description="The letter's timestamp: a topic that is made anew uses its places again.")
    ]


class Place(NamedTuple):
    """Where a dead letter is in `customer.events.dlq`; as text, PARTITION:OFFSET, it is the letter's name."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that is called `text`; raises `ValueError`."""
        if not (match := re.fullmatch(r"([0-9]{1,9}):([0-9]{1,18})", text)):
            raise ValueError(f"{text!r} is no place, expected PARTITION:OFFSET, for instance 0:17")
        return cls(int(match[1]), int(match[2]))


def dead_letter_headers(
    original: Headers, error: InvalidRecordError, *, topic: str, partition: int, offset: int
) -> Headers:
    """The headers of the dead letter of one record; the message is cut at 500 characters."""
    added = DeadLetterHeaders(error.error_class, str(error)[:500], topic, str(partition), str(offset))
    return [
        *original,
        *((name, value.encode("utf-8", "replace")) for name, value in msgspec.to_builtins(added).items()),
    ]


def original_headers(headers: Headers) -> Headers:
    """The headers that the record of a dead letter had."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


def added_headers(headers: Headers) -> DeadLetterHeaders | None:
    """What the headers of a dead letter say; None when they are not what `dead_letter_headers` makes."""
    texts = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    try:
        added = msgspec.convert(texts, DeadLetterHeaders)
    except msgspec.ValidationError:
        return None
    return added if re.fullmatch("[0-9]{1,9} [0-9]{1,18}", f"{added.partition} {added.offset}") else None


_DECISION = msgspec.json.Decoder(DeadLetterDecision)


def decode_decision(value: bytes | None) -> DeadLetterDecision:
    """The decision in a record; raises `InvalidRecordError`."""
    return decoded(_DECISION.decode, value or b"")
