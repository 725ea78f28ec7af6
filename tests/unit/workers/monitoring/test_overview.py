"""Everything put together: what is judged and when again, and how it is described."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from model.reference import FeatureReference, Reference
from schemas.alerts import Alert, AlertRecord
from schemas.cloudevents import to_ms
from schemas.status import Hour, Process, TopicStatus
from schemas.telemetry import SCORE_EDGES, ModelCounts, Telemetry
from schemas.topics import EVENTS
from tests.unit.workers.monitoring.clock import START, Clock
from tests.unit.workers.monitoring.standins import StandInBroker, StandInStream, names, record
from workers.admin import Newest
from workers.alerts.catalogue import (
    BROKER_AWAY,
    CALIBRATION_DRIFT,
    FEATURE_DRIFT,
    MANY_DEAD_LETTERS,
    MISROUTED_EVENTS,
    TOPIC_QUIET,
    WORKERS_DEAD,
    WORKERS_STALLED,
)
from workers.monitoring import quality, recent
from workers.monitoring.hours import HourTotals, Seen
from workers.monitoring.overview import RECENT_ALERTS, STANDING_BY, Overview, Parts, sentence
from workers.monitoring.pairs import WITHOUT_SCORE, Pair, encode
from workers.monitoring.quality import outcomes
from workers.monitoring.recent import Recent
from workers.monitoring.watch import Watch

DAY_S, HOUR_S = 86_400, 3_600
OF_THE_BROKER = names(BROKER_AWAY, TOPIC_QUIET, WORKERS_DEAD, WORKERS_STALLED)
OF_THE_STREAMS = names(*recent.KINDS, FEATURE_DRIFT, CALIBRATION_DRIFT)
DEAD = WORKERS_DEAD.alert("no scoring worker is there", since=START)
SCORES = [0] * 40 + [700] + [0] * (len(SCORE_EDGES) - 40)


class Scene:
    """An overview of what stands in for Kafka; its monitor is active, and one worker tells of itself."""

    def __init__(self) -> None:
        self.clock, self.stream, self.broker = Clock(), StandInStream(), StandInBroker()
        self.records: list[AlertRecord] = []
        self.recent = Recent(10, self.clock)
        watch = Watch(self.broker, limits_s={EVENTS: 100.0}, stalled_s=30, now=self.clock)
        reference = Reference({"spend": FeatureReference([1.0], [500, 500, 0])})
        parts = Parts(self.stream, watch, self.recent, lambda: self.records, lambda _: reference)
        self.overview = Overview(parts, drift_window_s=2 * DAY_S, drift_psi=0.2, now=self.clock)

    def hear(self, **counts: int) -> None:
        """A worker tells of its last five seconds."""
        now = self.clock()
        counts = {name.replace("_", "-"): count for name, count in counts.items()}
        self.recent.add(
            Telemetry(process="w", kind="score", began=now - timedelta(seconds=5), ended=now, counts=counts)
        )

    def answer(self, *, ago_s: float, shifted: bool = False) -> None:
        """The worker answered a while ago, for an hour."""
        began = self.clock() - timedelta(seconds=ago_s)
        self.stream.by_hour[began.isoformat()] = HourTotals(
            counts={"scored": 700, "dead-letter": 2}, requests={"200": 3}, problems={"too-old": 4}, errors={"redis": 1},
            models={"v1": ModelCounts(SCORES, {}, {"spend": [0, 700, 0] if shifted else [350, 350, 0]})},
            seen={"v1": Seen(began, began + timedelta(seconds=9))}, latency=[0, 99, 1], freshness={"spend": [5, 1]},
        )  # fmt: skip

    def learn(self, leavers: int, *, stayers: int = 0, known_s: float = 0) -> None:
        """Outcomes of customers with a score of 10%, known so many seconds from now."""
        now_ms = to_ms(self.clock())
        self.stream.kept += [
            encode(Pair(0.1, n < leavers, acted=False, judged_ms=now_ms, outcome_ms=now_ms + int(known_s * 1000),
                        version="v1", segments=()))
            for n in range(leavers + stayers)
        ]  # fmt: skip

    def judge(self) -> dict[str, Alert]:
        """What is wrong, by kind; all kinds are judged."""
        alerts, judged = self.overview.judge(self.overview.read())
        assert judged == OF_THE_BROKER | OF_THE_STREAMS
        return {alert.kind: alert for alert in alerts}


def test_what_is_read_is_what_there_is_now() -> None:
    """Hours, outcomes and what the last minutes say."""
    scene = Scene()
    scene.answer(ago_s=HOUR_S)
    scene.learn(1)
    scene.hear(sent_on=1)
    read = scene.overview.read()
    assert (read.active, read.hours, read.pairs) == (True, scene.stream.by_hour, scene.stream.kept)
    assert [alert.kind for alert in read.recent] == [MISROUTED_EVENTS.name]


def test_monitor_that_stands_by_judges_only_the_broker() -> None:
    """What its streams have read is old, and says nothing of now; what it said before is not told any more."""
    scene = Scene()
    scene.hear(sent_on=1)
    scene.answer(ago_s=HOUR_S, shifted=True)
    assert set(scene.judge()) == names(MISROUTED_EVENTS, FEATURE_DRIFT)
    scene.stream.is_active = False
    read = scene.overview.read()
    assert (read.active, read.recent) == (False, ())
    assert scene.overview.judge(read) == ([], OF_THE_BROKER)
    scene.broker.away = "no answer"
    assert scene.overview.judge(scene.overview.read()) == ([], names(BROKER_AWAY))


def test_active_monitor_judges_everything_that_it_can() -> None:
    """The broker, the last minutes, drift and calibration at once; without a broker all that is not the broker's."""
    scene = Scene()
    scene.hear(dead_letter=11)
    scene.answer(ago_s=HOUR_S, shifted=True)
    scene.learn(300, stayers=700)
    assert set(scene.judge()) == names(MANY_DEAD_LETTERS, FEATURE_DRIFT, CALIBRATION_DRIFT)
    scene.broker.away = "no answer"
    alerts, judged = scene.overview.judge(scene.overview.read())
    assert {alert.kind for alert in alerts} == names(MANY_DEAD_LETTERS, FEATURE_DRIFT, CALIBRATION_DRIFT)
    assert judged == names(BROKER_AWAY) | OF_THE_STREAMS


