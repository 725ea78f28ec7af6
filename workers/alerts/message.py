"""What people read: the title and the body of a message, as plain text for Slack and for e-mail."""

from datetime import UTC, datetime
from typing import Literal, NamedTuple

from schemas.alerts import AlertRecord, Severity
from workers.alerts.catalogue import TEST
from workers.spans import duration

Tone = Literal["failure", "warning", "success", "info"]


class Message(NamedTuple):
    """One message; the tone is what some receivers make a colour of."""

    title: str
    body: str
    severity: Severity
    tone: Tone


def message_of(record: AlertRecord, runbook_url: str) -> Message:
    """How a moment of an episode is told."""
    alert, span = record.alert, duration((record.at - record.alert.since).total_seconds())
    if record.state == "cleared":
        when = f"It lasted from {_minute(alert.since)} to {_minute(record.at)} ({span})."
        lines = ["This is over:", alert.summary, when]
    else:
        lines = [
            *(["This is still so:"] if record.state == "reminded" else []),
            alert.summary,
            f"Since {_minute(alert.since)} ({span}).",
            f"Severity: {alert.severity}.",
            f"Look at {alert.look_at}.",
        ]
    body = "\n".join([*lines, f"Runbook: {runbook_url}#{alert.kind}"])
    return Message(_title(record), body, alert.severity, _tone(record))


def _title(record: AlertRecord) -> str:
    severity = record.alert.severity.upper()
    begin = {"raised": severity, "reminded": f"STILL {severity}", "cleared": "ALL CLEAR"}[record.state]
    about = f" ({record.alert.about})" if record.alert.about else ""
    return f"{begin}: {record.alert.kind.replace('-', ' ')}{about}"


def _tone(record: AlertRecord) -> Tone:
    if record.alert.kind == TEST.name:
        return "info"
    if record.state == "cleared":
        return "success"
    return "failure" if record.alert.severity == "critical" else "warning"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
