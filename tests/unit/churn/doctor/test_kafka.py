"""What is said of Kafka: topics, permissions, and the group."""

from typing import Any

import pytest

from churn.doctor.finding import warning
from churn.doctor.kafka import judged_group, judged_permissions, judged_topics, lag
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES, TELEMETRY
from workers.admin import Bounds, Described, TopicState

ALL = frozenset({"READ", "WRITE", "DESCRIBE"})
WELL = TopicState(partitions=6, copies=3, under_replicated=0, offline=0, allowed=ALL)
NEEDED = {EVENTS: WELL, SCORES: WELL, DEAD_LETTERS: WELL, TELEMETRY: WELL}


def test_topics_as_declared() -> None:
    """With nothing to say against them, they are counted."""
    found = judged_topics({EVENTS: WELL, SCORES: WELL}, {EVENTS: [], SCORES: []}, [], copies=3)
    assert (found.status, found.found) == ("ok", "2 topics as declared, 3 copies of each record")
    assert judged_topics({EVENTS: WELL}, {}, [warning("x", "y")], copies=3) == warning("x", "y")


@pytest.mark.parametrize(
    ("state", "copies", "status", "said", "remedy"),
    [
        ("missing", 3, "failed", "missing: customer.events", "churn topics"),
        ("hidden", 3, "warning", "hidden from this user: customer.events", "Describe"),
        (WELL._replace(copies=2), 3, "failed", "customer.events: 2 copies, expected 3", "kafka-reassign-partitions"),
        (WELL._replace(copies=1), 2, "failed", "customer.events: 1 copy, expected 2", "kafka-reassign-partitions"),
        (WELL._replace(copies=1), 1, "warning", "only one copy of each record", "CHURN_REPLICATION=3"),
        (WELL._replace(offline=1), 3, "failed", "customer.events: 1 of 6 partitions are offline", "Start the brokers"),
        (WELL._replace(under_replicated=2), 3, "warning", "customer.events: 2 of 6 partitions lack a copy", "broker"),
    ],
)
def test_topics_that_are_not_well(state: Described, copies: int, status: str, said: str, remedy: str) -> None:
    """What is wrong with a topic is said, with what to do."""
    found = judged_topics({EVENTS: state}, {}, [], copies=copies)
    assert (found.status, found.found) == (status, said)
    assert remedy in "".join(found.remedies)


@pytest.mark.parametrize(
    ("difference", "remedy"),
    [("partitions is 3, expected 6", "CHURN_PARTITIONS"), ("retention.ms is 1, expected 2", "kafka-configs.sh")],
)
def test_different_topics(difference: str, remedy: str) -> None:
    """A topic that is not as declared is a failure; what to do depends on what differs."""
    found = judged_topics({EVENTS: WELL}, {EVENTS: [difference]}, [], copies=3)
    assert (found.status, found.found) == ("failed", f"customer.events: {difference}")
    assert remedy in "".join(found.remedies)


def test_permissions() -> None:
    """All that a worker needs is asked for; what is missing cannot be; a broker may check nothing."""

    def judged(changes: dict[str, Described], others: list[str], **more: Any) -> Any:
        return judged_permissions({**NEEDED, **changes}, others, **{"user": "worker", "checked": True, **more})

    assert judged({}, []).status == "ok"
    assert judged({}, [], checked=False).found == "the broker checks no permissions; transactions work"
    assert judged({SCORES: "missing"}, []).status == "skipped"
    reader = judged({EVENTS: WELL._replace(allowed=frozenset({"READ"})), SCORES: "hidden"}, ["read the group g"])
    assert reader.status == "failed"
    assert reader.found == "not possible: write customer.events, write churn.scores, read the group g"
    assert "User:worker" in reader.remedies[0]
    assert "this user" in judged({SCORES: "hidden"}, [], user="").remedies[0]


def test_lag_counts_what_is_kept_and_not_answered() -> None:
    """Records before the first committed offset count from the oldest that is kept."""
    bounds = {0: Bounds(0, 10), 1: Bounds(5, 10), 2: Bounds(5, 10), 3: Bounds(0, 0)}
    assert lag(bounds, {0: 4, 1: 2, 3: 9}) == 6 + 5 + 5 + 0


@pytest.mark.parametrize(
    ("workers", "events", "age_s", "status", "said"),
    [
        (0, 0, None, "ok", "no worker, 0 events to answer, no event yet"),
        (0, 1, 3.0, "warning", "no worker, 1 event to answer, newest event 3 s ago"),
        (2, 1_000, -5.0, "ok", "2 workers, 1,000 events to answer, newest event 0 s ago"),
    ],
)
def test_group(workers: int, events: int, age_s: float | None, status: str, said: str) -> None:
    """Events that nobody answers are a warning."""
    found = judged_group(workers, events, age_s)
    assert (found.status, found.found) == (status, said)