def test_quiet_topic_is_told_with_the_rest() -> None:
    """What the watch says comes through; where the tables are empty, there is nothing else."""
    scene = Scene()
    assert scene.judge() == {}
    scene.clock.wait(100)
    assert set(scene.judge()) == {TOPIC_QUIET.name}


def test_window_is_as_long_as_the_settings_say() -> None:
    """An hour is compared until it is over for so long."""
    scene = Scene()
    scene.broker.newest = {EVENTS: {0: Newest(to_ms(START) + 9 * DAY_S * 1000, 0)}}
    scene.broker.committed = {0: 1}
    scene.answer(ago_s=HOUR_S, shifted=True)
    scene.clock.wait(2 * DAY_S - 1)
    assert set(scene.judge()) == {FEATURE_DRIFT.name}
    scene.clock.wait(1)
    assert scene.judge() == {}


def test_outcomes_are_measured_again_when_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """And when the hour has changed, as one that was dated ahead may be mature then; otherwise not."""
    measured: list[int] = []

    def counted(kept: Sequence[bytes], now: datetime) -> quality.Outcomes:
        measured.append(len(kept))
        return outcomes(kept, now)

    monkeypatch.setattr(quality, "outcomes", counted)
    scene = Scene()  # half an hour before the hour changes
    scene.learn(1, stayers=1)
    scene.learn(1, known_s=HOUR_S / 2)
    for _ in range(3):
        scene.judge()
    assert (measured, scene.overview.status().outcomes) == ([3], 2)
    scene.stream.kept.append(WITHOUT_SCORE)
    assert scene.overview.status().outcomes_without_score == 0  # a page measures nothing
    scene.judge()
    scene.judge()
    status = scene.overview.status()
    assert (measured, status.outcomes, status.outcomes_without_score) == ([3, 4], 2, 1)
    scene.clock.wait(HOUR_S / 2 - 1)
    scene.judge()
    assert (measured, scene.overview.status().outcomes) == ([3, 4], 2)
    scene.clock.wait(1)
    scene.judge()
    assert (measured, scene.overview.status().outcomes) == ([3, 4, 4], 3)


def test_calibration_is_told_as_long_as_it_is_off() -> None:
    """Also at the looks at which outcomes are not measured."""
    scene = Scene()
    scene.learn(300, stayers=700)
    assert set(scene.judge()) == set(scene.judge()) == {CALIBRATION_DRIFT.name}


def test_status_before_anything_happened() -> None:
    """Nothing is known, and nothing is wrong."""
    status = Scene().overview.status()
    assert (status.at, status.healthy) == (START, True)
    assert status.sentence == "All is well: nothing is to be done, no scoring workers are at work."
    assert status.topics == [TopicStatus(EVENTS, None, None, 100)]
    assert (status.lag, status.latency_p50_s, status.latency_p99_s, status.dead_letters) == (None, None, None, 0)
    lists = (status.open_alerts, status.recent_alerts, status.hours, status.processes, status.models, status.measured)
    assert not any((*lists, status.expected, status.calibration, status.shifts, status.freshness))


