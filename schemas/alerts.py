"""What on-call staff and data scientists are told, on the topic `churn.alerts` as well as by Slack or e-mail."""

from typing import Annotated, Literal

import msgspec

from schemas.cloudevents import Time
from schemas.errors import decoded

Severity = Literal["warning", "critical"]
Audience = Literal["oncall", "data"]  # on-call staff, data scientists
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong, as it is told: what, since when, how bad, what to look at."""

    kind: Annotated[str, msgspec.Meta(pattern=r"^[a-z-]{1,64}$(?!\n)")]  # a section of docs/runbook.md
    about: Annotated[str, msgspec.Meta(max_length=200)]  # which topic, feature, group; "" where there is but one
    severity: Severity
    audience: Audience
    summary: Line
    since: Time
    look_at: Line

    @property
    def subject(self) -> str:
        """What tells an episode from others: `kind/about`."""
        return f"{self.kind}/{self.about}"


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of an episode; `churn.alerts` is keyed by `kind/about` and keeps the last of each."""

    alert: Alert
    state: Literal["raised", "reminded", "cleared"]
    at: Time
    undelivered: list[str] = []  # receivers that could not be told, without their secrets

    @property
    def open(self) -> bool:
        """Whether it is still wrong."""
        return self.state != "cleared"


encode_alert = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AlertRecord).decode


def decode_alert(value: bytes | None) -> AlertRecord:
    """One record from the bytes of its value; raises `InvalidRecordError`, whatever the bytes are."""
    return decoded(_decode, value)
