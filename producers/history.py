"""A customer's past as events that add up to what is known of it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.events import (
    Call,
    CallStarted,
    Charge,
    ChargeBilled,
    Complaint,
    ComplaintOpened,
    CustomerRegistered,
    CustomerUpdated,
    Data,
    Event,
    Profile,
    Usage,
    UsageRecorded,
)
from schemas.outcomes import Outcome, OutcomeObserved

SOURCE = "replay"
OBSERVED_AT = datetime(2026, 6, 30, tzinfo=UTC)  # the moment that the aggregates of a row are of
HORIZON_DAYS = 90
WINDOW_DAYS = 270  # that usage, charges, complaints and calls are of, the day of the moment included
MONTH = timedelta(milliseconds=2_629_800_000)  # a twelfth of a year of 365.25 days, as the model counts


def spread(total: int, parts: int) -> list[int]:
    """`parts` (1 or more) integers that add up to `total` and differ by at most 1, always in the same order."""
    return [total * (i + 1) // parts - total * i // parts for i in range(parts)]


class History:
    """Collects what happened to customer `number` of a data set, who registered `age` before `OBSERVED_AT`.

    Nothing happens before the registration or out of the window: of a young customer there are fewer records, which
    add up to the same.
    """

    def __init__(self, dataset: str, number: int, *, age: timedelta, churned: bool) -> None:
        self.customer = str(number)
        self._dataset = dataset
        self._number = number
        self._age = age
        self._churned = churned
        self._happened: list[tuple[datetime, Callable[..., Event], Data]] = []

    def registered(self, profile: Profile) -> None:
        """The customer joined, and was like `profile`."""
        self._happened.append((OBSERVED_AT - self._age, CustomerRegistered, profile))

    def updated(self, moment: datetime, profile: Profile) -> None:
        """The CRM wrote `profile` down."""
        self._happened.append((moment, CustomerUpdated, profile))

    def used(self, totals: Usage) -> None:
        """`totals` were recorded in nine parts, every 30 days."""
        moments = self.every(days=30, times=9)
        shares = {field: spread(total, len(moments)) for field, total in msgspec.structs.asdict(totals).items()}
        for i, moment in enumerate(moments):
            usage = Usage(**{field: parts[i] for field, parts in shares.items()})
            self._happened.append((moment, UsageRecorded, usage))

    def billed(self, cents: int) -> None:
        """`cents` were billed in three parts, every 90 days; 0 is billed too."""
        moments = self.every(days=90, times=3)
        for moment, part in zip(moments, spread(cents, len(moments)), strict=True):
            self._happened.append((moment, ChargeBilled, Charge(amount=part / 100)))

    def complained(self, times: int) -> None:
        """The customer complained on `times` days of the window."""
        self._happened += [(moment, ComplaintOpened, Complaint()) for moment in self._scattered(times)]

    def called(self, times: int) -> None:
        """The customer called the call center on `times` days of the window."""
        self._happened += [(moment, CallStarted, Call()) for moment in self._scattered(times)]

    def every(self, *, days: int, times: int) -> list[datetime]:
        """The last `times` moments, `days` apart, that are not before the registration; the last is `OBSERVED_AT`."""
        ages = (timedelta(days=days * back) for back in reversed(range(times)))
        return [OBSERVED_AT - age for age in ages if age <= self._age]

    def events(self) -> list[Event]:
        """What happened, in order of time; the ids are `<data set>-<customer>-<number from 1>`."""
        in_order = sorted(self._happened, key=lambda happened: happened[0])
        return [
            kind(**self._envelope(i, moment), data=data) for i, (moment, kind, data) in enumerate(in_order, start=1)
        ]

    def outcome(self) -> OutcomeObserved:
        """Whether the customer left, observed `HORIZON_DAYS` after `OBSERVED_AT`."""
        moment = OBSERVED_AT + timedelta(days=HORIZON_DAYS)
        data = Outcome(churned=self._churned, horizon_days=HORIZON_DAYS)
        return OutcomeObserved(**self._envelope("outcome", moment), data=data)

    def _envelope(self, name: object, moment: datetime) -> dict[str, Any]:
        event_id = f"{self._dataset}-{self.customer}-{name}"
        return {"id": event_id, "source": SOURCE, "subject": self.customer, "time": moment, "specversion": "1.0"}

    def _scattered(self, times: int) -> Iterable[datetime]:
        days = min(self._age.days + 1, WINDOW_DAYS)  # from 0 on, of the day of OBSERVED_AT, back
        return (OBSERVED_AT - timedelta(days=(self._number * 97 + i * 53) % days) for i in range(times))
