"""Rows 4 to 7 and 12 of the matrix: what can happen to the brokers and to the network."""

import time
from collections.abc import Iterator
from random import Random

import pytest

from schemas.topics import SCORES
from tests.faults.conftest import Times
from tests.faults.load import EVENTS, load, load_for
from tests.faults.process import Behaviour, Fault, quick
from tests.faults.site import WORKERS, Site, assert_ends_exact, assert_exact, eventually
from tests.faults.test_workers import QUICK, SMALL


def test_row_04_asked_to_stop_with_kafka_down(site: Site, times: Times, random: Random) -> None:
    """SIGTERM while no broker answers: the end within 30 s, and after a restart nothing is lost."""
    patient = Behaviour(pace_s=0.1, session_timeout_ms=2_000)  # with the time-outs of which the 30 s are made
    rounds = times(5, 1)
    records = load_for(rounds)
    expected = site.prepare(records, rounds=rounds)
    for _ in range(rounds):
        workers = [site.start_worker(patient, batch=SMALL) for _ in range(2)]
        site.wait_busy()
        time.sleep(random.uniform(0, 0.3))
        site.brokers[0].process.kill()
        for worker in workers:
            worker.process.terminate()
        began_s = time.monotonic()
        assert [worker.process.wait(30) for worker in workers] == [0, 0]
        assert time.monotonic() - began_s < 30
        site.brokers[0].start()
    site.start_worker(QUICK)
    site.wait_applied(len(records))
    assert_exact(site, expected)


def test_row_05_broker_restarted_and_killed(site: Site, times: Times, random: Random) -> None:
    """The one broker is restarted in good order, then killed, in mid-work: working again within 60 s."""
    rounds = times(5, 1)
    records = load_for(2 * rounds)
    expected = site.prepare(records, rounds=2 * rounds)
    workers = [site.start_worker(QUICK, batch=SMALL) for _ in range(WORKERS)]
    for end in (site.brokers[0].stop, site.brokers[0].process.kill) * rounds:
        site.wait_busy()
        time.sleep(random.uniform(0, 0.3))
        end()
        site.brokers[0].start()
        site.wait_going()
    assert_ends_exact(site, expected, len(records), workers, timeout_s=300)


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three brokers with three copies of everything, of which two must be there."""
    one = Site(tmp_path_factory.mktemp("cluster"), brokers=3)
    try:
        one.start()
        yield one
    finally:
        one.close()


def test_row_06_one_of_three_brokers_killed(cluster: Site, times: Times, random: Random) -> None:
    """The leader of a partition, then the coordinator of a transaction, is killed: working again within 90 s."""
    rounds = times(5, 1)
    records = load_for(2 * rounds)
    expected = cluster.prepare(records, rounds=2 * rounds)
    workers = [cluster.start_worker(QUICK, batch=SMALL) for _ in range(WORKERS)]
    for place in ((SCORES, 0), ("__transaction_state", 0)) * rounds:
        for broker in cluster.brokers:
            broker.wait()
        cluster.wait_busy(90)
        time.sleep(random.uniform(0, 0.3))
        victim = cluster.brokers[cluster.leader(*place) - 1]
        victim.process.kill()
        cluster.wait_going(90)
        victim.launch()
    assert_ends_exact(cluster, expected, len(records), workers, timeout_s=300)


def test_row_07_broker_paused(site: Site, times: Times) -> None:
    """SIGSTOP of the broker: nobody needs to be restarted."""
    pause_s = times(45, 6)
    records = load(EVENTS)
    expected = site.prepare(records)
    workers = [site.start_worker(QUICK, batch=SMALL) for _ in range(WORKERS)]
    site.wait_busy()
    site.brokers[0].process.pause()
    time.sleep(pause_s)
    site.brokers[0].process.resume()
    assert_ends_exact(site, expected, len(records), workers)


def test_row_12_network_parted(site: Site, times: Times) -> None:
    """Nothing passes between the workers and Kafka: caught up within 60 s after it heals."""
    parted_s = times(60, 6)
    records = load(EVENTS)
    expected = site.prepare(records)
    workers = [site.start_worker(QUICK, proxied=True, batch=SMALL) for _ in range(WORKERS)]
    site.wait_busy()
    site.kafka_proxies[0].hold()
    time.sleep(parted_s)
    site.kafka_proxies[0].release()
    assert_ends_exact(site, expected, len(records), workers, timeout_s=60)


def test_row_12_network_slow_and_lossy(site: Site, times: Times) -> None:
    """100 ms there and back, and every twentieth packet late by a retransmission."""
    times(1, 1)
    records = load(EVENTS)
    expected = site.prepare(records)
    site.kafka_proxies[0].delay_s, site.kafka_proxies[0].loss = 0.05, 0.05
    worker = site.start_worker(QUICK, proxied=True, batch=1000)
    assert_ends_exact(site, expected, len(records), [worker], timeout_s=60)


def test_row_12_connections_reset_during_a_commit(site: Site, times: Times) -> None:
    """Every connection is reset while a worker commits."""
    resets = times(10, 1)
    records = load_for(resets)
    expected = site.prepare(records, rounds=resets)
    for nth in range(resets):
        site.feed()
        fault = Fault(point="commit", nth=2 + nth, does="pause")
        worker = site.start_worker(quick(fault), proxied=True, batch=SMALL)
        eventually("it is about to commit", worker.is_paused, 60, site.tell)
        worker.resume()
        time.sleep(0.002 * nth)
        site.kafka_proxies[0].cut()
        site.wait_going()
        assert worker.stop() == 0
    site.start_worker(QUICK)
    site.wait_applied(len(records))
    assert_exact(site, expected)
