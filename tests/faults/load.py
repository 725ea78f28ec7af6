"""Uniquely numbered events of some customers: all types, days that go on, late events; the same for the same seed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from schemas.events import (
    Call,
    CallStarted,
    Charge,
    ChargeBilled,
    Complaint,
    ComplaintOpened,
    CustomerRegistered,
    CustomerUpdated,
    Event,
    Profile,
    Usage,
    UsageRecorded,
    encode,
)

START = datetime(2025, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=1)
LATE = timedelta(days=3)

EVENTS = 6_000  # of a short run
SHARE = 2_000  # what a round of a long run gets: in hand for a second or two

Record = tuple[bytes | None, bytes | None]


@cache
def load(events: int, seed: int = 1) -> tuple[Record, ...]:
    """(key, value) of each event; each customer has some sixty, more than a state remembers the ids of."""
    return tuple((event.subject.encode(), encode(event)) for event in _events(events, Random(seed)))


def load_for(rounds: int) -> tuple[Record, ...]:
    """Enough for a share a round, and one to begin with; of few rounds the load that has its clean run already."""
    return load(EVENTS if rounds < 5 else SHARE * (rounds + 1))


def _events(events: int, random: Random) -> Iterator[Event]:
    customers = max(1, events // 60)
    for n in range(events):
        at = START + n * STEP
        common: dict[str, Any] = {"id": str(n), "source": "faults", "specversion": "1.0", "time": at}
        if n < customers:
            yield CustomerRegistered(data=Profile(age_group=1 + n % 5), subject=f"c{n}", **common)
            continue
        common |= {"subject": f"c{random.randrange(customers)}", "time": at - LATE * (random.random() < 0.02)}
        match random.random():
            case r if r < 0.4:
                yield UsageRecorded(data=Usage(calls=random.randrange(9), call_seconds=int(r * 1000)), **common)
            case r if r < 0.7:
                yield ChargeBilled(data=Charge(amount=round(r * 100, 2)), **common)
            case r if r < 0.92:
                yield CallStarted(data=Call(), **common)
            case r if r < 0.96:
                yield ComplaintOpened(data=Complaint(), **common)
            case _:
                yield CustomerUpdated(data=Profile(age_group=random.randrange(1, 6)), **common)
