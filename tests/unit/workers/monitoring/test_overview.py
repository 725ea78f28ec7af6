"""Everything put together: what is judged when, and whether all is well, in words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.alerts import AlertRecord
from schemas.topics import EVENTS
from tests.unit.workers.monitoring.clock import START, Clock
from tests.unit.workers.monitoring.test_quality import hours, pairs
from workers.alerts.catalogue import BROKER_AWAY, FEATURE_DRIFT, TOPIC_QUIET
from workers.metrics import ALERTS_OPEN, INFO, MONITOR_ACTIVE
from workers.metrics import TOPIC_QUIET as QUIET_S
from workers.monitoring import quality
from workers.monitoring.numbers import Numbers
from workers.monitoring.overview import STANDING_BY, Overview, Parts, sentence
from workers.monitoring.recent import Recent
from workers.monitoring.watch import Look, Watch


def record(kind: Any, summary: str, *, ago_s: float = 0, state: Any = "raised") -> AlertRecord:
    """An alert that was told."""
    return AlertRecord(alert=kind.alert(summary, since=START - timedelta(seconds=ago_s)), state=state, at=START)


class Site:
    """An overview of a stream that is set."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.stream: Any = SimpleNamespace(active=True, hours=lambda: hours("v", [1, 2, 3]), pairs=list)
        self.records: list[AlertRecord] = []
        self.watch = Watch(lambda: Look({EVENTS: {}}, {}, 1), limits_s={EVENTS: 60}, stalled_s=30, now=self.clock)
        stream: Any = self.stream
        parts = Parts(stream, self.watch, Recent(10, self.clock), lambda: self.records, lambda _: None)
        self.overview = Overview(parts, drift_window_s=86_400, drift_psi=0.2, now=self.clock)


def test_monitor_that_stands_by_judges_the_broker_alone() -> None:
    """Of telemetry and outcomes it has nothing; its page says so, unless there is something to do."""
    site = Site()
    site.stream.active = False
    read = site.overview.read()
    assert (read.active, read.recent) == (False, ())
    assert site.overview.judge(read)[1] == {"broker-away", "topic-quiet", "workers-dead", "workers-stalled"}
    status = site.overview.status()
    assert (status.healthy, status.sentence) == (False, STANDING_BY)
    site.records = [record(TOPIC_QUIET, "no record has come")]
    assert site.overview.status().sentence == "No record has come."


def test_outcomes_are_measured_again_when_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or when an hour has gone by, as some may be mature by then; a page never measures."""
    site = Site()
    measured: list[int] = []
    outcomes = quality.outcomes

    def measure(kept: Sequence[bytes], now: datetime) -> quality.Outcomes:
        measured.append(len(kept))
        return outcomes(kept, now)

    monkeypatch.setattr(quality, "outcomes", measure)
    kept: list[bytes] = []
    site.stream.pairs = lambda: list(kept)
    for more, wait_s in ((0, 0.0), (0, 1.0), (5, 0.0), (0, 0.0), (0, 3600.0)):
        kept += pairs("v", probability=0.5, leavers=1, count=more)
        site.clock.wait(wait_s)
        alerts, judged = site.overview.judge(site.overview.read())
        assert "calibration-drift" in judged
    assert measured == [0, 5, 5]
    assert {alert.kind for alert in alerts} == {"topic-quiet"}
    status = site.overview.status()
    assert (status.outcomes, status.lag, status.models[0].version) == (5, 0, "v")
    assert len(measured) == 3


def test_all_is_well_or_what_is_worst() -> None:
    """In words: the critical one that is oldest, and how many more."""
    assert sentence([], 1) == "All is well: nothing is to be done, one scoring worker is at work."
    assert sentence([], 2) == "All is well: nothing is to be done, 2 scoring workers are at work."
    assert sentence([], 0) == "All is well: nothing is to be done, no scoring workers are at work."
    warning, critical = record(FEATURE_DRIFT, "it has shifted", ago_s=9), record(TOPIC_QUIET, "nothing came", ago_s=5)
    assert sentence([warning], 1) == "It has shifted."
    assert sentence([warning, record(TOPIC_QUIET, "later"), critical], 1) == "Nothing came. And 2 more."


def test_numbers_for_prometheus() -> None:
    """Whether it is active, what is open, how quiet each topic is; what is not known is not there."""
    site = Site()
    site.records = [record(TOPIC_QUIET, "a"), record(BROKER_AWAY, "b", state="cleared")]
    episodes: Any = SimpleNamespace(records=lambda: site.records)
    numbers = Numbers(site.stream, site.watch, episodes, "1.0")
    found = dict(numbers.read())
    assert found[INFO] == {("monitor", "1.0"): 1}
    assert found[MONITOR_ACTIVE] == {(): 1}
    assert found[ALERTS_OPEN] == {("topic-quiet", "critical"): 1}
    assert found[QUIET_S] == {}
