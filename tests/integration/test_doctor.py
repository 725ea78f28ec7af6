"""`churn doctor` on a real Kafka and Redis: what it says when all is well, and of each thing that is not."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from redis import Redis

from churn.stack.record import Stack
from churn.stack.redis import LocalRedis
from model.artifact import save
from model.state import LAYOUT
from schemas.topics import DEAD_LETTERS, EVENTS
from tests.conftest import PARTITIONS, Churn
from tests.integration.test_commands import NOWHERE
from tests.integration.test_scoring import StartWorker, made_up_events, start_worker, wait_until_applied
from tests.integration.worker import publish
from tests.unit.model.test_training import ARTIFACT
from workers.admin import BrokerError, KafkaAdmin
from workers.keys import applied_key

__all__ = ["start_worker"]  # a fixture that is used here too

ORDER = ["settings", "broker", "topics", "permissions", "group", "redis", "states", "model", "clock", "disk",
         "alerts", "sentry"]  # fmt: skip


class Said(NamedTuple):
    """What the doctor said of one check."""

    status: str
    found: str
    remedies: str


def examined(churn: Churn, environment: Mapping[str, str], *, healthy: bool) -> dict[str, Said]:
    """What the doctor says as JSON, by check; asserts that it says whether all is well by its exit code too."""
    result = churn("doctor", "--json", environment=environment)
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert (report["healthy"], result.returncode) == (healthy, 0 if healthy else 1), result.stdout
    assert [check["check"] for check in report["checks"]] == ORDER
    for check in report["checks"]:
        assert bool(check["remedies"]) == (check["status"] in {"warning", "failed"}), check
    return {c["check"]: Said(c["status"], c["found"], " ".join(c["remedies"])) for c in report["checks"]}


def statuses(said: Mapping[str, Said], status: str) -> list[str]:
    """The checks that came to `status`."""
    return [name for name, check in said.items() if check.status == status]


@pytest.fixture
def well(environment: dict[str, str], topics: None, redis: Any) -> dict[str, str]:  # noqa: ARG001
    """The environment of a system with topics and a model, and nothing in Redis."""
    save(ARTIFACT, Path(environment["CHURN_MODELS"]))
    return environment


def test_all_is_well(
    churn: Churn, environment: dict[str, str], start_worker: StartWorker, stack: Stack, redis: Any
) -> None:
    """With a worker that has answered everything, only the single copy and the lack of receivers are a warning."""
    records = publish(stack.kafka.address, made_up_events(customers=20, each=5))
    worker = start_worker()
    wait_until_applied(redis, records)
    said = examined(churn, environment, healthy=True)
    assert statuses(said, "warning") == ["topics", "alerts"]
    assert "only one copy" in said["topics"].found
    assert said["broker"].found.startswith(f"1 broker at {stack.kafka.address}, answer in ")
    assert said["group"].found.startswith("1 worker, 0 events to answer, newest event ")
    assert said["states"].found.endswith("partitions have states, 0 answered events behind")
    assert said["model"].found.startswith(ARTIFACT.manifest.version)
    assert worker.stop() == 0
    publish(stack.kafka.address, made_up_events(customers=1, each=3))
    alone = examined(churn, environment, healthy=True)["group"]
    assert (alone.status, alone.found.split(", n")[0]) == ("warning", "no worker, 3 events to answer")
    assert "churn score" in alone.remedies


def test_people_read_lines(churn: Churn, well: dict[str, str]) -> None:
    """A line a check with its mark, what to do below, and a sentence at the end; no colours without a screen."""
    result = churn("doctor", environment=well)
    lines = result.stdout.splitlines()
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split()[1] for line in lines if line[0] in "✓!✗-"] == ORDER
    assert lines[2].startswith("! topics      only one copy")
    assert lines[3].startswith("              → A broken disk loses records.")
    assert lines[-1] == "12 checks: 2 warnings (topics, alerts), 10 ok."
    assert "\x1b" not in result.stdout
    assert churn("doctor", "--loud", environment=well).returncode == 2


def test_nothing_is_there(churn: Churn, environment: dict[str, str]) -> None:
    """Without broker, Redis and model the rest is examined, what needs them is left out, and it ends soon."""
    started_s = time.monotonic()
    absent = environment | {"KAFKA_BOOTSTRAP_SERVERS": NOWHERE, "REDIS_URL": f"redis://{NOWHERE}/0"}
    said = examined(churn, absent, healthy=False)
    assert time.monotonic() - started_s < 30
    assert statuses(said, "failed") == ["broker", "redis", "model"]
    assert statuses(said, "skipped") == ["topics", "permissions", "group", "states", "clock"]
    assert said["broker"].found.startswith(f"KAFKA_BOOTSTRAP_SERVERS={NOWHERE}: ")
    assert "Connection refused" in said["broker"].found
    assert said["states"].found == "cannot be checked while there is no broker and no redis"
    assert "no model here" in said["model"].found


def test_wrong_settings_do_not_hide_the_rest(churn: Churn) -> None:
    """Each wrong variable is named, those that are not set too, and a password that cannot be read is not quoted."""
    wrong = {"CHURN_OFER_COST": "1", "CHURN_PARTITIONS": "many", "KAFKA_SASL_PASSWORD": "hunter2"}
    said = examined(churn, wrong, healthy=False)
    assert "CHURN_OFER_COST is not a setting" in said["settings"].found
    assert "CHURN_PARTITIONS='many'" in said["settings"].found
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in said["broker"].found
    assert "REDIS_URL is not set" in said["redis"].found
    tls = {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "/nowhere", "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    unusable = examined(churn, tls | {"REDIS_URL": "redis://:hunter2/x@r/0"}, healthy=False)
    assert "ssl.ca.location" in unusable["broker"].found
    assert unusable["redis"].found.startswith("REDIS_URL: expected redis://")
    assert "hunter2" not in str((said, unusable))


def test_topics_that_are_not_as_declared(churn: Churn, well: dict[str, str], stack: Stack) -> None:
    """Another number of partitions, another setting, too few copies and a missing topic are each told by name."""
    more = examined(churn, well | {"CHURN_PARTITIONS": "7", "CHURN_REPLICATION": "2"}, healthy=False)["topics"]
    assert "customer.events: partitions is 6, expected 7" in more.found
    assert "customer.events: 1 copy, expected 2" in more.found
    assert "Set CHURN_PARTITIONS" in more.remedies

    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    short = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, EVENTS, incremental_configs=[short])
    admin.incremental_alter_configs([changed])[changed].result(10)
    deadline_s = time.monotonic() + 20
    while "retention.ms is 1000" not in examined(churn, well, healthy=False)["topics"].found:
        assert time.monotonic() < deadline_s

    for future in admin.delete_topics([EVENTS, DEAD_LETTERS]).values():
        future.result(10)
    while {EVENTS, DEAD_LETTERS} & set(admin.list_topics(timeout=10).topics):
        time.sleep(0.05)
    said = examined(churn, well, healthy=False)
    assert f"missing: {EVENTS}, {DEAD_LETTERS}" in said["topics"].found
    assert "churn topics" in said["topics"].remedies
    assert statuses(said, "skipped") == ["permissions", "group", "states"]


def test_damaged_model(churn: Churn, well: dict[str, str]) -> None:
    """A model that does not fit its sha256 is named."""
    file = Path(well["CHURN_MODELS"]) / ARTIFACT.manifest.version / "parameters.json"
    file.write_bytes(file.read_bytes()[:-1])
    said = examined(churn, well, healthy=False)
    assert statuses(said, "failed") == ["model"]
    assert said["model"].found == f"{file}: its sha256 is not the one in the manifest"


def test_states_that_are_not_of_the_log(churn: Churn, well: dict[str, str], redis: Any) -> None:
    """States ahead of the log are a warning, with what makes them anew."""
    for partition in range(PARTITIONS):
        redis.set(applied_key(partition), f"{LAYOUT}:1000")
    said = examined(churn, well, healthy=True)["states"]
    assert "ahead of what was answered in partitions 0, 1, 2, 3, 4, 5" in said.found
    assert "churn features rebuild" in said.remedies


@contextmanager
def redis_with(folder: Path, *arguments: str) -> Iterator[LocalRedis]:
    """A Redis of its own, started with `arguments`."""
    server = LocalRedis(folder, extra_args=arguments)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_redis_that_may_lose_states(churn: Churn, well: dict[str, str], tmp_path: Path) -> None:
    """A policy that evicts is a warning, and a replica is a failure: it takes no writes."""
    evicting = "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"
    with redis_with(tmp_path / "primary", *evicting) as primary:
        said = examined(churn, well | {"REDIS_URL": primary.url}, healthy=True)["redis"]
        assert said.status == "warning"
        assert "maxmemory-policy is allkeys-lru" in said.found
        assert " of 64.0 MiB used" in said.found
        assert "noeviction" in said.remedies
        with redis_with(tmp_path / "replica", "--replicaof", f"127.0.0.1 {primary.port}") as replica:
            replicated = examined(churn, well | {"REDIS_URL": replica.url}, healthy=False)
            assert "it is a replica" in replicated["redis"].found


def test_password_of_redis_is_never_printed(churn: Churn, well: dict[str, str], tmp_path: Path) -> None:
    """Neither where Redis takes it nor where it refuses it, nor as JSON."""
    with redis_with(tmp_path / "redis", "--protected-mode", "no") as server:
        with closing(Redis.from_url(server.url)) as client:
            client.config_set("requirepass", "hunter2")
        for password, status in (("hunter2", 0), ("hunter22", 1)):
            url = f"redis://:{password}@127.0.0.1:{server.port}/0"
            results = [churn("doctor", *more, environment=well | {"REDIS_URL": url}) for more in ((), ("--json",))]
            assert [result.returncode for result in results] == [status, status]
            assert "hunter2" not in str(results).replace(url, "")
            assert "REDIS_URL=***" in results[0].stdout


def test_redis_cluster_is_examined_whole(churn: Churn, well: dict[str, str], tmp_path: Path) -> None:
    """Each primary of a cluster is asked."""
    with redis_with(tmp_path / "redis", "--cluster-enabled", "yes") as server:
        with closing(Redis.from_url(server.url)) as client:
            client.execute_command("CLUSTER ADDSLOTS", *range(16_384))
            while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                time.sleep(0.01)
        said = examined(churn, well | {"REDIS_URL": server.url}, healthy=True)["redis"]
        assert (said.status, "a cluster of 1" in said.found) == ("ok", True)


def test_broker_that_does_not_answer_in_time_is_told() -> None:
    """A call that nobody answers ends as a declared error."""
    with pytest.raises(BrokerError, match="no answer within 5 s"):
        KafkaAdmin({"bootstrap.servers": NOWHERE}, partitions=1, replication=1).committed("g")
