"""Commands at a user's terminal: what they print, and one clear line with exit code 2 for what the user can mend."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from churn.stack.record import Stack
from model.artifact import save
from schemas.documents import FOLDER
from schemas.topics import SCORES, TOPICS
from tests.conftest import ROOT, Churn
from tests.integration.test_scoring import StartWorker, made_up_events, start_worker, wait_until_applied
from tests.integration.worker import outputs, publish, redis_contents
from tests.unit.model.test_training import ARTIFACT

__all__ = ["start_worker"]  # a fixture that is used here too

NOWHERE = "127.0.0.1:1"


def refused(result: Any) -> str:
    """The one line of a command that was refused."""
    assert result.returncode == 2, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("churn: ")
    return str(line.removeprefix("churn: "))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CHURN_OFFER_COST", "cheap", "CHURN_OFFER_COST='cheap': Expected `float`, got `str`"),
        ("CHURN_BATCH_RECORDS", "0", "CHURN_BATCH_RECORDS='0': Expected `int` >= 1"),
        ("CHURN_OFER_COST", "1", "CHURN_OFER_COST is not a setting; see docs/reference/settings.md"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "KAFKA_SECURITY_PROTOCOL='TLS': Invalid enum value 'TLS'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "", "KAFKA_BOOTSTRAP_SERVERS='': Expected `str` of length >= 1"),
    ],
)
def test_wrong_setting_is_named(churn: Churn, variable: str, value: str, message: str) -> None:
    """A wrong setting fails at the start with the variable's name."""
    assert refused(churn("score", environment={variable: value})) == message


