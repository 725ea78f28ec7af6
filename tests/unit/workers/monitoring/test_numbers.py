"""What the monitor shows to Prometheus of the whole system."""

from schemas.cloudevents import to_ms
from tests.unit.workers.monitoring.clock import START, Clock
from tests.unit.workers.monitoring.standins import StandInBroker, StandInEpisodes, StandInStream, record
from workers.admin import Newest
from workers.alerts.catalogue import FEATURE_DRIFT, TOPIC_QUIET, WORKERS_DEAD
from workers.metrics import METRICS, REQUEST_SECONDS, REQUESTS
from workers.monitoring.numbers import Numbers
from workers.monitoring.watch import Watch

OPEN = [
    record(TOPIC_QUIET.alert("quiet", since=START, about="customer.events")),
    record(TOPIC_QUIET.alert("quiet", since=START, about="customer.outcomes")),
    record(FEATURE_DRIFT.alert("shifted", since=START, about="v1")),
]


def test_every_number_is_read() -> None:
    """Open alerts are counted by kind; a topic of which nothing is known has no number, and all are numbers of now."""
    clock, stream, broker = Clock(), StandInStream(), StandInBroker()
    watch = Watch(broker, limits_s={"customer.events": 9.0, "customer.outcomes": 9.0}, stalled_s=30, now=clock)
    episodes = StandInEpisodes([*OPEN, record(WORKERS_DEAD.alert("dead", since=START), open_=False)])
    numbers = Numbers(stream, watch, episodes, "1.2.3")

    def read() -> dict[str, dict[tuple[str, ...], float]]:
        return {values.metric.name: dict(values.by_labels) for values in numbers.read()}

    own = {metric.name for metric in METRICS if "monitor" in metric.processes} - {REQUESTS.name, REQUEST_SECONDS.name}
    first = read()
    assert set(first) == own
    assert first["churn_info"] == {("monitor", "1.2.3"): 1}
    assert first["churn_monitor_active"] == {(): 1}
    assert first["churn_alerts_open"] == {("topic-quiet", "critical"): 2, ("feature-drift", "warning"): 1}
    assert first["churn_topic_quiet_seconds"] == {}
    stream.is_active = False
    broker.newest = {"customer.outcomes": {0: Newest(to_ms(START), 3)}}
    watch.judge()
    clock.wait(7)
    assert read()["churn_monitor_active"] == {(): 0}
    assert read()["churn_topic_quiet_seconds"] == {("customer.outcomes",): 7}


def test_labels_are_those_of_the_metrics() -> None:
    """Each value has as many as are declared."""
    watch = Watch(StandInBroker(), limits_s={}, stalled_s=30, now=Clock())
    for values in Numbers(StandInStream(), watch, StandInEpisodes(OPEN), "1").read():
        assert {len(labels) for labels in values.by_labels} <= {len(values.metric.labels)}
