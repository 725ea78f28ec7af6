"""`churn/sentry.py` with the real SDK, against a receiver that keeps what arrives."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk

from churn.errors import UserError
from churn.logs import _thread_ends
from churn.sentry import HEARTBEAT, Sentry, start_sentry
from churn.settings import Settings
from tests.integration.sentry_receiver import PROJECT, SentryReceiver, sentry_receiver
from workers.traces import untraced

CANARY = "canary-51c0"
logger = logging.getLogger("workers.scoring.worker")


@pytest.fixture
def receiver() -> Iterator[SentryReceiver]:
    """A Sentry; afterwards nothing is sent any more."""
    with sentry_receiver() as one:
        try:
            yield one
        finally:
            sentry_sdk.get_client().close()
            sentry_sdk.get_global_scope().set_client(None)
            logging.getLogger("urllib3.connectionpool").filters.clear()


def start(receiver: SentryReceiver, **more: Any) -> Sentry:
    """Report to `receiver`."""
    return start_sentry(Settings(sentry_dsn=receiver.dsn, environment_name="test", **more), "score")


def test_an_error_line_is_an_issue_without_what_it_quotes(receiver: SentryReceiver) -> None:
    """Message, type, frames, release, environment, tags: yes. What the error says, locals, other extras: no."""
    sentry = start(receiver)
    sentry.context = lambda: {"partition": "3", "offset": "10-20", "model_version": "20260301T120000Z"}
    secret = CANARY
    try:
        raise ValueError(secret)  # noqa: TRY301
    except ValueError:
        logger.exception("broken", extra={"customer": CANARY, "position": 7})
    logger.warning("no issue")
    sentry.flush()
    (event,) = receiver.of("event")
    assert event["logentry"] == {"message": "broken"}
    assert (event["level"], event["logger"], event["environment"]) == ("error", logger.name, "test")
    assert event["release"].startswith("churn@")
    assert event["tags"] == {
        "process": "score", "partition": "3", "offset": "10-20", "model_version": "20260301T120000Z",
    }  # fmt: skip
    assert event["extra"] == {"position": 7}
    (error,) = event["exception"]["values"]
    assert (error["type"], "value" in error) == ("ValueError", False)
    (frame,) = error["stacktrace"]["frames"]
    assert frame["function"] == "test_an_error_line_is_an_issue_without_what_it_quotes"
    assert "raise ValueError(secret)" in frame["context_line"]
    assert {"vars", "abs_path"}.isdisjoint(frame)
    assert {"server_name", "breadcrumbs", "user", "request", "modules"}.isdisjoint(event)
    assert receiver.paths == [f"/api/{PROJECT}/envelope/"]
    assert CANARY.encode() not in b"".join(receiver.raw)


def test_one_fault_is_one_issue(receiver: SentryReceiver) -> None:
    """Twenty times on other partitions, as lines and as errors: one fingerprint each."""
    sentry = start(receiver)
    for partition in range(20):
        extra = {"partition": partition, "offset": 100 * partition}
        logger.error("a state in Redis is damaged; making all anew", extra=extra)
        try:
            raise KeyError(f"{CANARY}{partition}")  # noqa: TRY301
        except KeyError:
            logger.exception("broken", extra=extra)
        sentry.flush()
    events = receiver.of("event")
    assert len(events) == 40
    assert len({tuple(event["fingerprint"]) for event in events}) == 2
    assert {event["tags"]["partition"] for event in events} == {*range(20)}


def test_a_process_that_is_broken_tells_of_that(receiver: SentryReceiver) -> None:
    """Where it cannot be told what the process is at, the rest still is."""
    sentry = start(receiver)
    sentry.context = lambda: {"partition": str(1 // 0)}
    logger.error("broken")
    sentry.flush()
    assert [event["tags"] for event in receiver.of("event")] == [{"process": "score"}]


def test_batches_are_timed_when_wanted(receiver: SentryReceiver) -> None:
    """With a share of 1 each is a transaction with its name, also when it failed; without, there is nothing to do."""
    sentry = start(receiver, traces_share=1.0)
    with sentry.trace("/customers/{id}/features"):
        time.sleep(0.01)
    with pytest.raises(ValueError, match=CANARY), sentry.trace("batch"):
        raise ValueError(CANARY)
    sentry.flush()
    first, second = receiver.of("transaction")
    assert (first["transaction"], second["transaction"]) == ("/customers/{id}/features", "batch")
    assert first["tags"] == {"process": "score"}
    assert first["contexts"]["trace"]["op"] == "score"
    assert first["timestamp"] > first["start_timestamp"]
    assert CANARY.encode() not in b"".join(receiver.raw)
    assert start(receiver).trace is untraced
    with untraced("batch"):
        pass


def test_heartbeat_says_when_the_next_is_due(receiver: SentryReceiver) -> None:
    """Each is a check-in that declares the monitor: once a minute, an issue after two that are missing."""
    sentry = start(receiver)
    sentry.heartbeat()
    sentry.heartbeat(False)
    sentry.flush()
    found = receiver.of("check_in")
    assert [(one["monitor_slug"], one["status"]) for one in found] == [(HEARTBEAT, "ok"), (HEARTBEAT, "error")]
    assert found[0]["monitor_config"]["schedule"] == {"type": "interval", "value": 1, "unit": "minute"}
    assert found[0]["monitor_config"]["failure_issue_threshold"] == 2


def test_a_slow_sentry_slows_nothing(receiver: SentryReceiver) -> None:
    """While it does not answer, telling takes no time; the end waits for 2 s at most."""
    receiver.delay_s = 8
    sentry = start(receiver)
    began_s = time.monotonic()
    for _ in range(20):
        logger.error("broken")
        sentry.heartbeat()
    assert time.monotonic() - began_s < receiver.delay_s
    began_s = time.monotonic()
    sentry.flush()
    assert time.monotonic() - began_s < receiver.delay_s


def test_without_a_dsn_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything prepared to be, whatever the SDK would find in the environment."""
    with sentry_receiver() as receiver:
        monkeypatch.setenv("SENTRY_DSN", receiver.dsn)
        sentry = start_sentry(Settings(traces_share=1.0), "score")
        logger.error("broken")
        sentry.heartbeat()
        sentry.flush()
        assert sentry.trace is untraced
        assert not sentry_sdk.get_client().is_active()
        assert not receiver.raw


