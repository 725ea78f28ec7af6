"""The progress line: once a second, with all counts."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from workers.scoring.progress import Progress


def test_line_comes_once_a_second(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """A line has the totals, the rate since the last, and the lag; the heartbeat goes with it while we have work."""
    now_s = [100.0]
    heartbeat = tmp_path / "alive"
    progress = Progress(heartbeat, clock=lambda: now_s[0])
    counts = Counter({"scored": 2, "could-not-compute": 1, "dead-letter": 2, "sent-on": 1})
    progress.count(counts, Counter({"invalid": 2}))
    with caplog.at_level(logging.INFO):
        progress.report({0: 6}, lag=lambda _: 4, well=True)
        assert not caplog.records, "too early"
        now_s[0] += 2
        progress.report({}, lag=lambda _: 0, well=False)
        assert not heartbeat.exists(), "it is not well"
        now_s[0] += 2
        progress.report({0: 6}, lag=lambda _: 4, well=True)
        now_s[0] += 1
        progress.report({0: 6}, lag=lambda positions: 10 - positions[0], well=True)
    first, _, last = (vars(line) for line in caplog.records)
    expected = {"events": 6, "scored": 2, "could_not_compute": 1, "dead_letters": 2, "sent_on": 1, "events_per_s": 3}
    assert {name: first[name] for name in expected} == expected
    assert (last["events_per_s"], last["lag"], last["partitions"]) == (0, 4, 1)
    assert heartbeat.exists()
