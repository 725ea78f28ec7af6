"""The applied value in Redis: an offset, or nothing; and what is said of a Redis that is away."""

import pytest
from redis import ConnectionError as AwayError
from redis import RedisError, ResponseError
from redis.exceptions import NoPermissionError, OutOfMemoryError

from model.state import LAYOUT
from workers.store import _said, decode_applied


def test_offset_of_this_layout_is_read() -> None:
    """The largest offset that Kafka has is read too."""
    assert decode_applied(f"{LAYOUT}:0".encode()) == 0
    assert decode_applied(f"{LAYOUT}:{2**63 - 1}".encode()) == 2**63 - 1


DAMAGED = [f"{LAYOUT}:{offset}".encode() for offset in ("", "-1", "1.0", "\u0661", "9" * 5000)]


@pytest.mark.parametrize(
    "value", [None, b"", b"17", b":17", b"0123:17", *DAMAGED],
    ids=lambda value: repr(value)[:24],
)  # fmt: skip
def test_anything_else_is_none(value: bytes | None) -> None:
    """Another layout and damage of any kind mean that nothing is known to be applied."""
    assert decode_applied(value) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AwayError("Error 111 connecting to redis:6379."), "Redis: Error 111 connecting to redis:6379."),
        (OutOfMemoryError("command not allowed"), "Redis: command not allowed"),
        (AwayError("Command # 1 (MGET churn:{0}:c:c1) of pipeline caused error: reset"), "Redis: reset"),
        (AwayError(), "Redis: ConnectionError"),
        (ResponseError("unknown command 'EVAL', with args beginning with: 'churn:{0}:c:c1'"), "Redis: ResponseError"),
        (NoPermissionError("no permissions to access the key 'churn:{0}:c:c1'"), "Redis: NoPermissionError"),
    ],
)
def test_what_redis_quotes_is_not_said(error: RedisError, said: str) -> None:
    """Of an error that may quote the command only the type is told: a customer's id is in it."""
    assert _said(error) == said
