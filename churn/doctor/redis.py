"""Checks of Redis: the server, the states in it against the log, and its clock against this machine's."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from churn.doctor.finding import Finding, counted, failed, ok, size, skipped, together, warning
from churn.errors import UserError
from churn.parts import feature_store, kafka_admin, store_errors
from churn.settings import Settings
from schemas.topics import EVENTS
from workers.admin import Bounds
from workers.spans import duration
from workers.store import FeatureStore

FULL = 0.9
LONGEST_WAIT_S = 2.0
CLOCK_WARNING_S = 1.0


@contextmanager
def _connected(settings: Settings) -> Iterator[FeatureStore]:
    wait_s = min(settings.redis_timeout_s, LONGEST_WAIT_S)
    with store_errors(), closing(feature_store(msgspec.structs.replace(settings, redis_timeout_s=wait_s))) as store:
        yield store


def server(settings: Settings) -> Finding:
    """Whether Redis answers, and keeps what it is given."""
    try:
        with _connected(settings) as store:
            started_s = time.perf_counter()
            store.clock_s()
            answer_ms = (time.perf_counter() - started_s) * 1000
            nodes = store.info()
    except UserError as error:
        return failed(
            str(error),
            "Set REDIS_URL to a Redis that runs and can be reached from this machine; check its user and password.",
        )
    url = urlsplit(settings.redis())
    kind = f"a cluster of {len(nodes)}" if nodes[0].get("cluster_enabled") else "no cluster"
    where = f"Redis {nodes[0]['redis_version']} at {url.hostname or url.path}, {kind}"
    answers = ok(f"{where}, answers in {answer_ms:.1f} ms")
    return together([answers, *[finding for node in nodes for finding in judged_server(node)]])


def judged_server(info: Mapping[str, Any]) -> list[Finding]:
    """What there is to say of a server that says `info` of itself."""
    found = [_judged_memory(info["used_memory"], info.get("maxmemory", 0))]
    if info["role"] != "master":
        found.append(failed("it is a replica, which takes no writes", "Set REDIS_URL to the primary."))
    if (policy := info.get("maxmemory_policy", "not told")) != "noeviction":
        found.append(
            warning(
                f"maxmemory-policy is {policy}: a state that is evicted is a customer who is suddenly unknown",
                "Set maxmemory-policy to noeviction, then run `churn features rebuild`.",
            )
        )
    if "err" in {info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")}:
        found.append(
            warning("its data cannot be written to disk, and it may refuse writes", "Look at its disk and its log.")
        )
    return [*found, ok(_persistence(info))]


def _judged_memory(used: int, most: int) -> Finding:
    if not most:
        return ok(f"{size(used)} used, no maxmemory")
    found = f"{size(used)} of {size(most)} used"
    if used > FULL * most:
        return warning(found, "Give Redis more memory (maxmemory): when it is full it refuses writes and workers wait.")
    return ok(found)


def _persistence(info: Mapping[str, Any]) -> str:
    if info.get("aof_enabled"):
        return "keeps an append-only file"
    age_s = time.time() - info.get("rdb_last_save_time", 0)
    if age_s > info["uptime_in_seconds"] - 2:  # until the first, it is the time of the start
        return "no snapshot since its start"
    return f"last snapshot {duration(age_s)} ago"


def states(settings: Settings) -> Finding:
    """Whether the states in Redis are those of what has been answered."""
    admin = kafka_admin(settings)
    bounds = admin.bounds(EVENTS)
    with _connected(settings) as store:
        applied = {number: store.read(number, ()).applied for number in bounds}
    # Read after Redis, which follows: so a running worker cannot make it look ahead.
    return judged_states(applied, admin.committed(settings.group), bounds)


def judged_states(
    applied: Mapping[int, int | None], committed: Mapping[int, int], bounds: Mapping[int, Bounds]
) -> Finding:
    """What there is to say of each partition's applied offset."""
    if not bounds:
        return skipped(f"there is no {EVENTS}")
    known = {number: offset for number, offset in applied.items() if offset is not None}
    behind = sum(max(0, committed.get(number, 0) - offset) for number, offset in known.items())
    ahead = [number for number, offset in known.items() if offset > committed.get(number, bounds[number].end)]
    lacking = [number for number, offset in committed.items() if offset and number not in known]
    found = f"{len(known)} of {counted(len(bounds), 'partition')} have states"
    findings = [ok(f"{found}, {counted(behind, 'answered event')} behind" if known else found)]
    if ahead:
        findings.append(
            warning(
                f"ahead of what was answered in {_partitions(ahead)}",
                "Redis holds states of another log or group: run `churn features rebuild`.",
            )
        )
    if lacking:
        findings.append(
            warning(
                f"lacking in {_partitions(lacking)}, which have answers",
                "Running workers make them anew by themselves, and scores pause until then; start one if none runs.",
            )
        )
    return together(findings)


def _partitions(numbers: list[int]) -> str:
    return f"partitions {', '.join(map(str, sorted(numbers)))}" if len(numbers) > 1 else f"partition {numbers[0]}"


def clock(settings: Settings) -> Finding:
    """How far this machine's clock is from that of Redis."""
    with _connected(settings) as store:
        before_s = time.time()
        theirs_s = store.clock_s()
        after_s = time.time()
    return judged_clock((before_s + after_s) / 2 - theirs_s, settings.clock_skew_s)


def judged_clock(ahead_s: float, most_s: float) -> Finding:
    """What there is to say of a clock that is so far ahead of another, of which `most_s` can be borne."""
    direction = "ahead of" if ahead_s > 0 else "behind"
    found = f"this machine is {abs(ahead_s):,.3f} s {direction} Redis"
    remedy = "Have both machines keep their clocks by NTP; `timedatectl` says whether they do."
    if abs(ahead_s) > max(most_s, CLOCK_WARNING_S):
        return failed(f"{found}, more than CHURN_CLOCK_SKEW_S={most_s:g}", remedy)
    return warning(found, remedy) if abs(ahead_s) > CLOCK_WARNING_S else ok(found)
