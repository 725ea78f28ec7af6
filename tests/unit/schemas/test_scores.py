"""Ids of answers and headers of dead letters."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from schemas.deadletters import dead_letter_headers
from schemas.errors import InvalidRecordError
from schemas.scores import result_id


@given(st.text(max_size=20), st.integers(0, 100), st.integers(0, 2**40))
def test_result_id_is_uuid_version_5(topic: str, partition: int, offset: int) -> None:
    """Any reader can compute the id of an answer with its own UUID library."""
    assert result_id(topic, partition, offset) == str(
        uuid.uuid5(uuid.NAMESPACE_URL, f"kafka:{topic}/{partition}/{offset}")
    )


def test_dead_letter_keeps_the_original_headers() -> None:
    """The original headers stay as they were, before ours; a long message is cut."""
    original: list[tuple[str, bytes | None]] = [("traceparent", b"\xff\x00"), ("empty", None)]
    headers = dead_letter_headers(original, InvalidRecordError("invalid", "x" * 9999), topic="t", partition=3, offset=7)
    assert headers[:2] == original
    assert dict(headers[2:]) == {
        "churn-dead-letter-error-class": b"invalid",
        "churn-dead-letter-error-message": b"x" * 500,
        "churn-dead-letter-topic": b"t",
        "churn-dead-letter-partition": b"3",
        "churn-dead-letter-offset": b"7",
        "churn-dead-letter-schema-version": b"1.0.0",
    }
