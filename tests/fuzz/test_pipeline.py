"""Every record ends as exactly one output, and every output is whole, whatever is in the records and whenever."""

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, NoReturn

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from model.fold import event_ms
from schemas import documents, events
from schemas.cloudevents import to_ms
from schemas.events import encode
from schemas.topics import DEAD_LETTERS, SCORES
from tests.fuzz import hostile
from tests.fuzz.model import NOW
from tests.fuzz.settle import RULES, added, settle
from workers.scoring.records import Record
from workers.scoring.transactions import Output

SCORE_SCHEMA, LETTER_SCHEMA = (
    Draft202012Validator(json.loads((documents.FOLDER / "json" / f"{name}.json").read_text()))
    for name in ("churn.scored", "dead-letter-headers")
)
CUSTOMERS = ["1", "a", "A" * 64, "a.b_c@d:e-f", "0"]
YEARS = [1, 1969, 1970, 2026, 2038, 2100, 9999]

_offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_times = st.one_of(
    st.floats(-1, 800).map(lambda days: NOW - timedelta(days=days)),
    st.builds(lambda year, zone: datetime(year, 1, 1, tzinfo=zone), st.sampled_from(YEARS), _offsets),
    _offsets.map(lambda zone: datetime.max.replace(tzinfo=zone)),
    st.datetimes(timezones=_offsets),
)
_counts = st.sampled_from([0, 1, 10**9]) | st.integers(0, 10**9)
_amounts = st.sampled_from([0.0, -0.0, 5e-324, 0.005, 1e9]) | st.floats(0, 1e9)
_words = st.sampled_from(["", "contract", "inactive", "\x00", "\u202e", "😀" * 64]) | st.text(max_size=64)
_profiles = st.builds(
    events.Profile,
    age=st.none() | st.floats(0, 150),
    age_group=st.none() | st.integers(1, 5),
    tariff_plan=st.none() | _words,
    status=st.none() | _words,
    customer_value=st.none() | _amounts,
    international_plan=st.none() | st.booleans(),
)
_bodies = st.one_of(
    st.tuples(st.sampled_from([events.CustomerRegistered, events.CustomerUpdated]), _profiles),
    st.tuples(
        st.just(events.UsageRecorded), st.builds(events.Usage, calls=_counts, call_seconds=_counts, messages=_counts)
    ),
    st.tuples(st.just(events.ChargeBilled), st.builds(events.Charge, amount=_amounts)),
    st.tuples(st.just(events.ComplaintOpened), st.builds(events.Complaint, text=st.text(max_size=50))),
    st.tuples(st.just(events.CallStarted), st.builds(events.Call, reason=_words)),
    st.tuples(st.just(events.SubscriptionCancelled), st.builds(events.Cancellation, reason=_words)),
    st.tuples(st.just(events.SubscriptionRenewed), st.builds(events.Renewal, months=_counts)),
)
_ids = st.sampled_from(["x", "\x00", "\r\n", "\u202e1", "../../etc/passwd", "😀" * 200]) | st.text(
    min_size=1, max_size=200
)
_valid = st.builds(
    lambda body, event_id, customer, time: body[0](
        id=event_id, source="property", subject=customer, time=time, specversion="1.0", data=body[1]
    ),
    _bodies,
    _ids,
    st.sampled_from(CUSTOMERS),
    _times,
)
_junk = st.one_of(
    st.none(), st.binary(max_size=100), st.sampled_from(hostile.JSON), st.sampled_from(hostile.JSON).map(
        lambda token: b'{"specversion":"1.0","id":"1","source":"s","type":"charge.billed","subject":"1",'
        b'"time":"2026-06-30T09:30:00Z","data":{"amount":' + token + b"}}"
    ),
)  # fmt: skip
_keys = st.none() | st.binary(max_size=20) | st.sampled_from([customer.encode() for customer in CUSTOMERS])
_arrivals = st.sampled_from([to_ms(NOW)] * 4 + [-1, 0, to_ms(datetime.max.replace(tzinfo=UTC)), 2**62])
_header = st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9))
_values_and_keys = st.one_of(
    _valid.map(lambda event: (encode(event), event.subject.encode())),
    _valid.map(lambda event: (encode(event), event.subject.encode())),
    st.tuples(_valid.map(encode), _keys),
    st.tuples(_junk, _keys),
)
_records = st.lists(st.tuples(_values_and_keys, _arrivals, st.lists(_header, max_size=3)), max_size=12).map(
    lambda rows: [
        Record(0, offset, key, value, arrived_ms, headers)
        for offset, ((value, key), arrived_ms, headers) in enumerate(rows)
    ]
)


def no_constant(name: str) -> NoReturn:
    """JSON has no such number."""
    raise AssertionError(name)


def check_by_schema(output: Output) -> None:
    """What is published is JSON and valid by the schema that is checked in."""
    if output.topic == SCORES:
        SCORE_SCHEMA.validate(json.loads(output.value or b"", parse_constant=no_constant))
    if output.topic == DEAD_LETTERS:
        LETTER_SCHEMA.validate(msgspec.to_builtins(added(output)))


@settings(max_examples=150)
@given(_records, st.data())
def test_every_record_comes_to_one_whole_output(records: list[Record], data: Any) -> None:
    """In batches however cut, with the states stored between them."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=3)))
    stored: dict[str, bytes] = {}
    published = 0
    for start, end in pairwise([0, *cuts, len(records)]):
        settled = settle(records[start:end], stored)
        stored |= settled.stored
        published += len(settled.published)
        for output in settled.published:
            check_by_schema(output)
    assert published == len(records)


@settings(max_examples=50)
@given(_valid, _arrivals)
def test_event_in_the_future_is_answered_with_its_date(event: Any, arrived_ms: int) -> None:
    """The date in the problem is the event's, in the event's own time zone."""
    (output,) = settle([Record(0, 0, event.subject.encode(), encode(event), arrived_ms, [])]).published
    if output.topic != SCORES:
        return
    problem = json.loads(output.value or b"")["data"]["problem"]
    refused = problem is not None and problem["code"] == "event-in-future"
    assert refused == (event_ms(event) > arrived_ms + RULES.clock_skew_ms)
    if refused:
        dated = datetime.fromisoformat(problem["detail"].split()[4].rstrip(","))
        assert timedelta(0) <= event.time - dated < timedelta(seconds=1)
