"""The bad records that the demo sends on purpose, and what must become of each."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from schemas.events import Call, CallStarted, Event, encode


class Bad(NamedTuple):
    """A record as it is sent; `event_id` is set where it is an event that must be answered all the same."""

    key: bytes
    value: bytes
    event_id: str | None = None


def _event(event: Event) -> Bad:
    return Bad(event.subject.encode(), encode(event), event.id)


def bad_records() -> list[Bad]:
    """Five that can never be used, and two that are answered with `could-not-compute`."""
    now = datetime.now(UTC)
    stranger = CallStarted(
        id="demo-stranger", source="demo", subject="nobody", time=now, specversion="1.0", data=Call(reason="hello")
    )
    early = CallStarted(
        id="demo-early", source="demo", subject="1", time=now + timedelta(days=365), specversion="1.0", data=Call()
    )
    good = encode(stranger)
    return [
        Bad(b"1", b"customer 1 called"),
        Bad(b"2", good[: len(good) // 2]),
        Bad(b"3", b"[" + good + b"]"),
        Bad(b"4", good.replace(b"call.started", b"call.imagined")),
        Bad(b"somebody-else", good),
        _event(stranger),
        _event(early),
    ]