@pytest.mark.parametrize("dsn", ["hunter2", "https://hunter2@", "https://hunter2@sentry.example/x", "ftp://a@b/1",
                                 "https://sentry.example/1", "https://hunter2@sentry.example:99999/1"])  # fmt: skip
def test_what_is_no_dsn_is_refused_without_being_shown(dsn: str) -> None:
    """One line that names the setting and what was expected."""
    with pytest.raises(UserError, match=r"^SENTRY_DSN=\*\*\*: expected") as caught:
        start_sentry(Settings(sentry_dsn=dsn), "score")
    assert "hunter2" not in str(caught.value)


def test_settings_of_the_sdk_ask_for_nothing_personal(receiver: SentryReceiver) -> None:
    """No locals, no bodies, nothing personal by default, and only the two integrations that are needed."""
    start(receiver)
    client = sentry_sdk.get_client()
    assert not client.should_send_default_pii()
    assert {*client.integrations} == {"logging", "atexit"}
    assert client.options["include_local_variables"] is False
    assert client.options["max_request_body_size"] == "never"


def test_an_error_in_a_thread_is_an_issue(receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody caught is logged, and so it is told."""
    sentry = start(receiver)
    monkeypatch.setattr(threading, "excepthook", _thread_ends)
    thread = threading.Thread(target=lambda: int(CANARY))
    thread.start()
    thread.join()
    sentry.flush()
    (event,) = receiver.of("event")
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert CANARY.encode() not in b"".join(receiver.raw)
