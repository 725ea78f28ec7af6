"""Structured logs: one line a record, `time level message key=value …`, read by people and by every log collector."""

import json
import logging
import re
import sys
import threading
import time
from types import TracebackType

from churn.privacy import is_ours, traceback_of

logger = logging.getLogger(__name__)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_PLAIN = re.compile(r"[A-Za-z0-9/_.:{}@,+-]+")  # most words are, and need no closer look


class LineFormatter(logging.Formatter):
    """Puts the `extra` of a record behind its message as key=value, quoted where it has blanks."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is logged; a traceback is kept, with its line breaks escaped.

        What errors quote is not: it may be a customer's. Libraries put it into their messages too, so of a record of
        theirs that has an error only the logger is told.
        """
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        message = record.getMessage()
        if record.exc_info and (error := record.exc_info[1]):
            extra["traceback"] = traceback_of(error)
            message = message if is_ours(record.name) else f"an error in {record.name}"
        words = [
            f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            record.levelname,
            " ".join(message.split()),
            *(f"{key}={_shown(value)}" for key, value in extra.items()),
        ]
        return " ".join(words)


def _shown(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    plain = text.isprintable() and not any(c in ' "=' for c in text)
    return text if text and plain else json.dumps(text)


class Sparing(logging.Filter):
    """Lets a line through once in `interval_s`: librdkafka repeats itself twenty times a second while a broker is away.

    Two lines that differ only in numbers are the same line.
    """

    def __init__(self, interval_s: float = 10.0) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._last_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line has not been let through lately."""
        line = re.sub(r"\d+", "0", record.getMessage())
        if record.created - self._last_s.get(line, -self._interval_s) < self._interval_s:
            return False
        self._last_s[line] = record.created
        return True


def start_logging() -> None:
    """Log to standard error, from INFO on; errors that nobody catches too, which Python would print whole."""
    logging.getLogger("kafka").addFilter(Sparing())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.raiseExceptions = False  # a line that cannot be written would be printed, with the error that it is of
    sys.excepthook = _process_ends
    threading.excepthook = _thread_ends
    sys.unraisablehook = _nobody_to_tell


def _process_ends(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logger.critical("the process ends of an error that nobody caught", exc_info=(kind, error, trace))


def _thread_ends(ending: threading.ExceptHookArgs) -> None:
    if isinstance(error := ending.exc_value, Exception):  # others just end it
        logger.error("a thread ended of an error that nobody caught", exc_info=error)


def _nobody_to_tell(ending: "sys.UnraisableHookArgs") -> None:
    logger.error("an error came where nobody can catch it", exc_info=ending.exc_value)
