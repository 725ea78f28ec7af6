"""A real `churn api` with some customers, and the system's Chromium to look at its pages."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from shutil import which
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from redis import Redis

from churn.stack.record import Stack
from model.artifact import save
from model.state import CustomerState
from schemas.events import Charge, ChargeBilled, Complaint, ComplaintOpened, CustomerRegistered, Profile
from tests.conftest import clean_environment
from tests.integration.api import ApiProcess, write_states
from tests.unit.model.test_state import event, folded
from tests.unit.model.test_training import ARTIFACT

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
NOW = datetime.now(UTC).replace(microsecond=0)
# A context's options, and a page in it that notes what goes wrong.
Visit = Callable[..., Page]


def customers() -> dict[str, CustomerState]:
    """A customer who complained, one who hardly gives a reason, one of whom little is known."""
    registered = event(CustomerRegistered, Profile(age_group=2, status="inactive"), NOW - timedelta(days=300))
    loyal = event(CustomerRegistered, Profile(age_group=4, status="active"), NOW - timedelta(days=1_500))
    return {
        "1234": folded(
            registered,
            event(ChargeBilled, Charge(amount=50.0), NOW - timedelta(days=200)),
            event(ComplaintOpened, Complaint(), NOW - timedelta(days=1)),
        ),
        "loyal@example": folded(loyal, event(ChargeBilled, Charge(amount=80.25), NOW - timedelta(days=3))),
        "new": folded(event(CustomerRegistered, Profile(), NOW - timedelta(hours=1))),
    }


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the system's Chromium is; without one the tests are skipped, and in CI they fail."""
    found = next((path for path in map(which, CHROMIUM) if path), None)
    if found is None:
        if os.environ.get("CI_BROWSER") == "1":
            pytest.fail(f"CI_BROWSER=1, and none of {', '.join(CHROMIUM)} is on the PATH")
        pytest.skip("NO CHROMIUM: the pages are NOT tested in a browser here")
    return found


@pytest.fixture(scope="module")
def address(chromium: str, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a `churn api` listens; its customers are new."""
    assert chromium  # asked for, so that nothing is started in vain
    redis: Any = Redis.from_url(stack.redis.address)
    for key in redis.scan_iter("churn:*"):
        redis.delete(key)
    redis.close()
    write_states(stack.redis.address, customers())
    folder = tmp_path_factory.mktemp("api")
    save(ARTIFACT, folder / "models")
    environment = {"REDIS_URL": stack.redis.address, "CHURN_MODELS": str(folder / "models")}
    api = ApiProcess(clean_environment() | environment, folder / "api.log")
    try:
        api.wait(60)
        yield api.url
        assert api.stop() == 0
    finally:
        api.end()
    assert " ERROR " not in api.log.read_text()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium without a window; root, as which CI runs, must not have a sandbox."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Open a path; at the end nothing may have been asked of another host, and nothing be wrong in the console."""
    asked: list[str] = []
    said: list[str] = []
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        # That a page has status 422 is noted there too, and meant to be.
        if "the server responded with a status of 422" not in message.text:
            said.append(message.text)

    def open_page(path: str, **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
