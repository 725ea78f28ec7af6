"""Events are checked with the decoder of the workers before they are sent."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import InvalidEventError
from producers.validation import Checked, checked
from schemas.events import EVENT_TYPES, Usage, UsageRecorded, decode_event, encode
from schemas.outcomes import Outcome, OutcomeObserved
from schemas.topics import EVENTS, OUTCOMES

ENVELOPE = {"specversion": "1.0", "id": "1", "source": "s", "subject": "1234", "time": datetime(2026, 1, 2, tzinfo=UTC)}


def check(event_type: str = "usage.recorded", **attributes: Any) -> Checked:
    """Check an event that is valid but for `attributes`."""
    return checked(event_type, {**ENVELOPE, "type": event_type, "data": {}, **attributes})


@pytest.mark.parametrize("kind", [str(kind.__struct_config__.tag) for kind in EVENT_TYPES])
def test_every_type_of_event_goes_to_the_events(kind: str) -> None:
    """A valid event of each type becomes a record of `customer.events`, keyed by the customer."""
    record = check(kind)
    assert (record.topic, record.key) == (EVENTS, b"1234")
    assert decode_event(record.value).subject == "1234"


def test_outcome_goes_to_the_outcomes() -> None:
    """An outcome becomes a record of `customer.outcomes`; its data may be a struct."""
    assert check("outcome.observed", data=Outcome(churned=True, horizon_days=90)).topic == OUTCOMES


def test_ready_event_is_sent_as_it_is() -> None:
    """The bytes of a ready event are its encoding."""
    event = UsageRecorded(**ENVELOPE, data=Usage(calls=3))  # type: ignore[arg-type]
    assert checked("usage.recorded", event) == Checked(EVENTS, b"1234", encode(event))


def test_ready_event_is_checked_too() -> None:
    """A struct that was made with values that its type forbids is refused."""
    event = UsageRecorded(**ENVELOPE, data=Usage(calls=-3))  # type: ignore[arg-type]
    with pytest.raises(InvalidEventError, match=r"data\.calls is -3; expected `int` >= 0"):
        checked("usage.recorded", event)
    outcome = OutcomeObserved(**ENVELOPE, data=Outcome(churned=True, horizon_days=object()))  # type: ignore[arg-type]
    with pytest.raises(InvalidEventError, match=r"data\.horizon_days is <object .*cannot be written as JSON"):
        checked("outcome.observed", outcome)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"subject": 1234}, "subject is 1234; expected `str`, got `int`"),
        ({"subject": "a b"}, "subject is 'a b'; expected `str` matching regex '^[A-Za-z0-9]"),
        ({"subject": "1\n"}, r"subject is '1\n'; expected `str` matching regex"),
        ({"id": ""}, "id is ''; expected `str` of length >= 1"),
        ({"source": None}, "source is None; expected `str`, got `null`"),
        ({"time": datetime(2026, 1, 2)}, "time is datetime.datetime(2026, 1, 2, 0, 0); expected `datetime` with"),
        ({"data": 3}, "data is 3; expected `object`, got `int`"),
        ({"data": {"calls": -1}}, "data.calls is -1; expected `int` >= 0"),
        ({"data": {"calls": "3"}}, "data.calls is '3'; expected `int`, got `str`"),
        ({"data": {"calls": float("nan")}}, "data.calls is nan; expected `int`, got `null`"),
        ({"data": {"calls": 10**400}}, "data.calls is 1000"),
        ({"data": {"calls": 10**5000}}, "data.calls is a int too large to show; "),
        ({"data": {"x": object}}, "data.x is <class 'object'>; it cannot be written as JSON: Encoding objects of type"),
        ({"data": {"x": "\ud800"}}, r"data.x is '\ud800'; it cannot be written as JSON: 'utf-8' codec"),
        ({"data": {(1, 2): 3}}, "data is {(1, 2): 3}; it cannot be written as JSON: Only dicts with str-like"),
        ({"data": object}, "data is <class 'object'>; it cannot be written as JSON: Encoding objects of type"),
    ],
)  # fmt: skip
def test_field_is_named_with_value_and_expectation(attributes: dict[str, Any], message: str) -> None:
    """What is wrong is said in one line: the field, its value and what was expected."""
    with pytest.raises(InvalidEventError) as caught:
        check(**attributes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_deep_nesting_is_refused() -> None:
    """Data nested too deeply to be written is refused like other data."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(InvalidEventError, match=r"data\.y is a dict too large to show; it cannot be written as JSON"):
        check(data={"y": deep})
    while deep:  # taken apart from outside: to free it at once would itself recurse deeply
        deep = deep["x"]


def test_long_value_is_cut() -> None:
    """The message of an error stays short."""
    with pytest.raises(InvalidEventError) as caught:
        check(data={"calls": "x" * 10_000})
    assert len(str(caught.value)) < 200


def test_unknown_type_is_refused_with_the_known_ones() -> None:
    """A misspelt type is refused, and the right ones are listed."""
    with pytest.raises(InvalidEventError) as caught:
        check("usage.record")
    assert str(caught.value).startswith("type is 'usage.record'; expected one of customer.registered, ")
    assert str(caught.value).endswith(", outcome.observed")


@given(data=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_what_is_sent_can_be_decoded(data: dict[str, Any]) -> None:
    """Whatever the data, it is either refused or decoded by the workers."""
    try:
        record = check(data=data)
    except InvalidEventError:
        return
    assert decode_event(record.value).subject == "1234"
