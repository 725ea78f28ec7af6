"""Where no broker is, there is one clear error in bounded time."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer

from producers import connection
from producers.connection import connected
from producers.errors import BrokerUnavailableError


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ("127.0.0.1:1", "no Kafka broker answers (127.0.0.1:1: [Errno 111] Connection refused)"),
        ("127.0.0.1:1,127.0.0.1:2", "no Kafka broker answers (127.0.0.1:1: [Errno 111] Connection refused; 127."),
        (["127.0.0.1:1"], "no Kafka broker answers (127.0.0.1:1: [Errno 111] Connection refused)"),
        ("no-such-host.invalid:9092", "no Kafka broker answers (no-such-host.invalid:9092: [Errno "),
        (f"{'a' * 70}.invalid:9092", "no Kafka broker answers (aaaaaaa"),
        ("127.0.0.1:abc", "bootstrap_servers is '127.0.0.1:abc'; expected host:port[,host:port]"),
    ],
)  # fmt: skip
def test_absent_broker_is_named_at_once(servers: Any, message: str) -> None:
    """A server that refuses, is not known or is no address is named, with the reason, without waiting."""
    start_s = time.monotonic()
    with pytest.raises(BrokerUnavailableError) as caught:
        connected(KafkaProducer, {"bootstrap_servers": servers})
    assert str(caught.value).startswith(message)
    assert time.monotonic() - start_s < 5


@pytest.mark.parametrize("client", [KafkaProducer, KafkaConsumer])
def test_something_else_at_the_address_is_told_in_bounded_time(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and never answers costs the time set for it, and leaves neither thread nor socket open."""
    before = set(threading.enumerate())
    monkeypatch.setattr(connection, "BOOTSTRAP_TIMEOUT_S", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        start_s = time.monotonic()
        with pytest.raises(BrokerUnavailableError, match=f"no Kafka broker answers; .*{address}"):
            connected(client, {"bootstrap_servers": address})
        assert time.monotonic() - start_s < 4
    assert set(threading.enumerate()) <= before


def test_silent_server_is_told_in_bounded_time_with_tls_too() -> None:
    """A server that accepts and never shakes hands costs three seconds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        start_s = time.monotonic()
        with pytest.raises(BrokerUnavailableError, match=f"{address}: .*timed out"):
            connected(KafkaProducer, {"bootstrap_servers": address, "security_protocol": "SSL"})
        assert time.monotonic() - start_s < 5


def test_missing_certificate_file_is_named(tmp_path: Path) -> None:
    """A file of certificates that is not there is named, before anything is connected."""
    config = {
        "bootstrap_servers": "127.0.0.1:1",
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(tmp_path / "no.pem"),
    }
    with pytest.raises(BrokerUnavailableError, match=r"TLS cannot be set up from .*no\.pem.*: .*No such file"):
        connected(KafkaProducer, config)
