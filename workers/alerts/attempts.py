"""When those that a message did not reach are tried again: after a minute, then after ever longer waits."""

from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.alerts import AlertRecord

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


class _Attempt(NamedTuple):
    of: datetime  # the record
    due: datetime
    wait: timedelta


class Attempts:
    """The next attempt for the last record of each subject."""

    def __init__(self) -> None:
        self._next: dict[str, _Attempt] = {}

    def due(self, record: AlertRecord, now: datetime) -> bool:
        """Whether it is time to try again."""
        return now >= self._of(record).due

    def failed(self, record: AlertRecord, now: datetime) -> None:
        """It was in vain once more."""
        wait = min(2 * self._of(record).wait, LONGEST_WAIT)
        self._next[record.alert.subject] = _Attempt(record.at, now + wait, wait)

    def _of(self, record: AlertRecord) -> _Attempt:
        found = self._next.get(record.alert.subject)
        if found is None or found.of != record.at:
            return _Attempt(record.at, record.at + FIRST_WAIT, FIRST_WAIT)
        return found
