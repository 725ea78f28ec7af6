"""Receivers of alerts: who hears what, and what becomes of a message when a receiver is slow, fails or is not there."""

import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.receivers import http_receiver, mail_server
from workers.alerts.catalogue import BROKER_AWAY, FEATURE_DRIFT, MANY_DEAD_LETTERS
from workers.alerts.claims import LEASE_S
from workers.alerts.message import Message
from workers.alerts.receivers import (
    CALL_TIMEOUT_S,
    HOUR_S,
    LATE,
    PATIENCE_S,
    RATE_LIMIT,
    RETRIES_S,
    Receivers,
    ReceiversError,
    parsed,
)

MESSAGE = Message("CRITICAL: broker away", "No broker answers.\n<b>Since</b> 10:00 & on", "critical", "failure")
MINOR = Message("WARNING: feature drift", "PSI 0.4", "warning", "warning")
NOW = datetime(2026, 7, 1, tzinfo=UTC)
NOWHERE = "json://127.0.0.1:1"
SLACK = f"https://hooks.slack.com/services/{'T' * 9}/{'A' * 9}/{'x' * 24}"


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        """The time."""
        return self.now_s

    def sleep(self, span_s: float) -> None:
        """Move on."""
        self.slept_s.append(span_s)
        self.now_s += span_s


def made(urls: str, per_hour: int = 60, patience_s: float = 20.0) -> tuple[Receivers, Clock]:
    """Receivers whose retries take no time."""
    clock = Clock()
    return Receivers(
        parsed(urls), per_hour=per_hour, patience_s=patience_s, sleep=clock.sleep, clock=clock
    ), clock  # fmt: skip


def test_message_arrives_over_http_and_by_mail() -> None:
    """Title and body arrive as they were written, the tone too where the receiver has one."""
    with http_receiver() as web, mail_server() as (box, port):
        receivers, _ = made(f"{web.url} mailto://127.0.0.1:{port}?from=churn@example.com&to=oncall@example.com")
        names = [f"json://127.0.0.1:{web.server_port} (1)", f"mailto://127.0.0.1:{port} (2)"]
        assert receivers.names == names
        assert receivers.tell(MESSAGE, names).result(20) == dict.fromkeys(names)
    (posted,), (mail,) = web.arrived, box.mails
    assert (posted["title"], posted["message"], posted["type"]) == (MESSAGE.title, MESSAGE.body, "failure")
    assert (mail["Subject"], mail["To"]) == (MESSAGE.title, "oncall@example.com")
    assert mail.get_body(("plain",)).get_content().splitlines() == MESSAGE.body.splitlines()


@pytest.mark.parametrize(
    ("kind", "heard"),
    [(BROKER_AWAY, "1 2 4"), (MANY_DEAD_LETTERS, "1 3 4"), (FEATURE_DRIFT, "1 3 5")],
)
def test_prefix_limits_what_is_heard(kind: Any, heard: str) -> None:
    """Without a prefix a receiver hears all, with one only what is as bad or for the same people."""
    routes = ("", "critical=", "warning=", "oncall=", "data=")
    receivers, _ = made("\n".join(route + NOWHERE for route in routes))
    hearing = receivers.hearing(kind.alert("Something is wrong.", since=NOW))
    assert " ".join(name.partition("(")[2].rstrip(")") for name in hearing) == heard


