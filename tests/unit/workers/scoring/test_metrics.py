"""What a scoring worker shows to Prometheus, in the library's own words."""

from collections import Counter

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schemas.cloudevents import to_ms
from schemas.errors import InvalidRecordError
from schemas.events import Call, CallStarted
from tests.unit.model.test_scoring import SCORER
from tests.unit.model.test_state import NOW
from workers.exposition import Exposition
from workers.metrics import METRICS
from workers.scoring.account import Account
from workers.scoring.batch import Accepted, Letter
from workers.scoring.metrics import WorkerMetrics
from workers.scoring.records import Record


def shown(metrics: WorkerMetrics) -> dict[tuple[str, str], float]:
    """Every sample, by its name and the value of its label."""
    registry = CollectorRegistry()
    registry.register(Exposition(metrics.read))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(s.name, "".join(s.labels.values())): s.value for family in families for s in family.samples}


def account(*waits_ms: int) -> Account:
    """A batch of events that waited so long, and a dead letter."""
    event = CallStarted(id="e", source="test", subject="a", time=NOW, specversion="1.0", data=Call())
    asked = [Accepted(Record(0, 0, b"a", b"", to_ms(NOW) - wait_ms, []), event) for wait_ms in waits_ms]
    letters = [Letter(Record(0, 1, None, None, 0, []), InvalidRecordError("invalid", ""))]
    counts = Counter({"scored": len(asked), "dead-letter": 1})
    return Account(SCORER, NOW, to_ms(NOW), counts=counts, letters=letters, asked=asked)


def test_batches_add_up() -> None:
    """Counts, and times in the buckets that they are in; nothing is left out that did not happen yet."""
    metrics = WorkerMetrics("old", "1.0")
    before = shown(metrics)
    assert before["churn_model_info", "old"] == 1
    assert before["churn_events_total", "sent-on"] == before["churn_troubles_total", "kafka"] == 0
    assert ("churn_lag_records", "") not in before
    for waits_ms in ((-5, 1, 5, 30), (5_000, 10_000_000)):
        metrics.count(account(*waits_ms))
    found = shown(metrics)
    assert found["churn_events_total", "scored"] == 6
    assert found["churn_dead_letters_total", "invalid"] == 2
    assert found["churn_latency_seconds_count", ""] == 6
    assert found["churn_latency_seconds_sum", ""] == pytest.approx(10_005.031)
    buckets = {float(le): n for (name, le), n in found.items() if name == "churn_latency_seconds_bucket"}
    for wait_s, expected in ((0.0009, 1), (0.0046, 2), (0.01, 3), (0.1, 4), (4000, 5), (float("inf"), 6)):
        assert next(n for le, n in sorted(buckets.items()) if le >= wait_s) == expected, wait_s
    assert ("churn_model_info", "old") not in found


def test_lag_is_asked_for_once_a_second() -> None:
    """And is told while there are partitions; troubles are counted."""
    now_s = [100.0]
    metrics = WorkerMetrics("v", "1.0", clock=lambda: now_s[0])
    metrics.report({0: 5, 1: 5}, lambda _: 7, "")
    metrics.report({0: 5}, lambda _: 8, "redis")
    found = shown(metrics)
    assert (found["churn_lag_records", ""], found["churn_partitions", ""]) == (7, 1)
    assert found["churn_troubles_total", "redis"] == 1
    now_s[0] += 1
    metrics.report({}, lambda _: 0, "kafka")
    assert ("churn_lag_records", "") not in shown(metrics)


def test_names_are_those_that_prometheus_advises() -> None:
    """Counters end in _total, times are in seconds, and no label can hold a customer."""
    for metric in METRICS:
        assert metric.name.startswith("churn_")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert list(metric.buckets) == sorted(metric.buckets)
        assert not {"customer", "customer_id", "subject", "event_id"} & set(metric.labels)