def test_absent_parts_are_named(churn: Churn, environment: dict[str, str], topics: None, tmp_path: Path) -> None:  # noqa: ARG001
    """Without a broker, a Redis, a model or a topic, the worker says which and where."""
    save(ARTIFACT, Path(environment["CHURN_MODELS"]))
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in refused(churn("score"))
    assert refused(churn("score", environment={"KAFKA_BOOTSTRAP_SERVERS": NOWHERE})).startswith("REDIS_URL is not set")
    broker = environment | {"KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    assert refused(churn("score", environment=broker)).startswith(f"KAFKA_BOOTSTRAP_SERVERS={NOWHERE}: ")
    assert refused(churn("topics", environment=broker)).startswith(f"KAFKA_BOOTSTRAP_SERVERS={NOWHERE}: ")
    redis = environment | {"REDIS_URL": f"redis://{NOWHERE}/0"}
    assert refused(churn("score", environment=redis)).startswith("REDIS_URL: Redis: Error")
    assert "REDIS_URL: " in refused(churn("score", environment=environment | {"REDIS_URL": "http://x"}))
    no_model = environment | {"CHURN_MODELS": str(tmp_path / "empty")}
    assert "no model here" in refused(churn("score", environment=no_model))


def test_missing_topic_is_named(churn: Churn, environment: dict[str, str], stack: Stack, redis: Any) -> None:  # noqa: ARG001
    """The worker does not wait for a topic that is not there."""
    save(ARTIFACT, Path(environment["CHURN_MODELS"]))
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    present = [topic.name for topic in TOPICS if topic.name in admin.list_topics(timeout=10).topics]
    for future in admin.delete_topics(present).values() if present else ():
        future.result(10)
    while any(topic.name in admin.list_topics(timeout=10).topics for topic in TOPICS):
        time.sleep(0.05)
    assert refused(churn("score", environment=environment)) == (
        "topic customer.events is missing; create it with `churn topics`"
    )
    checked = churn("topics", "--check", environment=environment)
    assert checked.returncode == 2
    assert "customer.events               missing" in checked.stdout
    created = churn("topics", environment=environment)
    assert (created.returncode, created.stdout.count("created")) == (0, len(TOPICS))
    again = churn("topics", "--json", environment=environment)
    assert json.loads(again.stdout) == {"created": [], "differences": {topic.name: [] for topic in TOPICS}}
    other = churn("topics", environment=environment | {"CHURN_PARTITIONS": "7"})
    assert other.returncode == 2
    assert "partitions is 6, expected 7" in other.stdout
    for_other = refused(churn("score", environment=environment | {"CHURN_PARTITIONS": "7"}))
    assert for_other.startswith("CHURN_PARTITIONS=7: topic customer.events has 6 partitions")
    too_many = churn("topics", environment=environment | {"CHURN_REPLICATION": "3", "CHURN_PARTITIONS": "6"})
    assert too_many.returncode == 0, "nothing is missing, so nothing is created"


def test_topics_that_cannot_be_created_are_named(churn: Churn, environment: dict[str, str], stack: Stack) -> None:
    """A broker that refuses to create is quoted."""
    admin = AdminClient({"bootstrap.servers": stack.kafka.address})
    for future in admin.delete_topics([topic.name for topic in TOPICS]).values():
        future.exception(10)
    while any(topic.name in admin.list_topics(timeout=10).topics for topic in TOPICS):
        time.sleep(0.05)
    line = refused(churn("topics", environment=environment | {"CHURN_REPLICATION": "3"}))
    assert "eplication factor" in line


def test_model_is_trained_and_listed(churn: Churn, environment: dict[str, str], tmp_path: Path) -> None:
    """Training prints what it made; the list shows it; a wrong file and a damaged model are named."""
    trained = churn("model", "train", "iranian", environment=environment)
    assert trained.returncode == 0, trained
    assert "trained on 2,850 customers, 446 of whom left" in trained.stdout
    manifest = json.loads(churn("model", "train", "iranian", "--json", environment=environment).stdout)
    assert manifest["training_metrics"]["roc_auc"] > 0.97
    listed = churn("model", "list", environment=environment).stdout.splitlines()
    assert len(listed) == 2
    assert listed[-1].startswith(manifest["version"])
    assert json.loads(churn("model", "list", "--json", environment=environment).stdout)[-1] == manifest | {
        "parameters_sha256": json.loads(
            (Path(environment["CHURN_MODELS"]) / manifest["version"] / "manifest.json").read_text()
        )["parameters_sha256"]
    }
    assert "No such file" in refused(churn("model", "train", "nowhere.csv", environment=environment))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    assert "wrong.csv" in refused(churn("model", "train", str(wrong), environment=environment))
    few = tmp_path / "few.csv"
    lines = (ROOT / "producers/data/iranian_churn.csv").read_text().splitlines()
    few.write_text("\n".join(lines[:30]))
    assert "customers left; at least 20" in refused(churn("model", "train", str(few), environment=environment))
    (Path(environment["CHURN_MODELS"]) / manifest["version"] / "manifest.json").write_text("{}")
    assert "manifest.json" in refused(churn("model", "list", environment=environment))


def test_features_are_shown_and_made_anew(
    churn: Churn, environment: dict[str, str], start_worker: StartWorker, stack: Stack, redis: Any
) -> None:
    """A customer's features can be looked at; rebuilding gives the same bytes, by the running workers or the next."""
    records = publish(stack.kafka.address, made_up_events(customers=200, each=20))
    worker = start_worker()
    outputs(stack.kafka.address, records=records)
    wait_until_applied(redis, records)
    states = redis_contents(redis)
    shown = churn("features", "show", "c7", environment=environment)
    assert "c7 as of 2026-06-30 00:19:00 UTC" in shown.stdout
    as_json = json.loads(churn("features", "show", "c7", "--json", environment=environment).stdout)
    assert as_json["features"]["age_group"] == {"value": 3.0, "age_s": 1140, "freshness": "fresh"}
    assert as_json["features"]["complaints"]["freshness"] == "default"
    assert as_json["features"]["complaints"]["age_s"] is None
    assert "customer 'c999' is not known" in refused(churn("features", "show", "c999", environment=environment))

    rebuilt = churn("features", "rebuild", environment=environment)
    assert rebuilt.returncode == 0, rebuilt
    wait_until_applied(redis, records)
    assert redis_contents(redis) == states

    worker.process.send_signal(signal.SIGSTOP)
    slow = churn("features", "rebuild", "--timeout", "1", environment=environment)
    assert slow.returncode == 2
    assert "not finished after 1 s; the workers go on" in slow.stderr
    worker.process.send_signal(signal.SIGCONT)
    wait_until_applied(redis, records)
    assert worker.stop() == 0
    alone = churn("features", "rebuild", environment=environment)
    assert "No scoring worker runs" in alone.stdout
    assert redis_contents(redis) == {}
    start_worker()
    wait_until_applied(redis, records)
    assert redis_contents(redis) == states
    assert churn("features", "rebuild", environment=environment | {"CHURN_GROUP": "nobody"}).returncode == 0


def test_help_lists_every_command(churn: Churn) -> None:
    """Help of the whole and of each command ends well, and an unknown one is named."""
    listed = churn("--help")
    assert listed.returncode == 0
    for command in ("score", "topics", "doctor", "features", "model", "replay", "scores", "dlq", "stack", "demo"):
        assert command in listed.stdout
        assert churn(command, "--help").returncode == 0
    assert refused(churn("scroe")) == "No such command 'scroe'."
    assert refused(churn("topics", "--chekc")).startswith("No such option")
    assert churn("--version").stdout.startswith("churn, version ")


def test_ctrl_c_is_no_traceback(environment: dict[str, str], start_worker: StartWorker, stack: Stack) -> None:
    """Ctrl-C ends a command at once, quietly, with exit code 130; the worker takes it as it takes SIGTERM."""
    worker = start_worker()
    worker.wait_for("partition started")
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.wait(30) == 0
    producer = Producer({"bootstrap.servers": stack.kafka.address})
    producer.produce(SCORES, (FOLDER / "examples" / "valid" / "churn.scored.json").read_bytes(), b"1234")
    assert producer.flush(10) == 0
    command = [sys.executable, "-m", "churn", "scores", "--from-beginning"]
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("1234 ")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors.strip()) == (130, "")
