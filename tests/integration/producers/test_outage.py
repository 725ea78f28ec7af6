"""A broker that goes away: bounded waits, nothing swallowed, nothing left running; and a broker that speaks TLS."""

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from churn.stack.kafka import LocalKafka, broker_properties
from churn.stack.ports import free_port
from producers import client as producers_client
from producers.client import ChurnEvents
from producers.errors import BrokerUnavailableError, DeliveryError
from producers.history import SOURCE
from producers.replay import Replay
from producers.subscriber import ChurnScores
from schemas.events import decode_event
from schemas.topics import EVENTS, TOPICS
from tests.integration.producers.test_replay import FEW
from tests.integration.producers.topics import create_topic
from tests.integration.worker import read

Kafka = dict[str, Any]
IMPATIENT = {"delivery_timeout_ms": 3000, "request_timeout_ms": 1500}


class Broker(LocalKafka):
    """A broker of our own, which may be paused; it speaks TLS at a second port."""

    def __init__(self, folder: Path) -> None:
        port, tls_port = free_port(), free_port()
        listeners = broker_properties(port, controller_port := free_port())
        folder.mkdir()
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
        (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
        extra = {
            "listeners": listeners["listeners"] + f",SSL://127.0.0.1:{tls_port}",
            "advertised.listeners": listeners["advertised.listeners"] + f",SSL://127.0.0.1:{tls_port}",
            "listener.security.protocol.map": listeners["listener.security.protocol.map"] + ",SSL:SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(folder / "both.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(folder / "cert.pem"),
            "ssl.client.auth": "required",
        }
        super().__init__(folder, port=port, controller_port=controller_port, extra=extra)
        self.plain: Kafka = {"bootstrap_servers": self.address}
        self.tls: Kafka = {
            "bootstrap_servers": f"127.0.0.1:{tls_port}",
            "security_protocol": "SSL",
            "ssl_cafile": str(folder / "cert.pem"),
            "ssl_certfile": str(folder / "cert.pem"),
            "ssl_keyfile": str(folder / "key.pem"),
        }


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One for the tests of this file, with the topics."""
    broker = Broker(tmp_path_factory.mktemp("kafka") / "broker")
    try:
        broker.start()
        for topic in TOPICS:
            create_topic(broker.plain, topic.name)
        yield broker
    finally:
        broker.process.resume()
        broker.stop()


@pytest.mark.parametrize("warm", [True, False])
def test_broker_that_falls_silent_costs_a_bounded_time(broker: Broker, warm: bool) -> None:
    """What a silent broker did not confirm is raised in bounded time, whether anything was sent before or not."""
    before = set(threading.enumerate())
    client = ChurnEvents({**broker.plain, **IMPATIENT}, source="crm")
    client.topic_id(EVENTS)
    if warm:
        client.publish("call.started", "1")
        client.flush()
    broker.process.pause()
    try:
        for customer in range(30):
            client.publish("call.started", str(customer))
        start_s = time.monotonic()
        with pytest.raises(
            DeliveryError, match=r"30 of the events sent were not delivered; the first error: .*Timeout"
        ):
            client.flush()
        assert time.monotonic() - start_s < 7
        client.close()
        assert time.monotonic() - start_s < 20
    finally:
        broker.process.resume()
    assert set(threading.enumerate()) <= before


def test_silent_broker_stops_who_publishes_without_end(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: who publishes on and on while the broker is silent is stopped by an error in bounded time."""
    monkeypatch.setattr(producers_client, "MAX_UNCONFIRMED", 100)
    client = ChurnEvents({**broker.plain, **IMPATIENT}, source="crm")
    client.topic_id(EVENTS)
    broker.process.pause()
    published: list[str] = []
    start_s = time.monotonic()
    try:
        with pytest.raises(DeliveryError, match="of the events sent were not delivered"):
            published.extend(client.publish("call.started", "1") for _ in range(1000))
        assert len(published) == 100
        assert time.monotonic() - start_s < 7
        with pytest.raises(DeliveryError, match="99 of the events sent were not delivered"):
            client.close()
    finally:
        broker.process.resume()


def test_replay_that_could_not_deliver_goes_on_later(broker: Broker, tmp_path: Path) -> None:
    """A replay that a silent broker ended is resumed from its last checkpoint, and no event is missing."""
    before = len(read(broker.address, EVENTS))

    def pause(record: Any) -> None:
        if record is FEW.events[20]:
            broker.process.pause()

    client = ChurnEvents({**broker.plain, **IMPATIENT}, source=SOURCE)
    try:
        with pytest.raises(DeliveryError):
            Replay(client, FEW, checkpoints=tmp_path, before_send=pause).run()
    finally:
        client.close()
        broker.process.resume()
    with ChurnEvents(broker.plain, source=SOURCE) as client:
        assert Replay(client, FEW, checkpoints=tmp_path).run() is True
    replayed = [decode_event(message.value()) for message in read(broker.address, EVENTS)]
    found = {event.id for event in replayed if event.source == SOURCE}
    assert found == {event.id for event in FEW.events}
    assert len(replayed) - before < len(FEW.events) + 3 * 8 + 1


def test_tls_with_certificates_on_both_sides(broker: Broker) -> None:
    """The client and the subscriber connect with TLS, show their certificate and check the broker's."""
    with ChurnEvents(broker.tls, source="crm") as events:
        event_id = events.publish("call.started", "tls")
    assert event_id in {decode_event(message.value()).id for message in read(broker.address, EVENTS)}
    ChurnScores(broker.tls).close()


def test_unknown_authority_is_told(broker: Broker) -> None:
    """A broker whose certificate nobody vouches for is refused, with the reason."""
    config = {name: value for name, value in broker.tls.items() if name != "ssl_cafile"}
    with pytest.raises(BrokerUnavailableError, match="certificate verify failed"):
        ChurnEvents(config, source="crm")
