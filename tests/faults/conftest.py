"""A site for the faults, how often each is done, and the table of what came of it."""

import logging
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.faults import table
from tests.faults.site import Site

Times = Callable[[int, int], int]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One broker, which checks permissions, and one Redis."""
    one = Site(
        tmp_path_factory.mktemp("site"),
        extra={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
        },
    )
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture(autouse=True)
def _no_workers_are_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "site" in request.fixturenames:
        request.getfixturevalue("site").end_workers()


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    """Luck that can be had again: a failed test shows the seed."""
    given = request.config.getoption("--faults-seed")
    seed = time.time_ns() % 1_000_000 if given is None else given
    logging.getLogger(__name__).warning("again with: --faults-seed %d", seed)
    return Random(seed)


@pytest.fixture
def times(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Times:
    """`times(full, short)`: how often to repeat in this run; both are kept for the table."""
    full_run = request.config.getoption("--faults") == "full"

    def choose(full: int, short: int) -> int:
        record_property("repetitions", full if full_run else short)
        record_property("full", full)
        return full if full_run else short

    return choose


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what came of a row."""
    if report.when == "call":
        table.add(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table where it was asked for, by the process that has every report where several share the tests."""
    if session.config.getoption("--faults-record") and not hasattr(session.config, "workerinput"):
        table.record()
