"""`churn doctor` and the monitor on a broker with logins and permissions."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from churn.stack.kafka import LocalKafka
from churn.stack.ports import free_port
from model.artifact import save
from producers.client import ChurnEvents
from schemas.topics import ALERTS, DEAD_LETTERS, EVENTS, HOURS, OUTCOMES, PAIRS, SCORES, TELEMETRY
from tests.conftest import Churn
from tests.integration.monitor_process import MonitorProcess
from tests.integration.test_doctor import examined, statuses
from tests.integration.worker import read
from tests.unit.model.test_training import ARTIFACT
from workers.admin import KafkaAdmin

PASSWORD = "hunter2"
TOPIC, GROUP, ID = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
WORKER = [  # what the page on production says that a worker needs
    (TOPIC, EVENTS, AclOperation.READ),
    (TOPIC, EVENTS, AclOperation.WRITE),
    (TOPIC, SCORES, AclOperation.WRITE),
    (TOPIC, DEAD_LETTERS, AclOperation.WRITE),
    (TOPIC, TELEMETRY, AclOperation.WRITE),
    (GROUP, "churn-score", AclOperation.READ),
    (ID, "churn-score-", AclOperation.WRITE),
]
MONITOR = [  # and what it says that a monitor needs
    *((TOPIC, name, AclOperation.READ) for name in (TELEMETRY, OUTCOMES, SCORES, HOURS, PAIRS, ALERTS)),
    *((TOPIC, name, AclOperation.WRITE) for name in (HOURS, PAIRS, ALERTS)),
    (TOPIC, EVENTS, AclOperation.DESCRIBE),
    (GROUP, "churn-monitor", AclOperation.READ),
    *((GROUP, name, AclOperation.DESCRIBE) for name in ("churn-score", "churn-monitor-index", "churn-alerts")),
]


_ANYTHING: Any = None  # which the client's own types do not allow
EVERYTHING = AclBindingFilter(
    ResourceType.ANY, _ANYTHING, ResourcePatternType.ANY, _ANYTHING, _ANYTHING, AclOperation.ANY, AclPermissionType.ANY
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A broker with our topics: the address where everybody is the administrator, and the one where users log in."""
    plain, login, controller = free_port(), free_port(), free_port()
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    kafka = LocalKafka(
        tmp_path_factory.mktemp("login"),
        port=plain,
        controller_port=controller,
        extra={
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},LOGIN://127.0.0.1:{login},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},LOGIN://127.0.0.1:{login}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": f'{module} required user_worker="{PASSWORD}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        },
    )
    kafka.start()
    try:
        KafkaAdmin({"bootstrap.servers": kafka.address}, partitions=6, replication=1).create_missing()
        yield kafka.address, f"127.0.0.1:{login}"
    finally:
        kafka.stop()


@pytest.fixture
def worker(environment: dict[str, str], broker: tuple[str, str]) -> dict[str, str]:
    """The environment of a worker that logs in; it has a model, and no permissions yet."""
    save(ARTIFACT, Path(environment["CHURN_MODELS"]))
    admin = AdminClient({"bootstrap.servers": broker[0]})
    admin.delete_acls([EVERYTHING])[EVERYTHING].result(10)
    wait_for(admin, lambda there: not there)
    return environment | {
        "KAFKA_BOOTSTRAP_SERVERS": broker[1],
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": "worker",
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }


