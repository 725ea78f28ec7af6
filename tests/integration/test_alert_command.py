"""`churn alert` at a user's terminal."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from churn.stack.record import Stack
from schemas.alerts import AlertRecord
from schemas.topics import ALERTS
from tests.conftest import Churn
from tests.integration.monitors import QUIET, START
from tests.integration.test_commands import NOWHERE, refused
from tests.receivers import http_receiver
from workers.alerts.catalogue import FEATURE_DRIFT
from workers.alerts.log import AlertLog


def test_test_reaches_every_receiver(churn: Churn) -> None:
    """Whatever is before its URL; one that does not take it is named, with the reason and without its secrets."""
    with http_receiver() as web:
        environment = {"ALERT_URLS": f"critical={web.url}\ndata={web.url}"}
        result = churn("alert", "test", environment=environment)
        name = f"json://127.0.0.1:{web.server_port}"
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.splitlines() == [f"✓ {name} (1)", f"✓ {name} (2)"]
        assert web.titles() == 2 * ["WARNING: test"]
        assert "Nothing is wrong." in web.arrived[0]["message"]
        report = churn("alert", "test", "--json", environment=environment)
        assert json.loads(report.stdout)["receivers"][1] == {"receiver": f"{name} (2)", "arrived": True, "why": None}
    absent = churn("alert", "test", environment=environment)
    assert (absent.returncode, absent.stderr) == (1, "")
    assert absent.stdout.splitlines()[0] == f"✗ {name} (1): it cannot be reached, or refuses"
    assert "hunter2" not in absent.stdout


def test_urls_that_are_wrong_or_absent(churn: Churn) -> None:
    """One line says which, and never the URL."""
    assert refused(churn("alert", "test")).startswith("ALERT_URLS is not set; expected Apprise URLs")
    wrong = refused(churn("alert", "test", environment={"ALERT_URLS": f"json://{NOWHERE} critical=http://hunter2"}))
    assert wrong.startswith("ALERT_URLS: number 2 is not a URL that Apprise can use")
    assert "hunter2" not in wrong


@pytest.fixture
def log(stack: Stack, topics: None) -> Iterator[AlertLog]:  # noqa: ARG001
    """The empty log."""
    with closing(AlertLog({"bootstrap.servers": stack.kafka.address})) as log:
        yield log


def test_list_shows_what_is_open_and_what_was_told(churn: Churn, environment: dict[str, str], log: AlertLog) -> None:
    """The newest first; nothing that somebody wrote into the topic acts upon the terminal."""
    empty = churn("alert", "list", environment=environment)
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "nothing is wrong\n", "")
    drift = FEATURE_DRIFT.alert("PSI is 0.4.\x1b[31m", since=START, about="age")
    minute = timedelta(minutes=1)
    records = [
        AlertRecord(alert=QUIET, state="raised", at=START, undelivered=["slack (1)"]),
        AlertRecord(alert=drift, state="raised", at=START + minute),
        AlertRecord(alert=QUIET, state="cleared", at=START + 2 * minute),
    ]
    for record in records:
        log.publish(record)
    result = churn("alert", "list", environment=environment | {"COLUMNS": "200"})
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 open" in result.stdout
    assert "2026-07-01 12:01:00  raised   warning   feature-drift/age" in result.stdout
    assert "slack (1)" in result.stdout
    assert "\x1b" not in result.stdout
    report: dict[str, Any] = json.loads(churn("alert", "list", "--json", environment=environment).stdout)
    assert [record["alert"]["kind"] for record in report["open"]] == ["feature-drift"]
    assert [record["state"] for record in report["recent"]] == ["cleared", "raised", "raised"]


def test_list_without_a_topic(churn: Churn, environment: dict[str, str], stack: Stack, topics: None) -> None:  # noqa: ARG001
    """One line says what is missing."""
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    admin.delete_topics([ALERTS])[ALERTS].result(10)
    while ALERTS in admin.list_topics(timeout=10).topics:
        time.sleep(0.05)
    assert "churn.alerts" in refused(churn("alert", "list", environment=environment))
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in refused(churn("alert", "list"))
