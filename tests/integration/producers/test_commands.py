"""`churn replay` and `churn scores` at a terminal, on a real Kafka."""

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from producers.datasets import load
from schemas.scores import ChurnScored, ModelRef, Problem, Reason, Score, encode
from schemas.topics import EVENTS, OUTCOMES, SCORES
from tests.conftest import Churn
from tests.integration.producers.topics import delete_topic
from tests.integration.worker import read

Kafka = dict[str, str]
Environment = dict[str, str]
EXCERPT = Path(__file__).parents[2] / "data" / "mlc_excerpt.csv"
TOTAL = len(load(EXCERPT).events)
NOW = datetime(2026, 6, 30, tzinfo=UTC)
NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@contextmanager
def running(environment: Environment, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A `churn` process; it is killed if it is left."""
    command = [sys.executable, "-u", "-m", "churn", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def scored(customer: str, **changes: Any) -> bytes:
    """A score, as the workers write it."""
    reasons = [Reason("complaints", 1.0, 2.0 - i, f"Reason {i}.") for i in range(3)]
    data: dict[str, Any] = {
        "status": "scored", "probability": 0.8317, "band": "high", "action": "hand-to-retention", "reasons": reasons,
        "features": {}, "flags": [], "model": ModelRef("test", "1"), "event_id": "e", "as_of": NOW, "scored_at": NOW,
        **changes,
    }  # fmt: skip
    event = ChurnScored(id="1", source="test", subject=customer, time=NOW, specversion="1.0", data=Score(**data))
    return encode(event)


NOT_SCORED: dict[str, Any] = {
    "status": "could-not-compute",
    "probability": None,
    "band": None,
    "action": None,
    "reasons": [],
}
SCORED = [
    scored("17"),
    scored("18", **NOT_SCORED, problem=Problem("unknown-customer", "no event tells when the customer registered")),
    scored("19", **NOT_SCORED),
]


def publish(kafka: Kafka, *values: bytes) -> None:
    """Publish values to the topic of scores."""
    producer = Producer({"bootstrap.servers": kafka["bootstrap_servers"]})
    for value in values:
        producer.produce(SCORES, value, b"key", 0)
    assert producer.flush(10) == 0


def one_line(result: Any) -> str:
    """The line of a command that was refused."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return str(line)


def test_bundled_data_set_is_replayed(churn: Churn, environment: Environment, kafka: Kafka) -> None:
    """`churn replay iranian` publishes all events and outcomes of the bundled file, and says how many."""
    result = churn("replay", "iranian", "--json", environment=environment)
    assert result.returncode == 0, result
    assert result.stderr == ""
    printed = json.loads(result.stdout)
    assert printed.pop("seconds") > 0
    assert printed == {"dataset": "iranian", "events": 45_688, "outcomes": 2850, "finished": True}
    assert len(read(kafka["bootstrap_servers"], EVENTS)) == 45_688
    assert len(read(kafka["bootstrap_servers"], OUTCOMES)) == 2850


def test_replay_is_repeated_only_when_asked_for(churn: Churn, environment: Environment, kafka: Kafka) -> None:
    """The second replay of a file is refused in one line, which names the option that repeats it."""
    first = churn("replay", str(EXCERPT), environment=environment)
    assert first.stdout.startswith(f"mlc: {TOTAL} events and 25 outcomes in "), first
    refused = one_line(churn("replay", str(EXCERPT), environment=environment))
    assert refused == "churn: data set mlc was replayed to the end already; `churn replay --again` repeats it"
    again = churn("replay", str(EXCERPT), "--again", environment=environment)
    assert again.stdout.startswith(f"mlc: {TOTAL} events and 25 outcomes in ")
    assert len(read(kafka["bootstrap_servers"], EVENTS)) == 2 * TOTAL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_replay_goes_on(
    churn: Churn, environment: Environment, kafka: Kafka, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM stop a replay with exit code 130, and the same command publishes the rest and no more."""
    with running(environment, "replay", str(EXCERPT), "--rate", "40") as process:
        while len(read(kafka["bootstrap_servers"], EVENTS)) < 20:
            assert process.poll() is None
        process.send_signal(number)
        printed, complaints = process.communicate(timeout=20)
    assert process.returncode == 130
    assert printed.endswith("; stopped before the end, the same command goes on\n")
    assert complaints == ""
    sent = len(read(kafka["bootstrap_servers"], EVENTS))
    assert printed.startswith(f"mlc: {sent} events and 0 outcomes in ")
    rest = churn("replay", str(EXCERPT), "--json", environment=environment)
    assert json.loads(rest.stdout)["events"] == TOTAL - sent
    assert len(read(kafka["bootstrap_servers"], EVENTS)) == TOTAL


def test_what_cannot_be_replayed_is_named(churn: Churn, environment: Environment, tmp_path: Path) -> None:
    """A missing file, an impossible rate and an absent broker are one line each, with exit code 2."""
    missing = tmp_path / "no.csv"
    expected = f"churn: {missing}: No such file or directory; expected a CSV file"
    assert one_line(churn("replay", str(missing), environment=environment)) == expected
    assert one_line(churn("replay", "iranian", environment=environment | NOWHERE)) == (
        "churn: no Kafka broker answers (127.0.0.1:1: [Errno 111] Connection refused)"
    )


def test_impossible_rate_is_named(churn: Churn, environment: Environment, kafka: Kafka) -> None:  # noqa: ARG001
    """A rate that is no number above 0 is one line with exit code 2."""
    expected = "churn: rate is nan; expected more than 0 records a second"
    assert one_line(churn("replay", "iranian", "--rate", "nan", environment=environment)) == expected


def test_scores_are_printed_for_people(churn: Churn, environment: Environment, kafka: Kafka) -> None:
    """A score is a line with customer, probability, band, action and two reasons, or why there is none."""
    publish(kafka, *SCORED)
    result = churn("scores", "--from-beginning", "--count", "3", environment=environment)
    assert result.returncode == 0, result
    assert result.stdout.splitlines() == [
        "17            83.2%  high    hand-to-retention  Reason 0. Reason 1.",
        "18           could not be computed (unknown-customer: no event tells when the customer registered)",
        "19           could not be computed (no reason given)",
    ]


def test_scores_are_printed_as_they_are(churn: Churn, environment: Environment, kafka: Kafka) -> None:
    """With --json each record is printed byte by byte, one a line."""
    publish(kafka, *SCORED)
    result = churn("scores", "--from-beginning", "--count", "2", "--json", environment=environment)
    assert result.stdout.encode() == b"".join(value + b"\n" for value in SCORED[:2])


def test_scores_are_printed_as_they_come(environment: Environment, kafka: Kafka) -> None:
    """Without --from-beginning new scores are printed at once, until Ctrl-C ends it with exit code 130."""
    publish(kafka, scored("old"))
    with running(environment, "scores") as process:
        output = process.stdout
        assert output is not None
        deadline_s = time.monotonic() + 20
        line = ""
        while not line:  # it is not known when the process starts to read
            assert time.monotonic() < deadline_s
            publish(kafka, scored("new"))
            time.sleep(0.2)
            if select.select([output], [], [], 0)[0]:
                line = output.readline()
        assert line.startswith("new ")
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=20)
    assert process.returncode == 130
    assert complaints.strip() == ""


def test_scores_that_cannot_be_read_are_named(churn: Churn, environment: Environment, kafka: Kafka) -> None:
    """A record that is no score, a missing topic and an absent broker are one line each, with exit code 2."""
    publish(kafka, b"{")
    refused = one_line(churn("scores", "--from-beginning", environment=environment))
    assert refused.startswith("churn: churn.scores, partition 0, offset 0: ")
    delete_topic(kafka, SCORES)
    assert one_line(churn("scores", environment=environment)) == "churn: topic churn.scores does not exist"
    assert "no Kafka broker answers" in one_line(churn("scores", environment=environment | NOWHERE))
