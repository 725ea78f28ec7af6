"""The last minutes: who is there, and what goes wrong just now."""

import threading
from datetime import timedelta

import pytest

from schemas.alerts import Alert
from schemas.status import Process
from schemas.telemetry import ModelCounts, Telemetry
from tests.unit.workers.monitoring.clock import START, Clock
from workers.monitoring.recent import KINDS, Recent

LIMIT = 10


def summary(process: str = "p", *, ago_s: float = 0, errors: int = 0, **counts: int) -> Telemetry:
    """A summary of five seconds that ended `ago_s` before START."""
    ended = START - timedelta(seconds=ago_s)
    return Telemetry(
        process=process, kind="score", began=ended - timedelta(seconds=5), ended=ended, lag=3, partitions=2,
        counts={name.replace("_", "-"): count for name, count in counts.items()},
        errors={"redis": errors} if errors else {}, models={"v2": ModelCounts([], {}), "v1": ModelCounts([], {})},
    )  # fmt: skip


def recent(*summaries: Telemetry, clock: Clock | None = None) -> Recent:
    """What a monitor knows that was told these."""
    result = Recent(LIMIT, clock or Clock())
    for one in summaries:
        result.add(one)
    return result


def judged(*summaries: Telemetry) -> dict[str, Alert]:
    """What is wrong, by kind."""
    alerts = recent(*summaries).judge()
    assert {alert.kind for alert in alerts} <= {kind.name for kind in KINDS}
    assert len({alert.kind for alert in alerts}) == len(alerts)
    return {alert.kind: alert for alert in alerts}


def test_process_is_there_for_a_minute() -> None:
    """The last of its summaries says how it stands; after a minute without any it is gone."""
    clock = Clock()
    found = recent(summary("b", ago_s=60), summary("a", ago_s=9), summary("a", ago_s=4), clock=clock)
    a = Process("a", "score", START - timedelta(seconds=4), ["v1", "v2"], 2, 3)
    b = Process("b", "score", START - timedelta(seconds=60), ["v1", "v2"], 2, 3)
    assert found.processes() == [a, b]
    clock.wait(1)
    assert found.processes() == [a]
    clock.wait(56)
    assert found.processes() == []


def test_nothing_is_wrong() -> None:
    """Neither where nothing was told nor where all is as it should be."""
    assert judged() == {}
    assert judged(summary(scored=1000, dead_letter=LIMIT, could_not_compute=900)) == {}


def test_many_dead_letters_within_a_minute() -> None:
    """More than the limit, of all processes together, since the first of them."""
    alert = judged(summary("a", ago_s=60, dead_letter=LIMIT), summary("b", ago_s=5, dead_letter=1))["many-dead-letters"]
    assert alert.summary == "11 dead letters within a minute"
    assert alert.since == START - timedelta(seconds=65)
    assert judged(summary("a", ago_s=61, dead_letter=LIMIT), summary("b", dead_letter=1)) == {}


def test_misrouted_events_within_ten_minutes() -> None:
    """One is enough; it is since the summary that tells of it and not since an earlier one."""
    alert = judged(summary(ago_s=600, scored=1), summary(ago_s=300, sent_on=1), summary())["misrouted-events"]
    assert alert.summary == "1 events within ten minutes were in another partition than their customer's"
    assert alert.since == START - timedelta(seconds=305)
    assert judged(summary(ago_s=601, sent_on=1)) == {}


@pytest.mark.parametrize(("scored", "none", "wrong"), [(49, 51, True), (50, 50, False), (0, 99, False), (0, 100, True)])
def test_most_answers_are_none(scored: int, none: int, wrong: bool) -> None:
    """More than half of at least a hundred answers."""
    alerts = judged(summary("a", ago_s=500, scored=scored), summary("b", could_not_compute=none))
    assert list(alerts) == (["many-could-not-compute"] if wrong else [])
    if wrong:
        (alert,) = alerts.values()
        assert alert.summary == f"{none} of {scored + none} answers within ten minutes are could-not-compute"
        assert alert.since == START - timedelta(seconds=5)


def test_redis_is_away() -> None:
    """As long as a process told so within a minute; each process counts once."""
    alert = judged(summary("a", errors=1), summary("a", ago_s=20, errors=2), summary("b", errors=1), summary("c"))
    assert alert["redis-away"].summary == "Redis does not answer 2 processes"
    assert alert["redis-away"].since == START - timedelta(seconds=25)
    assert judged(summary(ago_s=61, errors=1)) == {}


def test_old_summaries_are_forgotten() -> None:
    """What a monitor reads that has just started, and what gets old, is of no minute."""
    clock = Clock()
    found = recent(summary(ago_s=601, sent_on=1), clock=clock)
    assert (found.judge(), found.processes()) == ([], [])
    found.add(summary(sent_on=1))
    assert found.judge()
    clock.wait(601)
    found.add(summary(sent_on=0, ago_s=-601))
    assert found.judge() == []


def test_clock_that_is_ahead_is_now() -> None:
    """A summary that is dated tomorrow is not one of every minute until then."""
    clock = Clock()
    found = recent(summary(ago_s=-86_400, sent_on=1), clock=clock)
    (alert,) = found.judge()
    assert alert.since == START
    assert [process.last_seen for process in found.processes()] == [START]
    clock.wait(601)
    assert (found.judge(), found.processes()) == ([], [])


def test_threads_add_and_ask_at_the_same_time() -> None:
    """While summaries come, others can ask: nothing is lost and nobody fails."""
    found, done = recent(), threading.Event()

    def add() -> None:
        for number in range(5000):
            found.add(summary(f"{number % 500}", sent_on=1))
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    while not done.is_set():
        found.judge()
        found.processes()
    thread.join()
    (alert,) = found.judge()
    assert alert.summary.startswith("5000 events")
    assert len(found.processes()) == 500
