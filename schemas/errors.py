"""What can be wrong with the bytes of a record."""

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

ErrorClass = Literal["undecodable", "unknown-type", "invalid", "key-mismatch", "too-large", "unreadable"]
_T = TypeVar("_T")


class InvalidRecordError(Exception):
    """A record that can never be used; `error_class` groups it, the message names the field and what was expected."""

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.error_class: ErrorClass = error_class


def decoded(decode: Callable[[bytes], _T], value: bytes | None) -> _T:
    """`decode(value)`, with everything that msgspec raises on bad bytes turned into `InvalidRecordError`.

    So is None, which is the value of a record without one.
    """
    if value is None:
        raise InvalidRecordError("undecodable", "the value is null")
    try:
        return decode(value)
    except msgspec.ValidationError as error:
        message = str(error)
        error_class: ErrorClass = "unknown-type" if message.endswith("- at `$.type`") else "invalid"
        raise InvalidRecordError(error_class, message) from None
    except msgspec.DecodeError as error:
        raise InvalidRecordError("undecodable", str(error)) from None
    except RecursionError:
        raise InvalidRecordError("undecodable", "JSON is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise InvalidRecordError("undecodable", f"not UTF-8: {error.reason} at byte {error.start}") from None
