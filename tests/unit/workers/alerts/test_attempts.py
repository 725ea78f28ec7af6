"""When a message is tried again."""

from datetime import UTC, datetime, timedelta

from schemas.alerts import AlertRecord
from workers.alerts.attempts import FIRST_WAIT, LONGEST_WAIT, Attempts
from workers.alerts.catalogue import BROKER_AWAY

AT = datetime(2026, 7, 1, tzinfo=UTC)
RECORD = AlertRecord(alert=BROKER_AWAY.alert("It is away.", since=AT), state="raised", at=AT)


def test_waits_grow_and_begin_anew_with_the_next_record() -> None:
    """A minute, two, four, up to an hour; another record of the subject is tried after a minute again."""
    attempts, now, waits = Attempts(), AT, []
    for _ in range(9):
        began = now
        while not attempts.due(RECORD, now):
            now += timedelta(seconds=30)
        waits.append(now - began)
        attempts.failed(RECORD, now)
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    later = AlertRecord(alert=RECORD.alert, state="cleared", at=now)
    assert not attempts.due(later, now)
    assert attempts.due(later, now + FIRST_WAIT)
