"""The progress line: once a second, with all counts."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from schemas.errors import InvalidRecordError
from tests.unit.model.test_scoring import SCORER
from tests.unit.model.test_state import NOW
from workers.scoring.account import Account
from workers.scoring.batch import Letter
from workers.scoring.progress import Progress
from workers.scoring.records import Record


def test_line_comes_once_a_second(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """A line has the totals, the rate since the last, and the lag; the heartbeat goes with it while we have work."""
    now_s = [100.0]
    heartbeat = tmp_path / "alive"
    progress = Progress(heartbeat, clock=lambda: now_s[0])
    letters = [Letter(Record(0, n, None, None, 0, []), InvalidRecordError("invalid", "")) for n in range(2)]
    counts = Counter({"scored": 2, "could-not-compute": 1, "dead-letter": 2, "sent-on": 1})
    progress.count(Account(SCORER, NOW, counts=counts, letters=letters))
    with caplog.at_level(logging.INFO):
        progress.report({0: 6}, lag=lambda _: 4, trouble="")
        assert not caplog.records, "too early"
        now_s[0] += 2
        progress.report({}, lag=lambda _: 0, trouble="redis")
        assert not heartbeat.exists(), "it is not well"
        now_s[0] += 2
        progress.report({0: 6}, lag=lambda _: 4, trouble="")
        now_s[0] += 1
        progress.report({0: 6}, lag=lambda positions: 10 - positions[0], trouble="")
    first, _, last = (vars(line) for line in caplog.records)
    expected = {"events": 6, "scored": 2, "could_not_compute": 1, "dead_letters": 2, "sent_on": 1, "events_per_s": 3}
    assert {name: first[name] for name in expected} == expected
    assert (last["events_per_s"], last["lag"], last["partitions"]) == (0, 4, 1)
    assert heartbeat.exists()


def test_heartbeat_that_cannot_be_written_is_said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """And that is all: the worker goes on."""
    now_s = [100.0]
    progress = Progress(tmp_path / "no" / "alive", clock=lambda: now_s[0])
    now_s[0] += 2
    progress.report({0: 6}, lag=lambda _: 0, trouble="")
    assert caplog.messages == ["the heartbeat cannot be written"]
