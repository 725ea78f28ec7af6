"""The client of upstream applications on a real Kafka; what it publishes is read by another client."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from producers import client as producers_client
from producers.client import ChurnEvents
from producers.errors import BrokerUnavailableError, DeliveryError, InvalidEventError
from schemas.events import Call, CallStarted, decode_event
from schemas.outcomes import Outcome, decode_outcome
from schemas.partitioning import partition_of
from schemas.topics import EVENTS, OUTCOMES
from tests.conftest import PARTITIONS
from tests.integration.producers.topics import delete_topic
from tests.integration.worker import read

Kafka = dict[str, str]


def test_what_is_published_arrives(kafka: Kafka) -> None:
    """An event arrives as a CloudEvent of the application, keyed by customer, now, with a new UUID as its id."""
    before = datetime.now(UTC)
    with ChurnEvents(kafka, source="billing") as events:
        event_id = events.publish("charge.billed", "1234", {"amount": 12.5, "currency": "EUR"})
    (message,) = read(kafka["bootstrap_servers"], EVENTS)
    event = decode_event(message.value())
    assert message.key() == b"1234"
    assert message.headers() == [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    assert (event.id, event.source, event.subject) == (event_id, "billing", "1234")
    assert uuid.UUID(event_id).version == 4
    assert before <= event.time <= datetime.now(UTC)
    assert event.data.amount == 12.5  # type: ignore[union-attr]


def test_own_time_and_id_are_kept(kafka: Kafka) -> None:
    """The application may say when it happened and give the id itself; data may be left out or be a struct."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    with ChurnEvents(kafka, source="crm") as events:
        assert events.publish("call.started", "1", time=moment, id="call-1") == "call-1"
        events.publish("call.started", "1", Call(reason="invoice"), time=moment)
    first, second = (decode_event(message.value()) for message in read(kafka["bootstrap_servers"], EVENTS))
    assert (first.id, first.time, first.data) == ("call-1", moment, Call())
    assert second.data == Call(reason="invoice")


def test_outcomes_go_to_their_topic(kafka: Kafka) -> None:
    """An outcome is published in the same way and goes to `customer.outcomes`."""
    with ChurnEvents(kafka, source="crm") as events:
        events.publish("outcome.observed", "1234", {"churned": True, "horizon_days": 90})
    (message,) = read(kafka["bootstrap_servers"], OUTCOMES)
    assert decode_outcome(message.value()).data == Outcome(churned=True, horizon_days=90)
    assert read(kafka["bootstrap_servers"], EVENTS) == []


def test_customer_is_in_the_partition_that_the_workers_expect(kafka: Kafka) -> None:
    """kafka-python's default partitioner is the murmur2 that the workers and the API count with."""
    customers = [f"c{i}" for i in range(300)]
    with ChurnEvents(kafka, source="crm") as events:
        for customer in customers:
            events.publish("call.started", customer)
    messages = read(kafka["bootstrap_servers"], EVENTS)
    keys = [(message.key() or b"").decode() for message in messages]
    assert sorted(keys) == sorted(customers)
    assert [message.partition() for message in messages] == [partition_of(key, PARTITIONS) for key in keys]


def test_invalid_event_is_not_sent(kafka: Kafka) -> None:
    """An event that the workers would refuse is refused before it is sent, and what follows it is sent."""
    with ChurnEvents(kafka, source="crm") as events:
        with pytest.raises(InvalidEventError, match=r"data\.calls is -3; expected `int` >= 0"):
            events.publish("usage.recorded", "1234", {"calls": -3})
        events.publish("usage.recorded", "1234", {"calls": 3})
    assert len(read(kafka["bootstrap_servers"], EVENTS)) == 1


def test_any_bytes_can_be_sent_to_see_what_becomes_of_them(kafka: Kafka) -> None:
    """Unchecked bytes travel as they are, next to ready events."""
    event = CallStarted(id="1", source="s", subject="7", time=datetime.now(UTC), specversion="1.0", data=Call())
    with ChurnEvents(kafka, source="crm") as events:
        events.send(event)
        events.send_unchecked(b"\xff", key=b"7")
    first, second = read(kafka["bootstrap_servers"], EVENTS)
    assert decode_event(first.value()) == event
    assert (second.key(), second.value()) == (b"7", b"\xff")


