"""What of an event may leave for Sentry: it is built anew from what is known to be harmless, the rest stays here.

See docs/decisions/0006-personal-data.md. Nothing here knows the SDK: an event is what it is about to send, as JSON.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from churn.privacy import CLEAN, is_ours

Event = Mapping[str, Any]
Check = Callable[[object], bool]

_ID = re.compile(r"[0-9a-f]{8,32}")
_WORD = re.compile(r"[A-Za-z0-9_.:@+/-]{1,200}")
_MOMENT = re.compile(r"[0-9T:.Z-]{10,40}")
_RANGES = re.compile(r"[0-9,-]{1,200}")
_ROUTE = re.compile(r"none|/[a-z0-9/_.{}-]{0,100}")
_OUR_REQUEST = re.compile(r"[0-9a-f]{16}-[0-9]+")  # one that the caller has chosen could be anything
_FACILITY = re.compile(r"[A-Z]{2,20}")


def _text(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _one_of(*values: str) -> Check:
    return lambda value: value in values if isinstance(value, str) else False


def _either(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


_LEVEL = _one_of("debug", "info", "warning", "error", "critical", "fatal")
_PLACES = _either(_number, _text(_RANGES))
# By which issues are searched, and what else is told of them: the names in the `extra` of our log records.
_TAGS: dict[str, Check] = {"partition": _PLACES, "offset": _PLACES, "model_version": _text(_WORD)}
_EXTRA: dict[str, Check] = {
    **dict.fromkeys(("applied", "committed", "position", "limit_per_minute", "dead_letters", "status"), _number),
    **dict.fromkeys(("undecodable", "unknown_type", "invalid", "key_mismatch", "too_large", "unreadable"), _number),
    "path": _text(_ROUTE),
    "request_id": _text(_OUR_REQUEST),
}
_COMMON: dict[str, Check] = {
    "event_id": _text(_ID), "timestamp": _either(_number, _text(_MOMENT)), "platform": _one_of("python"),
    "release": _text(_WORD), "environment": lambda value: isinstance(value, str),  # both are settings of ours
}  # fmt: skip
_FRAME: dict[str, Check] = {
    # Lines of code, and where they are; never a variable's value.
    **dict.fromkeys(("module", "function", "filename", "context_line"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("lineno", "in_app"), _number),
    **dict.fromkeys(
        ("pre_context", "post_context"),
        lambda value: isinstance(value, list) and all(isinstance(line, str) for line in value),
    ),
}
_SAMPLING = {
    "trace_id": _text(_ID), "environment": _COMMON["environment"], "release": _text(_WORD), "public_key": _text(_WORD),
    "sampled": _one_of("true", "false"), "sample_rate": _text(_WORD), "sample_rand": _text(_WORD),
}  # fmt: skip
_TRACE: dict[str, Check] = {"trace_id": _text(_ID), "span_id": _text(_ID), "op": _text(_WORD)}
_CHECK_IN: dict[str, Check] = {
    "type": _one_of("check_in"), "monitor_slug": _text(_WORD), "check_in_id": _text(_ID),
    "status": _one_of("ok", "error"), "monitor_config": lambda value: isinstance(value, Mapping),  # ours, see sentry.py
}  # fmt: skip
_TRANSACTION: dict[str, Check] = {
    "type": _one_of("transaction"), "transaction": _either(_text(_WORD), _text(_ROUTE)),
    "start_timestamp": _COMMON["timestamp"],
}  # fmt: skip


def allowed(event: Event, process: str, context: Mapping[str, object]) -> dict[str, Any]:
    """What may be sent of an event of `process`; `context` is what the process is at, as the `extra` of a record."""
    common = _only(event, _COMMON) | {"contexts": {"trace": _trace(event)}}
    if event.get("type") == "check_in":
        return common | _only(event, _CHECK_IN)
    known = {**context, **_mapping(event.get("extra"))}
    common |= {"tags": {"process": process, **_only(known, _TAGS)}, "sdk": _sdk(event)}
    if event.get("type") == "transaction":
        return common | _only(event, _TRANSACTION) | {"spans": []}
    return common | _fault(event, _only(known, _EXTRA))


def _fault(event: Event, extra: dict[str, Any]) -> dict[str, Any]:
    """A log record or an exception, with the fingerprint that makes one issue of one fault, wherever it happens."""
    logger = event.get("logger") if _text(_WORD)(event.get("logger")) else "unknown"
    errors = [_exception(one) for one in _mappings(_mapping(event.get("exception")).get("values"))]
    message = _message(str(logger), _mapping(event.get("logentry")))
    fault = {
        **_only(event, {"level": _LEVEL}),
        "logger": logger,
        "logentry": {"message": message},
        "extra": extra,
        "fingerprint": _cause(errors[-1]) if errors else [logger, message],
    }
    return fault | {"exception": {"values": errors}} if errors else fault


def _message(logger: str, entry: Event) -> str:
    """Our records have constant messages. Those of others have anything; the Kafka client's begin with a kind."""
    if is_ours(logger):
        return str(entry.get("message"))
    params = entry.get("params")
    first = params[0] if isinstance(params, list) and params else None
    kind = f" {first}" if logger == "kafka" and _text(_FACILITY)(first) else ""
    return f"an error in {logger}{kind}"


def _exception(error: Event) -> dict[str, Any]:
    told = _only(error, {"type": _text(_WORD), "module": _text(_WORD), "value": lambda value: isinstance(value, str)})
    if f"{told.get('module')}.{told.get('type')}" not in CLEAN:
        told.pop("value", None)
    mechanism = _only(_mapping(error.get("mechanism")), {"type": _text(_WORD), "handled": _number})
    frames = _mappings(_mapping(error.get("stacktrace")).get("frames"))
    return told | {"mechanism": mechanism, "stacktrace": {"frames": [_only(frame, _FRAME) for frame in frames]}}


def _cause(error: Event) -> list[str]:
    """The type, and the innermost function of ours: a line changes with every version."""
    frames = error["stacktrace"]["frames"]
    ours = [frame for frame in frames if is_ours(frame.get("module", ""))] or frames or [{}]
    return [str(error.get("type")), f"{ours[-1].get('module')}.{ours[-1].get('function')}"]


def _trace(event: Event) -> dict[str, Any]:
    trace = _mapping(_mapping(event.get("contexts")).get("trace"))
    sampling = _only(_mapping(trace.get("dynamic_sampling_context")), _SAMPLING)
    return _only(trace, _TRACE) | {"dynamic_sampling_context": sampling}


def _sdk(event: Event) -> dict[str, Any]:
    return _only(_mapping(event.get("sdk")), {"name": _text(_WORD), "version": _text(_WORD)})


def _only(given: Event, checks: Mapping[str, Check]) -> dict[str, Any]:
    return {name: given[name] for name, check in checks.items() if name in given and check(given[name])}


def _mapping(value: object) -> Event:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Event]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