def test_status_has_everything_that_is_known() -> None:
    """Of the stream, the watch and the last minutes."""
    scene = Scene()
    scene.hear(scored=5)
    scene.answer(ago_s=HOUR_S)
    scene.learn(100, stayers=900)
    scene.broker.newest = {EVENTS: {0: Newest(to_ms(START), 7)}}
    assert scene.judge() == {}
    status = scene.overview.status()
    assert status.processes == [Process("w", "score", START, [], 0, None)]
    assert status.sentence == "All is well: nothing is to be done, one scoring worker is at work."
    assert (status.lag, status.topics) == (8, [TopicStatus(EVENTS, START, 0, 100)])
    hour = Hour(START - timedelta(hours=1), {"scored": 700, "dead-letter": 2}, {"200": 3})
    assert status.hours == [hour]
    assert [(model.version, model.scored) for model in status.models] == [("v1", 700)]
    assert [(one.version, one.scored) for one in status.expected] == [("v1", 700)]
    assert [(one.version, one.pairs) for one in status.measured] == [("v1", 1000)] * 2
    assert sum(point.pairs for point in status.calibration) == status.outcomes == 1000
    assert [(shift.name, shift.drifted) for shift in status.shifts] == [("spend", False)]
    assert status.freshness == {"spend": {"fresh": 5, "stale": 1}}
    assert (status.errors, status.problems, status.dead_letters) == ({"redis": 1}, {"too-old": 4}, 2)
    assert status.latency_p50_s == status.latency_p99_s == 10 ** (-17 / 6)


@pytest.mark.parametrize(
    ("ago_s", "hours", "dead_letters"),
    [(25 * HOUR_S - 1, 1, 2), (25 * HOUR_S, 1, 0), (3 * DAY_S - 1, 1, 0), (3 * DAY_S, 0, 0)],
)
def test_how_long_an_hour_is_shown(ago_s: float, hours: int, dead_letters: int) -> None:
    """In the charts for three days, in the numbers of today until it is over for a day."""
    scene = Scene()
    scene.answer(ago_s=ago_s)
    status = scene.overview.status()
    assert (len(status.hours), status.dead_letters, len(status.models)) == (hours, dead_letters, 1)
    assert bool(status.errors) == bool(status.freshness) == bool(dead_letters)


def test_open_alert_is_not_healthy() -> None:
    """It is said what is wrong; an episode that is over is listed and no more, and the list has an end."""
    scene = Scene()
    scene.records = [record(DEAD, open_=False)] * RECENT_ALERTS
    status = scene.overview.status()
    assert (status.healthy, status.open_alerts, len(status.recent_alerts)) == (True, [], RECENT_ALERTS)
    scene.records.append(record(DEAD))
    status = scene.overview.status()
    assert (status.healthy, status.open_alerts, len(status.recent_alerts)) == (False, [record(DEAD)], RECENT_ALERTS)
    assert status.sentence == "No scoring worker is there."


def test_monitor_that_stands_by_says_so() -> None:
    """It is not healthy, as it does not know; what is open is said all the same."""
    scene = Scene()
    scene.stream.is_active = False
    assert (scene.overview.status().healthy, scene.overview.status().sentence) == (False, STANDING_BY)
    scene.records = [record(DEAD)]
    assert scene.overview.status().sentence == "No scoring worker is there."


@pytest.mark.parametrize(
    ("workers", "there"),
    [(0, "no scoring workers are"), (1, "one scoring worker is"), (2, "2 scoring workers are")],
)
def test_all_is_well_in_words(workers: int, there: str) -> None:
    """With who is at work."""
    assert sentence([], workers) == f"All is well: nothing is to be done, {there} at work."


def test_what_is_wrong_in_words() -> None:
    """The worst: a critical one before warnings, then the one that is wrong for longest; the others are counted."""
    drift = record(FEATURE_DRIFT.alert("the data has shifted", since=START - timedelta(days=9)))
    dead = record(DEAD)
    quiet = record(TOPIC_QUIET.alert("no record has come to customer.events for 2 h", since=START - timedelta(hours=2)))
    assert sentence([drift], 1) == "The data has shifted."
    assert sentence([drift, dead], 0) == "No scoring worker is there. And 1 more."
    assert sentence([drift, dead, quiet], 0) == "No record has come to customer.events for 2 h. And 2 more."
