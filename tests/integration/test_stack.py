"""The local stack for real, on each rung of the ladder.

CI_DOCKER=1 says that Docker must answer: the tests that need it then fail where it does not, instead of being skipped.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from testcontainers.core.docker_client import DockerClient

from churn.commands.stack import stack as command
from churn.stack import docker as containers_module
from churn.stack import ladder, record, rungs
from churn.stack.errors import StackError
from churn.stack.process import Process
from churn.stack.ready import tcp_trouble
from churn.stack.record import Record, Stack

NOTHING = pytest.param(False, id="nothing-installed")
DOCKER = pytest.param(True, id="docker", marks=pytest.mark.docker)


@pytest.fixture
def docker(request: pytest.FixtureRequest) -> bool:
    """Say whether Docker may be used, as the test's parameter says, and see to it that it answers then."""
    allowed = bool(request.param)
    if allowed and not rungs.docker_answers(timeout_s=10):
        if os.environ.get("CI_DOCKER") == "1":
            pytest.fail("CI_DOCKER=1, and no Docker daemon answers")
        pytest.skip("NO DOCKER DAEMON ANSWERS: the containers of churn.stack are NOT tested here")
    return allowed


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Name a folder for a stack, with a space and a letter beyond ASCII; what a failed test left there is ended."""
    folder = tmp_path / "a stäck"
    yield folder
    ladder.down(folder, report=print)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder of a stack without Docker that `up` left running; tests leave it as they find it."""
    folder = tmp_path_factory.mktemp("kept")
    ladder.up(folder, kafka_bootstrap=None, redis_url=None, docker=False, report=print)
    yield folder
    assert ladder.down(folder, report=print) == ["kafka", "redis"]


def running_pids(folder: Path) -> list[int]:
    """Find every other process that has a file of the folder open, as all those of the stack have."""
    pids = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if descriptor.readlink().is_relative_to(folder):
                pids.add(int(descriptor.parts[2]))
    return sorted(pids - {os.getpid()})


def containers(folder: Path) -> list[str]:
    """Find the containers of the folder's stack; none where there is no Docker."""
    if not rungs.docker_answers(timeout_s=10):
        return []
    daemon = DockerClient().client
    try:
        return [c.id for c in daemon.containers.list(all=True, filters={"label": f"churn.stack={folder}"})]
    finally:
        daemon.close()


def assert_nothing_is_left(folder: Path) -> None:
    """Check that no process, no container and no record of the folder's stack is left."""
    assert running_pids(folder) == []
    assert containers(folder) == []
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["lock"]


