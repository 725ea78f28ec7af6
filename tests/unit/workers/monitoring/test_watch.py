"""Silence and standstill: what is told of topics, workers and the broker, when, and since when."""

from datetime import datetime, timedelta
from typing import cast

import pytest

from schemas.alerts import Alert
from schemas.cloudevents import to_ms
from schemas.status import TopicStatus
from schemas.topics import EVENTS, OUTCOMES
from tests.unit.workers.monitoring.clock import START, Clock
from tests.unit.workers.monitoring.standins import StandInBroker, names
from workers.admin import BrokerError, KafkaAdmin, Newest
from workers.alerts.catalogue import BROKER_AWAY, TOPIC_QUIET, WORKERS_DEAD, WORKERS_STALLED
from workers.monitoring.watch import Look, Watch, look

STALLED_S = 30.0
EVERYTHING = names(BROKER_AWAY, TOPIC_QUIET, WORKERS_DEAD, WORKERS_STALLED)


class Scene:
    """A watch, its clock, and the broker that it looks at."""

    def __init__(self, **limits_s: float) -> None:
        self.clock, self.broker = Clock(), StandInBroker()
        limits = {name.replace("_", "."): limit_s for name, limit_s in limits_s.items()}
        self.watch = Watch(self.broker, limits_s=limits, stalled_s=STALLED_S, now=self.clock)

    def arrive(self, topic: str = EVENTS, *, partition: int = 0, offset: int = 0, ago_s: float = 0) -> None:
        """A record comes to a topic."""
        time_ms = to_ms(self.clock() - timedelta(seconds=ago_s))
        self.broker.newest.setdefault(topic, {})[partition] = Newest(time_ms, offset)

    def after(self, seconds: float) -> dict[str, Alert]:
        """What is wrong some time later, by kind; all kinds are judged exactly while the broker answers."""
        self.clock.wait(seconds)
        alerts, judged = self.watch.judge()
        assert judged == (EVERYTHING if self.broker.away is None else names(BROKER_AWAY))
        assert len({alert.subject for alert in alerts}) == len(alerts)
        return {alert.kind: alert for alert in alerts}


def seconds(count: float) -> datetime:
    """So many seconds after the beginning."""
    return START + timedelta(seconds=count)


def test_quiet_topic_is_told_at_its_limit_and_not_before() -> None:
    """The limit itself is too long; it is quiet since its newest record, and a new record ends it."""
    scene = Scene(customer_events=100)
    scene.arrive()
    scene.broker.committed = {0: 1}
    assert scene.after(99.999) == {}
    alert = scene.after(0.001)["topic-quiet"]
    assert (alert.about, alert.since) == (EVENTS, START)
    assert alert.summary == "no record has come to customer.events for 100 s"
    assert scene.after(110)["topic-quiet"].summary.endswith(" for 4 min")
    scene.arrive(offset=1)
    scene.broker.committed = {0: 2}
    assert scene.after(0) == {}


def test_topic_is_as_quiet_as_its_newest_partition() -> None:
    """A record in one partition is enough, however old those of the others are."""
    scene = Scene(customer_events=100)
    scene.arrive(partition=0, ago_s=5000)
    scene.arrive(partition=1, ago_s=40)
    assert scene.after(59) == {}
    assert scene.after(1)["topic-quiet"].since == START - timedelta(seconds=40)


def test_topic_without_a_record_is_quiet_since_the_monitor_began() -> None:
    """There is no other beginning, and a monitor that has just started tells nothing yet."""
    scene = Scene(customer_outcomes=100)
    assert scene.after(99) == {}
    alert = scene.after(1)["topic-quiet"]
    assert (alert.about, alert.since) == (OUTCOMES, START)


def test_each_topic_has_its_limit() -> None:
    """Of two that are equally quiet the one that may be so is not told of."""
    scene = Scene(customer_events=10, customer_outcomes=20, churn_scores=15)
    scene.clock.wait(15)
    alerts, _ = scene.watch.judge()
    assert [alert.about for alert in alerts] == [EVENTS, "churn.scores"]


def test_how_quiet_each_topic_is() -> None:
    """Nothing is known before the first look and of a topic without a record; a broker's clock ahead is no time."""
    scene = Scene(customer_events=10, customer_outcomes=20, churn_scores=15)
    unknown = [TopicStatus(EVENTS, None, None, 10), TopicStatus(OUTCOMES, None, None, 20)]
    assert scene.watch.topics() == [*unknown, TopicStatus("churn.scores", None, None, 15)]
    scene.arrive(ago_s=3)
    scene.arrive("churn.scores", ago_s=-60)
    scene.after(2)
    assert scene.watch.topics() == [
        TopicStatus(EVENTS, seconds(-3), 5, 10), unknown[1], TopicStatus("churn.scores", seconds(60), 0, 15)
    ]  # fmt: skip


def test_dead_workers() -> None:
    """No member of the group for as long as it takes, with and without records that wait; one member ends it."""
    scene = Scene()
    scene.broker.members = 0
    assert scene.after(1) == {}
    assert scene.after(29.9) == {}
    alerts = scene.after(0.1)
    assert set(alerts) == {"workers-dead"}
    assert alerts["workers-dead"].since == seconds(1)
    assert alerts["workers-dead"].summary == "no scoring worker is there"
    scene.arrive(offset=6)
    assert scene.after(1)["workers-dead"].summary == "no scoring worker is there; 7 records wait for an answer"
    scene.broker.members, scene.broker.committed = 1, {0: 7}
    assert scene.after(1) == {}
    scene.broker.members = 0
    assert scene.after(29) == {}


