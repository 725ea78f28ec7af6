"""What the tests of the producers side share."""

import pytest

from churn.stack.record import Stack


@pytest.fixture
def kafka(stack: Stack, topics: None) -> dict[str, str]:  # noqa: ARG001 - new and empty topics
    """kafka-python's configuration of a connection to the stack."""
    return {"bootstrap_servers": stack.kafka.address}
