"""Checking an event before it is sent, with the decoder that the workers read it with."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from producers.errors import InvalidEventError
from schemas.cloudevents import CloudEvent
from schemas.errors import InvalidRecordError
from schemas.events import EVENT_TYPES, decode_event, encode
from schemas.outcomes import OutcomeObserved, decode_outcome
from schemas.topics import EVENTS, OUTCOMES

SHOWN_CHARACTERS = 100
NOT_JSON = (TypeError, ValueError, RecursionError)  # what msgspec raises for an object, a lone surrogate, deep nesting


class Checked(NamedTuple):
    """A valid event as a record: where it goes, and the bytes."""

    topic: str
    key: bytes
    value: bytes


class _Kind(NamedTuple):
    topic: str
    decode: Callable[[bytes], CloudEvent]


def _tag(kind: type[CloudEvent]) -> str:
    return str(kind.__struct_config__.tag)


_KINDS = {_tag(kind): _Kind(EVENTS, decode_event) for kind in EVENT_TYPES}
_KINDS[_tag(OutcomeObserved)] = _Kind(OUTCOMES, decode_outcome)


def checked(event_type: str, event: CloudEvent | Mapping[str, Any]) -> Checked:
    """The record of an event of type `event_type`.

    Raises `InvalidEventError` naming the field, its value and what was expected.
    """
    kind = _KINDS.get(event_type)
    if kind is None:
        raise InvalidEventError(f"type is {_shown(event_type)}; expected one of {', '.join(_KINDS)}")
    try:
        value = encode(event)
    except NOT_JSON as error:
        path, part = _unencodable(event)
        raise InvalidEventError(f"{path} is {_shown(part)}; it cannot be written as JSON: {error}") from None
    try:
        decoded = kind.decode(value)
    except InvalidRecordError as error:
        expected, _, where = str(error).partition(" - at `$.")
        path = where.rstrip("`")
        part = event
        for name in path.split("."):
            part = _part(part, name)
        raise InvalidEventError(f"{path} is {_shown(part)}; {expected[0].lower()}{expected[1:]}") from None
    return Checked(kind.topic, decoded.subject.encode(), value)


def _part(whole: Any, name: str) -> Any:
    return whole[name] if isinstance(whole, Mapping) else getattr(whole, name)


def _unencodable(whole: Any) -> tuple[str, Any]:
    """The attribute or the field of `data` that is no JSON, and its path."""
    path = []
    for _ in ("event", "data"):
        for name in whole if isinstance(whole, Mapping) else getattr(whole, "__struct_fields__", ()):
            part = _part(whole, name)
            if not _is_json(part):
                path.append(str(name))
                whole = part
                break
    return ".".join(path), whole


def _is_json(value: Any) -> bool:
    try:
        encode(value)
    except NOT_JSON:
        return False
    return True


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, deep nesting
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
