"""Summaries as they are on the topic: whole, or refused."""

from datetime import UTC, datetime

import pytest

from schemas.errors import InvalidRecordError
from schemas.telemetry import Telemetry, decode_telemetry, encode_telemetry

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_summary_is_the_same_when_read() -> None:
    """With everything that is in it."""
    summary = Telemetry(process="p", kind="api", began=NOW, ended=NOW, counts={"scored": 1}, latency=[1, 0])
    assert decode_telemetry(encode_telemetry(summary)) == summary


@pytest.mark.parametrize(
    "value", [None, b"", b"{}", b'{"process":"p","kind":"api","began":"x"}', encode_telemetry({"counts": {"x": -1}})]
)
def test_what_is_no_summary_is_refused(value: bytes | None) -> None:
    """Whatever the bytes are."""
    with pytest.raises(InvalidRecordError):
        decode_telemetry(value)
