"""What is said of Redis: the server, the states, and the clock."""

import time
from typing import Any

import pytest

from churn.doctor.finding import together
from churn.doctor.redis import judged_clock, judged_server, judged_states
from workers.admin import Bounds

MIB = 2**20
WELL: dict[str, Any] = {
    "role": "master",
    "used_memory": 10 * MIB,
    "maxmemory": 100 * MIB,
    "maxmemory_policy": "noeviction",
    "rdb_last_bgsave_status": "ok",
    "aof_last_write_status": "ok",
    "aof_enabled": 1,
    "uptime_in_seconds": 86_400,
}


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({}, "ok", "10.0 MiB of 100.0 MiB used; keeps an append-only file"),
        ({"maxmemory": 0}, "ok", "10.0 MiB used, no maxmemory"),
        ({"used_memory": 90 * MIB}, "ok", "90.0 MiB of 100.0 MiB used"),
        ({"used_memory": 90 * MIB + 1}, "warning", "90.0 MiB of 100.0 MiB used"),
        ({"role": "slave"}, "failed", "it is a replica, which takes no writes"),
        ({"maxmemory_policy": "volatile-ttl"}, "warning", "maxmemory-policy is volatile-ttl"),
        ({"rdb_last_bgsave_status": "err"}, "warning", "its data cannot be written to disk"),
        ({"aof_last_write_status": "err"}, "warning", "its data cannot be written to disk"),
        ({"aof_enabled": 0}, "ok", "no snapshot since its start"),
        ({"aof_enabled": 0, "rdb_last_save_time": time.time() - 86_400}, "ok", "no snapshot since its start"),
        ({"aof_enabled": 0, "rdb_last_save_time": time.time() - 10_000}, "ok", "last snapshot 3 h ago"),
    ],
)
def test_server(changes: dict[str, Any], status: str, said: str) -> None:
    """What keeps Redis from working, or from keeping what it is given, is said; the rest is told."""
    found = together(judged_server(WELL | changes))
    assert found.status == status
    assert said in found.found
    assert bool(found.remedies) == (status != "ok")


def test_server_that_tells_little() -> None:
    """A service that hides its settings is no error; that it may evict states is a warning."""
    found = together(judged_server({"role": "master", "used_memory": 1, "uptime_in_seconds": 1}))
    assert (found.status, "maxmemory-policy is not told" in found.found) == ("warning", True)


BOUNDS = {0: Bounds(0, 10), 1: Bounds(0, 10), 2: Bounds(0, 10)}


@pytest.mark.parametrize(
    ("applied", "committed", "status", "said"),
    [
        ({0: None, 1: None, 2: None}, {}, "ok", "0 of 3 partitions have states"),
        ({0: 4, 1: 7, 2: None}, {0: 4, 1: 9, 2: 0}, "ok", "2 of 3 partitions have states, 2 answered events behind"),
        ({0: 4, 1: 10, 2: None}, {0: 4}, "ok", "2 of 3 partitions have states, 0 answered events behind"),
        ({0: 5, 1: 5, 2: 9}, {0: 4, 1: 4, 2: 9}, "warning", "ahead of what was answered in partitions 0, 1"),
        ({0: 11, 1: None, 2: None}, {}, "warning", "ahead of what was answered in partition 0"),
        ({0: None, 1: None, 2: 1}, {0: 1, 1: 1, 2: 1}, "warning", "lacking in partitions 0, 1, which have answers"),
    ],
)
def test_states(applied: dict[int, int | None], committed: dict[int, int], status: str, said: str) -> None:
    """States may be behind the log and never ahead of it."""
    found = judged_states(applied, committed, BOUNDS)
    assert (found.status, said in found.found) == (status, True), found
    assert ("churn features rebuild" in "".join(found.remedies)) == ("ahead" in said)


def test_states_without_a_topic() -> None:
    """Without the topic there is nothing to compare with."""
    assert judged_states({}, {}, {}).status == "skipped"


@pytest.mark.parametrize(
    ("ahead_s", "most_s", "status"),
    [
        (1.0, 3600, "ok"),
        (-1.0, 3600, "ok"),
        (1.01, 3600, "warning"),
        (-3600.0, 3600, "warning"),
        (3600.5, 3600, "failed"),
        (-3600.5, 3600, "failed"),
        (0.9, 0, "ok"),
        (1.1, 0, "failed"),
    ],
)
def test_clock(ahead_s: float, most_s: float, status: str) -> None:
    """More than a second is a warning, more than CHURN_CLOCK_SKEW_S a failure."""
    found = judged_clock(ahead_s, most_s)
    assert found.status == status
    assert f"{'ahead of' if ahead_s > 0 else 'behind'} Redis" in found.found
