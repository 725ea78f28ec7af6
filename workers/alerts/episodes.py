"""Episodes: what is wrong is told once when it begins, again while it lasts, and once when it is over.

Several monitors look at the same things, and one of them tells:

- Redis is there: the one that takes the subject's lease. If it is killed before it has told, another one tells when the
  lease has ended; if it is killed after that and before it has said so, another one tells again. An alert is never
  lost, and at worst told twice.
- Redis is away: the active monitor, of which there is one. Kafka is away too: nobody knows who is active, so every
  monitor tells.
- Kafka is away: what was told is kept in memory and in Redis, and is in the log when Kafka is back.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec.structs import replace

from schemas.alerts import Alert, AlertRecord
from workers.alerts.attempts import Attempts
from workers.alerts.claims import Claims, ClaimsUnavailableError
from workers.alerts.known import Known
from workers.alerts.log import AlertLog
from workers.alerts.message import message_of
from workers.alerts.receivers import RATE_LIMIT, Receivers, Told

logger = logging.getLogger(__name__)

LOOKS_TO_CLEAR = 2  # what comes and goes from look to look is one episode
_MILLISECOND = timedelta(milliseconds=1)


def now_utc() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class Episodes:
    """What one monitor tells of what it sees."""

    def __init__(
        self,
        *,
        receivers: Receivers,
        claims: Claims,
        log: AlertLog,
        runbook_url: str,
        reminder_s: float,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._receivers, self._claims, self._known = receivers, claims, Known(claims, log)
        self._runbook_url, self._reminder = runbook_url, timedelta(seconds=reminder_s)
        self._clock = clock
        self._absent: Counter[str] = Counter()  # looks at which an open episode was not there any more
        self._attempts = Attempts()
        self._telling: set[str] = set()
        self._told = threading.Condition()  # guards the line above

    def look(self, alerts: Iterable[Alert], *, judged: Collection[str], active: bool) -> None:
        """Take in what is wrong now, and have told what there is to tell of it.

        An alert of a kind in `judged` that is not there any more is over; of the other kinds nothing is known just now.
        Never raises, ends within seconds, and is to be called in a thread: receivers are told in threads of their own.
        """
        kafka = self._known.read() and self._known.publish()
        redis = self._known.share()
        with self._told:
            busy = set(self._telling)
        known = self._known.records()  # after `busy`: who is told no more by then has written down that it was
        for record in self._due({alert.subject: alert for alert in alerts}, known, judged):
            if record.alert.subject in busy:
                continue
            last = known.get(record.alert.subject)
            if redis:
                self._claim_and_tell(record, last)
            elif active or not kafka:
                self._tell(record, last)

    def records(self) -> list[AlertRecord]:
        """The last record of every episode, the newest first."""
        return sorted(self._known.records().values(), key=lambda record: record.at, reverse=True)

    def settle(self, timeout_s: float) -> bool:
        """Wait until nobody is being told; False when that takes longer."""
        with self._told:
            return self._told.wait_for(lambda: not self._telling, timeout_s)

    def _due(
        self, alerts: dict[str, Alert], known: dict[str, AlertRecord], judged: Collection[str]
    ) -> list[AlertRecord]:
        """The records that follow the known ones; a known one itself when it did not reach everybody."""
        now = self._clock()
        for subject, last in known.items():
            if subject in alerts:
                self._absent[subject] = 0
            elif last.open and last.alert.kind in judged:
                self._absent[subject] += 1
        found = [self._next(alerts.get(subject), known.get(subject), now) for subject in {**known, **alerts}]
        return [record for record in found if record is not None]

    def _next(self, alert: Alert | None, last: AlertRecord | None, now: datetime) -> AlertRecord | None:
        at = _later(now, last)
        if last is None or not last.open:
            if alert is not None:
                return AlertRecord(alert=alert, state="raised", at=at)
        elif self._absent[last.alert.subject] >= LOOKS_TO_CLEAR:
            return AlertRecord(alert=last.alert, state="cleared", at=at)
        elif alert is not None and now - last.at >= self._reminder:
            return AlertRecord(alert=replace(alert, since=last.alert.since), state="reminded", at=at)
        return last if last is not None and self._is_to_be_tried_again(last, now) else None

    def _is_to_be_tried_again(self, last: AlertRecord, now: datetime) -> bool:
        return bool(self._missed(last)) and now - last.at < self._reminder and self._attempts.due(last, now)

    def _missed(self, last: AlertRecord) -> list[str]:
        return [name for name in self._receivers.names if name in last.undelivered]

    def _claim_and_tell(self, record: AlertRecord, last: AlertRecord | None) -> None:
        """Tell, unless another monitor does or has."""
        subject = record.alert.subject
        try:
            if not self._claims.take(subject):
                return
            if self._claims.last(subject) == last:
                self._tell(record, last)
            else:
                self._claims.release(subject)
        except ClaimsUnavailableError as error:
            logger.warning("monitors cannot agree on who tells", extra={"error": str(error)})

    def _tell(self, record: AlertRecord, last: AlertRecord | None) -> None:
        names = self._missed(record) if record is last else self._receivers.hearing(record.alert)
        with self._told:
            self._telling.add(record.alert.subject)
        told = self._receivers.tell(message_of(record, self._runbook_url), names)
        told.add_done_callback(partial(self._note, record, last))

    def _note(self, record: AlertRecord, last: AlertRecord | None, told: "Future[Told]") -> None:
        """Write down that it was told, and to whom not."""
        subject, why_not = record.alert.subject, {name: why for name, why in told.result().items() if why is not None}
        extra = {"kind": record.alert.kind, "about": record.alert.about, "state": record.state}
        if why_not:
            logger.error("an alert did not reach everybody", extra={**extra, "undelivered": why_not})
        else:
            logger.warning("an alert was told", extra=extra)
        undelivered = [f"{name}: {why}" if why == RATE_LIMIT else name for name, why in why_not.items()]
        if record is not last:
            self._known.note(replace(record, undelivered=undelivered))
        elif undelivered != self._missed(record):
            rest = [name for name in record.undelivered if name not in told.result()]
            self._known.note(replace(record, undelivered=rest + undelivered, at=_later(self._clock(), record)))
        else:
            self._attempts.failed(record, self._clock())
        with suppress(ClaimsUnavailableError):
            self._claims.release(subject)
        self._known.publish()
        with self._told:
            self._telling.discard(subject)
            self._told.notify_all()


def _later(now: datetime, last: AlertRecord | None) -> datetime:
    """Now in whole milliseconds, and after `last`, also if this clock is behind the one of another monitor."""
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return now if last is None else max(now, last.at + _MILLISECOND)
