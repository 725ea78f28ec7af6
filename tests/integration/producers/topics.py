"""Help for tests that change topics."""

import time
from collections.abc import Mapping

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


def delete_topic(kafka: Mapping[str, str], topic: str) -> None:
    """Delete a topic and wait until it is gone."""
    admin = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    for future in admin.delete_topics([topic]).values():
        future.result(10)
    deadline_s = time.monotonic() + 20
    while topic in admin.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline_s, f"{topic} is not deleted"
        time.sleep(0.05)


def create_topic(kafka: Mapping[str, str], topic: str) -> None:
    """Make a topic of two partitions."""
    admin = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    for future in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        future.result(10)
