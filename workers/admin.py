"""Ask the cluster: its topics against what is declared of them, and how far the group of workers is."""

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AclOperation, AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from schemas.topics import EVENTS, TOPICS, Topic

CALL_TIMEOUT_S = 5.0
# What a broker says of a group while it takes it over, or while the first group of all is made.
_LOADING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


class BrokerError(Exception):
    """No broker answers, or it refuses."""


class LoginError(BrokerError):
    """The broker does not accept who we say we are."""


class TopicState(NamedTuple):
    """How a topic is kept, and what this user may do with it, by Kafka's names of operations."""

    partitions: int
    copies: int  # of the partition with the fewest
    under_replicated: int  # partitions that lack a copy
    offline: int  # partitions that nobody can read
    allowed: frozenset[str]


Described = TopicState | Literal["missing", "hidden"]  # hidden: this user may not see it


class Newest(NamedTuple):
    """The newest timestamp of a partition, and the offset of its record."""

    time_ms: int
    offset: int


class Bounds(NamedTuple):
    """Offsets of the oldest record of a partition and of the next one."""

    beginning: int
    end: int


class KafkaAdmin:
    """One cluster; `partitions` is for those that do not say themselves. Every method may raise `BrokerError`."""

    def __init__(self, config: Mapping[str, str], *, partitions: int, replication: int) -> None:
        self._config = dict(config)
        self._troubles: list[KafkaError] = []
        try:
            self._client = self._connected()
        except KafkaException as error:
            raise BrokerError(error.args[0].str()) from None
        self._partitions, self._replication = partitions, replication

    def brokers(self) -> int:
        """How many brokers there are; raises `LoginError` when they do not let us in."""
        try:
            return len(self._client.list_topics(timeout=CALL_TIMEOUT_S).brokers)
        except KafkaException as error:
            self._client.poll(0)
            # The error itself says no more than that there was one.
            telling = [trouble for trouble in self._troubles if trouble.code() != KafkaError._ALL_BROKERS_DOWN]
            trouble = telling[0] if telling else error.args[0]
            # Without the name of the connection before, and how long it took behind.
            said = re.sub(r"^\S+/\S+: | \(after \d+ms in state .*\)$", "", trouble.str())
            kind = LoginError if trouble.code() == KafkaError._AUTHENTICATION else BrokerError
            raise kind(said) from None

    def described(self) -> dict[str, Described]:
        """Each declared topic as it is."""
        names = TopicCollection([topic.name for topic in TOPICS])
        with self._asking():
            futures = self._client.describe_topics(names, include_authorized_operations=True)
            return {name: _described(future) for name, future in futures.items()}

    def checks_permissions(self) -> bool:
        """Whether the brokers refuse to do what a user is not allowed to."""
        with self._asking():
            number = next(iter(self._client.list_topics(timeout=CALL_TIMEOUT_S).brokers))
        try:
            settings = self._settings(ResourceType.BROKER, [str(number)])[str(number)]
        except BrokerError:
            return True  # it has just refused to tell
        return settings.get("authorizer.class.name") != ""

    def try_transactions(self, transactional_id: str) -> None:
        """See whether this user can have transactions with that id; nothing is published."""
        config: dict[str, Any] = {**self._config, "transactional.id": transactional_id}
        with self._asking():
            Producer(config, logger=logging.getLogger("kafka")).init_transactions(CALL_TIMEOUT_S)

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """Where each partition of `topic` begins and ends; nothing when there is no such topic."""
        first, last = (self._offsets(topic, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
        return {number: Bounds(first[number].offset, last[number].offset) for number in first}

    def newest_ms(self, topic: str) -> int | None:
        """The newest timestamp in `topic`, None when it is empty."""
        return max((newest.time_ms for newest in self.newest(topic).values()), default=None)

    def newest(self, topic: str) -> dict[int, Newest]:
        """The newest record of each partition of `topic` that has any; nothing when there is no such topic."""
        found = self._offsets(topic, OffsetSpec.max_timestamp())
        return {number: Newest(one.timestamp, one.offset) for number, one in found.items() if one.timestamp >= 0}

    def group_operations(self, group: str) -> frozenset[str]:
        """What this user may do with `group`, by Kafka's names of operations."""
        return _names(self._group(group).authorized_operations)

    def existing(self) -> dict[str, int]:
        """Every topic's number of partitions."""
        with self._asking():
            topics = self._client.list_topics(timeout=CALL_TIMEOUT_S).topics
        return {name: len(topic.partitions) for name, topic in topics.items()}

    def create_missing(self) -> list[str]:
        """Create the topics that are not there, and wait until the broker shows them; returns their names."""
        existing = self.existing()
        missing = [
            NewTopic(topic.name, self._wanted(topic), self._replication, config=topic.settings())
            for topic in TOPICS if topic.name not in existing
        ]  # fmt: skip
        with self._asking():
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
        settings = self._settings(ResourceType.TOPIC, [topic.name for topic in TOPICS if topic.name in existing])
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
        return sum(end - beginning for beginning, end in self.bounds(topic).values())

    def committed(self, group: str) -> dict[int, int]:
        """The offset of `customer.events` up to which `group` has answered, by partition."""
        request = ConsumerGroupTopicPartitions(group)
        with self._asking():
            places = self._client.list_consumer_group_offsets([request])[group].result(CALL_TIMEOUT_S).topic_partitions
        return {place.partition: place.offset for place in places if place.topic == EVENTS and place.offset >= 0}

    def members(self, group: str) -> int:
        """How many workers are in `group`."""
        return len(self._group(group).members)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask with a new client after a failure: an old one never hears of a group again whose broker was away."""
        try:
            yield
        except (KafkaException, TimeoutError) as error:
            self._client = self._connected()
            late = isinstance(error, TimeoutError)
            raise BrokerError(f"no answer within {CALL_TIMEOUT_S:g} s" if late else error.args[0].str()) from None

    def _connected(self) -> Any:
        # librdkafka logs to a queue that only `brokers` reads: what went wrong comes back as an error, once.
        more: dict[str, Any] = {"error_cb": self._troubles.append}
        return AdminClient({**self._config, **more}, logger=logging.getLogger("kafka"))

    def _wanted(self, topic: Topic) -> int:
        return topic.partitions or self._partitions

    def _group(self, group: str) -> Any:
        deadline_s = time.monotonic() + CALL_TIMEOUT_S
        while True:
            futures = self._client.describe_consumer_groups([group], include_authorized_operations=True)
            with self._asking():
                try:
                    return futures[group].result(CALL_TIMEOUT_S)
                except KafkaException as error:
                    if error.args[0].code() not in _LOADING or time.monotonic() > deadline_s:
                        raise
            time.sleep(0.05)  # pragma: no cover - only with a broker that has just started

    def _offsets(self, topic: str, spec: OffsetSpec) -> dict[int, Any]:
        places = {TopicPartition(topic, number): spec for number in range(self.existing().get(topic, 0))}
        with self._asking():
            futures = self._client.list_offsets(places) if places else {}
            return {place.partition: future.result(CALL_TIMEOUT_S) for place, future in futures.items()}

    def _settings(self, kind: ResourceType, names: list[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(kind, name) for name in names]
        with self._asking():
            futures = self._client.describe_configs(resources) if resources else {}
            return {
                resource.name: {name: str(entry.value) for name, entry in future.result(CALL_TIMEOUT_S).items()}
                for resource, future in futures.items()
            }


def _described(answer: Future[Any]) -> Described:
    try:
        topic = answer.result(CALL_TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return "missing"
        if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return "hidden"
        raise  # pragma: no cover - a broker that fails just then
    return TopicState(
        partitions=len(topic.partitions),
        copies=min(len(partition.replicas) for partition in topic.partitions),
        under_replicated=sum(len(partition.isr) < len(partition.replicas) for partition in topic.partitions),
        offline=sum(partition.leader is None for partition in topic.partitions),
        allowed=_names(topic.authorized_operations),
    )


def _names(operations: Iterable[AclOperation] | None) -> frozenset[str]:
    return frozenset(operation.name for operation in operations or ())
