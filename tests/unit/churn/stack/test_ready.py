"""Whether a service really answers."""

import socket
import time
from collections.abc import Iterator

import pytest

from churn.stack import ready
from churn.stack.errors import StackError
from churn.stack.ports import free_port


@pytest.fixture
def silent() -> Iterator[str]:
    """Run a server that accepts connections and never says a word, as host:port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_one_of_several_that_accepts_is_enough(silent: str) -> None:
    """As for a Kafka client, one reachable broker of the list will do; schemes and spaces are as clients take them."""
    assert ready.tcp_trouble(f"127.0.0.1:{free_port()},PLAINTEXT://{silent}") is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("kafka", "'kafka' is not host:port"),
        (":9092", "':9092' is not host:port"),
        ("kafka:port", "'kafka:port' is not host:port"),
        ("127.0.0.1:99999", "'127.0.0.1:99999' is not host:port"),
        ("kafka..example:9092", "label empty"),
        ("[::1]:1", "refused|unreachable|assign|not supported"),
    ],
)
def test_an_address_that_nothing_answers_has_a_reason(address: str, reason: str) -> None:
    """Each way of being unreachable is told in words."""
    with pytest.raises(AssertionError, match=reason):
        assert ready.tcp_trouble(address) is None, ready.tcp_trouble(address)


def test_a_server_that_is_no_kafka(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and does not speak Kafka's protocol is not ready, and asking ends in bounded time."""
    monkeypatch.setattr(ready, "PROBE_TIMEOUT_S", 0.3)
    began = time.monotonic()
    assert ready.kafka_trouble(silent) is not None
    assert time.monotonic() - began < 5


def test_no_kafka_at_all() -> None:
    """Where nothing listens, the reason is that of the connection."""
    assert "refused" in (ready.kafka_trouble(f"127.0.0.1:{free_port()}") or "")


def test_a_server_that_is_no_redis(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and does not speak Redis's protocol is not ready, and asking ends in bounded time."""
    monkeypatch.setattr(ready, "PROBE_TIMEOUT_S", 0.3)
    began = time.monotonic()
    assert ready.redis_trouble(f"redis://{silent}") is not None
    assert time.monotonic() - began < 5


def test_a_url_that_is_no_redis_url() -> None:
    """A wrong scheme is a reason, not a crash."""
    assert "scheme" in (ready.redis_trouble("http://127.0.0.1") or "")


def test_wait_returns_when_the_trouble_is_over() -> None:
    """The wait asks again until there is no trouble."""
    troubles = iter(["starting", "starting", None])
    ready.wait_until_ready("It", lambda: next(troubles), hint="no log", timeout_s=5)


def test_wait_is_bounded() -> None:
    """After the time-out the error says what, how long, why, and where to look."""
    with pytest.raises(StackError, match=r"^It did not answer within 0\.1 s \(starting\); its log is here$"):
        ready.wait_until_ready("It", lambda: "starting", hint="its log is here", timeout_s=0.1)


def test_wait_ends_with_the_program() -> None:
    """There is no waiting for a program that has ended."""
    with pytest.raises(StackError, match=r"^It ended while it started; its log is here$"):
        ready.wait_until_ready("It", lambda: "starting", hint="its log is here", timeout_s=60, alive=lambda: False)
