"""From the bytes of a body to a struct, or to a problem that names the field, the value and what was expected."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from schemas.cloudevents import CUSTOMER_ID
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
        raise _explained(str(error), raw) from None
    except msgspec.DecodeError as error:
        raise ApiError("not-json", f"the body is not JSON: {error}") from None
    except RecursionError:
        raise ApiError("not-json", "the body is not JSON that can be used: it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ApiError("not-json", f"the body is not UTF-8: {error.reason} at byte {error.start}") from None


def _explained(message: str, raw: bytes) -> ApiError:
    said, _, place = message.partition(" - at `")
    path = place.rstrip("`") or "$"
    if found := _UNKNOWN.match(said):
        field = f"{path}.{found[1]}"
        return unknown(field[:SHOWN_CHARACTERS], _value(raw, field), "the fields are in /docs")
    if found := _MISSING.match(said):
        return missing(f"{path}.{found[1]}", "a value")
    expected = said.removeprefix("Expected ").replace("`", "").partition(", got ")[0]
    return invalid(path, _value(raw, path), CUSTOMER_ID if "regex" in expected else expected)


def _value(raw: bytes, path: str) -> Any:
    """What the body has at `path`; None where that cannot be told."""
    try:
        value = msgspec.json.decode(raw)
        for name, index in _STEP.findall(path):
            value = value[name] if name else value[int(index)]
    except (msgspec.DecodeError, RecursionError, LookupError, TypeError, UnicodeDecodeError):
        return None
    return value
