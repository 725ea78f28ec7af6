"""Dead letters: which are wanted, what became of them, which can be sent again, and in what portions."""

from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.deadletters import DeadLetterDecision, DeadLetterHeaders, Place, Verdict
from schemas.errors import ErrorClass
from workers.letters import BATCH_BYTES, BATCH_LETTERS, DeadLetter, Filters, batches, obstacle, original, status

AT = datetime(2026, 7, 1, tzinfo=UTC)


def letter(
    error_class: ErrorClass = "invalid", *, partition: int = 3, timestamp_ms: int = 1000, offset: int = 7, size: int = 5
) -> DeadLetter:
    """A dead letter at 0:`offset`, out of that partition of `customer.events`."""
    added = DeadLetterHeaders(error_class, "wrong", "customer.events", str(partition), "17")
    return DeadLetter(Place(0, offset), timestamp_ms, b"c1", b"x" * (size - 2), [("trace", b"t")], added)


FOREIGN = DeadLetter(Place(0, 8), 1000, None, None, [], None)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(), True),
        (Filters(frozenset({"invalid", "undecodable"})), True),
        (Filters(frozenset({"undecodable"})), False),
        (Filters(partition=3), True),
        (Filters(partition=0), False),
        (Filters(since_ms=1000), True),
        (Filters(since_ms=1001), False),
        (Filters(until_ms=1000), False),
        (Filters(until_ms=1001), True),
        (Filters(frozenset({"invalid"}), 3, 1000, 1001), True),
        (Filters(frozenset({"invalid"}), 4, 1000, 1001), False),
    ],
)
def test_filters(filters: Filters, wanted: bool) -> None:
    """A letter is wanted when every filter says so; `since` is included and `until` is not."""
    assert filters.match(letter()) == wanted


def test_foreign_record_has_a_class_and_no_partition() -> None:
    """What nobody of ours wrote is of the class unknown, and of no partition."""
    assert Filters(frozenset({"unknown"})).match(FOREIGN)
    assert not Filters(partition=0).match(FOREIGN)


def test_status_is_that_of_the_decision() -> None:
    """A letter is open until there is a decision, and a decision about an older letter at its place is none."""
    decided = {Place(0, 7): DeadLetterDecision("dropped", AT, 1000)}
    assert status(letter(), {}) == "open"
    assert status(letter(), decided) == "dropped"
    assert status(letter(timestamp_ms=1001), decided) == "open"


@pytest.mark.parametrize(
    ("candidate", "verdict", "decision", "expected"),
    [
        (letter(), "replayed", None, None),
        (letter(), "dropped", None, None),
        (letter(), "replayed", "replayed", "already replayed"),
        (letter(), "dropped", "replayed", "already replayed"),
        (letter(), "replayed", "dropped", "already dropped"),
        (letter("too-large"), "replayed", None, "too large (cut)"),
        (letter("unreadable"), "replayed", None, "unreadable"),
        (letter("too-large"), "dropped", None, None),
        (FOREIGN, "replayed", None, "no dead letter of ours"),
        (FOREIGN, "dropped", None, None),
    ],
)
def test_obstacles(candidate: DeadLetter, verdict: Verdict, decision: Verdict | None, expected: str | None) -> None:
    """What was decided stays so; what was cut and what is not ours can be dropped and not sent again."""
    decisions = {candidate.place: DeadLetterDecision(decision, AT, 1000)} if decision else {}
    assert obstacle(candidate, decisions, verdict) == expected


def test_original_is_the_record_as_it_was() -> None:
    """Key, value and headers go back to the topic of events."""
    sent = original(letter())
    assert (sent.topic, sent.key, sent.value, sent.headers) == ("customer.events", b"c1", b"xxx", [("trace", b"t")])


@given(st.lists(st.sampled_from([2, 1000, BATCH_BYTES // 3, BATCH_BYTES]), max_size=30), st.integers(0, 2))
def test_batches_are_small_and_complete(sizes: list[int], many: int) -> None:
    """Every letter is in one batch, in order; a batch is full when it has enough letters or bytes."""
    letters = [letter(offset=n, size=size) for n, size in enumerate([*sizes, *[2] * (many * BATCH_LETTERS)])]
    found = list(batches(letters))
    assert [id(one) for one in chain.from_iterable(found)] == [id(one) for one in letters]
    for batch in found:
        assert 0 < len(batch) <= BATCH_LETTERS
        assert sum(one.size for one in batch[:-1]) < BATCH_BYTES
    for batch in found[:-1]:
        assert len(batch) == BATCH_LETTERS or sum(one.size for one in batch) >= BATCH_BYTES
