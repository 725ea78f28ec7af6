"""The system in containers, used as its how-to page says: every command on the page is run here, in order.

CI_DOCKER=1 says that Docker must answer: the test then fails where it does not, instead of being skipped.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from shutil import which

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator

from churn.stack.docker import KAFKA_IMAGE, REDIS_IMAGE, docker_answers, has_image
from churn.stack.ports import free_port
from schemas.status import Status
from schemas.topics import EVENTS, SCORES
from tests.conftest import ROOT
from tests.integration.worker import outputs, read

PAGE = ROOT / "docs" / "how-to" / "run-with-docker-compose.md"
SCHEMA = ROOT / "schemas" / "json" / "churn.scored.json"
IMAGES = [KAFKA_IMAGE, REDIS_IMAGE, "python:3.11-slim"]

Run = Callable[..., str]

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture
def port() -> int:
    """Choose a port of this machine for Kafka."""
    return free_port()


@pytest.fixture
def api_port() -> int:
    """Choose another one for the API."""
    return free_port()


@pytest.fixture
def monitor_port() -> int:
    """Choose a third for the monitor."""
    return free_port()


@pytest.fixture
def run(port: int, api_port: int, monitor_port: int) -> Iterator[Run]:
    """Run commands on a Compose project of the test's own, of which nothing is left at the end."""
    if trouble := _trouble():
        if os.environ.get("CI_DOCKER") == "1":
            pytest.fail(f"CI_DOCKER=1, and {trouble}")
        pytest.skip(f"{trouble.upper()}: docker-compose.yml is NOT tested here")
    environment = os.environ | {
        "COMPOSE_FILE": f"docker-compose.yml{os.pathsep}deploy/compose.ci.yml",
        "COMPOSE_PROJECT_NAME": f"churn-test-{port}",
        "KAFKA_PORT": str(port),
        "API_PORT": str(api_port),
        "MONITOR_PORT": str(monitor_port),
        "ALERT_URLS": "",
        "SENTRY_DSN": "",
    }
    yield partial(_run, environment)
    _run(environment, "docker compose down --volumes --remove-orphans")


def test_the_page_works_and_every_record_is_answered_once(
    run: Run, port: int, api_port: int, monitor_port: int
) -> None:
    """From nothing to scores and away again; a reader on this machine counts and validates all that was published."""
    *commands, away = _commands()
    here = {"127.0.0.1:8000": f"127.0.0.1:{api_port}", "127.0.0.1:8100": f"127.0.0.1:{monitor_port}"}
    said = {command: run(_replaced(command, here)) for command in commands}

    kafka = f"127.0.0.1:{port}"
    records = len(read(kafka, EVENTS))
    assert f"iranian: {records:,} events" in said["docker compose run --rm replay"]
    published = outputs(kafka, records=records)  # asserts that there are as many, and none twice
    assert published.dead_letters == []
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    for message in read(kafka, SCORES):
        validator.validate(json.loads(message.value() or b""))

    assert len(said["docker compose exec score churn scores --from-beginning --count 5"].splitlines()) == 5
    answer, numbers = (json.loads(text) for command, text in said.items() if command.startswith("curl"))
    assert answer["status"] == "scored"
    assert {"healthy", "hours", "measured"} <= numbers.keys()
    assert httpx.get(f"http://127.0.0.1:{api_port}/predict", params={"customer": "12"}).status_code == 401
    key = said["docker compose exec monitor cat monitor.key"].strip()
    _assert_watched(f"http://127.0.0.1:{monitor_port}", key, records + 1)  # and the answer over HTTP
    services = [json.loads(line) for line in run("docker compose ps --format json").splitlines()]
    assert sorted((service["Service"], service["Health"]) for service in services) == [
        ("api", "healthy"),
        ("kafka", "healthy"),
        ("monitor", "healthy"),
        ("redis", "healthy"),
        *[("score", "healthy")] * 3,
    ]

    run("docker compose stop --timeout 30 score api monitor")
    stopped = [json.loads(line) for line in run("docker compose ps --all --format json score api monitor").splitlines()]
    assert [service["ExitCode"] for service in stopped] == [0] * 5
    run(away)
    assert run("docker compose ps --all --quiet") == ""


def test_the_image_holds_what_runs_and_nothing_else(run: Run) -> None:
    """It is not root's, and has neither a compiler nor what the tests need."""
    run("docker compose build")
    said = run("docker compose run --rm --no-deps setup 'id -u; ! command -v cc gcc git pytest; churn --version'")
    assert re.fullmatch(r"10001\nchurn, version \S+\n", said)


def _assert_watched(url: str, key: str, answers: int) -> None:
    """The monitor is active, shows its numbers to who has the key, and has heard of every answer within a minute."""
    assert httpx.get(f"{url}/status").status_code == 401
    deadline_s = time.monotonic() + 60
    while True:
        said = httpx.get(f"{url}/status", headers={"Authorization": f"Bearer {key}"}, timeout=30).raise_for_status()
        status = msgspec.json.decode(said.content, type=Status)
        if sum(sum(hour.counts.values()) for hour in status.hours) == answers and status.measured:
            break
        assert time.monotonic() < deadline_s, status
        time.sleep(0.5)
    assert httpx.get(f"{url}/readyz").status_code == 200
    assert {process.kind for process in status.processes} == {"score", "api"}


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def _commands() -> list[str]:
    """The commands on the page, in order."""
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return "".join(blocks).splitlines()


def _run(environment: Mapping[str, str], command: str) -> str:
    """Run a command in the root of the repository and return what it prints; fail with all of it when it fails."""
    ended = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    if ended.returncode:
        logs = subprocess.run(
            ["docker", "compose", "logs", "--tail", "50"], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=60, check=False,
        ).stdout  # fmt: skip
        pytest.fail(f"{command}: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}\n{logs}")
    return ended.stdout


def _trouble() -> str | None:
    """Why Docker, Compose or an image is not to be had."""
    if not docker_answers(timeout_s=10):
        return "no Docker daemon answers"
    compose = which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if not compose or compose.returncode:
        return "Docker Compose is not installed"
    said: list[str] = []
    if not all(has_image(image, report=said.append) for image in IMAGES):
        return said[-1]
    return None