def test_threads_may_share_a_client(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several threads publish at once, with few records allowed to be unconfirmed, and nothing is lost."""
    monkeypatch.setattr(producers_client, "MAX_UNCONFIRMED", 50)
    with ChurnEvents(kafka, source="crm") as events, ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda i: events.publish("call.started", f"c{i}"), range(2000)))
    assert sorted(decode_event(m.value()).id for m in read(kafka["bootstrap_servers"], EVENTS)) == sorted(sent)


def test_refused_deliveries_are_raised_once(kafka: Kafka) -> None:
    """What the broker refuses is raised by the flush, counted and with the first error, and not again by the close."""
    limit_records(kafka, "10")
    events = ChurnEvents(kafka, source="crm")
    for customer in ("1", "2", "3"):
        events.publish("outcome.observed", customer, {"churned": True, "horizon_days": 90})
    with pytest.raises(DeliveryError, match=r"3 of the events sent were not delivered; the first error: .*TooLarge"):
        events.flush()
    events.close()
    events.close()


def test_refused_delivery_is_raised_by_a_later_publish(kafka: Kafka) -> None:
    """An application that never flushes hears of an event that was not delivered when it publishes another."""
    limit_records(kafka, "10")
    with ChurnEvents(kafka, source="crm") as events:
        events.publish("outcome.observed", "1", {"churned": True, "horizon_days": 90})
        time.sleep(1)
        with pytest.raises(DeliveryError, match="1 of the events sent were not delivered"):
            events.publish("call.started", "1")
    assert read(kafka["bootstrap_servers"], EVENTS) == []


def test_refused_delivery_is_raised_at_the_end_of_the_context(kafka: Kafka) -> None:
    """Leaving the context raises too; where it is left by another error, that one stays and has a note."""
    limit_records(kafka, "10")
    with pytest.raises(DeliveryError), ChurnEvents(kafka, source="crm") as events:
        events.publish("outcome.observed", "1", {"churned": True, "horizon_days": 90})
    with pytest.raises(ZeroDivisionError) as caught, ChurnEvents(kafka, source="crm") as events:
        fail_after(events.publish("outcome.observed", "1", {"churned": True, "horizon_days": 90}))
    assert caught.value.__notes__[0].startswith("1 of the events sent were not delivered")


def test_other_error_in_the_context_leaves_nothing_unsent(kafka: Kafka) -> None:
    """What was published before an error of the application is delivered."""
    with pytest.raises(ZeroDivisionError), ChurnEvents(kafka, source="crm") as events:
        fail_after(events.publish("call.started", "1"))
    assert len(read(kafka["bootstrap_servers"], EVENTS)) == 1


def test_missing_topic_is_named(kafka: Kafka) -> None:
    """A topic that does not exist is not made by accident but named, in bounded time."""
    delete_topic(kafka, EVENTS)
    with ChurnEvents({**kafka, "max_block_ms": 1000}, source="crm") as events:
        with pytest.raises(DeliveryError, match=r"nothing was sent to customer\.events: .*does the topic exist"):
            events.publish("call.started", "1")
        with pytest.raises(DeliveryError, match="does the topic exist"):
            events.topic_id(EVENTS)
        assert uuid.UUID(events.topic_id(OUTCOMES))


def test_closed_client_refuses(kafka: Kafka) -> None:
    """Publishing after the close is an error that says so."""
    events = ChurnEvents(kafka, source="crm")
    events.close()
    with pytest.raises(DeliveryError, match=r"nothing was sent to customer\.events: .*closed"):
        events.publish("call.started", "1")


def test_oversized_record_is_named(kafka: Kafka) -> None:
    """A record larger than a request is an error at once, and not one of a missing topic."""
    with ChurnEvents(kafka, source="crm") as events, pytest.raises(DeliveryError, match="larger than") as caught:
        events.send_unchecked(b"x" * 2_000_000, key=b"1")
    assert "does the topic exist" not in str(caught.value)


def test_wrong_protocol_is_told(kafka: Kafka) -> None:
    """TLS to a broker that speaks none is an error at once."""
    with pytest.raises(BrokerUnavailableError, match="no Kafka broker answers"):
        ChurnEvents({**kafka, "security_protocol": "SSL"}, source="crm")


def fail_after(_: str) -> None:
    """The application's own error."""
    raise ZeroDivisionError


def limit_records(kafka: Kafka, size_bytes: str) -> None:
    """Let the broker refuse larger records of `customer.outcomes`, and return when it does."""
    admin: Any = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    entry = ConfigEntry("max.message.bytes", size_bytes, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, OUTCOMES, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)
    refused: list[Any] = []
    producer = Producer({"bootstrap.servers": kafka["bootstrap_servers"]})
    while not any(refused):
        producer.produce(OUTCOMES, b"x" * 100, on_delivery=lambda error, _: refused.append(error))
        producer.flush(10)
