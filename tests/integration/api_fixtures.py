"""Fixtures: APIs that know the customers c0 to c19, with a Redis of their own that a test may pause."""

from collections.abc import Callable, Iterator

import pytest

from churn.stack.redis import LocalRedis
from model.artifact import save
from model.fold import event_ms, fold
from model.state import CustomerState
from tests.conftest import clean_environment
from tests.integration.api import ApiProcess, write_states
from tests.integration.test_scoring import made_up_events
from tests.unit.model.test_training import ARTIFACT

StartApi = Callable[..., ApiProcess]


@pytest.fixture(scope="module")
def api_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    """A Redis with the states that a worker would have made of six events of each customer."""
    states: dict[str, CustomerState] = {}
    for event in made_up_events(customers=20, each=6):
        fold(states.setdefault(event.subject, CustomerState.new()), event, event_ms(event))
    redis = LocalRedis(tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        write_states(redis.url, states)
        yield redis
    finally:
        redis.stop()


@pytest.fixture(scope="module")
def start_api(api_redis: LocalRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApi]:
    """Start API processes that have a model; what still runs at the end is told to stop, and does."""
    folder = tmp_path_factory.mktemp("apis")
    save(ARTIFACT, folder / "models")
    environment = clean_environment() | {"REDIS_URL": api_redis.url, "CHURN_MODELS": str(folder / "models")}
    processes: list[ApiProcess] = []

    def start(*arguments: str, port: int | None = None, **more: str) -> ApiProcess:
        log = folder / f"api-{len(processes)}.log"
        processes.append(ApiProcess(environment | more, log, *arguments, port=port))
        processes[-1].wait()
        return processes[-1]

    try:
        yield start
        assert {api.stop() for api in processes if api.process.poll() is None} <= {0}
    finally:
        for api in processes:
            api.end()


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> ApiProcess:
    """One that asks for no key."""
    return start_api()
