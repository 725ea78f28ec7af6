"""Dead letters: their names, what their headers say, what was decided about them."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.deadletters import (
    DeadLetterDecision,
    Headers,
    Place,
    added_headers,
    dead_letter_headers,
    decode_decision,
    original_headers,
)
from schemas.errors import InvalidRecordError

WRONG = InvalidRecordError("invalid", "Expected `float`, got `str` - at `$.data.amount`")
PLAIN_HEADERS = st.lists(
    st.tuples(st.text().filter(lambda name: not name.startswith("churn-dead-letter-")), st.none() | st.binary())
)


@given(st.integers(0, 999_999_999), st.integers(0, 10**18 - 1))
def test_place_is_its_name(partition: int, offset: int) -> None:
    """A name leads back to its place."""
    assert Place.parse(str(Place(partition, offset))) == (partition, offset)


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "-1:1", "1:1:1", "1:1\n", " 1:1", "1:x", "١:١", "1:" + "9" * 19])
def test_no_place(text: str) -> None:
    """Anything else is refused, with what was expected."""
    with pytest.raises(ValueError, match="is no place, expected PARTITION:OFFSET, for instance 0:17"):
        Place.parse(text)


@given(PLAIN_HEADERS)
def test_headers_come_apart_again(original: Headers) -> None:
    """From a dead letter's headers come the original ones, in order, and what was added."""
    headers = dead_letter_headers(original, WRONG, topic="customer.events", partition=3, offset=17)
    assert original_headers(headers) == original
    added = added_headers(headers)
    assert added is not None
    assert (added.error_class, added.error_message) == ("invalid", str(WRONG))
    assert (added.topic, added.partition, added.offset) == ("customer.events", "3", "17")


def test_a_letter_that_was_one_before_says_what_is_wrong_now() -> None:
    """Of headers that are there twice the last ones count, which are those that were added last."""
    headers = dead_letter_headers([("trace", b"t")], WRONG, topic="customer.events", partition=3, offset=17)
    again = dead_letter_headers(
        headers, InvalidRecordError("undecodable", "x"), topic="customer.events", partition=4, offset=1
    )
    added = added_headers(again)
    assert added is not None
    assert (added.error_class, added.partition) == ("undecodable", "4")
    assert original_headers(again) == [("trace", b"t")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("error-class", b"other"), ("partition", b"x"), ("partition", None), ("offset", b"-1"), ("offset", b"1\n")],
)
def test_headers_that_are_not_ours(name: str, value: bytes | None) -> None:
    """A header that is missing, or not what a worker writes, makes all of them nothing that can be relied on."""
    headers = dead_letter_headers([], WRONG, topic="customer.events", partition=3, offset=17)
    assert added_headers([*headers, (f"churn-dead-letter-{name}", value)]) is None
    assert added_headers([header for header in headers if header[0] != f"churn-dead-letter-{name}"]) is None


def test_decision_is_read_back() -> None:
    """A decision survives the way through its record; anything else is refused."""
    decision = DeadLetterDecision("replayed", datetime(2026, 7, 1, tzinfo=UTC), 1)
    assert decode_decision(msgspec.json.encode(decision)) == decision
    for value in (None, b"", b"{}", b'{"decision": "kept", "at": "2026-07-01T00:00:00Z", "letter_timestamp_ms": 1}'):
        with pytest.raises(InvalidRecordError):
            decode_decision(value)
