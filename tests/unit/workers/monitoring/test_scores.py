"""What is kept of a record of `churn.scores`."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import to_ms
from workers.monitoring.index import IndexedScore
from workers.monitoring.scores import indexed

AS_OF = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
FEATURES = {
    "age_group": {"value": 2, "age_s": 5, "freshness": "fresh"},
    "tenure": {"value": 3.5, "age_s": 5, "freshness": "stale"},
}


def record(subject: str = "1234", **data: object) -> bytes:
    """A record as a worker publishes it, of what is looked at."""
    return msgspec.json.encode(
        {
            "subject": subject,
            "data": {
                "status": "scored", "probability": 0.25, "action": "none", "model": {"name": "churn", "version": "v"},
                "as_of": AS_OF, "features": FEATURES, **data,
            },
        }
    )  # fmt: skip


def test_score_is_kept_with_its_segments() -> None:
    """Customer, moment, probability, version, whether there is an action, and the segments."""
    without = IndexedScore("1234", to_ms(AS_OF), 0.25, "v", acted=False, segments=())
    found = indexed(record())
    assert found is not None
    assert found._replace(segments=()) == without
    assert found.segments == ("age_group: 2", "tenure: under 1 year")
    assert indexed(record(action="offer-discount", features={})) == without._replace(acted=True)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"\xff",
        record(status="could-not-compute", probability=None, action=None),
        record(subject="SUBJECT").replace(b"SUBJECT", b"\xff"),
        record(subject="SUBJECT").replace(b"SUBJECT", rb"\ud800"),
        record(as_of="2026-11-24T10:30:00"),
        record()[:-1] + b',"more":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_score_is_left_out(value: bytes | None) -> None:
    """Whatever is in the topic, the reader goes on."""
    assert indexed(value) is None


@given(st.binary())
def test_any_bytes_are_a_score_or_none(value: bytes) -> None:
    """Bad bytes raise nothing."""
    assert indexed(value) is None
