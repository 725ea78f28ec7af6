"""What of an event may leave: whatever is in it, only what is known to be harmless comes out."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from churn.reports import allowed

CANARY = "canary 51c0"
# What the SDK itself puts at these places is not a customer's: constants of the code, numbers, ids made here.
SAFE: dict[str, Any] = {
    "event_id": "0" * 32, "timestamp": "2026-03-01T12:00:00.000000Z", "platform": "python", "level": "error",
    "release": "churn@0.1.0", "environment": "production", "logger": "workers.scoring.worker",
    "logentry": {"message": "constant", "formatted": CANARY, "params": [CANARY]},
}  # fmt: skip
FRAME = {"module": "workers.scoring.worker", "function": "_work", "filename": "workers/scoring/worker.py", "lineno": 3,
         "in_app": True, "context_line": "code", "pre_context": ["a"], "post_context": ["b"]}  # fmt: skip
NAMES = st.sampled_from(
    ["extra", "tags", "user", "request", "contexts", "breadcrumbs", "server_name", "modules", "threads", "exception",
     "logentry", "spans", "transaction", "fingerprint", "sdk", "type", "level", "logger", "partition", "offset", "path",
     "request_id", "model_version", "trace", "values", "value", "stacktrace", "frames", "vars", "mechanism", "op",
     "dynamic_sampling_context", "trace_id", "applied", "status", "event_id", "timestamp", "start_timestamp",
     "monitor_slug", "check_in_id", "release", "message", "abs_path", "meta", "data", "debug_meta", "measurements"]
) | st.text()  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.just(CANARY) | st.text()
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=20
)
EVENTS = st.dictionaries(NAMES, ANYTHING, max_size=8)
TOP = {"event_id", "timestamp", "platform", "release", "environment", "contexts", "type", "tags", "sdk", "level",
       "logger", "logentry", "extra", "fingerprint", "exception", "transaction", "start_timestamp", "spans",
       "monitor_slug", "check_in_id", "status", "monitor_config"}  # fmt: skip


def sent(event: dict[str, Any], **context: object) -> dict[str, Any]:
    """What may be sent of an event, as JSON and back."""
    return dict(msgspec.json.decode(msgspec.json.encode(allowed(event, "score", context))))


@given(EVENTS)
def test_any_event_comes_to_known_fields(event: dict[str, Any]) -> None:
    """Whatever is in it, it is no error, and nothing has another name than those."""
    found = sent(event)
    assert found.keys() <= TOP
    assert {*found.get("tags", {})} <= {"process", "partition", "offset", "model_version"}


@given(EVENTS, st.lists(st.dictionaries(NAMES, ANYTHING), max_size=3))
def test_nothing_of_a_customer_comes_out_of_an_event_of_the_sdk(more: dict[str, Any], frames: list[Any]) -> None:
    """A canary in all that the SDK would add, next to an error and in its frames, is not in what is sent."""
    extra = {"partition": CANARY, "offset": CANARY, "path": CANARY, "request_id": CANARY, "error": CANARY}
    error = {
        "type": "ValueError", "value": CANARY, "mechanism": {"type": "logging", "meta": CANARY, "data": more},
        "stacktrace": {"frames": [{**frame, **FRAME, "vars": {"x": CANARY}, "abs_path": CANARY} for frame in frames]},
    }  # fmt: skip
    event = {**more, **SAFE, "type": None, "extra": extra, "exception": {"values": [error]}}
    assert CANARY not in msgspec.json.encode(sent(event, customer=CANARY, partition=CANARY)).decode()


@given(EVENTS)
def test_nothing_of_a_customer_comes_out_of_a_transaction(more: dict[str, Any]) -> None:
    """Its name, its times, its ids: no spans, no data, no tags of others."""
    own = {"type": "transaction", "transaction": "/customers/{id}/features", "start_timestamp": 1.5,
           "contexts": {"trace": {"trace_id": "0" * 32, "op": "api", "data": {"x": CANARY}}}}  # fmt: skip
    found = sent({**more, **SAFE, **own, "spans": [{"description": CANARY}]})
    assert CANARY not in msgspec.json.encode(found).decode()
    assert (found["transaction"], found["spans"]) == ("/customers/{id}/features", [])
    assert found["contexts"]["trace"] == {"trace_id": "0" * 32, "op": "api", "dynamic_sampling_context": {}}


def test_values_of_allowed_names_are_looked_at() -> None:
    """Numbers, ranges, routes and our own ids; a caller's request id and a caller's path stay here."""
    fits = {"partition": 3, "offset": "1-2,3-4", "applied": 7, "path": "/predict/{id}", "request_id": f"{'0' * 16}-12"}
    found = sent({**SAFE, "extra": fits})
    assert found["tags"] == {"process": "score", "partition": 3, "offset": "1-2,3-4"}
    assert found["extra"] == {name: fits[name] for name in ("applied", "path", "request_id")}
    other = {"applied": "c1", "path": "/customers/C1?x", "request_id": "customer-1234", "customer": 1234}
    assert sent({**SAFE, "extra": other})["extra"] == {}


def test_a_record_overrides_what_the_process_is_at() -> None:
    """The partition that a record names, and what else is known of the moment."""
    found = sent({**SAFE, "extra": {"partition": 3}}, partition="1,2", model_version="v1")
    assert found["tags"] == {"process": "score", "partition": 3, "model_version": "v1"}


def test_messages_of_others_are_not_told() -> None:
    """They may have anything in them. Of the Kafka client's the kind is told, and each kind is an issue."""
    kafka = {"message": "%s [%s] %s", "params": ["FAIL", "rdkafka#1", CANARY]}
    found = sent({**SAFE, "logger": "kafka", "logentry": kafka})
    assert found["logentry"] == {"message": "an error in kafka FAIL"}
    assert found["fingerprint"] == ["kafka", "an error in kafka FAIL"]
    assert sent({**SAFE, "logger": "kafka", "logentry": {"params": ["fail " + CANARY]}})["logentry"] == {
        "message": "an error in kafka"
    }
    assert sent({**SAFE, "logger": "asyncio"})["logentry"] == {"message": "an error in asyncio"}
    assert sent({**SAFE, "logger": CANARY})["logger"] == "unknown"


