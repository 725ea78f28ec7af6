"""The alarm of dead letters: one error line for an episode, however long, and one line when it is over."""

import logging
from collections import Counter
from typing import Any

import pytest

from workers.scoring.alarm import DeadLetterAlarm


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    """Level, message and what goes with it, of every line since the last call."""
    names = ("limit_per_minute", "dead_letters", "invalid", "unknown_type")
    found = [
        (r.levelname, r.getMessage(), {name: vars(r)[name] for name in names if name in vars(r)})
        for r in caplog.records
    ]
    caplog.clear()
    return found


def test_one_line_for_an_episode_and_one_for_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """More than the limit within a minute is an error, once; after a minute without that it is over, once."""
    caplog.set_level(logging.INFO)
    now_s = [1000.0]
    alarm = DeadLetterAlarm(10, clock=lambda: now_s[0])

    def count(at_s: int, **classes: int) -> None:
        """Let the worker turn once a second until then, and find these dead letters in the last turn."""
        while now_s[0] < 1000 + at_s:
            alarm.check()
            now_s[0] += 1
        alarm.count(Counter({name.replace("_", "-"): number for name, number in classes.items()}))
        alarm.check()

    count(0, invalid=10)
    assert not lines(caplog), "as many as the limit are not too many"
    count(60, invalid=8)
    assert not lines(caplog), "what is a minute old does not count any more"
    count(61, unknown_type=3)
    expected = {"limit_per_minute": 10, "dead_letters": 11, "invalid": 8, "unknown_type": 3}
    assert lines(caplog) == [("ERROR", "many dead letters", expected)]
    count(62, invalid=5)
    count(125)
    count(130, invalid=11)
    count(248)
    assert not lines(caplog), "the episode goes on: it was quiet for less than a minute"
    count(249)
    expected = {"dead_letters": 27, "invalid": 24, "unknown_type": 3}
    assert lines(caplog) == [("INFO", "no longer many dead letters", expected)]
    count(400, invalid=10)
    count(500)
    assert not lines(caplog)
    count(600, invalid=11)
    assert [message for _, message, _ in lines(caplog)] == ["many dead letters"]
