"""Histories: integers are spread exactly, and nothing happens before the registration or out of the window."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.declaration import DAY_MS, MONTH_MS
from model.features import WINDOW_DAYS
from model.state import RECENT_IDS
from producers import history, replay
from producers.history import MONTH, OBSERVED_AT, History, spread
from schemas.cloudevents import to_ms
from schemas.events import Profile, Usage


def test_constants_are_those_of_the_model() -> None:
    """What may not be imported from the model is equal to it."""
    assert timedelta(milliseconds=MONTH_MS) == MONTH
    assert history.WINDOW_DAYS == WINDOW_DAYS
    assert replay.MAX_UNSAVED_PER_CUSTOMER == RECENT_IDS


@given(total=st.integers(0, 10**12), parts=st.integers(1, 50))
def test_parts_add_up_and_are_even(total: int, parts: int) -> None:
    """The parts of a spread add up to the total and differ by at most 1."""
    shares = spread(total, parts)
    assert len(shares) == parts
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


@given(
    number=st.integers(1, 10**6),
    age_s=st.integers(0, 10**9),
    calls=st.integers(0, 400),
    complaints=st.integers(0, 3),
)
def test_nothing_happens_before_the_registration_or_out_of_the_window(
    number: int, age_s: int, calls: int, complaints: int
) -> None:
    """Everything but the registration is in the window, not before the registration and not after the moment."""
    customer = History("test", number, age=timedelta(seconds=age_s), churned=False)
    customer.used(Usage(calls=7))
    customer.billed(cents=100)
    customer.called(calls)
    customer.complained(complaints)
    customer.registered(Profile())
    registered, *rest = sorted(customer.events(), key=lambda event: type(event).__name__ != "CustomerRegistered")
    assert registered.time == OBSERVED_AT - timedelta(seconds=age_s)
    today = to_ms(OBSERVED_AT) // DAY_MS
    for event in rest:
        assert registered.time <= event.time <= OBSERVED_AT
        assert today - WINDOW_DAYS < to_ms(event.time) // DAY_MS <= today


@pytest.mark.parametrize(
    ("age_days", "records"), [(0, 1), (29, 1), (30, 2), (100, 4), (239, 8), (240, 9), (5000, 9)]
)  # fmt: skip
def test_young_customer_has_fewer_records(age_days: int, records: int) -> None:
    """A customer has as many usage records as there were 30 days since the registration, up to nine, and one more."""
    customer = History("test", 1, age=timedelta(days=age_days), churned=False)
    customer.used(Usage(calls=100))
    events = customer.events()
    assert len(events) == records
    assert sum(event.data.calls for event in events if hasattr(event.data, "calls")) == 100
    assert [event.id for event in events] == [f"test-1-{i}" for i in range(1, records + 1)]
    assert events[-1].time == OBSERVED_AT
