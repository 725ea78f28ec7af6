"""Help for tests that change topics. A broker shows what its controller did a moment later, so each waits for that."""

import time
from collections.abc import Mapping

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


def delete_topic(kafka: Mapping[str, str], topic: str) -> None:
    """Delete a topic and wait until it is gone."""
    admin = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    wait_until_listed(kafka, topic, listed=True)  # else "gone" could mean that its creation does not show yet
    for future in admin.delete_topics([topic]).values():
        future.result(10)
    wait_until_listed(kafka, topic, listed=False)


def create_topic(kafka: Mapping[str, str], topic: str) -> None:
    """Make a topic of two partitions and wait until it is there."""
    admin = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    for future in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        future.result(10)
    wait_until_listed(kafka, topic, listed=True)


def wait_until_listed(kafka: Mapping[str, str], topic: str, *, listed: bool) -> None:
    """Wait until the broker shows that a topic is there, or that it is not."""
    admin = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    deadline_s = time.monotonic() + 20
    while (topic in admin.list_topics(timeout=10).topics) is not listed:
        assert time.monotonic() < deadline_s, f"{topic} is {'not there' if listed else 'still there'}"
        time.sleep(0.05)
