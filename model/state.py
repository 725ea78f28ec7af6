"""A customer's state: everything the features need, small, and the same whatever the order of the days it came in.

Times are milliseconds since 1970 (UTC), days are whole UTC days since 1970. An event dated before 1970 counts as of
1970's first millisecond, so that 0 can mean never; one after 9999, in UTC, as of its last. Counts and sums are
integers, one for each day and accumulator, which makes adding exact and independent of order; they stop at `SUM_LIMIT`.
"""

import hashlib
import json
from datetime import UTC, datetime
from operator import lt
from typing import Annotated

import msgspec

from model.declaration import DAY_MS, Feature
from model.features import FEATURES
from schemas.cloudevents import to_ms
from schemas.events import EVENT_TYPES

SUM_LIMIT = 2**53
LATEST_MS = to_ms(datetime.max.replace(tzinfo=UTC))
RECENT_IDS = 8
DIGEST_BYTES = 8

Accumulator = tuple[tuple[str, ...], str | None, int]  # event types, field (None: count), scale
Attribute = tuple[tuple[str, ...], str, tuple[str, ...]]  # event types, field, categories


def accumulator(feature: Feature) -> Accumulator:
    """What a `count` or `sum` adds up; features that differ only in window share one."""
    return feature.types, feature.field, feature.scale


def attribute(feature: Feature) -> Attribute:
    """The remembered value that a `latest` is read from."""
    return feature.types, feature.field or feature.name, feature.categories


TYPES: tuple[str, ...] = tuple(str(kind.__struct_config__.tag) for kind in EVENT_TYPES)
ACCUMULATORS = tuple(dict.fromkeys(accumulator(f) for f in FEATURES if f.window_days))
WINDOWED = tuple(dict.fromkeys((accumulator(f), f.window_days) for f in FEATURES if f.window_days))
ATTRIBUTES = tuple(dict.fromkeys(attribute(f) for f in FEATURES if f.kind == "latest"))
WIDTH = len(ACCUMULATORS)
KEPT_DAYS = max(window for _, window in WINDOWED)
LAYOUT = hashlib.sha256(
    json.dumps([4, TYPES, ACCUMULATORS, WINDOWED, ATTRIBUTES, RECENT_IDS]).encode()
).hexdigest()[:12]  # fmt: skip


_Ms = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
_Sum = Annotated[int, msgspec.Meta(ge=0, le=SUM_LIMIT)]
_Total = Annotated[int, msgspec.Meta(ge=0, le=SUM_LIMIT * KEPT_DAYS)]
_Value = Annotated[float, msgspec.Meta(ge=0, le=1e9)]  # as the events allow


def _just(length: int) -> msgspec.Meta:
    return msgspec.Meta(min_length=length, max_length=length)


class DamagedStateError(Exception):
    """Bytes that are not a state, or not one of this layout."""


class Past(msgspec.Struct, array_like=True, gc=False):
    """Days before the newest event's, ascending, and for each one integer per accumulator, all in one list.

    A day on which nothing was counted has no place here.
    """

    days: list[int]
    sums: list[_Sum]


class CustomerState(msgspec.Struct, array_like=True, gc=False):
    """The state of one customer, stored as one msgpack array.

    `seen_ms`: the newest event's time by type. `totals`: by window, as of the newest event's day. `today`: what that
    day counts, by accumulator. `past`: the days before it, packed: most events neither need nor change them, so what
    an event costs does not grow with a customer's history. `latest_ms` and `latest`: by attribute, None for a value
    that is not one of the categories. `recent`: hashes of the last event ids, one behind the other.
    """

    newest_ms: _Ms
    seen_ms: Annotated[list[_Ms], _just(len(TYPES))]
    totals: Annotated[list[_Total], _just(len(WINDOWED))]
    today: Annotated[list[_Sum], _just(WIDTH)]
    past: bytes
    latest_ms: Annotated[list[_Ms], _just(len(ATTRIBUTES))]
    latest: Annotated[list[_Value | None], _just(len(ATTRIBUTES))]
    recent: Annotated[bytes, msgspec.Meta(max_length=RECENT_IDS * DIGEST_BYTES)]

    @classmethod
    def new(cls) -> "CustomerState":
        """The state of a customer of whom nothing is known."""
        return cls(
            newest_ms=0,
            seen_ms=[0] * len(TYPES),
            totals=[0] * len(WINDOWED),
            today=[0] * WIDTH,
            past=_NO_PAST,
            latest_ms=[0] * len(ATTRIBUTES),
            latest=[None] * len(ATTRIBUTES),
            recent=b"",
        )


encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(CustomerState).decode
_decode_past = msgspec.msgpack.Decoder(Past).decode
_NO_PAST = encode_state(Past([], []))


def decode_state(stored: bytes) -> CustomerState:
    """The state that was stored; raises `DamagedStateError`."""
    try:
        state = _decode_state(stored)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DamagedStateError(str(error)) from None
    if max(state.seen_ms + state.latest_ms) != state.newest_ms:
        raise DamagedStateError("the newest event's time is not the newest of all times")
    return state


def decode_past(state: CustomerState) -> Past:
    """The days before the newest event's; raises `DamagedStateError`."""
    try:
        past = _decode_past(state.past)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DamagedStateError(str(error)) from None
    if len(past.sums) != len(past.days) * WIDTH:
        raise DamagedStateError(f"{len(past.sums)} sums for {len(past.days)} days of {WIDTH}")
    if not all(map(lt, past.days, [*past.days[1:], state.newest_ms // DAY_MS])):
        raise DamagedStateError("the days of the past do not ascend to the newest event's")
    return past