def error(kind: str, *functions: str, module: str | None = None, **more: Any) -> dict[str, Any]:
    """An exception as the SDK describes it."""
    frames = [{"module": name.rpartition(".")[0], "function": name.rpartition(".")[2]} for name in functions]
    return {"type": kind, "module": module, "stacktrace": {"frames": frames}, **more}


def test_clean_errors_are_told_whole() -> None:
    """Those whose messages are ours alone; of a chain each is looked at by itself."""
    chain = [
        error("KeyError", value=CANARY),
        error("LogError", module="workers.scoring.transactions", value="Kafka: away"),
    ]
    found = sent({**SAFE, "exception": {"values": chain}})["exception"]["values"]
    assert [one.get("value") for one in found] == [None, "Kafka: away"]


def test_one_fault_has_one_fingerprint() -> None:
    """Of errors: the type, and the innermost function of ours, whatever a library does below it."""

    def fingerprint(*errors: dict[str, Any]) -> list[str]:
        return list(sent({**SAFE, "exception": {"values": [*errors]}})["fingerprint"])

    ours = error("KeyError", "workers.scoring.worker.run", "workers.scoring.worker._work", "json.loads", value=CANARY)
    assert fingerprint(error("OSError"), ours) == ["KeyError", "workers.scoring.worker._work"]
    assert fingerprint(error("KeyError", "json.loads")) == ["KeyError", "json.loads"]
    assert fingerprint(error("KeyError")) == ["KeyError", "None.None"]
    assert sent(SAFE)["fingerprint"] == ["workers.scoring.worker", "constant"]


def test_check_in_says_when_the_next_is_due() -> None:
    """What Sentry Crons needs, and nothing else."""
    own = {"type": "check_in", "monitor_slug": "churn-monitor", "check_in_id": "0" * 32, "status": "ok",
           "monitor_config": {"schedule": {"type": "interval", "value": 1, "unit": "minute"}}}  # fmt: skip
    found = sent({**SAFE, **own, "extra": {"x": CANARY}})
    assert {name: found[name] for name in own} == own
    assert found.keys() == own.keys() | {"event_id", "timestamp", "platform", "release", "environment", "contexts"}
