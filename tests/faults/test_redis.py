"""Row 14 of the matrix: what can happen to the Redis. Nobody crashes, hangs, or leaves the group."""

import time
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from schemas.partitioning import partition_of
from tests.conftest import PARTITIONS
from tests.faults.conftest import Times
from tests.faults.load import EVENTS, load, load_for
from tests.faults.site import FaultyWorker, Site, assert_exact, eventually
from tests.faults.test_workers import QUICK, SMALL
from workers.keys import applied_key, customer_key

Outage = Callable[[Site, float], None]


def killed(site: Site, seconds: float) -> None:
    """It loses everything, too."""
    site.redis.process.kill()
    time.sleep(seconds)
    site.redis.start()


def paused(site: Site, seconds: float) -> None:
    """Connections stay open and nothing answers."""
    site.redis.process.pause()
    time.sleep(seconds)
    site.redis.process.resume()


def slow(site: Site, seconds: float) -> None:
    """Every answer is later than a worker waits."""
    site.redis_proxy.delay_s = 0.1
    time.sleep(seconds)
    site.redis_proxy.delay_s = 0.0


def full(site: Site, seconds: float) -> None:
    """It takes no writes, since nothing may be evicted."""
    with site.client() as redis:
        redis.config_set("maxmemory", "1")
        time.sleep(seconds)
        redis.config_set("maxmemory", "0")


@pytest.mark.parametrize("outage", [killed, paused, slow, full])
def test_row_14_redis_away(site: Site, times: Times, outage: Outage) -> None:
    """While it is away the workers wait; when it is back, what it lost is made anew, and work goes on."""
    seconds = times(60, 5)
    records = load(EVENTS)
    expected = site.prepare(records)
    workers = [site.start_worker(QUICK, proxied=True, batch=SMALL) for _ in range(2)]
    site.wait_busy()
    outage(site, seconds)
    site.wait_applied(len(records))
    _ended_well(workers)
    assert_exact(site, expected)


def test_row_14_flushed(site: Site, times: Times, random: Random) -> None:
    """FLUSHALL under load and at rest: the same bytes come back."""
    rounds = times(5, 1)
    records = load_for(rounds)
    expected = site.prepare(records, rounds=rounds)
    workers = [site.start_worker(QUICK, batch=SMALL) for _ in range(2)]
    with site.client() as redis:
        for _ in range(rounds):
            site.wait_busy()
            time.sleep(random.uniform(0, 0.3))
            redis.flushall()
        site.wait_applied(len(records))
        redis.flushall()
    site.wait_applied(len(records))
    _ended_well(workers)
    assert_exact(site, expected)


def test_row_14_wrong_type_under_a_key(site: Site, times: Times) -> None:
    """A list where a state or an applied offset should be: the partition is made anew, to the byte."""
    times(1, 1)
    records = load(EVENTS)
    expected = site.prepare(records)
    totals = Counter(partition_of((key or b"").decode(), PARTITIONS) for key, _ in records)
    worker = site.start_worker(QUICK, batch=SMALL, measured=True)
    with site.client() as redis:

        def in_hand() -> list[int]:
            """The partitions that are begun and not done: what nobody reads, nobody notices."""
            offsets = redis.mget(map(applied_key, range(PARTITIONS)))
            done = {p: int((offset or b":0").partition(b":")[2]) for p, offset in enumerate(offsets)}
            return [p for p in range(PARTITIONS) if 0.3 < done[p] / totals[p] < 0.7]

        eventually("a partition is in hand", lambda: bool(in_hand()), 60, site.tell)
        worker.pause()
        (one, *_) = in_hand()
        states = sorted(redis.scan_iter(customer_key(one, "*")))
        for key in (*states[:50], applied_key((one + 1) % PARTITIONS)):
            redis.delete(key)
            redis.rpush(key, "not ours")
        worker.resume()
    site.wait_applied(len(records))
    _ended_well([worker])
    assert_exact(site, expected)


def _ended_well(workers: list[FaultyWorker]) -> None:
    for worker in workers:
        assert worker.stop() == 0
        assert worker.log.read_text().count("partition started") < 40 * PARTITIONS