def allow(address: str, rules: list[tuple[ResourceType, str, AclOperation]]) -> None:
    """Let the worker do so; it may when this returns."""
    bindings = [
        AclBinding(
            kind,
            name,
            ResourcePatternType.PREFIXED if name.endswith("-") else ResourcePatternType.LITERAL,
            "User:worker",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for kind, name, operation in rules
    ]
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_acls(bindings).values():
        future.result(10)
    wait_for(admin, lambda there: {*bindings} <= there)


def wait_for(admin: AdminClient, hold: Callable[[set[AclBinding]], bool]) -> None:
    """Wait until the permissions hold at the broker, which hears of a change a moment after it is confirmed."""
    deadline_s = time.monotonic() + 10
    while not hold({*admin.describe_acls(EVERYTHING).result(10)}):
        assert time.monotonic() < deadline_s, "the permissions did not change within 10 s"
        time.sleep(0.01)


def test_refused_login_is_told_as_such(churn: Churn, worker: dict[str, str]) -> None:
    """A wrong password is told from a broker that is away, and not printed."""
    said = examined(churn, worker | {"KAFKA_SASL_PASSWORD": "hunter22"}, healthy=False)
    assert said["broker"].found.startswith("the login as 'worker' is refused: SASL authentication error")
    assert "KAFKA_SASL_PASSWORD" in said["broker"].remedies
    assert "hunter2" not in str(said)


def test_wrong_protocol_is_told(churn: Churn, worker: dict[str, str]) -> None:
    """A broker that expects a login and gets none is told with the protocol that was spoken."""
    said = examined(churn, worker | {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}, healthy=False)
    assert "it speaks PLAINTEXT (KAFKA_SECURITY_PROTOCOL)" in said["broker"].remedies


def test_user_without_permissions(churn: Churn, worker: dict[str, str]) -> None:
    """Everything that a worker needs and may not do is named, and the user to whom it is to be allowed."""
    said = examined(churn, worker, healthy=False)
    assert statuses(said, "failed") == ["permissions", "group", "states"]
    found = said["permissions"].found
    for denied in (f"read {EVENTS}", f"write {EVENTS}", f"write {SCORES}", f"write {DEAD_LETTERS}",
                   f"write {TELEMETRY}", "read the group",
                   "have transactions with ids that begin with churn-score-"):  # fmt: skip
        assert denied in found
    assert "User:worker" in said["permissions"].remedies
    assert f"hidden from this user: {EVENTS}" in said["topics"].found
    assert "See the check of permissions" in said["group"].remedies


def test_user_that_may_only_look(churn: Churn, worker: dict[str, str], broker: tuple[str, str]) -> None:
    """To be allowed to see the group and the topics is not enough, and the rest is what is named."""
    looking = dict.fromkeys((kind, name, AclOperation.DESCRIBE) for kind, name, _ in WORKER if kind != ID)
    allow(broker[0], [*looking, WORKER[-1]])
    said = examined(churn, worker, healthy=False)
    assert statuses(said, "failed") == ["permissions"]
    assert said["permissions"].found == (
        f"not possible: read {EVENTS}, write {EVENTS}, write {SCORES}, write {DEAD_LETTERS}, write {TELEMETRY}, "
        "read the group churn-score"
    )


def test_permissions_that_the_page_names_are_enough(
    churn: Churn, worker: dict[str, str], broker: tuple[str, str]
) -> None:
    """With them all is well; that the settings of topics cannot be read is no more than a warning."""
    allow(broker[0], WORKER)
    said = examined(churn, worker, healthy=True)
    assert said["permissions"].found == "a worker's topics, group and transactions are allowed"
    assert said["topics"].status == "warning"
    assert "their settings cannot be read: " in said["topics"].found
    assert said["group"].status == "ok"


def test_permissions_that_the_page_names_are_enough_for_a_monitor(
    worker: dict[str, str], broker: tuple[str, str], tmp_path: Path
) -> None:
    """With them it is the active one, keeps outcomes, and tells of dead workers in the log of alerts."""
    allow(broker[0], MONITOR)
    with ChurnEvents({"bootstrap_servers": broker[0]}, source="crm") as events:
        events.publish("outcome.observed", "1234", {"churned": True, "horizon_days": 90})
    monitor = MonitorProcess(worker | {"CHURN_STALLED_S": "1"}, tmp_path / "monitor.log")
    try:
        monitor.wait_active()
        shown = monitor.wait_for(lambda status: status.outcomes_without_score > 0 and bool(status.open_alerts))
        assert [record.alert.kind for record in shown.open_alerts] == ["workers-dead"]
        assert read(broker[0], ALERTS)
        assert read(broker[0], PAIRS)
        assert "authoriz" not in monitor.log.read_text().lower()
    finally:
        monitor.kill()
