"""What a partition's records come to does not depend on how they are cut into batches, nor on who folds them."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from model.state import CustomerState, decode_state, encode_state
from schemas.cloudevents import to_ms
from schemas.events import Call, CallStarted, Charge, ChargeBilled, CustomerRegistered, Profile, encode
from schemas.partitioning import partition_of
from tests.unit.model.test_scoring import SCORER
from tests.unit.model.test_state import NOW
from workers.scoring.account import Account
from workers.scoring.batch import Outcome, Rules, decode, fold_and_ask
from workers.scoring.outputs import outputs
from workers.scoring.records import LARGEST_BYTES, LARGEST_EVENT_BYTES, Record

RULES = Rules(partitions=1, clock_skew_ms=3_600_000)
CUSTOMERS = ["a", "b", "c"]


def record(
    offset: int, kind: type, data: Any, customer: str = "a", *, days_ago: float = 0, partition: int = 0
) -> Record:
    """A record of an event as it is consumed."""
    event = kind(
        id=f"e{offset}",
        source="test",
        subject=customer,
        time=NOW - timedelta(days=days_ago),
        specversion="1.0",
        data=data,
    )
    return Record(partition, offset, customer.encode(), encode(event), to_ms(NOW), [])


def run(records: list[Record], cuts: list[int], publish_from: int = 0) -> tuple[list[Any], dict[str, bytes]]:
    """Process records in batches that end at `cuts`; the answers, and the states as stored in between."""
    stored: dict[str, bytes] = {}
    answers: list[Any] = []
    edges = [0, *sorted(cuts), len(records)]
    for start, end in pairwise(edges):
        decoded = decode(records[start:end])
        states = {c: decode_state(stored[c]) for c in decoded.customers if c in stored}
        outcome = fold_and_ask(decoded.accepted, states, SCORER, RULES, publish_from)
        answers += SCORER.answer(outcome.questions, NOW)
        stored |= {c: encode_state(state) for c, state in outcome.states.items()}
    return [msgspec.to_builtins(answer) for answer in answers], stored


_records = st.lists(
    st.tuples(
        st.sampled_from(CUSTOMERS),
        st.sampled_from(
            [(CustomerRegistered, Profile(age_group=2)), (ChargeBilled, Charge(amount=1.25)), (CallStarted, Call())]
        ),
        st.floats(-0.5, 400),
    ),
    max_size=15,
).map(lambda rows: [record(n, *kind, c, days_ago=days) for n, (c, kind, days) in enumerate(rows)])


@settings(max_examples=60)
@given(_records, st.data())
def test_batches_do_not_matter(records: list[Record], data: Any) -> None:
    """However the records are cut into batches, answers and stored states are the same."""
    cuts = data.draw(st.lists(st.integers(0, len(records)), max_size=4))
    assert run(records, cuts) == run(records, [])


@settings(max_examples=60)
@given(_records, st.data())
def test_catching_up_gives_the_same_states_and_answers(records: list[Record], data: Any) -> None:
    """Who folds the records up to some offset without answering them goes on exactly as if they had been answered."""
    publish_from = data.draw(st.integers(0, len(records)))
    answers, states = run(records, [], publish_from)
    all_answers, all_states = run(records, [])
    assert answers == all_answers[publish_from:]
    assert states == all_states


def process(records: list[Record], rules: Rules = RULES, publish_from: int = 0) -> Outcome:
    """One batch on an empty store."""
    return fold_and_ask(decode(records).accepted, {}, SCORER, rules, publish_from)


def test_event_in_the_future_is_answered_and_not_folded() -> None:
    """An event dated beyond the allowed skew leaves no trace in the state."""
    registered = record(0, CustomerRegistered, Profile())
    outcome = process([registered, record(1, CallStarted, Call(), days_ago=-2)])
    assert [q.problem and q.problem.code for q in outcome.questions] == [None, "event-in-future"]
    assert outcome.questions[1].reading[0] == to_ms(NOW) + RULES.clock_skew_ms
    assert encode_state(outcome.states["a"]) == encode_state(process([registered]).states["a"])
    assert process([record(0, CallStarted, Call(), days_ago=-2)]).states == {}


def test_event_in_the_future_is_named_with_its_time_zone() -> None:
    """The date in the problem is right also for an event whose time is not in UTC."""
    ahead = datetime(2027, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    event = CallStarted(id="e", source="test", subject="a", time=ahead, specversion="1.0", data=Call())
    (question,) = process([Record(0, 0, b"a", encode(event), to_ms(NOW), [])]).questions
    assert question.problem is not None
    assert question.problem.detail == "the event is dated 2027-01-01T02:00:00+02:00, after its arrival"


def test_stranger_to_the_partition_is_sent_on_once() -> None:
    """A customer of another partition is not folded; only what has not been answered yet is sent on."""
    rules = Rules(partitions=7, clock_skew_ms=0)
    wrong = (partition_of("a", 7) + 1) % 7
    records = [record(n, CallStarted, Call(), partition=wrong) for n in range(3)]
    outcome = process(records, rules, publish_from=1)
    assert (outcome.astray, outcome.states, outcome.asked) == (records[1:], {}, [])
    right = [record(n, CallStarted, Call(), partition=partition_of("a", 7)) for n in range(3)]
    assert set(process(right, rules).states) == {"a"}


def test_stored_state_is_proof_of_the_partition() -> None:
    """The partition is computed only for customers who have no state yet."""
    one = record(0, CallStarted, Call(), partition=6)
    outcome = fold_and_ask(decode([one]).accepted, {"a": CustomerState.new()}, SCORER, Rules(1, 0), 0)
    assert set(outcome.states) == {"a"}


def test_record_that_is_too_large_becomes_a_letter_that_is_not() -> None:
    """A record that came out of a compressed batch larger than a broker takes is cut, with what was wrong."""
    at_limit = Record(0, 0, b"a", b"x" * (LARGEST_BYTES - 1), 0, [])
    huge = Record(0, 1, b"k" * 2_000_000, b"x" * 5_000_000, 0, [("h", b"x" * 5_000_000)])
    decoded = decode([at_limit, huge])
    assert [letter.error.error_class for letter in decoded.letters] == ["undecodable", "too-large"]
    account = Account(SCORER, NOW)
    whole, cut = outputs(decoded.letters, [], account)
    assert (whole.key, whole.value) == (at_limit.key, at_limit.value)
    assert len(cut.key or b"") + len(cut.value or b"") < 2_000_000
    assert [name for name, _ in cut.headers or [] if not name.startswith("churn-dead-letter-")] == []
    assert account.counts == {"dead-letter": 2}


def test_event_that_could_not_be_sent_on_is_too_large() -> None:
    """An event near the limit would be over it in the batch that sends it on; it becomes a letter that is whole."""
    value = encode(CallStarted(id="e", source="test", subject="a", time=NOW, specversion="1.0", data=Call()))
    fits, large = (value + b" " * (size - len(value) - 1) for size in (LARGEST_EVENT_BYTES, LARGEST_EVENT_BYTES + 1))
    decoded = decode([Record(0, n, b"a", one, 0, []) for n, one in enumerate((fits, large))])
    assert [item.record.value for item in decoded.accepted] == [fits]
    assert [letter.error.error_class for letter in decoded.letters] == ["too-large"]
    assert [letter.value for letter in outputs(decoded.letters, [], Account(SCORER, NOW))] == [large]


def test_record_that_cannot_be_unpacked_becomes_a_letter() -> None:
    """The letter has nothing of the record but its place and what the client said."""
    (letter,) = decode([Record(0, 4, None, None, 0, [], "bad compression")]).letters
    assert (letter.error.error_class, str(letter.error)) == ("unreadable", "bad compression")


def test_junk_becomes_letters_in_order() -> None:
    """Records that are no events keep their bytes and say what is wrong."""
    junk = [Record(0, n, b"a", value, 0, [("h", b"1")]) for n, value in enumerate([None, b"", b"{}", b"\xff"])]
    decoded = decode(junk)
    assert [letter.record for letter in decoded.letters] == junk
    assert [letter.error.error_class for letter in decoded.letters] == [
        "undecodable",
        "undecodable",
        "invalid",
        "undecodable",
    ]
    assert decoded.customers == []
