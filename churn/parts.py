"""The parts that several commands build from the settings; what is wrong with them becomes one line for the user."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from churn.errors import UserError
from churn.settings import Settings
from model.artifact import ModelError, load, newest
from model.decision import Costs, Decision
from model.scoring import Scorer
from model.state import DamagedStateError
from schemas.topics import DEAD_LETTERS, DECISIONS, EVENTS
from workers.admin import BrokerError, KafkaAdmin
from workers.deadletters import DeadLetters
from workers.store import FeatureStore, StoreUnavailableError


def feature_store(settings: Settings) -> FeatureStore:
    """The feature store; raises `UserError` when Redis does not answer."""
    try:
        store = FeatureStore(settings.redis(), ttl_days=settings.state_ttl_days, timeout_s=settings.redis_timeout_s)
    except ValueError:  # its message may quote a part of the password
        raise UserError(
            "REDIS_URL: expected redis://[user:password@]host:port/db; in a password / is %2F, ? is %3F, # is %23"
        ) from None
    with store_errors():
        store.connect()
    return store


def scorer(settings: Settings) -> Scorer:
    """The newest model in the folder of models; raises `UserError` when there is none that can be used."""
    with model_errors():
        return scorer_of(newest(settings.models), settings)


def scorer_of(folder: Path, settings: Settings) -> Scorer:
    """The model in `folder`; raises `ModelError`."""
    costs = Costs(
        settings.customer_value,
        settings.offer_cost,
        settings.contact_cost,
        settings.retention_cost,
        settings.offer_success,
        settings.retention_success,
    )
    return Scorer(load(folder), Decision(costs))


def kafka_admin(settings: Settings) -> KafkaAdmin:
    """The cluster; raises `UserError` when no broker is named or the settings of the connection cannot be used."""
    with broker_errors(settings):
        return KafkaAdmin(settings.librdkafka(), partitions=settings.partitions, replication=settings.replication)


@contextmanager
def model_errors() -> Iterator[None]:
    """Within it, a model that cannot be used is a `UserError`."""
    try:
        yield
    except ModelError as error:
        raise UserError(str(error)) from None


@contextmanager
def broker_errors(settings: Settings) -> Iterator[None]:
    """Within it, a broker that does not answer is a `UserError`."""
    try:
        yield
    except BrokerError as error:
        raise UserError(f"KAFKA_BOOTSTRAP_SERVERS={settings.kafka_bootstrap_servers}: {error}") from None


@contextmanager
def store_errors() -> Iterator[None]:
    """Within it, a Redis that does not answer or holds something else is a `UserError`."""
    try:
        yield
    except (StoreUnavailableError, DamagedStateError) as error:
        raise UserError(f"REDIS_URL: {error}") from None


def partitions(settings: Settings) -> int:
    """How many partitions `customer.events` has; raises `UserError` when it is missing or has others than set."""
    with broker_errors(settings):
        existing = kafka_admin(settings).existing()
    insist(EVENTS, existing)
    if existing[EVENTS] != settings.partitions:
        raise UserError(
            f"CHURN_PARTITIONS={settings.partitions}: topic {EVENTS} has {existing[EVENTS]} partitions; if it got "
            "more, customers' records are in the wrong ones (see docs/decisions/0004-log-decides-redis-follows.md)"
        )
    return settings.partitions


def dead_letters(settings: Settings) -> DeadLetters:
    """The dead letters; raises `UserError` when there is no broker or a topic is missing."""
    with broker_errors(settings):
        existing = kafka_admin(settings).existing()
    for topic in (EVENTS, DEAD_LETTERS, DECISIONS):
        insist(topic, existing)
    return DeadLetters(settings.librdkafka(), existing)


def insist(topic: str, existing: Container[str]) -> None:
    """Raise `UserError` when `topic` is not among the existing ones."""
    if topic not in existing:
        raise UserError(f"topic {topic} is missing; create it with `churn topics`")
