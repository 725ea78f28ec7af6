"""Folding events into a customer's state: exact, bounded, and the same whatever the order of the days."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.declaration import DAY_MS, Feature
from model.features import FEATURES, WINDOW_DAYS
from model.fold import event_ms
from model.fold import fold as fold_at
from model.state import KEPT_DAYS, RECENT_IDS, SUM_LIMIT, WIDTH, CustomerState, Past, decode_state, encode_state
from model.vector import DEFAULT, FRESH, FRESHNESS, MISSING, STALE, Vectorizer
from schemas.cloudevents import from_ms, to_ms
from schemas.events import (
    Call,
    CallStarted,
    Charge,
    ChargeBilled,
    Complaint,
    ComplaintOpened,
    CustomerRegistered,
    CustomerUpdated,
    Profile,
    Usage,
    UsageRecorded,
)

NOW = datetime(2026, 6, 30, tzinfo=UTC)
ids = count()


def fold(state: CustomerState, one: Any) -> bool:
    """Fold an event at its own time."""
    return fold_at(state, one, event_ms(one))


def event(kind: type, data: object, at: datetime, *, event_id: str | None = None) -> Any:
    """An event of `kind` with an id of its own unless one is given."""
    return kind(
        id=event_id or f"e{next(ids)}", source="test", subject="1", time=at, specversion="1.0", data=data
    )  # fmt: skip


def made_up_history() -> list[Any]:
    """A customer who did something of everything."""
    return [
        event(CustomerRegistered, Profile(age=40, tariff_plan="contract", status="active"), NOW - timedelta(days=600)),
        *[event(UsageRecorded, Usage(calls=d, messages=2), NOW - timedelta(days=d)) for d in (200, 100, 3)],
        event(ChargeBilled, Charge(amount=12.57), NOW - timedelta(days=5)),
        event(ComplaintOpened, Complaint(), NOW - timedelta(days=1)),
        event(CallStarted, Call(), NOW),
    ]


def features_at(state: CustomerState, at: datetime) -> dict[str, tuple[float, str]]:
    """Value and freshness of every feature."""
    vectorizer = Vectorizer(FEATURES)
    values, _, freshness = vectorizer.matrix([vectorizer.read(state, to_ms(at))])
    return {f.name: (values[0, j], FRESHNESS[freshness[0, j]]) for j, f in enumerate(FEATURES)}


def folded(*events: object) -> CustomerState:
    """A new state with `events` folded into it."""
    state = CustomerState.new()
    for one in events:
        fold(state, one)
    return state


def test_every_kind_of_feature_has_its_value() -> None:
    """Count, sum, latest, days since and months since, each against a value worked out by hand."""
    state = folded(
        event(CustomerRegistered, Profile(age=40, tariff_plan="contract"), NOW - timedelta(seconds=2_629_800 * 17)),
        event(UsageRecorded, Usage(calls=3), NOW - timedelta(days=20)),
        event(UsageRecorded, Usage(calls=4, call_seconds=600), NOW - timedelta(days=2)),
        event(ChargeBilled, Charge(amount=12.57), NOW - timedelta(days=5)),
        event(ChargeBilled, Charge(amount=0.1), NOW - timedelta(days=4)),
        event(ComplaintOpened, Complaint(), NOW - timedelta(days=1)),
        event(CustomerUpdated, Profile(age=41), NOW),
    )
    found = features_at(state, NOW)
    expected = {"tenure": 17.0, "calls": 7.0, "call_seconds": 600.0, "spend": 12.67, "complaints": 1.0, "age": 41.0,
                "tariff_plan": 1.0, "days_since_usage": 2.0}  # fmt: skip
    assert {name: found[name][0] for name in expected} == expected
    assert {found[name][1] for name in expected} == {"fresh"}


def test_freshness_is_told_apart() -> None:
    """A value is fresh, stale, defaulted or missing."""
    registered = NOW - timedelta(days=400)
    found = features_at(folded(event(UsageRecorded, Usage(calls=1), registered)), NOW)
    assert found["calls"] == (0.0, FRESHNESS[STALE])
    assert found["complaints"] == (0.0, FRESHNESS[DEFAULT])
    assert found["tenure"][1] == FRESHNESS[MISSING]
    assert features_at(folded(event(CustomerRegistered, Profile(), NOW)), NOW)["tenure"] == (0.0, FRESHNESS[FRESH])


def test_unknown_category_is_a_default_and_not_an_error() -> None:
    """A tariff plan that nobody declared yet is taken as not known."""
    state = folded(event(CustomerRegistered, Profile(tariff_plan="hologram", status="inactive"), NOW))
    assert features_at(state, NOW)["tariff_plan"] == (0.0, "default")
    assert features_at(state, NOW)["status"] == (1.0, "fresh")


def test_repeated_event_is_not_folded_again() -> None:
    """An id is remembered while fewer than RECENT_IDS others of its customer follow; another source's is another id."""
    state = CustomerState.new()
    first = event(CallStarted, Call(), NOW, event_id="same")
    assert fold(state, first)
    for _ in range(RECENT_IDS - 1):
        assert fold(state, event(CallStarted, Call(), NOW))
    assert not fold(state, first)
    assert features_at(state, NOW)["service_calls"][0] == RECENT_IDS
    other = CallStarted(id="same", source="other", subject="1", time=NOW, specversion="1.0", data=Call())
    assert fold(state, other)
    assert fold(state, first), "forgotten by now"


