"""A broker from its jars: restarted, and as one of three."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from churn.stack.kafka import LocalKafka
from churn.stack.ports import free_port

# how long a broker that was killed counts as alive: until then it may not come back (by default 9 s)
SOON = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
QUIET = {"log_level": 0}


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[LocalKafka]]:
    """Make the three brokers of one cluster; those that run at the end are ended."""
    ports = [free_port() for _ in range(3)]
    voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(ports, 1))
    brokers = [
        LocalKafka(
            tmp_path / f"kafka-{node}",
            controller_port=port,
            extra={"node.id": str(node), "controller.quorum.voters": voters, **SOON},
        )
        for node, port in enumerate(ports, 1)
    ]
    yield brokers
    for broker in brokers:
        broker.process.kill()


def test_data_survives_a_restart(tmp_path: Path) -> None:
    """A broker that is killed and started again has the same port and the records it had."""
    broker = LocalKafka(tmp_path, extra=SOON)
    try:
        broker.start()
        admin = AdminClient({"bootstrap.servers": broker.address, **QUIET})
        for future in admin.create_topics([NewTopic("events", num_partitions=1)]).values():
            future.result(timeout=20)
        producer = Producer({"bootstrap.servers": broker.address, **QUIET})
        producer.produce("events", b"hello")
        assert producer.flush(20) == 0
        address = broker.address
        broker.process.kill()
        broker.start()
        assert broker.address == address
        consumer = Consumer({"bootstrap.servers": address, "group.id": "test"})
        try:
            consumer.assign([TopicPartition("events", 0, 0)])
            message = consumer.poll(20)
            assert message is not None
            assert message.value() == b"hello"
        finally:
            consumer.close()
    finally:
        broker.stop()
    assert not broker.process.alive()


def test_three_brokers_are_one_cluster(three: list[LocalKafka]) -> None:
    """With properties of their own three brokers keep three copies, and two of them serve when one is killed."""
    for broker in three:
        broker.launch()
    for broker in three:
        broker.wait()
    bootstrap = ",".join(broker.address for broker in three)
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    deadline = time.monotonic() + 20
    while len(admin.list_topics(timeout=10).brokers) < 3:
        assert time.monotonic() < deadline
    topic = NewTopic("events", num_partitions=1, replication_factor=3)
    for future in admin.create_topics([topic]).values():
        future.result(timeout=20)
    three[0].process.kill()
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", **QUIET})
    producer.produce("events", b"hello")
    assert producer.flush(60) == 0
