"""A customer's state: everything the features need, small, and the same whatever the order of the days it came in.

Times are milliseconds since 1970 (UTC), days are whole UTC days since 1970. An event dated before 1970 counts as of
1970's first millisecond, so that 0 can mean never; one after 9999, in UTC, as of its last. Counts and sums are
integers, one for each day and accumulator, which makes adding exact and independent of order; they stop at `SUM_LIMIT`.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter, lt
from typing import Annotated, Any, NamedTuple

import msgspec

from model.declaration import DAY_MS, Feature
from model.features import FEATURES
from schemas.cloudevents import CloudEvent, to_ms
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


class _Plan(NamedTuple):
    """What one type of event does to a state."""

    type_index: int
    columns: tuple[tuple[int, Callable[[Any], float] | None, int, tuple[int, ...]], ...]
    attributes: tuple[tuple[int, Callable[[Any], Any], dict[str, float] | None], ...]


def _plan(kind: str) -> _Plan:
    columns = tuple(
        (i, attrgetter(field) if field else None, scale, tuple(w for w, (a, _) in enumerate(WINDOWED) if a == added))
        for i, added in enumerate(ACCUMULATORS)
        for types, field, scale in [added]
        if kind in types
    )
    attributes = tuple(
        (i, attrgetter(field), {c: float(n) for n, c in enumerate(categories)} if categories else None)
        for i, (types, field, categories) in enumerate(ATTRIBUTES)
        if kind in types
    )
    return _Plan(TYPES.index(kind), columns, attributes)


_PLANS: dict[type[CloudEvent], _Plan] = {kind: _plan(TYPES[i]) for i, kind in enumerate(EVENT_TYPES)}
_SPANS = {window for _, window in WINDOWED}
_WINDOWS = tuple((ACCUMULATORS.index(added), window) for added, window in WINDOWED)


def event_ms(event: CloudEvent) -> int:
    """The time of an event as the state counts it."""
    return min(max(1, to_ms(event.time)), LATEST_MS)


def fold(state: CustomerState, event: Any, time_ms: int) -> bool:
    """Fold an event of `time_ms` into its customer's state, in place; False, and no change, for a repeated id.

    Raises `DamagedStateError`.
    """
    digest = hashlib.blake2b(f"{event.source}\n{event.id}".encode(), digest_size=DIGEST_BYTES).digest()
    if digest in state.recent:
        return False
    state.recent = (state.recent + digest)[-RECENT_IDS * DIGEST_BYTES :]
    plan = _PLANS[type(event)]
    day, newest_day = time_ms // DAY_MS, state.newest_ms // DAY_MS
    if day > newest_day:
        _begin_day(state, day)
    state.newest_ms = max(state.newest_ms, time_ms)
    state.seen_ms[plan.type_index] = max(state.seen_ms[plan.type_index], time_ms)
    if plan.columns:
        if day >= newest_day:
            _add_today(state, plan, event.data)
        elif day > newest_day - KEPT_DAYS:
            _add_late(state, plan, event.data, day)
    for i, read, codes in plan.attributes:
        value = read(event.data)
        if value is not None and time_ms >= state.latest_ms[i]:
            state.latest_ms[i] = time_ms
            state.latest[i] = float(value) if codes is None else codes.get(value)
    return True


def totals_on(state: CustomerState, day: int) -> list[int]:
    """The totals by window as of `day`, which is not before the newest event's; raises `DamagedStateError`."""
    return state.totals if day == state.newest_ms // DAY_MS else _totals(state, _past(state), day)


def _totals(state: CustomerState, past: Past, day: int) -> list[int]:
    newest_day = state.newest_ms // DAY_MS
    firsts = {window: bisect_right(past.days, day - window) * WIDTH for window in _SPANS}
    return [
        sum(past.sums[firsts[window] + column :: WIDTH], state.today[column] if newest_day > day - window else 0)
        for column, window in _WINDOWS
    ]


def _past(state: CustomerState) -> Past:
    try:
        past = _decode_past(state.past)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DamagedStateError(str(error)) from None
    if len(past.sums) != len(past.days) * WIDTH:
        raise DamagedStateError(f"{len(past.sums)} sums for {len(past.days)} days of {WIDTH}")
    if not all(map(lt, past.days, [*past.days[1:], state.newest_ms // DAY_MS])):
        raise DamagedStateError("the days of the past do not ascend to the newest event's")
    return past


def _begin_day(state: CustomerState, day: int) -> None:
    """Make the newest day one of the past, and drop the days that no window reaches from `day` on."""
    past = _past(state)
    totals = _totals(state, past, day)
    if any(state.today):
        past.days.append(state.newest_ms // DAY_MS)
        past.sums += state.today
        state.today = [0] * WIDTH
    gone = bisect_right(past.days, day - KEPT_DAYS)
    del past.days[:gone]
    del past.sums[: gone * WIDTH]
    state.past, state.totals = encode_state(past), totals


def _amounts(plan: _Plan, data: object) -> list[tuple[int, int, tuple[int, ...]]]:
    """What an event adds: accumulator, amount, and the windows over it."""
    return [
        (column, 1 if read is None else round(read(data) * scale), windows)
        for column, read, scale, windows in plan.columns
    ]


def _add_today(state: CustomerState, plan: _Plan, data: object) -> None:
    for column, amount, windows in _amounts(plan, data):
        before = state.today[column]
        state.today[column] = after = min(before + amount, SUM_LIMIT)
        for window in windows:
            state.totals[window] += after - before


def _add_late(state: CustomerState, plan: _Plan, data: object, day: int) -> None:
    """Add to a day of the past, which may be new."""
    amounts = _amounts(plan, data)
    if not any(amount for _, amount, _ in amounts):
        return
    past = _past(state)
    at = bisect_left(past.days, day)
    if at == len(past.days) or past.days[at] != day:
        past.days.insert(at, day)
        past.sums[at * WIDTH : at * WIDTH] = [0] * WIDTH
    for column, amount, _ in amounts:
        place = at * WIDTH + column
        past.sums[place] = min(past.sums[place] + amount, SUM_LIMIT)
    state.past, state.totals = encode_state(past), _totals(state, past, state.newest_ms // DAY_MS)
