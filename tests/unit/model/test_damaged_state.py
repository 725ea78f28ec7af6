"""A stored state that is damaged is told, and never read as something else."""

from typing import Any

import pytest

from model.declaration import DAY_MS
from model.fold import totals_on
from model.state import (
    ATTRIBUTES,
    LATEST_MS,
    SUM_LIMIT,
    TYPES,
    WIDTH,
    WINDOWED,
    CustomerState,
    DamagedStateError,
    Past,
    decode_state,
    encode_state,
)
from schemas.cloudevents import to_ms
from tests.unit.model.test_state import NOW, folded, made_up_history


@pytest.mark.parametrize(
    "past",
    [
        b"\xc1",
        b"\x93\x90\x90" + b"\x91" * 100_000,
        encode_state(Past([5], [1] * (WIDTH - 1))),
        encode_state(Past([6, 5], [1] * 2 * WIDTH)),
        encode_state(Past([5, 5], [1] * 2 * WIDTH)),
        encode_state(Past([to_ms(NOW) // DAY_MS], [1] * WIDTH)),
        encode_state(Past([5], [-1] * WIDTH)),
        encode_state(Past([5], [SUM_LIMIT + 1] * WIDTH)),
    ],
    ids=lambda past: repr(past[:8]),
)
def test_damaged_past_is_told(past: bytes) -> None:
    """A state whose past is not one of days before the newest event's says so when the past is needed."""
    state = folded(*made_up_history())
    state.past = past
    with pytest.raises(DamagedStateError):
        totals_on(state, state.newest_ms // DAY_MS + 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("newest_ms", 0),
        ("newest_ms", LATEST_MS + 1),
        ("seen_ms", [to_ms(NOW)]),
        ("seen_ms", [to_ms(NOW) + 1] * len(TYPES)),
        ("latest_ms", [to_ms(NOW) + 1] * len(ATTRIBUTES)),
        ("latest", [1.0]),
        ("latest", [float("nan")] * len(ATTRIBUTES)),
        ("latest", [float("inf")] * len(ATTRIBUTES)),
        ("totals", [-1] * len(WINDOWED)),
        ("totals", [2**64 - 1] * len(WINDOWED)),
        ("today", [0] * (WIDTH + 1)),
        ("today", [SUM_LIMIT + 1] * WIDTH),
        ("recent", b"x" * 65),
    ],
)
def test_damaged_state_is_told(field: str, value: Any) -> None:
    """A state with a wrong number of numbers, or one that no fold can come to, is not used."""
    state = folded(*made_up_history())
    setattr(state, field, value)
    with pytest.raises(DamagedStateError):
        decode_state(encode_state(state))


def test_state_with_something_behind_it_that_is_nested_deeply_is_told() -> None:
    """What newer states may have behind what we know is skipped, and cannot exhaust the stack."""
    fields = encode_state(CustomerState.new())[1:]
    assert decode_state(b"\x99" + fields + b"\xc0") == CustomerState.new()
    with pytest.raises(DamagedStateError, match="recursion"):
        decode_state(b"\x99" + fields + b"\x91" * 100_000)
