"""Log lines: one a record, whatever is logged."""

import gc
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.logs import LineFormatter, Sparing, start_logging
from workers.scoring.transactions import LogError

CANARY = "a canary".upper()  # not as it is in the code, which a traceback shows


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


def raised(error: Exception) -> Any:
    """What is known of an error that was raised here."""
    try:
        raise error  # noqa: TRY301
    except Exception:  # noqa: BLE001 - any that is given
        return sys.exc_info()


def test_traceback_stays_in_the_line_without_what_it_quotes() -> None:
    """Where it happened and the type are kept, on the same line; what it says only where we alone wrote it."""
    found = line("failed", name="workers.api.app", exc_info=raised(ValueError("canary")))
    assert len(found.splitlines()) == 1
    assert " failed " in found
    assert "in raised" in found
    assert "ValueError: (message withheld)" in found
    assert "canary" not in found
    assert "Kafka: away" in line("failed", name="workers.api.app", exc_info=raised(LogError("Kafka: away")))


def test_library_does_not_quote_an_error_in_its_message() -> None:
    """That of asyncio writes arguments and errors into its messages; without an error they are as they are."""
    message = "Exception in callback f('canary')"
    found = line(message, name="asyncio", exc_info=raised(ValueError("canary")))
    assert "canary" not in found
    assert "an error in asyncio" in found
    assert message in line(message, name="asyncio")


def test_repeated_line_is_let_through_once_in_a_while() -> None:
    """Lines that differ only in numbers count as one; after the interval it comes again."""

    def passes(message: str, at_s: float) -> bool:
        return sparing.filter(logging.makeLogRecord({"msg": message, "created": at_s}))

    sparing = Sparing(interval_s=10)
    assert passes("refused after 0ms", 100.0)
    assert not passes("refused after 13ms", 109.0)
    assert passes("something else", 109.0)
    assert passes("refused after 7ms", 111.0)


@pytest.fixture
def _started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, kafka = logging.getLogger(), logging.getLogger("kafka")
    before = root.handlers[:], root.level
    changed = ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook"), (logging, "raiseExceptions"))
    for owner, name in changed:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    try:
        start_logging()
        yield
    finally:
        root.handlers, root.level = before
        kafka.filters.clear()


@pytest.mark.usefixtures("_started")
def test_start_logging_writes_to_standard_error() -> None:
    """INFO and above go to standard error."""
    root = logging.getLogger()
    assert root.level == logging.INFO
    assert isinstance(root.handlers[0].formatter, LineFormatter)


@pytest.mark.usefixtures("_started")
def test_what_nobody_catches_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the process, of a thread, and of what Python calls by itself; a thread that just ends is none."""
    (handler,) = (h for h in logging.getLogger().handlers if isinstance(h.formatter, LineFormatter))
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(sys.stderr)  # pytest has another for each phase of a test
    sys.excepthook(*raised(ValueError(CANARY)))
    for work in (lambda: int(CANARY), lambda: sys.exit(1)):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    Fails()
    gc.collect()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 2)[1] for line in lines] == ["CRITICAL", "ERROR", "ERROR"]
    assert ["ValueError: (message withheld)" in line for line in lines] == [True] * 3
    assert CANARY not in "".join(lines)


class Unsayable:
    """Something that cannot be made a text."""

    def __str__(self) -> str:
        """Fail while a line is made."""
        raise ValueError(CANARY)


@pytest.mark.usefixtures("_started")
def test_line_that_cannot_be_written_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Python would print in its place why, and with what."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, LineFormatter):
            handler.handle(logging.makeLogRecord({"msg": "x", "value": Unsayable()}))
    assert not capsys.readouterr().err


class Fails:
    """Something that cannot be deleted."""

    def __del__(self) -> None:
        """Fail where nobody can catch it."""
        raise ValueError(CANARY)
