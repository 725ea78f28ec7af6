"""Help for tests of the monitor: start one as a process, ask it how everything is."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import msgspec

from churn.stack.ports import free_port
from schemas.status import Status
from tests.integration.processes import ChurnProcess


class MonitorProcess(ChurnProcess):
    """A `churn monitor` process; its log goes to `log`."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log, self.port = log, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"CHURN_MONITOR_EVERY_S": "0.5", **environment, "CHURN_MONITOR_PORT": str(self.port)}
        with log.open("ab") as file:
            self.process = subprocess.Popen([sys.executable, "-m", "churn", "monitor"], env=given, stderr=file)

    def status(self) -> Status:
        """How everything is, by this monitor."""
        return msgspec.json.decode(httpx.get(f"{self.url}/status", timeout=30).raise_for_status().content, type=Status)

    def is_active(self) -> bool:
        """Whether it answers and is the active one."""
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            assert self.process.poll() is None, f"the monitor ended:\n{self.log.read_text()}"
            return False

    def wait_active(self, timeout_s: float = 60) -> None:
        """Wait until it is the active one."""
        eventually("it is active", self.is_active, self.log, timeout_s)

    def wait_for(self, holds: Callable[[Status], bool], timeout_s: float = 60) -> Status:
        """Its status, once it `holds`."""
        found: list[Status] = []

        def asked() -> bool:
            found.append(self.status())
            return holds(found[-1])

        try:
            eventually("the status is as expected", asked, self.log, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{found[-1]}") from None
        return found[-1]


def eventually(what: str, holds: Callable[[], bool], log: Path, timeout_s: float) -> None:
    """Wait until `holds`; what the log says is shown if it does not."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s: {what}:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)
