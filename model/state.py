"""A customer's state: everything the features need, small, and the same whatever the order of the days it came in.

Times are milliseconds since 1970 (UTC), days are whole UTC days since 1970. An event dated before 1970 counts as of
1970's first millisecond, so that 0 can mean never. Counts and sums are integers in a column per accumulator with a
value per day, which makes adding exact and independent of order; they stop at `SUM_LIMIT`.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from model.declaration import DAY_MS, Feature
from model.features import FEATURES
from schemas.cloudevents import CloudEvent, to_ms
from schemas.events import EVENT_TYPES

SUM_LIMIT = 2**53
RECENT_IDS = 8

Accumulator = tuple[tuple[str, ...], str | None, int]  # event types, field (None: count), scale
Attribute = tuple[tuple[str, ...], str, tuple[str, ...]]  # event types, field, categories


def accumulator(feature: Feature) -> Accumulator:
    """The column that a `count` or `sum` is read from; features that differ only in window share one."""
    return feature.types, feature.field, feature.scale


def attribute(feature: Feature) -> Attribute:
    """The remembered value that a `latest` is read from."""
    return feature.types, feature.field or feature.name, feature.categories


TYPES: tuple[str, ...] = tuple(str(kind.__struct_config__.tag) for kind in EVENT_TYPES)
ACCUMULATORS = tuple(dict.fromkeys(accumulator(f) for f in FEATURES if f.kind in {"count", "sum"}))
ATTRIBUTES = tuple(dict.fromkeys(attribute(f) for f in FEATURES if f.kind == "latest"))
KEPT_DAYS = max(f.window_days or 0 for f in FEATURES)
LAYOUT = hashlib.sha256(
    json.dumps([1, TYPES, ACCUMULATORS, ATTRIBUTES, KEPT_DAYS, RECENT_IDS]).encode()
).hexdigest()[:12]  # fmt: skip


class CustomerState(msgspec.Struct, array_like=True, gc=False):
    """The state of one customer, stored as one msgpack array.

    `seen_ms`: the newest event's time by type. `days`: ascending. `sums`: a column per accumulator, aligned with
    `days`. `latest_ms` and `latest`: by attribute, None for a value that is not one of the categories.
    `recent`: hashes of the last event ids, oldest first.
    """

    newest_ms: int
    seen_ms: list[int]
    days: list[int]
    sums: list[list[int]]
    latest_ms: list[int]
    latest: list[float | None]
    recent: list[bytes]

    @classmethod
    def new(cls) -> "CustomerState":
        """The state of a customer of whom nothing is known."""
        return cls(
            0, [0] * len(TYPES), [], [[] for _ in ACCUMULATORS], [0] * len(ATTRIBUTES), [None] * len(ATTRIBUTES), []
        )


encode_state = msgspec.msgpack.Encoder().encode
decode_state: Callable[[bytes], CustomerState] = msgspec.msgpack.Decoder(CustomerState).decode


class _Plan(NamedTuple):
    """What one type of event does to a state."""

    type_index: int
    columns: tuple[tuple[int, Callable[[Any], float] | None, int], ...]
    attributes: tuple[tuple[int, Callable[[Any], Any], dict[str, float] | None], ...]


def _plan(kind: str) -> _Plan:
    columns = tuple(
        (i, attrgetter(field) if field else None, scale)
        for i, (types, field, scale) in enumerate(ACCUMULATORS) if kind in types
    )  # fmt: skip
    attributes = tuple(
        (i, attrgetter(field), {c: float(n) for n, c in enumerate(categories)} if categories else None)
        for i, (types, field, categories) in enumerate(ATTRIBUTES) if kind in types
    )  # fmt: skip
    return _Plan(TYPES.index(kind), columns, attributes)


_PLANS: dict[type[CloudEvent], _Plan] = {kind: _plan(TYPES[i]) for i, kind in enumerate(EVENT_TYPES)}


def event_ms(event: CloudEvent) -> int:
    """The time of an event as the state counts it."""
    return max(1, to_ms(event.time))


def fold(state: CustomerState, event: Any, time_ms: int) -> bool:
    """Fold an event of `time_ms` into its customer's state, in place; False, and no change, for a repeated id."""
    digest = hashlib.blake2b(f"{event.source}\n{event.id}".encode(), digest_size=8).digest()
    if digest in state.recent:
        return False
    state.recent.append(digest)
    if len(state.recent) > RECENT_IDS:
        del state.recent[0]
    plan = _PLANS[type(event)]
    if time_ms > state.newest_ms:
        state.newest_ms = time_ms
        _forget(state, time_ms // DAY_MS - KEPT_DAYS)
    state.seen_ms[plan.type_index] = max(state.seen_ms[plan.type_index], time_ms)
    if plan.columns:
        _add(state, plan, time_ms // DAY_MS, event.data)
    for i, read, codes in plan.attributes:
        value = read(event.data)
        if value is not None and time_ms >= state.latest_ms[i]:
            state.latest_ms[i] = time_ms
            state.latest[i] = float(value) if codes is None else codes.get(value)
    return True


def _add(state: CustomerState, plan: _Plan, day: int, data: object) -> None:
    """Add what `data` counts to its own day, unless no window reaches back to it."""
    if day <= state.newest_ms // DAY_MS - KEPT_DAYS:
        return
    days = state.days
    at = len(days) - 1 if days and days[-1] == day else bisect_left(days, day)
    if at == len(days) or days[at] != day:
        days.insert(at, day)
        for column in state.sums:
            column.insert(at, 0)
    for i, read, scale in plan.columns:
        amount = 1 if read is None else round(read(data) * scale)
        state.sums[i][at] = min(state.sums[i][at] + amount, SUM_LIMIT)


def _forget(state: CustomerState, last_day: int) -> None:
    """Drop the days up to `last_day`, which no window reaches any more."""
    days = state.days
    if days and days[0] <= last_day:
        gone = bisect_left(days, last_day + 1)
        del days[:gone]
        for column in state.sums:
            del column[:gone]
