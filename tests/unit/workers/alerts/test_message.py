"""What people read of an alert."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from schemas.alerts import AlertRecord
from workers.alerts.catalogue import FEATURE_DRIFT, TEST, TOPIC_QUIET, Kind
from workers.alerts.message import message_of

SINCE = datetime(2026, 7, 1, 10, 5, 59, tzinfo=UTC)
QUIET = TOPIC_QUIET.alert("Nothing came to customer.events for a day.", since=SINCE, about="customer.events")
RUNBOOK = "https://wiki.example/runbook"


def record(state: Literal["raised", "reminded", "cleared"], kind: Kind = TOPIC_QUIET) -> AlertRecord:
    """A moment 26 hours after it began."""
    alert = QUIET if kind is TOPIC_QUIET else kind.alert("Something is wrong.", since=SINCE)
    return AlertRecord(alert=alert, state=state, at=SINCE + timedelta(hours=26))


def test_raised() -> None:
    """The title says how bad and what; the body what happened, since when, what to look at, where to read on."""
    message = message_of(record("raised"), RUNBOOK)
    assert message.title == "CRITICAL: topic quiet (customer.events)"
    assert message.body.splitlines() == [
        "Nothing came to customer.events for a day.",
        "Since 2026-07-01 10:05 UTC (26 h).",
        "Severity: critical.",
        "Look at whether the applications that publish to the topic run and reach Kafka.",
        "Runbook: https://wiki.example/runbook#topic-quiet",
    ]
    assert (message.severity, message.tone) == ("critical", "failure")


def test_reminder_says_that_it_is_one() -> None:
    """Nobody takes it for something new."""
    message = message_of(record("reminded", FEATURE_DRIFT), RUNBOOK)
    assert message.title == "STILL WARNING: feature drift"
    assert message.body.startswith("This is still so:\nSomething is wrong.\nSince ")
    assert (message.severity, message.tone) == ("warning", "warning")


def test_all_clear() -> None:
    """It says what is over, and from when to when it lasted."""
    message = message_of(record("cleared"), RUNBOOK)
    assert message.title == "ALL CLEAR: topic quiet (customer.events)"
    assert message.body.splitlines()[:3] == [
        "This is over:",
        "Nothing came to customer.events for a day.",
        "It lasted from 2026-07-01 10:05 UTC to 2026-07-02 12:05 UTC (26 h).",
    ]
    assert message.tone == "success"


@pytest.mark.parametrize("state", ["raised", "cleared"])
def test_test_has_no_colour(state: Literal["raised", "cleared"]) -> None:
    """Nobody is frightened by a test."""
    assert message_of(record(state, TEST), RUNBOOK).tone == "info"
