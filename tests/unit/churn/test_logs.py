"""Log lines: one a record, whatever is logged."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from churn.logs import LineFormatter, Sparing, start_logging


def line(message: str, **extra: object) -> str:
    """The line of one record."""
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "created": 0.0, "msecs": 7.0} | extra)
    return LineFormatter().format(record)


def test_line_has_time_level_message_and_extras() -> None:
    """A line can be split at blanks, and a value with blanks is quoted."""
    expected = '1970-01-01T00:00:00.007Z INFO progress lag=3 error="no broker"'
    assert line("progress", lag=3, error="no broker") == expected


@given(st.text(), st.text())
def test_line_is_one_line(message: str, value: str) -> None:
    """No text can break a line in two, and a quoted value can be read back."""
    found = line(message, value=value)
    assert len(found.splitlines()) == 1
    quoted = found.rpartition(" value=")[2]
    assert (json.loads(quoted) if quoted.startswith('"') else quoted) == value


def test_traceback_stays_in_the_line() -> None:
    """A traceback is kept, on the same line."""
    try:
        raise ValueError("broken")  # noqa: TRY301
    except ValueError:
        found = line("failed", exc_info=sys.exc_info())
    assert len(found.splitlines()) == 1
    assert "ValueError: broken" in found


def test_repeated_line_is_let_through_once_in_a_while() -> None:
    """Lines that differ only in numbers count as one; after the interval it comes again."""

    def passes(message: str, at_s: float) -> bool:
        return sparing.filter(logging.makeLogRecord({"msg": message, "created": at_s}))

    sparing = Sparing(interval_s=10)
    assert passes("refused after 0ms", 100.0)
    assert not passes("refused after 13ms", 109.0)
    assert passes("something else", 109.0)
    assert passes("refused after 7ms", 111.0)


def test_start_logging_writes_to_standard_error() -> None:
    """INFO and above go to standard error."""
    root = logging.getLogger()
    kafka = logging.getLogger("kafka")
    before = root.handlers[:], root.level
    try:
        start_logging()
        assert root.level == logging.INFO
        assert isinstance(root.handlers[0].formatter, LineFormatter)
    finally:
        root.handlers, root.level = before
        kafka.filters.clear()