def test_late_event_counts_in_its_own_day() -> None:
    """A late event is counted while its day is in the window, and not once the window has left it behind."""
    state = folded(event(CallStarted, Call(), NOW))
    fold(state, event(CallStarted, Call(), NOW - timedelta(days=WINDOW_DAYS - 1)))
    assert features_at(state, NOW)["service_calls"][0] == 2
    assert features_at(state, NOW + timedelta(days=1))["service_calls"][0] == 1
    fold(state, event(CallStarted, Call(), NOW - timedelta(days=WINDOW_DAYS)))
    assert features_at(state, NOW)["service_calls"][0] == 2


def test_days_out_of_every_window_are_dropped() -> None:
    """The state of a customer stays small however long the customer stays."""
    state = CustomerState.new()
    for day in range(3 * KEPT_DAYS):
        fold(state, event(CallStarted, Call(), NOW + timedelta(days=day)))
    past = msgspec.msgpack.decode(state.past, type=Past)
    assert len(past.days) == KEPT_DAYS - 1
    assert len(past.sums) == (KEPT_DAYS - 1) * WIDTH


@pytest.mark.parametrize("year", [1, 1969, 1970])
def test_event_before_1970_counts_as_of_its_first_millisecond(year: int) -> None:
    """A date before 1970 is no crash and not the same as never."""
    old = event(CustomerRegistered, Profile(), datetime(year, 1, 1, tzinfo=UTC))
    assert event_ms(old) == 1
    assert features_at(folded(old), NOW)["tenure"][1] == "fresh"


def test_event_after_9999_counts_as_of_its_last_millisecond() -> None:
    """An event of 9999 may be of the year 10000 in UTC, which no date can be."""
    last = event(CallStarted, Call(), datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))))
    assert from_ms(event_ms(last)) == datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


def test_sums_stop_at_the_limit() -> None:
    """No number of largest events can overflow a stored sum."""
    state = CustomerState.new()
    for _ in range(100_000):
        state.recent = b""
        fold(state, event(ChargeBilled, Charge(amount=1e9), NOW))
    assert max(state.today) == max(state.totals) == SUM_LIMIT
    fold(state, event(CallStarted, Call(), NOW + timedelta(days=1)))
    for _ in range(3):
        state.recent = b""
        fold(state, event(ChargeBilled, Charge(amount=1e9), NOW))
    assert max(state.totals) == SUM_LIMIT
    assert decode_state(encode_state(state)) == state


def _events() -> st.SearchStrategy[list[Any]]:
    """Events on days of their own, so that each day's order within itself cannot matter."""
    kinds = st.one_of(
        st.builds(lambda n: (UsageRecorded, Usage(calls=n, call_seconds=n * 7)), st.integers(0, 10**9)),
        st.builds(lambda x: (ChargeBilled, Charge(amount=x)), st.floats(0, 1e9)),
        st.just((ComplaintOpened, Complaint())),
        st.just((CallStarted, Call())),
        st.builds(lambda a: (CustomerUpdated, Profile(age=a, status="active")), st.floats(0, 150)),
        st.just((CustomerRegistered, Profile(tariff_plan="contract"))),
    )
    dated = st.tuples(kinds, st.integers(0, 2 * KEPT_DAYS))
    return st.lists(dated, unique_by=lambda pair: pair[1], max_size=12).map(
        lambda pairs: [event(kind, data, NOW - timedelta(days=day)) for (kind, data), day in pairs]
    )


@given(_events(), st.randoms())
def test_order_of_days_does_not_matter(events: list[Any], random: Any) -> None:
    """Folding days in any order gives the same state, to the last bit; only the remembered ids keep their order."""
    shuffled = events.copy()
    random.shuffle(shuffled)
    one, other = folded(*events), folded(*shuffled)
    one.recent = other.recent = b""
    assert encode_state(one) == encode_state(other)


@given(_events())
def test_state_survives_storage_at_every_step(events: list[Any]) -> None:
    """Encoding and decoding the state between any two events changes nothing."""
    stored = CustomerState.new()
    for one in events:
        stored = decode_state(encode_state(stored))
        fold(stored, one)
    assert encode_state(stored) == encode_state(folded(*events))


@given(_events(), st.integers(0, 2 * KEPT_DAYS))
def test_totals_are_those_of_the_events_in_the_window(events: list[Any], later_days: int) -> None:
    """Counting anew, event by event, gives what the state has kept, on the newest day and on any later one."""
    state = folded(*events)
    day = state.newest_ms // DAY_MS + later_days
    counted = [e for e in events if day - WINDOW_DAYS < event_ms(e) // DAY_MS <= day]
    found = features_at(state, from_ms(day * DAY_MS + DAY_MS - 1))
    assert found["complaints"][0] == sum(isinstance(e, ComplaintOpened) for e in counted)
    assert found["service_calls"][0] == sum(isinstance(e, CallStarted) for e in counted)
    assert found["call_seconds"][0] == sum(e.data.call_seconds for e in counted if isinstance(e, UsageRecorded))
    cents = sum(round(e.data.amount * 100) for e in counted if isinstance(e, ChargeBilled))
    assert found["spend"][0] == cents / 100


@pytest.mark.parametrize("features", [FEATURES[:0], FEATURES[:1], FEATURES[15:16], FEATURES[1:2]])
def test_features_can_be_read_one_by_one(features: tuple[Feature, ...]) -> None:
    """A reader of few features gives what a reader of all gives."""
    state, vectorizer = folded(*made_up_history()), Vectorizer(features)
    values = vectorizer.matrix([vectorizer.read(state, to_ms(NOW))]).values[0]
    assert [features_at(state, NOW)[f.name][0] for f in features] == list(values)
