"""A dead letter: the original key, value and headers, and headers that say what was wrong and where it came from."""

import msgspec

from schemas.errors import ErrorClass, InvalidRecordError

SCHEMA_VERSION = "1.0.0"  # of everything in this folder
PREFIX = "churn-dead-letter-"
Headers = list[tuple[str, bytes | None]]


class DeadLetterHeaders(msgspec.Struct, frozen=True, rename={n: PREFIX + n.replace("_", "-") for n in (
    "error_class", "error_message", "topic", "partition", "offset", "schema_version")}):  # fmt: skip
    """The headers that a dead letter has beyond those of the original record; all are UTF-8 text."""

    error_class: ErrorClass
    error_message: str
    topic: str
    partition: str
    offset: str
    schema_version: str = SCHEMA_VERSION


def dead_letter_headers(
    original: Headers, error: InvalidRecordError, *, topic: str, partition: int, offset: int
) -> Headers:
    """The headers of the dead letter of one record; the message is cut at 500 characters."""
    added = DeadLetterHeaders(error.error_class, str(error)[:500], topic, str(partition), str(offset))
    return [
        *original,
        *((name, value.encode("utf-8", "replace")) for name, value in msgspec.to_builtins(added).items()),
    ]
