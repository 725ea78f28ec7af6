"""From the bytes of a body to a struct, or to a problem that names the field, the value and what was expected."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from schemas.cloudevents import CUSTOMER_ID
from schemas.http import FieldError
from workers.api.problems import SHOWN_CHARACTERS, ApiError, invalid, missing, unknown

_T = TypeVar("_T")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)


def decode_body(decode: Callable[[bytes], _T], raw: bytes) -> _T:
    """`decode(raw)`; raises `ApiError`."""
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        # The first thing that is wrong need not be the worst: what stops being JSON further on is no JSON.
        raise _explained(str(error), decode_body(_plain, raw)) from None
    except msgspec.DecodeError as error:
        raise ApiError("not-json", f"the body is not JSON: {error}") from None
    except RecursionError:
        raise ApiError("not-json", "the body is not JSON that can be used: it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ApiError("not-json", f"the body is not UTF-8: {error.reason} at byte {error.start}") from None


def _plain(raw: bytes) -> Any:
    """The JSON that `raw` is; None where a number in it does not fit."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return None


def _explained(message: str, body: Any) -> ApiError:
    said, _, place = message.partition(" - at `")
    path = place.rstrip("`") or "$"
    if found := _UNKNOWN.match(said):
        field = f"{path}.{found[1]}"
        return unknown(field[:SHOWN_CHARACTERS], _value(body, field), "the fields are in /docs")
    if found := _MISSING.match(said):
        return missing(f"{path}.{found[1]}", "a value")
    if said == "Number out of range":
        return ApiError(
            "invalid", f"{path} is out of range", [FieldError(path, None, "a number that fits into 64 bits")]
        )
    expected = said.removeprefix("Expected ").replace("`", "").partition(", got ")[0]
    return invalid(path, _value(body, path), CUSTOMER_ID if "regex" in expected else expected)


def _value(body: Any, path: str) -> Any:
    """What the body has at `path`; None where that cannot be told."""
    try:
        for name, index in _STEP.findall(path):
            body = body[name] if name else body[int(index)]
    except (LookupError, TypeError):
        return None
    return body
