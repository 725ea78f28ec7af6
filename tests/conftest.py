"""A real Kafka and a real Redis for the tests that need them, on the ladder of `churn stack`."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck
from redis import Redis

from churn.settings import Settings
from churn.stack import ladder
from churn.stack.record import Stack
from schemas.topics import TOPICS

ROOT = Path(__file__).parent.parent
PARTITIONS = 6
SLOW = {"test_compose", "test_demo", "test_tutorial", "test_api_contract", "test_ask_over_http"}
_rungs: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long tests/faults runs, and with which luck."""
    parser.addoption("--faults", choices=["short", "full"], default="short", help="a few repetitions of each, or all")
    parser.addoption("--faults-seed", type=int, help="a seed that a failed test has printed")
    parser.addoption("--faults-record", action="store_true", help="keep the results in docs/reference/faults.md")


def pytest_configure() -> None:
    """Take Ctrl-C even when a shell started us in the background, which ignores it for us and for all that we start.

    And let no example of a property fail for being slow: that depends on what else the machine does.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    hypothesis.settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes minutes, so that no process is left with it at the end."""
    items.sort(key=lambda item: item.path.stem not in SLOW)


def pytest_xdist_auto_num_workers() -> int:
    """Into how many processes `--numprocesses auto` parts the tests: they wait more than they work.

    Services that were given cannot be shared: each test empties them.
    """
    settings = Settings.load()
    return 1 if settings.kafka_bootstrap_servers or settings.redis_url else 3


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints on what this one stood, where several share the tests."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["rungs"] = _rungs


def pytest_testnodedown(node: Any) -> None:
    """Take what a process told that is at its end."""
    _rungs.extend(getattr(node, "workeroutput", {}).get("rungs", []))  # one that crashed tells nothing


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say at the end which rungs of the ladder the run stood on."""
    for line in dict.fromkeys(re.sub(r",? at \S+$", "", rung) for rung in _rungs):
        terminalreporter.write_line(f"stood on: {line}", bold=True)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One Kafka and one Redis for the whole run of this process."""
    settings = Settings.load()
    with ladder.running(
        tmp_path_factory.mktemp("stack"),
        kafka_bootstrap=settings.kafka_bootstrap_servers,
        redis_url=settings.redis_url,
        docker=settings.docker,
        report=print,
    ) as running:
        _rungs.extend([running.kafka.rung, running.redis.rung])
        yield running


@pytest.fixture
def redis(stack: Stack) -> Iterator[Any]:
    """The stack's Redis, without anything of ours in it."""
    client: Any = Redis.from_url(stack.redis.address)
    for key in client.scan_iter("churn:*"):
        client.delete(key)
    yield client
    client.close()


@pytest.fixture
def topics(stack: Stack) -> None:
    """The topics of the product, new and empty."""
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    names = [topic.name for topic in TOPICS]

    def existing() -> set[str]:
        return set(admin.list_topics(timeout=10).topics) & set(names)

    if present := sorted(existing()):
        for future in admin.delete_topics(present).values():
            future.result(10)
    deadline = time.monotonic() + 20
    while existing():
        assert time.monotonic() < deadline, "the topics are not deleted"
        time.sleep(0.05)
    new = [NewTopic(topic.name, topic.partitions or PARTITIONS, 1, config=topic.settings()) for topic in TOPICS]
    for future in admin.create_topics(new).values():
        future.result(10)
    while existing() != set(names):
        assert time.monotonic() < deadline, "the topics are not created"
        time.sleep(0.05)


Churn = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """The environment of a `churn` process that uses the stack."""
    return clean_environment() | {
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka.address,
        "REDIS_URL": stack.redis.address,
        "CHURN_LOCAL": str(tmp_path / "local"),
        "CHURN_MODELS": str(tmp_path / "models"),
    }


@pytest.fixture
def churn(tmp_path: Path) -> Churn:
    """Run `churn` with arguments and an environment, and return how it ended and what it printed."""

    def run(*arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 150) -> Any:
        given = clean_environment() | {"CHURN_LOCAL": str(tmp_path / "local")} | dict(environment or {})
        command = [sys.executable, "-m", "churn", *arguments]
        return subprocess.run(
            command, env=given, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    return run


def clean_environment() -> dict[str, str]:
    """The environment without any setting of ours."""
    ours = ("CHURN_", "KAFKA_", "REDIS_URL", "SENTRY_DSN", "ALERT_URLS")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