def test_stalled_workers() -> None:
    """Members, records that wait, and no commit for as long as it takes; one commit ends it, whatever still waits."""
    scene = Scene()
    scene.broker.members, scene.broker.committed = 2, {0: 3}
    scene.arrive(offset=9)
    assert scene.after(5) == {}  # there it has moved, since nothing was known before
    assert scene.after(5) == {}
    assert scene.after(29) == {}
    alerts = scene.after(1)
    assert set(alerts) == {"workers-stalled"}
    assert alerts["workers-stalled"].since == seconds(10)
    assert alerts["workers-stalled"].summary == "2 scoring workers commit nothing; 7 records wait for an answer"
    scene.broker.committed = {0: 4}
    assert scene.after(1) == {}
    assert scene.after(29) == {}
    assert scene.after(1) == {}
    assert scene.after(29)["workers-stalled"].since == seconds(70)


def test_workers_without_work_do_not_stall() -> None:
    """Where nothing waits, nothing has to be committed."""
    scene = Scene()
    scene.broker.committed = {0: 10}
    scene.arrive(offset=9)
    assert [scene.after(60) for _ in range(3)] == [{}, {}, {}]


def test_workers_that_are_gone_are_dead_and_not_stalled() -> None:
    """Once nobody is there, it is not those that stood still any more that are told of."""
    scene = Scene()
    scene.arrive(offset=9)
    scene.after(0)
    assert set(scene.after(40)) == {"workers-stalled"}
    scene.broker.members = 0
    assert scene.after(1) == {}
    assert set(scene.after(30)) == {"workers-dead"}


def test_broker_away() -> None:
    """It is told when it lasts, since the first look without an answer; of workers and topics nothing is known then."""
    scene = Scene(customer_events=10)
    scene.broker.members = 0
    scene.broker.away = "Local: Timed out"
    assert scene.after(100) == {}
    assert scene.after(29) == {}
    alert = scene.after(1)["broker-away"]
    assert alert.summary == "Kafka does not answer: Local: Timed out"
    assert alert.since == seconds(100)
    scene.broker.away = None
    assert set(scene.after(5)) == {"topic-quiet"}
    scene.broker.away = "again"
    assert scene.after(5) == {}
    assert scene.after(30)["broker-away"].since == seconds(140)


@pytest.mark.parametrize("members", [0, 1])
def test_what_was_not_told_before_the_broker_went_away_begins_anew(members: int) -> None:
    """However long it is away and however slowly it says so: workers get their time when it is back."""
    scene = Scene()
    scene.broker.members = members
    scene.arrive(offset=9)
    assert scene.after(0) == {}
    assert scene.after(29) == {}
    scene.broker.away = "no answer within 5 s"
    assert scene.after(6) == {}
    scene.after(300)
    scene.broker.away = None
    assert scene.after(0) == {}
    assert scene.after(29) == {}
    (alert,) = scene.after(1).values()
    assert (alert.kind, alert.since) == ("workers-stalled" if members else "workers-dead", seconds(335))


@pytest.mark.parametrize(("members", "kind"), [(0, "workers-dead"), (1, "workers-stalled")])
def test_what_was_told_before_the_broker_went_away_goes_on(members: int, kind: str) -> None:
    """It is the same episode when the broker is back, and as old."""
    scene = Scene()
    scene.broker.members = members
    scene.arrive(offset=9)
    scene.after(0)
    assert scene.after(30)[kind].since == START
    scene.broker.away = "no answer within 5 s"
    assert scene.after(5) == {}
    assert set(scene.after(60)) == {"broker-away"}
    scene.broker.away = None
    assert scene.after(5)[kind].since == START


def test_records_that_wait_are_counted_to_the_newest_one() -> None:
    """A partition of which nothing is committed waits from its first record on, one that is ahead not at all."""
    newest = {0: Newest(0, 9), 1: Newest(0, 4), 2: Newest(0, 4), 3: Newest(0, 0)}
    assert Look({EVENTS: newest, "churn.scores": {0: Newest(0, 99)}}, {0: 3, 1: 5, 2: 6, 7: 1}, 1).lag == 7 + 0 + 0 + 1
    assert Look({EVENTS: {}}, {0: 3}, 1).lag == 0
    assert Look({}, {}, 0).lag == 0


class _Admin:
    """Answers as a cluster would, of which everything but the topics can be away."""

    away = False

    def newest(self, topic: str) -> dict[int, Newest]:
        """Told by the name's length."""
        return {0: Newest(1, len(topic))}

    def committed(self, group: str) -> dict[int, int]:
        """Of this group."""
        return {0: len(group)}

    def members(self, group: str) -> int:
        """Of this group."""
        if self.away:
            raise BrokerError(f"{group} is not known")
        return 4


def test_a_look_asks_for_the_watched_topics_and_for_events() -> None:
    """Events too where nobody asked to watch them, for the records that wait; what cannot be told is an error."""
    admin = _Admin()
    seen = look(cast("KafkaAdmin", admin), "group", {OUTCOMES: 5.0})
    events, outcomes = {0: Newest(1, len(EVENTS))}, {0: Newest(1, len(OUTCOMES))}
    assert seen == Look({EVENTS: events, OUTCOMES: outcomes}, {0: 5}, 4)
    admin.away = True
    with pytest.raises(BrokerError, match="group is not known"):
        look(cast("KafkaAdmin", admin), "group", {})
