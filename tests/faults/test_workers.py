"""Rows 1 to 3, 8 to 11 and 13 of the matrix: what can happen to a worker."""

import time
from collections.abc import Callable
from random import Random

import pytest

from schemas.topics import SCORES
from tests.faults.conftest import Times
from tests.faults.load import EVENTS, load, load_for
from tests.faults.process import Behaviour, Fault, quick
from tests.faults.site import WORKERS, FaultyWorker, Site, assert_ends_exact, assert_exact, eventually
from tests.integration.worker import read
from workers.failpoints import POINTS, Point

SMALL, TINY = 100, 20  # records in a batch, so that a short run has many
QUICK = quick()


def test_row_01_killed_at_random(site: Site, times: Times, random: Random) -> None:
    """`kill -9` of one worker of three at a random moment, and another in its place, again and again."""
    kills = times(50, 4)
    records = load_for(kills)
    expected = site.prepare(records, rounds=kills)
    workers = [site.start_worker(QUICK, batch=TINY) for _ in range(WORKERS)]
    for _ in range(kills):
        site.wait_busy()
        time.sleep(random.uniform(0, 0.3))
        workers.pop(random.randrange(WORKERS)).kill()
        workers.append(site.start_worker(QUICK, batch=TINY))
    site.wait_going()
    assert_ends_exact(site, expected, len(records), workers, timeout_s=300)


@pytest.mark.parametrize("point", POINTS)
def test_row_02_killed_at_a_point(site: Site, times: Times, random: Random, point: Point) -> None:
    """Killed just before it sends offsets, makes outputs, commits; just after; before and after it writes states."""
    records = load(EVENTS)
    expected = site.prepare(records)
    for turn in range(times(10, 1)):
        # The first time not at the first one: where nothing was applied before, all is made anew and not caught up.
        fault = Fault(point=point, nth=random.randrange(1 if turn else 2, 4))
        worker = site.start_worker(quick(fault), worker_id="same", batch=SMALL)
        eventually("it is dead", worker.is_dead, 60, site.tell)
        assert site.is_behind(), "Redis is ahead of the log"
    assert site.applied() < len(records), "it was done before it was killed"
    last = site.start_worker(QUICK, worker_id="same")
    assert_ends_exact(site, expected, len(records), [last])


def test_row_03_asked_to_stop_under_load(site: Site, times: Times, random: Random) -> None:
    """SIGTERM under load: exit code 0 within 30 s."""
    stops = times(20, 4)
    records = load_for(stops)
    expected = site.prepare(records, rounds=stops)
    workers = [site.start_worker(QUICK, batch=SMALL) for _ in range(2)]
    for _ in range(stops):
        site.wait_busy()
        time.sleep(random.uniform(0, 0.3))
        assert workers.pop(0).stop(30) == 0
        workers.append(site.start_worker(QUICK, batch=SMALL))
    assert_ends_exact(site, expected, len(records), workers, timeout_s=300)


def test_row_08_zombie(site: Site, times: Times, random: Random) -> None:
    """Paused in mid-batch until its partitions are another's, then continued: it commits and writes nothing."""
    zombies = times(10, 2)
    records = load_for(zombies)
    expected = site.prepare(records, rounds=zombies)
    for n in range(zombies):
        site.feed()
        point: Point = random.choice(POINTS) if n else "write"
        fault = Fault(point=point, nth=random.randrange(2, 5), does="pause")
        done = site.applied()
        zombie = site.start_worker(quick(fault), batch=TINY)  # not of all customers: what it spoils, it spoils in part
        eventually("it is paused", zombie.is_paused, 60, site.tell)
        heir = site.start_worker(QUICK, batch=SMALL)
        heir.wait_for("partition started", times=6)
        site.wait_applied(done + 1_500)
        zombie.resume()
        time.sleep(1)
        assert (heir.stop(), zombie.stop()) == (0, 0)
    last = site.start_worker(QUICK)
    assert_ends_exact(site, expected, len(records), [last])


def test_row_09_two_with_one_transactional_id(site: Site, times: Times) -> None:
    """The older of two workers with one id is fenced, says so, and both go on sharing the work."""
    times(1, 1)
    records = load(EVENTS)
    expected = site.prepare(records)
    older = site.start_worker(QUICK, worker_id="same", batch=SMALL)
    site.wait_applied(500)
    newer = site.start_worker(QUICK, worker_id="same", batch=SMALL)
    newer.wait_for("partition started")
    older.wait_for("going back to the committed offsets")
    assert newer.stop() == 0
    assert_ends_exact(site, expected, len(records), [older])


def test_row_10_rebalance_storm(
    site: Site, times: Times, random: Random, record_property: Callable[[str, object], None]
) -> None:
    """A worker joins or leaves every 2 s: at least a fifth of the undisturbed rate."""
    seconds = times(180, 12)
    records = load(3_000 + 250 * seconds)
    expected = site.prepare(records)
    steady = [site.start_worker(QUICK, batch=TINY // 2) for _ in range(2)]
    site.wait_applied(500)
    undisturbed = _rate(site, 3)
    extra: list[FaultyWorker] = []
    done, began_s = site.applied(), time.monotonic()
    while time.monotonic() - began_s < seconds and site.applied() < 0.8 * len(records):
        if extra:
            assert extra.pop(random.randrange(len(extra))).stop() == 0
        else:
            extra.append(site.start_worker(QUICK, batch=TINY // 2))
            extra[0].wait_for(" progress ")  # earlier a SIGTERM just ends it
        time.sleep(2)
    rate = (site.applied() - done) / (time.monotonic() - began_s)
    assert rate > 0.2 * undisturbed
    record_property("remark", f"{rate:.0f} events/s, undisturbed {undisturbed:.0f}")
    for worker in (*steady, *extra):
        assert worker.stop() == 0
    last = site.start_worker(QUICK)
    assert_ends_exact(site, expected, len(records), [last])


def test_row_11_batch_slower_than_the_poll_interval(site: Site, times: Times) -> None:
    """A batch that takes longer than the group allows: thrown out, it comes back, and its work is done once."""
    times(1, 1)
    records = load(EVENTS)
    expected = site.prepare(records)
    fault = Fault(point="commit", nth=3, does="sleep", sleep_s=9.0)
    slow = site.start_worker(
        Behaviour(pace_s=0.1, session_timeout_ms=2_000, between_polls_ms=4_000, fault=fault), batch=SMALL
    )
    slow.wait_for("partition started", times=6)
    other = site.start_worker(QUICK, batch=SMALL)
    assert_ends_exact(site, expected, len(records), [slow, other])


def test_row_13_open_transaction_left_behind(site: Site, times: Times) -> None:
    """What a worker that is dead for good left open holds readers up for its time-out (15 s) and at most 10 s more."""
    times(1, 1)
    records = load(EVENTS)
    expected = site.prepare(records)
    fault = Fault(point="commit", nth=2)
    worker = site.start_worker(Behaviour(session_timeout_ms=2_000, fault=fault), batch=SMALL)
    eventually("it is dead", worker.is_dead, 60, site.tell)
    before = len(read(site.kafka, SCORES))
    site.start_worker(QUICK)
    read(site.kafka, SCORES, least=before + 1, timeout_s=25)
    site.wait_applied(len(records))
    assert_exact(site, expected)


def _rate(site: Site, seconds: float) -> float:
    done, began_s = site.applied(), time.monotonic()
    time.sleep(seconds)
    return (site.applied() - done) / (time.monotonic() - began_s)
