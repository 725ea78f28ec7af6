"""Ask the cluster: its topics against what is declared of them, and how far the group of workers is."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from schemas.topics import EVENTS, TOPICS, Topic

CALL_TIMEOUT_S = 5.0


class BrokerError(Exception):
    """No broker answers, or it refuses."""


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise BrokerError(error.args[0].str()) from None


class KafkaAdmin:
    """One cluster; `partitions` is for those that do not say themselves. Every method may raise `BrokerError`."""

    def __init__(self, config: Mapping[str, str], *, partitions: int, replication: int) -> None:
        # librdkafka logs to a queue that nobody reads: what went wrong comes back as an error, once.
        self._client = AdminClient(dict(config), logger=logging.getLogger("kafka"))
        self._partitions, self._replication = partitions, replication

    def existing(self) -> dict[str, int]:
        """Every topic's number of partitions."""
        with _broker_errors():
            topics = self._client.list_topics(timeout=CALL_TIMEOUT_S).topics
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def create_missing(self) -> list[str]:
        """Create the topics that are not there, and wait until the broker shows them; returns their names."""
        existing = self.existing()
        missing = [
            NewTopic(topic.name, self._wanted(topic), self._replication, config=topic.settings())
            for topic in TOPICS if topic.name not in existing
        ]  # fmt: skip
        with _broker_errors():
            for future in self._client.create_topics(missing).values() if missing else ():
                future.result(CALL_TIMEOUT_S)
        names = [topic.topic for topic in missing]
        deadline_s = time.monotonic() + CALL_TIMEOUT_S
        while not self.existing().keys() >= set(names) and time.monotonic() < deadline_s:
            time.sleep(0.05)  # pragma: no cover - most often they are there at once
        return names

    def differences(self) -> dict[str, list[str]]:
        """By topic, in a few words each, how it is not as declared."""
        existing = self.existing()
        settings = self._settings([topic.name for topic in TOPICS if topic.name in existing])
        result = {}
        for topic in TOPICS:
            if topic.name not in existing:
                result[topic.name] = ["missing"]
                continue
            wanted = {"partitions": str(self._wanted(topic)), **topic.settings()}
            found = {"partitions": str(existing[topic.name]), **settings[topic.name]}
            result[topic.name] = [
                f"{name} is {found[name]}, expected {value}" for name, value in wanted.items() if found[name] != value
            ]
        return result

    def records(self, topic: str) -> int:
        """How many records `topic` holds, those of transactions' ends included."""
        numbers = range(self.existing()[topic])
        bounds = [
            self._client.list_offsets({TopicPartition(topic, number): spec for number in numbers})
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        ]
        with _broker_errors():
            first, last = (sum(future.result(CALL_TIMEOUT_S).offset for future in some.values()) for some in bounds)
        return int(last - first)

    def committed(self, group: str) -> dict[int, int]:
        """The offset of `customer.events` up to which `group` has answered, by partition."""
        request = ConsumerGroupTopicPartitions(group)
        with _broker_errors():
            places = self._client.list_consumer_group_offsets([request])[group].result(CALL_TIMEOUT_S).topic_partitions
        return {place.partition: place.offset for place in places if place.topic == EVENTS and place.offset >= 0}

    def members(self, group: str) -> int:
        """How many workers are in `group`."""
        with _broker_errors():
            return len(self._client.describe_consumer_groups([group])[group].result(CALL_TIMEOUT_S).members)

    def _wanted(self, topic: Topic) -> int:
        return topic.partitions or self._partitions

    def _settings(self, names: list[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        with _broker_errors():
            futures = self._client.describe_configs(resources) if resources else {}
            return {
                resource.name: {name: str(entry.value) for name, entry in future.result(CALL_TIMEOUT_S).items()}
                for resource, future in futures.items()
            }