@pytest.mark.parametrize("url", ["hunter2", "http://hunter2", "all=json://hunter2", "critical=", "slack://hunter2"])
def test_url_that_cannot_be_used_is_refused(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is named by its place and not quoted, here and in the logs."""
    with (
        caplog.at_level(1),
        pytest.raises(ReceiversError, match=r"^number 2 is not a URL that Apprise can use") as found,
    ):
        parsed(f"{NOWHERE} {url}")
    assert "hunter2" not in str(found.value) + caplog.text
    assert not parsed(" \n ")


def test_names_have_no_secrets() -> None:
    """What stands in the place of a host may be a token: it is shown only where it is a host."""
    names = [receiver.name for receiver in parsed(f"jsons://u:p@h/x?y=z {SLACK} critical=tgram://123456789:abc_def/1")]
    assert names == ["jsons://h (1)", "slack (2)", "tgram (3)"]


def test_urls_of_the_page_can_be_used() -> None:
    """What the how-to page tells people to write is what Apprise takes."""
    page = (ROOT / "docs" / "how-to" / "get-alerts.md").read_text()
    urls = re.findall(r"`([a-z]+://[^`…]+)`", page)
    assert len(parsed(" ".join(urls))) == len(urls) == 3


def test_failure_is_tried_again_with_backoff(caplog: pytest.LogCaptureFixture) -> None:
    """Who answers 500 twice has the message after the third attempt and waits that double; the log has no secret."""
    with caplog.at_level(1), http_receiver(500, 503) as web:
        receivers, clock = made(web.url)
        (name,) = receivers.names
        assert receivers.tell(MESSAGE, [name]).result(20) == {name: None}
    assert (web.requests, web.titles()) == (3, [MESSAGE.title])
    assert 0.5 <= clock.slept_s[0] <= 1.5
    assert 1.0 <= clock.slept_s[1] <= 3.0
    assert [(record.__dict__["why"], record.__dict__["receiver"]) for record in caplog.records] == [
        ("it answered 500", name), ("it answered 503", name),
    ]  # fmt: skip
    assert not {"hunter2", "s3cret"} & set(caplog.text.split("/"))


def test_receiver_that_is_down_is_given_up() -> None:
    """After half a minute of attempts the result says who was not told and why; the others were told at once."""
    with http_receiver() as web:
        receivers, clock = made(f"{NOWHERE} {web.url}")
        down, up = receivers.names
        told = receivers.tell(MESSAGE, [down, up]).result(20)
    assert told == {down: "it cannot be reached, or refuses", up: None}
    assert len(clock.slept_s) >= 3
    assert clock.now_s <= RETRIES_S


def test_slow_receiver_holds_up_nobody() -> None:
    """The call returns at once; who does not answer in time counts as not told, and the others have it meanwhile."""
    with http_receiver(delay_s=3.0) as slow, http_receiver() as web:
        receivers, _ = made(f"{slow.url} {web.url}", patience_s=0.5)
        began_s = time.monotonic()
        told = receivers.tell(MESSAGE, receivers.names)
        assert time.monotonic() - began_s < 0.2
        web.wait_for(1)
        assert told.result(2) == dict(zip(receivers.names, (LATE, None), strict=True))


def test_patience_ends_before_a_lease() -> None:
    """Whoever tells knows the result while no other monitor may tell."""
    assert RETRIES_S + 2 * CALL_TIMEOUT_S <= PATIENCE_S < LEASE_S


def tell(receivers: Receivers, message: Message) -> str | None:
    """Tell the only receiver; why it was not told."""
    (why,) = receivers.tell(message, receivers.names).result(20).values()
    return why


def test_rate_limit_keeps_half_for_critical_alerts() -> None:
    """Of four an hour two may be warnings; what is beyond is not sent; an hour later there is room again."""
    with http_receiver() as web:
        receivers, clock = made(web.url, per_hour=4)
        assert [tell(receivers, MINOR) for _ in range(3)] == [None, None, RATE_LIMIT]
        assert [tell(receivers, MESSAGE) for _ in range(3)] == [None, None, RATE_LIMIT]
        assert web.titles() == 2 * [MINOR.title] + 2 * [MESSAGE.title]
        clock.now_s = HOUR_S
        assert tell(receivers, MINOR) is None


def test_what_did_not_arrive_does_not_count() -> None:
    """A receiver that was down for a while has its whole hour left."""
    with http_receiver(*[500] * 20) as web:
        receivers, _ = made(web.url, per_hour=1)
        assert tell(receivers, MESSAGE) == "it answered 500"
        web.answers.clear()
        assert tell(receivers, MESSAGE) is None


def test_plugin_that_raises_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a plug-in raises, the others are told; its text, which may hold a secret, is not shown."""
    with http_receiver() as web:
        broken, well = parsed(f"{NOWHERE} {web.url}")

        def raises(**_: object) -> bool:
            raise RuntimeError("hunter2")

        monkeypatch.setattr(broken.service, "notify", raises)
        clock = Clock()
        receivers = Receivers([broken, well], per_hour=60, sleep=clock.sleep, clock=clock)
        assert receivers.tell(MESSAGE, receivers.names).result(20) == {broken.name: "RuntimeError", well.name: None}


def test_failure_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in that says nothing is a failure too."""
    (mute,) = parsed(NOWHERE)
    monkeypatch.setattr(mute.service, "notify", lambda **_: False)
    clock = Clock()
    receivers = Receivers([mute], per_hour=60, sleep=clock.sleep, clock=clock)
    assert tell(receivers, MESSAGE) == "no reason is known"


def test_lines_of_apprise_go_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither to our log nor to anything that listens to logging, whatever the level."""
    with caplog.at_level(1), caplog.at_level(1, "apprise"), caplog.at_level(1, "urllib3"):
        parsed(NOWHERE)
        logging.getLogger("apprise").critical("json://hunter2")
    assert not caplog.records


def test_many_at_once_keep_their_reasons_apart() -> None:
    """Twenty messages told at the same time each come to their own result."""
    with http_receiver() as web:
        receivers, _ = made(f"{NOWHERE} {web.url}", per_hour=1000)
        results: list[dict[str, str | None]] = []
        run: Callable[[], None] = lambda: results.append(receivers.tell(MESSAGE, receivers.names).result(30))  # noqa: E731
        threads = [threading.Thread(target=run) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(web.arrived) == 20
    assert {tuple(result.values()) for result in results} == {("it cannot be reached, or refuses", None)}