def use(stack: Stack) -> None:
    """Publish in a transaction, read it back in a group, and write and read a key."""
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    for future in admin.create_topics([NewTopic("events", num_partitions=2)]).values():
        future.result(timeout=20)
    producer = Producer({"bootstrap.servers": stack.kafka.address, "transactional.id": "test"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("events", b"hello")
    producer.commit_transaction(20)
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka.address,
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    try:
        consumer.subscribe(["events"])
        message = consumer.poll(20)
        assert message is not None
        assert message.error() is None
        assert message.value() == b"hello"
    finally:
        consumer.close()
    with redis.Redis.from_url(stack.redis.address) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"


def owner(folder: Path, docker: bool) -> subprocess.Popen[str]:
    """Start another process that owns a stack in the folder; it has said what it stands on when this returns."""
    code = (
        "import pathlib, time; from churn.stack.ladder import running\n"
        f"with running(pathlib.Path({str(folder)!r}), kafka_bootstrap=None, redis_url=None, docker={docker},"
        " report=lambda sentence: None):\n"
        "    print('up', flush=True); time.sleep(120)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("docker", [NOTHING, DOCKER], indirect=True)
def test_starts_serves_and_ends(folder: Path, docker: bool) -> None:
    """A stack says what it stands on, serves real clients on 127.0.0.1 alone, and nothing of it is left afterwards.

    The times are printed, not judged.
    """
    said: list[str] = []
    for start in ("first", "second"):
        began = time.monotonic()
        with ladder.running(folder, kafka_bootstrap=None, redis_url=None, docker=docker, report=said.append) as stack:
            sys.stdout.write(f"{start} start, docker={docker}: {time.monotonic() - began:.1f} s\n")
            use(stack)
            assert [service.answers for service in ladder.status(folder)] == [True, True]
            for address in (stack.kafka.address, stack.redis.address.removesuffix("/0")):
                # every address in 127.0.0.0/8 is this machine's, and reaches what is bound to all of its addresses
                assert "refused" in (tcp_trouble(address.replace("127.0.0.1", "127.0.0.2")) or "")
        assert_nothing_is_left(folder)
        assert (folder / "kafka" / "kafka.log").stat().st_size > 0
        assert (folder / "redis" / "redis.log").stat().st_size > 0
    assert stack.kafka.rung in said
    assert stack.redis.rung in said
    assert ("Docker" in stack.kafka.rung, "Docker" in stack.redis.rung) == (docker, docker)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_owner_that_is_told_to_end_ends_its_stack(folder: Path, number: signal.Signals) -> None:
    """After Ctrl-C or SIGTERM to the owner, also when repeated in impatience, no process is left."""
    process = owner(folder, docker=False)
    assert len(running_pids(folder)) == 3
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("docker", [NOTHING, DOCKER], indirect=True)
def test_what_a_killed_owner_left_is_ended_first(folder: Path, docker: bool) -> None:
    """After kill -9 of the owner its services run on, the next stack ends them and says so, and is a new one."""
    process = owner(folder, docker=docker)
    process.kill()
    process.communicate()
    left: set[int | str] = {*running_pids(folder), *containers(folder)}
    assert len(left) == 2
    said: list[str] = []
    with ladder.running(folder, kafka_bootstrap=None, redis_url=None, docker=docker, report=said.append):
        assert said[0] == "Ended what an earlier stack had left running: kafka, redis"
        assert left.isdisjoint({*running_pids(folder), *containers(folder)})
    assert_nothing_is_left(folder)


def test_a_failed_start_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Redis cannot be started, the Kafka that was started is ended, and the error names the log."""
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho broken; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent))
    message = r"Redis at .* ended while it started; its log is .*redis\.log"
    for start in (ladder.up, ladder.running):
        said: list[str] = []
        with pytest.raises(StackError, match=message):  # noqa: PT012 - `running` starts when it is entered
            started = start(folder, kafka_bootstrap=None, redis_url=None, docker=False, report=said.append)
            with started:  # type: ignore[union-attr]  # `up` has raised before
                pytest.fail("it started")
        assert any(sentence.startswith("Kafka 4.1.1 from its jars") for sentence in said)
        assert_nothing_is_left(folder)
    assert (folder / "redis" / "redis.log").read_text() == "broken\n"


@pytest.mark.docker
@pytest.mark.parametrize("docker", [DOCKER], indirect=True)
def test_an_image_that_cannot_be_had(docker: bool) -> None:
    """Where Docker answers and an image cannot be pulled, that is told, and the next rung is taken."""
    assert docker
    said: list[str] = []
    assert not containers_module.has_image("127.0.0.1:1/no/such/image:1", said.append)
    assert [sentence.split(":")[0] for sentence in said] == ["Docker pulls 127.0.0.1", "Docker cannot pull 127.0.0.1"]


@pytest.mark.docker
@pytest.mark.parametrize("docker", [DOCKER], indirect=True)
def test_without_images_the_stack_stands_on_the_next_rungs(
    folder: Path, docker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that reaches no registry does not stop the stack."""
    monkeypatch.setattr(containers_module, "KAFKA_IMAGE", "127.0.0.1:1/no/kafka:1")
    monkeypatch.setattr(containers_module, "REDIS_IMAGE", "127.0.0.1:1/no/redis:1")
    with ladder.running(folder, kafka_bootstrap=None, redis_url=None, docker=docker, report=print) as stack:
        assert "jars" in stack.kafka.rung
        assert "redis-server" in stack.redis.rung


@pytest.mark.docker
@pytest.mark.parametrize("docker", [DOCKER], indirect=True)
def test_a_container_that_cannot_be_started(folder: Path, docker: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that ends at once, or cannot be made, is one clear error, and is removed."""
    # what the Redis image runs when it gets Kafka's variables is no Kafka
    monkeypatch.setattr(containers_module, "START_TIMEOUT_S", 1.0)
    monkeypatch.setattr(containers_module, "KAFKA_IMAGE", containers_module.REDIS_IMAGE)
    message = r"kafka in Docker on port \d+ did not answer within 1 s .* its log is .*kafka\.log"
    with (
        pytest.raises(StackError, match=message),
        ladder.running(folder, kafka_bootstrap=None, redis_url=None, docker=docker, report=print),
    ):
        pytest.fail("it started")
    assert_nothing_is_left(folder)
    assert b"Redis" in (folder / "kafka" / "kafka.log").read_bytes()

    monkeypatch.setattr(containers_module, "free_port", lambda: 99_999)
    with (
        pytest.raises(StackError, match="kafka could not be started in Docker: "),
        ladder.running(folder, kafka_bootstrap=None, redis_url=None, docker=docker, report=print),
    ):
        pytest.fail("it started")
    assert_nothing_is_left(folder)


def test_up_leaves_it_running_and_down_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands start a stack that outlives them, tell of it, heal it, and end it."""
    monkeypatch.setenv("CHURN_LOCAL", str(tmp_path))
    monkeypatch.setenv("CHURN_DOCKER", "false")
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    folder = tmp_path / "stack"

    def churn_stack(*arguments: str) -> Result:
        return CliRunner().invoke(command, arguments, catch_exceptions=False)

    assert "No stack is up" in churn_stack("status").stdout
    started = churn_stack("up")
    assert started.stdout.startswith("export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:")
    assert "export REDIS_URL=redis://127.0.0.1:" in started.stdout
    assert "Redis: redis-server" in started.stderr
    assert churn_stack("status").exit_code == 0
    assert churn_stack("status").stdout.count(": answers\n") == 2

    again = churn_stack("up")
    assert again.stdout == started.stdout
    assert again.stderr.count("(up already)") == 2

    Process("redis", folder / "redis").kill()
    status = churn_stack("status", "--json")
    assert status.exit_code == 1
    assert {service["name"]: service["answers"] for service in json.loads(status.stdout)} == {
        "kafka": True,
        "redis": False,
    }
    assert "does not answer (" in churn_stack("status").stdout

    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(rungs, "GIVEN_TIMEOUT_S", 0.1)
    with pytest.raises(StackError, match="REDIS_URL"):
        churn_stack("up")
    assert_nothing_is_left(folder)
    assert "Nothing was running" in churn_stack("down").stderr

    monkeypatch.delenv("REDIS_URL")
    churn_stack("up")
    assert "Ended: kafka, redis" in churn_stack("down").stderr
    assert_nothing_is_left(folder)


def test_a_stack_that_is_up_is_used_and_left(kept: Path) -> None:
    """`running` takes the stack that `up` left, and leaves it when it ends."""
    before = running_pids(kept)
    said: list[str] = []
    with ladder.running(kept, kafka_bootstrap=None, redis_url=None, docker=False, report=said.append) as stack:
        use(stack)
    assert running_pids(kept) == before
    assert all(sentence.endswith("(up already)") for sentence in said)


def test_a_stack_with_another_service_is_not_mixed_up(kept: Path) -> None:
    """Where `up` left a stack and the caller names another Kafka, that is refused with what to do."""
    with (
        pytest.raises(StackError, match=r"a stack with another kafka is up in .*`churn stack down` ends it"),
        ladder.running(kept, kafka_bootstrap="127.0.0.1:1", redis_url=None, docker=False, report=print),
    ):
        pytest.fail("it started")


def test_given_services_are_used_and_nothing_is_started(kept: Path, tmp_path: Path) -> None:
    """With both addresses given nothing is started, written, or ended; with `up` they are recorded as not ours."""
    up = record.read(kept)
    assert up is not None
    given = {"kafka_bootstrap": up.stack.kafka.address, "redis_url": up.stack.redis.address}
    folder = tmp_path / "stack"
    with ladder.running(folder, **given, docker=True, report=print) as stack:
        assert [service.ours for service in stack.services] == [False, False]
    assert not folder.exists()
    ladder.up(folder, **given, docker=True, report=print)
    assert [service.answers for service in ladder.status(folder)] == [True, True]
    variables = {
        "CHURN_LOCAL": str(tmp_path),
        "KAFKA_BOOTSTRAP_SERVERS": given["kafka_bootstrap"],
        "REDIS_URL": given["redis_url"],
    }
    assert CliRunner().invoke(command, ["up"], env=variables, catch_exceptions=False).stdout == ""
    assert ladder.down(folder, report=print) == []
    assert all(service.answers for service in ladder.status(kept))


def test_a_folder_in_use_is_refused(kept: Path, tmp_path: Path) -> None:
    """While a process owns a folder's stack, nobody else may start or end one there."""
    up = record.read(kept)
    assert up is not None
    redis_url = up.stack.redis.address
    with ladder.running(tmp_path, kafka_bootstrap=None, redis_url=redis_url, docker=False, report=print):
        for claim in (
            lambda: ladder.down(tmp_path, report=print),
            lambda: ladder.up(tmp_path, kafka_bootstrap=None, redis_url=None, docker=False, report=print),
        ):
            with pytest.raises(StackError, match="another process is using the stack"):
                claim()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    """A file where the folder should be is told, not a traceback."""
    (tmp_path / "stack").touch()
    with pytest.raises(StackError, match="the stack's folder cannot be used"):
        ladder.down(tmp_path / "stack", report=print)


def test_a_record_of_a_dead_stack_does_no_harm(kept: Path, tmp_path: Path) -> None:
    """A record whose services are gone, as after a restart of the machine, ends nothing of others."""
    up = record.read(kept)
    assert up is not None
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "kafka.pid").write_text(f"{Process('kafka', kept / 'kafka').pid} 1\n")
    gone = msgspec.structs.replace(up.stack.redis, address="redis://127.0.0.1:1/0")
    record.write(tmp_path, Record(Stack(up.stack.kafka, gone), kept=True))
    assert ladder.down(tmp_path, report=print) == []
    assert record.read(tmp_path) is None
    assert all(service.answers for service in ladder.status(kept))
