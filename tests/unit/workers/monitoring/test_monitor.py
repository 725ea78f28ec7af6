"""The loops of the monitor: what one does when another part fails."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.topics import EVENTS, SCORES
from tests.unit.workers.monitoring.clock import START
from workers.admin import Bounds, BrokerError, Newest
from workers.alerts.catalogue import BROKER_AWAY, FEATURE_DRIFT, TOPIC_QUIET
from workers.monitoring import monitor
from workers.monitoring.monitor import Joining, Monitor
from workers.monitoring.overview import Read


class Site:
    """A broker with one event and one score, and the index of scores."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = 0
        self.answered, self.indexed = 0, 0

    def newest(self, topic: str) -> dict[int, Newest]:
        """The newest event; fails as often as `fails` says."""
        assert topic == EVENTS
        self.calls.append("newest")
        if self.fails:
            self.fails -= 1
            raise BrokerError("away")
        return {0: Newest(0, 0)}

    def committed(self, group: str) -> dict[int, int]:
        """Answered at the second time of asking."""
        assert group == "g"
        self.calls.append("committed")
        self.answered += 1
        return {0: self.answered - 1}

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """One score."""
        assert topic == SCORES
        self.calls.append("bounds")
        return {0: Bounds(0, 1)}

    def has_reached(self, ends: Mapping[int, int]) -> bool:
        """At the second time of asking."""
        assert ends == {0: 1}
        self.calls.append("reached")
        self.indexed += 1
        return self.indexed > 1


def test_outcome_waits_for_answers_and_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """First for the answers, then for the index; soon after that it is not asked again."""
    monkeypatch.setattr(monitor, "POLL_S", 0.001)
    site: Any = Site()
    joining = Joining(site, "g", site, hold_s=3600)
    asyncio.run(joining())
    waited = ["newest", "committed", "committed", "bounds", "reached", "reached"]
    assert site.calls == waited
    asyncio.run(joining())
    assert site.calls == waited


def test_outcome_waits_for_a_broker_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not given up, which would lose it."""
    monkeypatch.setattr(monitor, "RETRY_S", 0.001)
    site: Any = Site()
    site.fails = 2
    asyncio.run(Joining(site, "g", site)())
    assert site.calls[:4] == ["newest", "newest", "newest", "committed"]
    assert caplog.messages == ["an outcome waits for the broker"] * 2


def work_on(monitor_: Monitor, until: Callable[[], object]) -> None:
    """Let it run until something holds."""

    async def run() -> None:
        task = asyncio.ensure_future(monitor_.run())
        while not until():
            await asyncio.sleep(0.001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 10))


@pytest.mark.parametrize(
    ("alerts", "well"),
    [
        ([], True),
        ([FEATURE_DRIFT.alert("shifted", since=START)], True),
        ([TOPIC_QUIET.alert("quiet", since=START), FEATURE_DRIFT.alert("shifted", since=START)], False),
        (None, False),
    ],
)
def test_heartbeat_says_whether_all_is_well(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, alerts: list[Alert] | None, well: bool
) -> None:
    """Well is nothing critical; a look that failed is not, and ends nothing; one without an answer is no beat."""
    monkeypatch.setattr(monitor, "BEAT_S", 0.02)
    looked: list[Any] = []
    beats: list[bool] = []

    def judge(_: Read) -> tuple[list[Alert], set[str]]:
        looked.append(None)
        if len(looked) == 1:
            return [], {BROKER_AWAY.name}
        if alerts is None:
            raise ValueError("broken")
        return alerts, {TOPIC_QUIET.name}

    async def forever() -> None:
        await asyncio.sleep(3600)

    told: list[Any] = []
    reader = SimpleNamespace(run=lambda: None, stop=lambda: told.append("stopped"))
    episodes = SimpleNamespace(
        look=lambda given, *, judged, active: told.append((given, judged, active)),
        settle=lambda _: told.append("settled"),
    )
    overview = SimpleNamespace(read=lambda: Read(True, {}, [], ()), judge=judge)
    parts: dict[str, Any] = {
        "stream": SimpleNamespace(run=forever), "reader": reader, "overview": overview, "episodes": episodes,
    }  # fmt: skip
    work_on(Monitor(**parts, beat=beats.append, every_s=0.001), lambda: len(beats) >= 3)
    assert set(beats) == {well}
    assert len(looked) > len(beats)
    assert told[-2:] == ["stopped", "settled"]
    assert ("a look failed" in caplog.messages) == (alerts is None)
    if alerts is not None:
        assert told[:2] == [([], {BROKER_AWAY.name}, True), (alerts, {TOPIC_QUIET.name}, True)]
