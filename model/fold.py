"""The fold of an event into its customer's state, and the totals of a state on a day."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from model.declaration import DAY_MS
from model.state import (
    ACCUMULATORS,
    ATTRIBUTES,
    DIGEST_BYTES,
    KEPT_DAYS,
    LATEST_MS,
    RECENT_IDS,
    SUM_LIMIT,
    TYPES,
    WIDTH,
    WINDOWED,
    CustomerState,
    Past,
    decode_past,
    encode_state,
)
from schemas.cloudevents import CloudEvent, to_ms
from schemas.events import EVENT_TYPES


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
    return counted_ms(event.time)


def counted_ms(time: datetime) -> int:
    """A time as states count it: none before 1970, none after 9999."""
    return min(max(1, to_ms(time)), LATEST_MS)


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
    return state.totals if day == state.newest_ms // DAY_MS else _totals(state, decode_past(state), day)


def _totals(state: CustomerState, past: Past, day: int) -> list[int]:
    newest_day = state.newest_ms // DAY_MS
    firsts = {window: bisect_right(past.days, day - window) * WIDTH for window in _SPANS}
    return [
        sum(past.sums[firsts[window] + column :: WIDTH], state.today[column] if newest_day > day - window else 0)
        for column, window in _WINDOWS
    ]


def _begin_day(state: CustomerState, day: int) -> None:
    """Make the newest day one of the past, and drop the days that no window reaches from `day` on."""
    past = decode_past(state)
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
    past = decode_past(state)
    at = bisect_left(past.days, day)
    if at == len(past.days) or past.days[at] != day:
        past.days.insert(at, day)
        past.sums[at * WIDTH : at * WIDTH] = [0] * WIDTH
    for column, amount, _ in amounts:
        place = at * WIDTH + column
        past.sums[place] = min(past.sums[place] + amount, SUM_LIMIT)
    state.past, state.totals = encode_state(past), _totals(state, past, state.newest_ms // DAY_MS)
