"""The Iranian set: the features computed from a customer's events are the row, to the last bit."""

import csv
import hashlib
import re
from collections import Counter
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from producers.datasets import IRANIAN_FILE, load
from producers.history import OBSERVED_AT
from producers.mappings.iranian import IRANIAN
from producers.table import Row
from schemas.events import CustomerRegistered, UsageRecorded, encode
from tests.unit.producers.mappings.features import features, fresh

COUNT = st.integers(0, 10**8).map(str)
CELLS = st.fixed_dictionaries(
    {
        "Call  Failure": COUNT,
        "Complains": st.sampled_from(["0", "1"]),
        "Subscription  Length": st.integers(0, 670).map(str),
        "Charge  Amount": st.integers(0, 10**6).map(str),
        "Seconds of Use": COUNT,
        "Frequency of use": COUNT,
        "Frequency of SMS": COUNT,
        "Distinct Called Numbers": COUNT,
        "Age Group": st.sampled_from(["1", "2", "3", "4", "5"]),
        "Tariff Plan": st.sampled_from(["1", "2"]),
        "Status": st.sampled_from(["1", "2"]),
        "Age": st.integers(0, 150).map(str),
        "Customer Value": st.decimals(0, 10**9, places=3).map(str),
        "Churn": st.sampled_from(["0", "1"]),
    }
)


def expected(cells: dict[str, str]) -> dict[str, float]:
    """The row as the model names it."""
    return {
        "tenure": float(cells["Subscription  Length"]),
        "spend": float(cells["Charge  Amount"]),
        "calls": float(cells["Frequency of use"]),
        "call_seconds": float(cells["Seconds of Use"]),
        "call_failures": float(cells["Call  Failure"]),
        "messages": float(cells["Frequency of SMS"]),
        "numbers_called": float(cells["Distinct Called Numbers"]),
        "abroad_calls": 0.0,
        "abroad_seconds": 0.0,
        "voicemails": 0.0,
        "complaints": float(cells["Complains"]),
        "service_calls": 0.0,
        "renewals": 0.0,
        "cancellations": 0.0,
        "days_since_usage": 0.0,
        "age": float(cells["Age"]),
        "age_group": float(cells["Age Group"]),
        "tariff_plan": float(cells["Tariff Plan"]) - 1,
        "status": float(cells["Status"]) - 1,
        "customer_value": float(cells["Customer Value"]),
        "international_plan": 0.0,
        "voicemail_plan": 0.0,
    }


@given(cells=CELLS, number=st.integers(1, 10**6))
def test_features_of_any_row_are_the_row(cells: dict[str, str], number: int) -> None:
    """Whatever a valid row says, its events give exactly these features, and its outcome the label."""
    history = IRANIAN.history(Row("file", number + 1, number, cells))
    assert features(history.events(), [history.customer]) == {str(number): expected(cells)}
    assert history.outcome().data.churned is (cells["Churn"] == "1")


def test_features_of_the_whole_file_are_the_file() -> None:
    """Every feature of every customer equals its row bit for bit, when the events come merged in order of time."""
    dataset = load(IRANIAN_FILE)
    with IRANIAN_FILE.open(newline="") as file:
        rows = {str(number): cells for number, cells in enumerate(csv.DictReader(file), start=1)}
    customers = [outcome.subject for outcome in dataset.outcomes]
    assert features(dataset.events, customers) == {customer: expected(rows[customer]) for customer in customers}
    assert [outcome.data.churned for outcome in dataset.outcomes] == [rows[c]["Churn"] == "1" for c in customers]
    assert sum(outcome.data.churned for outcome in dataset.outcomes) == 446


def test_bundled_file_is_as_published() -> None:
    """The bundled file has the checksum that its README gives, and 2,850 of its rows do not repeat others."""
    readme = (IRANIAN_FILE.parent / "README.md").read_text()
    assert re.findall("[0-9a-f]{64}", readme) == [hashlib.sha256(IRANIAN_FILE.read_bytes()).hexdigest()]
    dataset = load(IRANIAN_FILE)
    assert (len(dataset.events), len(dataset.outcomes)) == (45_688, 2850)


def test_events_are_deterministic_unique_and_in_order() -> None:
    """Two loads give the same bytes, in order of time, with ids that are all different."""
    first, second = load(IRANIAN_FILE), load(IRANIAN_FILE)
    assert [encode(event) for event in first.events] == [encode(event) for event in second.events]
    times = [event.time for event in first.events]
    assert times == sorted(times)
    assert max(Counter(event.id for event in first.events).values()) == 1


def test_history_is_as_documented() -> None:
    """Customer 17 of the file registers, has nine usage records, three bills and three values, up to the moment."""
    events = load(IRANIAN_FILE).only(["17"]).events
    assert isinstance(events[0], CustomerRegistered)
    assert Counter(type(event).__name__ for event in events) == {
        "CustomerRegistered": 1, "UsageRecorded": 9, "ChargeBilled": 3, "CustomerUpdated": 3,
    }  # fmt: skip
    assert [event.id for event in events] == [f"iranian-17-{i}" for i in range(1, 17)]
    assert {event.source for event in events} == {"replay"}
    usage = [event for event in events if isinstance(event, UsageRecorded)]
    assert usage[-1].time == OBSERVED_AT
    assert {later.time - earlier.time for earlier, later in pairwise(usage)} == {timedelta(days=30)}


def test_nothing_of_a_customer_is_stale() -> None:
    """What a row says is known and fresh at the moment, so that no score of it is flagged for its age."""
    events = load(IRANIAN_FILE).only(["17"]).events
    assert fresh(events, "17") >= {
        "tenure", "spend", "calls", "call_seconds", "call_failures", "messages", "numbers_called", "age", "age_group",
        "tariff_plan", "status", "customer_value", "days_since_usage",
    }  # fmt: skip
