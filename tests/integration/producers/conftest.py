"""What the tests of the producers side share."""

import pytest

from churn.stack.record import Stack
from schemas.topics import TOPICS
from tests.integration.producers.topics import wait_until_listed


@pytest.fixture
def kafka(stack: Stack, topics: None) -> dict[str, str]:  # noqa: ARG001 - new and empty topics
    """kafka-python's configuration of a connection to the stack, whose new topics are there for every client."""
    kafka = {"bootstrap_servers": stack.kafka.address}
    for topic in TOPICS:
        wait_until_listed(kafka, topic.name, listed=True)
    return kafka
