"""The rungs that need no start."""

import sys
from pathlib import Path

import pytest

import churn.stack
from churn.stack import rungs
from churn.stack.errors import StackError
from churn.stack.ports import free_port
from churn.stack.record import containers_note


def test_no_docker_where_no_daemon_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that is not there is a plain no, without a warning."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    assert not rungs.docker_answers()


def test_no_docker_where_testcontainers_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the `local` extra the answer is no, not a crash."""
    monkeypatch.delitem(sys.modules, "churn.stack.docker", raising=False)
    monkeypatch.delattr(churn.stack, "docker", raising=False)
    monkeypatch.setitem(sys.modules, "testcontainers.core.config", None)
    assert not rungs.docker_answers()


def test_containers_wait_for_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Docker has gone since containers were started, that is told, and they are not forgotten."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    containers_note(tmp_path).touch()
    said: list[str] = []
    assert rungs.remove_containers(tmp_path, said.append) == []
    assert "Docker does not answer" in said[0]
    assert containers_note(tmp_path).exists()


def test_a_given_service_that_is_away_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and the address, hides the password, and nothing is started instead."""
    monkeypatch.setattr(rungs, "GIVEN_TIMEOUT_S", 0.1)
    port = free_port()
    with pytest.raises(StackError, match=rf"127\.0\.0\.1:{port} \(KAFKA_BOOTSTRAP_SERVERS\) did not answer"):
        rungs.given_kafka(f"127.0.0.1:{port}")
    with pytest.raises(StackError, match=rf"redis://\*\*\*@127\.0\.0\.1:{port} \(REDIS_URL\) did not answer"):
        rungs.given_redis(f"redis://:secret@127.0.0.1:{port}")
