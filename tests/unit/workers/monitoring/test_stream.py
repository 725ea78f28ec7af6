"""The agents: each record counts once, whatever it is and however often it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from schemas.outcomes import Outcome, OutcomeObserved
from schemas.telemetry import Telemetry, encode_telemetry
from workers.monitoring import stream
from workers.monitoring.stream import KEPT, Stream

START = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


class Feed:
    """What an agent is given: values by offset, as a Faust stream hands them out."""

    def __init__(self, *records: tuple[int, bytes]) -> None:
        self._records = records

    async def events(self) -> AsyncIterator[Any]:
        """One after the other."""
        for offset, value in self._records:
            yield SimpleNamespace(value=value, message=SimpleNamespace(offset=offset))


def summary(count: int, began: datetime = START) -> bytes:
    """A summary of so many answers."""
    ended = began + timedelta(seconds=5)
    return encode_telemetry(Telemetry(process="p", kind="score", began=began, ended=ended, counts={"scored": count}))


def outcome(customer: str) -> bytes:
    """The outcome of a customer."""
    data = Outcome(churned=True, horizon_days=30)
    return msgspec.json.encode(
        OutcomeObserved(id="i", source="s", subject=customer, time=START, specversion="1.0", data=data)
    )


class Parts:
    """A stream, and what it asked and told."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[Telemetry] = []
        self.waited = 0
        self.stream = Stream(
            {}, folder=str(folder), caught_up=self._wait, join=lambda one: one.subject.encode(),
            heard=self.heard.append,
        )  # fmt: skip

    async def _wait(self) -> None:
        self.waited += 1

    def telemetry(self, *records: tuple[int, bytes]) -> dict[str, int]:
        """The answers of each hour, once these have come."""
        asyncio.run(self.stream._telemetry(Feed(*records)))
        return {start: hour.counts["scored"] for start, hour in self.stream.hours().items()}

    def outcomes(self, *records: tuple[int, bytes]) -> list[bytes]:
        """The pairs, once these have come."""
        asyncio.run(self.stream._outcomes(Feed(*records)))
        return self.stream.pairs()


def test_summary_counts_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is no summary is left out, what comes again changes nothing, and what lies too far back is forgotten."""
    parts = Parts(tmp_path)
    hour = "2026-11-24T10:00:00+00:00"
    assert parts.telemetry((3, summary(2)), (4, b"\xff"), (5, summary(3)), (5, summary(3))) == {hour: 5}
    assert parts.telemetry((3, summary(2)), (6, summary(1))) == {hour: 6}
    assert "a summary cannot be read" in caplog.messages
    assert [one.counts["scored"] for one in parts.heard] == [2, 3, 3, 2, 1]
    later = START + KEPT
    both = {hour: 6, later.replace(minute=0).isoformat(): 4}
    assert parts.telemetry((7, summary(4, later))) == both
    del both[hour]
    latest = later + timedelta(hours=1)
    assert parts.telemetry((8, summary(5, latest))) == {**both, latest.replace(minute=0).isoformat(): 5}


def test_outcome_is_joined_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each waits until scores are known; what is none is left out, and what comes again is not joined again."""
    parts = Parts(tmp_path)
    assert parts.outcomes((0, outcome("1")), (1, b"{}"), (2, outcome("2")), (0, outcome("1"))) == [b"1", b"2"]
    assert parts.waited == 2
    assert "an outcome cannot be read" in caplog.messages


class Broken:
    """An app that cannot start."""

    started = False

    async def start(self) -> None:
        """As where no broker is."""
        raise ConnectionError("nobody is there")

    async def stop(self) -> None:
        """There is nothing to stop."""


def test_app_that_cannot_start_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not the active one meanwhile, and ends when it is told to."""
    monkeypatch.setattr(stream, "RETRY_S", 0.01)
    watched = Parts(tmp_path).stream
    monkeypatch.setattr(watched, "_build", Broken)
    assert not watched.active

    async def run() -> None:
        task = asyncio.ensure_future(watched.run())
        while caplog.messages.count("the monitor's streams ended") < 2:
            assert not watched.active
            await asyncio.sleep(0.001)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 10))
