"""Structured logs: one line a record, `time level message key=value …`, read by people and by every log collector."""

import json
import logging
import sys
import time

_STANDARD = frozenset(vars(logging.makeLogRecord({})))


class LineFormatter(logging.Formatter):
    """Puts the `extra` of a record behind its message as key=value, quoted where it has blanks."""

    converter = staticmethod(time.gmtime)  # type: ignore[assignment]

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is logged; a traceback is kept, with its line breaks escaped."""
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD | {"message", "asctime"}}
        if record.exc_info:
            extra["traceback"] = self.formatException(record.exc_info)
        words = [
            f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            record.levelname,
            " ".join(record.getMessage().split()),
            *(f"{key}={_shown(value)}" for key, value in extra.items()),
        ]
        return " ".join(words)


def _shown(value: object) -> str:
    text = str(value)
    return text if text and not any(c.isspace() or c in '"=' for c in text) else json.dumps(text, ensure_ascii=False)


def start_logging() -> None:
    """Log to standard error, from INFO on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
