"""The monitor as a process, on a real Kafka and a real Redis: what it shows is what is in the topics."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sklearn.metrics import brier_score_loss, log_loss, precision_score, roc_auc_score

from churn.stack.record import Stack
from schemas.outcomes import decode_outcome
from schemas.scores import ChurnScored, decode_score
from schemas.status import Status
from schemas.topics import OUTCOMES, SCORES
from tests.conftest import Churn
from tests.integration.monitor_process import MonitorProcess
from tests.integration.worker import Worker, read
from workers.monitoring.hours import hour_of


@pytest.fixture
def monitors(topics: None, redis: object) -> Iterator[list[MonitorProcess]]:  # noqa: ARG001
    """What a test appends is ended after it."""
    started: list[MonitorProcess] = []
    yield started
    for monitor in started:
        monitor.kill()


def test_accuracy_and_counts_of_a_replay_are_those_of_the_topics(
    churn: Churn, environment: dict[str, str], stack: Stack, monitors: list[MonitorProcess], tmp_path: Path
) -> None:
    """Accuracy equals scikit-learn's on the same pairs, hours the records of the topic; also after a `kill -9`."""
    assert churn("model", "train", "iranian", environment=environment).returncode == 0
    worker = Worker(environment | {"CHURN_TELEMETRY_EVERY_S": "0.5"}, tmp_path / "worker.log")
    monitors.append(MonitorProcess(environment, tmp_path / "monitor.log"))
    assert churn("replay", "iranian", environment=environment).returncode == 0
    scores = [decode_score(message.value() or b"") for message in read(stack.kafka.address, SCORES, least=45_688)]
    outcomes = [decode_outcome(message.value()) for message in read(stack.kafka.address, OUTCOMES)]
    last = last_scores(scores, {o.subject: o.time - timedelta(days=o.data.horizon_days) for o in outcomes})

    def complete(status: Status) -> bool:
        return status.outcomes == len(outcomes) and sum(counted(status).values()) == len(scores)

    monitors[0].wait_active()
    shown = monitors[0].wait_for(complete)
    assert_equals(shown, last, {o.subject: o.data.churned for o in outcomes})
    by_hour = Counter((hour_of(score.time), score.data.status) for score in scores)
    assert counted(shown) == by_hour
    assert shown.outcomes_without_score == 0

    monitors[0].kill()
    monitors.append(MonitorProcess(environment, tmp_path / "monitor.log"))
    monitors[1].wait_active()
    again = monitors[1].wait_for(complete)
    assert counted(again) == by_hour
    assert again.measured == shown.measured
    assert monitors[1].stop() == 0
    assert worker.stop() == 0


def test_port_that_is_taken_is_named(
    churn: Churn, environment: dict[str, str], monitors: list[MonitorProcess], tmp_path: Path
) -> None:
    """One line that names the setting, and exit code 2; the monitor that has the port goes on."""
    monitors.append(MonitorProcess(environment, tmp_path / "monitor.log"))
    monitors[0].wait_active()
    port = monitors[0].port
    ended = churn("monitor", environment=environment | {"CHURN_MONITOR_PORT": str(port)})
    assert ended.returncode == 2
    expected = f"churn: CHURN_MONITOR_HOST, CHURN_MONITOR_PORT: 127.0.0.1:{port}: Address already in use"
    assert ended.stderr.splitlines()[-1] == expected
    assert monitors[0].is_active()
    assert monitors[0].stop() == 0


def last_scores(scores: list[ChurnScored], judged: Mapping[str, object]) -> dict[str, ChurnScored]:
    """The last score of each customer as of the moment judged."""
    found: dict[str, ChurnScored] = {}
    for score in scores:
        as_of = score.data.as_of
        if as_of <= judged[score.subject] and (  # type: ignore[operator]
            score.subject not in found or as_of >= found[score.subject].data.as_of
        ):
            found[score.subject] = score
    return found


def counted(status: Status) -> Counter[tuple[object, str]]:
    """The answers by hour and status."""
    return Counter({(hour.start, name): count for hour in status.hours for name, count in hour.counts.items()})


def assert_equals(status: Status, last: Mapping[str, ChurnScored], churned: Mapping[str, bool]) -> None:
    """What is shown of all pairs is what scikit-learn makes of them."""
    (shown,) = [one for one in status.measured if not one.week and not one.segment]
    y = [churned[customer] for customer in last]
    p = [score.data.probability for score in last.values()]
    acted = [score.data.action != "none" for score in last.values()]
    assert shown.pairs == len(y)
    found = msgspec.to_builtins(
        [shown.roc_auc.value, shown.log_loss.value, shown.brier.value, shown.precision_at_action.value]
    )
    assert found == pytest.approx(
        [roc_auc_score(y, p), log_loss(y, p), brier_score_loss(y, p), precision_score(y, acted)], abs=1e-12
    )
