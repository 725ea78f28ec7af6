"""What the doctor says of whom the processes tell."""

import pytest

from churn.doctor.telling import alerts, sentry
from churn.settings import Settings


def test_receivers_are_named_without_secrets() -> None:
    """How many there are, and which."""
    found = alerts(Settings(alert_urls="json://user:hunter2@hooks.example.com data=json://127.0.0.1:9"))
    assert (found.status, found.found) == ("ok", "2 receivers: json://hooks.example.com (1), json://127.0.0.1:9 (2)")


def test_receiver_that_cannot_be_used_is_a_failure() -> None:
    """It is named by its place."""
    found = alerts(Settings(alert_urls="json://127.0.0.1:9 hunter2"))
    assert (found.status, "ALERT_URLS: number 2 is not" in found.found) == ("failed", True)
    assert "hunter2" not in str(found)


def test_nobody_to_tell_is_a_warning() -> None:
    """Without receivers nobody hears of silence."""
    found = alerts(Settings())
    assert (found.status, "ALERT_URLS is not set" in found.found) == ("warning", True)


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("", "SENTRY_DSN is not set: errors are in the logs only"),
        ("https://k3y@o1.ingest.sentry.io/42", "errors go to project 42 at o1.ingest.sentry.io"),
        ("http://k3y@sentry.example:9000/below/7", "errors go to project 7 at sentry.example:9000"),
    ],
)
def test_dsn_that_is_well(dsn: str, found: str) -> None:
    """None is well too; the key is not shown."""
    assert (sentry(Settings(sentry_dsn=dsn)).status, sentry(Settings(sentry_dsn=dsn)).found) == ("ok", found)


@pytest.mark.parametrize(
    "dsn", ["k3y", "https://sentry.io/42", "https://k3y@sentry.io/", "ftp://k3y@sentry.io/1", "https://k3y@/1",
            "https://k3y@sentry.io:port/1", "https://k3y@sentry.io/team", "https://k3y@[/1"],
)  # fmt: skip
def test_dsn_that_cannot_be_one_is_a_failure(dsn: str) -> None:
    """It is not quoted."""
    found = sentry(Settings(sentry_dsn=dsn))
    assert (found.status, found.found.startswith("SENTRY_DSN: expected https://KEY@HOST/PROJECT")) == ("failed", True)
    assert "k3y" not in str(found)
