"""The golden path: the demo from beginning to end, every record counted, every number compared with scikit-learn's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from churn.commands.demo import verdict
from churn.demo.bad import bad_records
from churn.demo.run import Summary
from churn.demo.screen import row
from churn.demo.tally import Tally, percentiles
from churn.errors import UserError
from churn.stack.record import Stack
from churn.training import half, table_of, train_on
from model.artifact import load as load_model
from model.artifact import newest
from model.features import FEATURES
from model.state import decode_state
from model.vector import Vectorizer
from producers.datasets import IRANIAN_FILE, load
from producers.history import OBSERVED_AT
from schemas.cloudevents import to_ms
from schemas.documents import FOLDER
from schemas.partitioning import partition_of
from schemas.scores import decode_score
from schemas.topics import DEAD_LETTERS, EVENTS, OUTCOMES, SCORES
from tests.conftest import PARTITIONS, Churn
from tests.integration.worker import read, redis_contents
from workers.keys import customer_key


@pytest.mark.timeout(300)
def test_demo(churn: Churn, environment: dict[str, str], stack: Stack, topics: None, redis: Any) -> None:  # noqa: ARG001
    """One command: all records accounted for, and the stream's numbers are those of the table and of scikit-learn."""
    result = churn("demo", environment=environment, timeout_s=240)
    assert result.returncode == 0, result
    assert "every record accounted for" in result.stdout
    local = Path(environment["CHURN_LOCAL"])
    summary = json.loads((local / "demo.json").read_text())
    dataset = load(IRANIAN_FILE)
    events = read(stack.kafka.address, EVENTS)
    assert summary["events"] == len(events) == len(dataset.events) + len(bad_records())
    messages = read(stack.kafka.address, SCORES)
    assert summary["scored"] + summary["could_not_compute"] == len(messages)
    assert summary["dead_letters"] == len(read(stack.kafka.address, DEAD_LETTERS)) == 5
    assert (summary["could_not_compute"], summary["unaccounted"]) == (2, 0)
    assert len(read(stack.kafka.address, OUTCOMES)) == len(dataset.outcomes)
    assert summary["roc_auc"] >= 0.95
    assert 0 < summary["p50_ms"] <= summary["p99_ms"]
    assert stack.kafka.address in summary["kafka"]

    validator = Draft202012Validator(json.loads((FOLDER / "json" / "churn.scored.json").read_text()))
    scores = [decode_score(message.value() or b"") for message in messages]
    odd = [m for m, score in zip(messages, scores, strict=True) if score.data.status != "scored"]
    for message in [*odd, *messages[::25]]:
        validator.validate(json.loads(message.value() or b""))

    last = {score.subject: score.data for score in scores if score.data.status == "scored"}
    table = table_of(dataset)
    row_of = {customer: i for i, customer in enumerate(table.customers)}
    assert set(last) == set(row_of)
    names = load_model(newest(local / "demo" / "models")).manifest.features
    columns = [[f.name for f in FEATURES].index(name) for name in names]
    offline = table.features.values[:, columns]
    streamed = np.array([[last[c].features[name].value for name in names] for c in table.customers])
    assert np.array_equal(streamed, offline), "the stream's features are not the table's, to the last bit"

    vectorizer, contents = Vectorizer(FEATURES), redis_contents(redis)
    states = [decode_state(contents[customer_key(partition_of(c, PARTITIONS), c).encode()]) for c in table.customers]
    online = vectorizer.matrix([vectorizer.read(state, to_ms(OBSERVED_AT)) for state in states])
    one_by_one = np.vstack([vectorizer.matrix([vectorizer.read(s, to_ms(OBSERVED_AT))]).values for s in states])
    assert np.array_equal(online.values, table.features.values)
    assert np.array_equal(online.ages_ms, table.features.ages_ms)
    assert np.array_equal(one_by_one, table.features.values)

    _, pipeline = train_on(table_of(dataset, half(dataset)), "again")
    expected = pipeline.predict_proba(offline)[:, 1]
    served = np.array([last[customer].probability for customer in table.customers])
    np.testing.assert_allclose(served, expected, rtol=0, atol=1e-9)

    again = churn("demo", environment=environment)
    assert again.returncode == 2
    assert "the demo needs it empty" in again.stderr


def test_demo_says_when_its_worker_cannot_start(
    churn: Churn,
    environment: dict[str, str],
    topics: None,  # noqa: ARG001
    redis: Any,  # noqa: ARG001
) -> None:
    """When the worker does not come up, the demo ends and names its log, which says why."""
    result = churn("demo", environment=environment | {"CHURN_HEARTBEAT": "/nowhere/alive"})
    assert result.returncode == 2, result
    log = Path(environment["CHURN_LOCAL"]) / "demo" / "score.log"
    assert f"the scoring worker does not work; see {log}" in result.stderr
    assert "CHURN_HEARTBEAT=/nowhere/alive: its folder does not exist" in log.read_text()


def test_tally_finds_what_is_lost_or_repeated() -> None:
    """A record without an answer and one with two are both unaccounted for."""
    tally = Tally()
    for event_id in ("a", "b", None):
        tally.sending(event_id)
    assert tally.unaccounted() == 3
    tally.dead_letter("0/1")
    assert tally.unaccounted() == 2
    tally.dead_letter("0/1")
    assert tally.unaccounted() == 3
    assert percentiles([]) == (0.0, 0.0)
    answer = decode_score((FOLDER / "examples" / "valid" / "churn.scored.json").read_bytes())
    tally.sending(answer.data.event_id)
    tally.scored(answer)
    tally.scored(answer)
    assert tally.counts == {"dead-letter": 1, "repeated": 2, "scored": 1}


def test_screen_shows_why_there_is_no_score() -> None:
    """A customer without a score has the reason where others have a probability."""
    answer = decode_score((FOLDER / "examples" / "valid" / "churn.scored-could-not-compute.json").read_bytes())
    assert row(answer)[4] == "no customer.registered event is known for this customer"


def test_unaccounted_records_fail_the_demo(tmp_path: Path) -> None:
    """The demo ends with an error when records are lost or repeated."""
    summary = Summary(10, 7, 0, 1, 2, 1.0, 1.0, 1.0, 5, 0.9, 0.1, 0.01, "kafka", "redis")
    with pytest.raises(UserError, match="2 records have no answer or two"):
        verdict(summary, tmp_path)
