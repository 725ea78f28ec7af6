"""The words in which features are declared: what is counted, summed or remembered, over which events and how long."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

DAY_MS = 86_400_000
MONTH_MS = 2_629_800_000  # a twelfth of a year of 365.25 days

Kind = Literal["count", "sum", "latest", "days_since", "months_since"]
Policy = Literal["score", "flag", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature: where its value comes from, when to trust it, and how to say it to a customer.

    `window_days` counts back from the day of the moment, that day included. A `sum` is kept in whole units of
    1/`scale`. A value outside [`low`, `high`] cannot be scored. Without an event the value is `default` (None:
    missing). What is older than `stale_after_days` is stale. `policy` says what to do with a value that is not fresh.
    """

    name: str
    kind: Kind
    types: tuple[str, ...]
    about: str
    unit: str
    says: Callable[[float], str]
    field: str | None = None
    window_days: int | None = None
    scale: int = 1
    categories: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1e9
    default: float | None = 0.0
    stale_after_days: int | None = None
    policy: Policy = "score"

    @property
    def span_ms(self) -> int:
        """The unit of a `days_since` or `months_since`, in milliseconds."""
        return MONTH_MS if self.kind == "months_since" else DAY_MS

    def computing(self) -> tuple[object, ...]:
        """All that a value depends on; the words for people are left out."""
        return (self.name, self.kind, self.types, self.field, self.window_days, self.scale, self.categories)


def plural(value: float, one: str, many: str | None = None) -> str:
    """`value` and its noun: `1 call`, `2 calls`, `2.5 months`."""
    return f"{value:,.6g} {one if value == 1 else many or one + 's'}"
