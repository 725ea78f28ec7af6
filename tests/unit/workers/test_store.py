"""The applied value in Redis: an offset, or nothing."""

import pytest

from model.state import LAYOUT
from workers.store import decode_applied


def test_offset_of_this_layout_is_read() -> None:
    """The largest offset that Kafka has is read too."""
    assert decode_applied(f"{LAYOUT}:0".encode()) == 0
    assert decode_applied(f"{LAYOUT}:{2**63 - 1}".encode()) == 2**63 - 1


DAMAGED = [f"{LAYOUT}:{offset}".encode() for offset in ("", "-1", "1.0", "\u0661", "9" * 5000)]


@pytest.mark.parametrize(
    "value", [None, b"", b"17", b":17", b"0123:17", *DAMAGED],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_anything_else_is_none(value: bytes | None) -> None:
    """Another layout and damage of any kind mean that nothing is known to be applied."""
    assert decode_applied(value) is None
