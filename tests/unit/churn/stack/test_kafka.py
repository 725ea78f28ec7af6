"""What a broker is told."""

from churn.stack.kafka import _escaped, broker_properties


def test_only_this_machine_reaches_the_broker() -> None:
    """Both listeners are bound to 127.0.0.1 and clients are told that address."""
    properties = broker_properties(9092, 9093)
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"


def test_java_reads_any_folder() -> None:
    """Letters beyond ASCII and backslashes are escaped, as Java's properties files need."""
    assert _escaped("/tmp/é 漢 \\") == "/tmp/\\u00e9 \\u6f22 \\\\"
