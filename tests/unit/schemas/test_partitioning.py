"""A customer's partition is the one that Kafka's own clients choose."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from schemas.partitioning import murmur2, partition_of


@given(st.binary(max_size=70))
def test_murmur2_equals_kafka_pythons(data: bytes) -> None:
    """The hash is the one of kafka-python, which is the one of Java's client."""
    assert murmur2(data) == kafka_python_murmur2(data) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=64), st.integers(1, 1000))
def test_partition_is_in_range(customer: str, partitions: int) -> None:
    """A partition is one that the topic has."""
    assert 0 <= partition_of(customer, partitions) < partitions
