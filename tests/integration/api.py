"""Help for tests of the HTTP API: start one as a process, with customers whose features are in Redis."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from churn.stack.ports import free_port
from churn.stack.redis import LocalRedis
from model.artifact import save
from model.state import CustomerState
from schemas.partitioning import partition_of
from tests.conftest import PARTITIONS, clean_environment
from tests.integration.processes import ChurnProcess
from tests.unit.model.test_scoring import known
from tests.unit.model.test_training import ARTIFACT
from workers.api.keys import new_key
from workers.store import FeatureStore


class ApiProcess(ChurnProcess):
    """A `churn api` process; its log goes to `log`."""

    def __init__(
        self, environment: Mapping[str, str], log: Path, *arguments: str, port: int | None = None, module: str = "churn"
    ) -> None:
        self.log, self.port = log, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", module, "api", "--port", str(self.port), *arguments]
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, env=dict(environment), stdout=file, stderr=file)

    def wait(self, timeout_s: float = 30) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                httpx.get(f"{self.url}/livez").raise_for_status()
            except httpx.TransportError:
                assert self.process.poll() is None, f"the API ended:\n{self.log.read_text()}"
                assert time.monotonic() < deadline, f"the API does not answer:\n{self.log.read_text()}"
                time.sleep(0.05)
            else:
                return

    def wait_for(self, text: str, timeout_s: float = 30) -> None:
        """Wait until the log says `text`."""
        deadline = time.monotonic() + timeout_s
        while text not in self.log.read_text():
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def children(self) -> list[int]:
        """The processes that answer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def end(self) -> None:
        """End it if it has not ended; in good order, so that what it covered of the code is known."""
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.process.kill()


def with_key(
    environment: Mapping[str, str], *scopes: str, client: str = "test"
) -> tuple[dict[str, str], dict[str, str]]:
    """`environment` with a client who has `scopes`, and the headers that it sends."""
    key, line = new_key(client, scopes)
    lines = ";".join(filter(None, [environment.get("CHURN_API_KEYS"), line]))
    return {**environment, "CHURN_API_KEYS": lines}, {"Authorization": f"Bearer {key}"}


def write_states(redis_url: str, states: Mapping[str, CustomerState]) -> None:
    """Put customers' states into Redis as a scoring worker would."""
    store = FeatureStore(redis_url, ttl_days=400, timeout_s=5)
    store.connect()
    by_partition: dict[int, dict[str, CustomerState]] = {}
    for customer, state in states.items():
        by_partition.setdefault(partition_of(customer, PARTITIONS), {})[customer] = state
    for partition, some in by_partition.items():
        applied = store.read(partition, ()).applied
        assert store.write(partition, expected=applied, applied=(applied or 0) + 1, states=some)
    store.close()


class ApiSite:
    """A Redis that a test may break, an API, and a client with a key for everything."""

    def __init__(self, folder: Path) -> None:
        self.redis = LocalRedis(folder / "redis")
        self.redis.start()
        base = clean_environment() | {"REDIS_URL": self.redis.url, "CHURN_MODELS": str(folder / "models")}
        save(ARTIFACT, folder / "models")
        base |= {"CHURN_API_BODY_TIMEOUT_S": "1", "CHURN_API_BATCH_ROWS": "1000", "CHURN_API_BODY_BYTES": "100000",
                 "CHURN_API_ORIGINS": "https://crm.example", "CHURN_API_RATE_PER_S": "100000"}  # fmt: skip
        environment, self.headers = with_key(base, "predict", "explain", "admin")
        self.environment, self.other = with_key(environment, "explain", client="other")
        self.models = folder / "models"
        self.api = ApiProcess(self.environment, folder / "api.log")
        self.client = httpx.Client(base_url=self.api.url, headers=self.headers, timeout=10)

    @property
    def process_id(self) -> int:
        """The process that answers."""
        (child,) = self.api.children()
        return child

    def close(self) -> None:
        """End everything."""
        self.client.close()
        self.api.end()
        self.redis.process.kill()


@contextmanager
def api_site(folder: Path, *customers: str) -> Iterator[ApiSite]:
    """A site that answers, with customers of whom all is known."""
    site = ApiSite(folder)
    try:
        site.api.wait()
        write_states(site.redis.url, {customer: known() for customer in customers})
        yield site
    finally:
        site.close()
