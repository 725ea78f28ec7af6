"""Kafka and Redis in containers, by testcontainers.

Its reaper (Ryuk) is left out: it is one more image to pull, and it would end what `churn stack up` leaves running.
Instead every container carries a label with the stack's folder, by which whoever comes next finds and removes it.
"""

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.errors import DockerException, ImageNotFound  # docker has no types
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from churn.stack.errors import StackError
from churn.stack.kafka import broker_properties
from churn.stack.ports import free_port
from churn.stack.ready import kafka_trouble, redis_trouble, wait_until_ready
from churn.stack.record import containers_note

KAFKA_IMAGE = "apache/kafka:4.1.1"
REDIS_IMAGE = "redis:7.2"
START_TIMEOUT_S = 90.0
_LABEL = "churn.stack"
_SERVICE_LABEL = "churn.stack.service"


def docker_answers(timeout_s: float = 2.0) -> bool:
    """Whether a Docker daemon answers within `timeout_s` seconds, and its containers' ports are on our 127.0.0.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return _daemon_is_here(timeout_s)
        except (DockerException, OSError):  # OSError: of its HTTP library
            pass
        gc.collect()  # docker-py leaves the socket that it could not connect to warn of itself much later
    return False


def has_image(
    image: str,
    report: Callable[[str], None],
) -> bool:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """Whether `image` is at hand, if need be after pulling it; `report` hears of the pull, and why it failed."""
    with _daemon() as daemon:
        try:
            daemon.client.images.get(image)
        except ImageNotFound:
            report(f"Docker pulls {image}")
            try:
                daemon.client.images.pull(image)
            except (DockerException, OSError) as error:
                report(f"Docker cannot pull {image}: {error}")
                return False
    return True


def start_kafka(
    folder: Path,
) -> str:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """Start a broker and wait until it answers at the returned host:port; raises `StackError` when it does not."""
    port = free_port()  # the same inside: the broker reaches itself at the address that it tells its clients
    properties = broker_properties(port, 9093, bind="0.0.0.0")  # noqa: S104 - inside; Docker publishes on 127.0.0.1
    environment = {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
    address = f"127.0.0.1:{port}"
    container = DockerContainer(KAFKA_IMAGE, env={**environment, "KAFKA_HEAP_OPTS": "-Xmx512m"})
    _start(folder, "kafka", container, (port, port), lambda: kafka_trouble(address))
    return address


def start_redis(
    folder: Path,
) -> str:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """Start a Redis and wait until it answers at the returned URL; raises `StackError` when it does not."""
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    _start(folder, "redis", DockerContainer(REDIS_IMAGE), (port, 6379), lambda: redis_trouble(url))
    return url


def remove_containers(
    folder: Path,
) -> list[str]:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """End and remove every container of the stack in `folder`, after saving its log there; the services' names."""
    names = []
    with _daemon() as daemon:
        filters = {"label": f"{_LABEL}={folder}"}
        for container in daemon.client.containers.list(all=True, filters=filters, ignore_removed=True):
            name = container.labels[_SERVICE_LABEL]
            log = _log(folder, name)
            log.parent.mkdir(exist_ok=True)
            log.write_bytes(container.logs())
            container.remove(force=True, v=True)
            names.append(name)
    containers_note(folder).unlink(missing_ok=True)
    return names


def _start(
    folder: Path,
    name: str,
    container: DockerContainer,
    ports: tuple[int, int],
    trouble: Callable[[], str | None],
) -> None:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """Start the container of a service and wait for it; `ports` are ours and the one inside."""
    container.with_name(f"churn-stack-{name}-{ports[0]}")
    container.with_kwargs(labels={_LABEL: str(folder), _SERVICE_LABEL: name})
    container.ports = {f"{ports[1]}/tcp": ("127.0.0.1", ports[0])}  # type: ignore[dict-item]  # docker-py takes it
    containers_note(folder).touch()
    testcontainers_config.ryuk_disabled = True
    try:
        container.start()
        wait_until_ready(
            f"{name} in Docker on port {ports[0]}",
            trouble,
            hint=f"its log is {_log(folder, name)}",
            timeout_s=START_TIMEOUT_S,
            alive=lambda: _runs(container),
        )
    except (DockerException, OSError) as error:
        raise StackError(f"{name} could not be started in Docker: {error}") from error
    finally:
        container.get_docker_client().client.close()


def _runs(
    container: DockerContainer,
) -> bool:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    container.reload()
    return container.status == "running"


def _log(
    folder: Path,
    name: str,
) -> Path:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    return folder / name / f"{name}.log"


def _daemon_is_here(
    timeout_s: float,
) -> bool:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """Not so when it is on another machine, or when we are in a container side by side with those that it starts."""
    with _daemon(timeout_s) as daemon:
        local = daemon.host() in {"localhost", "127.0.0.1"}
        return local and daemon.get_connection_mode() is not ConnectionMode.bridge_ip


@contextmanager
def _daemon(
    timeout_s: float = 60.0,
) -> Iterator[
    DockerClient
]:  # pragma: no cover - runs only where Docker answers; tests/integration/test_stack.py tests it there
    """Connect to the daemon; raises `DockerException` when it does not answer."""
    daemon = DockerClient(timeout=timeout_s)  # asks the daemon for its version
    try:
        yield daemon
    finally:
        daemon.client.close()
