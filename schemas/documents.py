"""The documents for people and programs outside: JSON Schema of every message, and AsyncAPI 3 of every topic.

`python -m schemas.documents` writes them from the structs; a test fails when what is checked in is not what it writes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.alerts import AlertRecord
from schemas.cloudevents import CloudEvent
from schemas.deadletters import SCHEMA_VERSION, DeadLetterDecision, DeadLetterHeaders
from schemas.events import EVENT_TYPES
from schemas.outcomes import OutcomeObserved
from schemas.scores import ChurnScored
from schemas.telemetry import Telemetry
from schemas.topics import ALERTS, DEAD_LETTERS, DECISIONS, EVENTS, HOURS, OUTCOMES, PAIRS, SCORES, TELEMETRY, TOPICS

FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CLOUD_EVENTS: tuple[type[CloudEvent], ...] = (*EVENT_TYPES, ChurnScored, OutcomeObserved)
MESSAGES: dict[str, type[msgspec.Struct]] = {
    **{str(kind.__struct_config__.tag): kind for kind in _CLOUD_EVENTS},
    "dead-letter-headers": DeadLetterHeaders,
    "dead-letter-decision": DeadLetterDecision,
    "telemetry": Telemetry,
    "alert": AlertRecord,
}


def json_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one message, with everything that it refers to."""
    return {"$schema": DIALECT, **msgspec.json.schema(kind)}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all topics."""
    schemas, components = msgspec.json.schema_components(MESSAGES.values(), ref_template="#/components/schemas/{name}")
    by_name = dict(zip(MESSAGES, schemas, strict=True))
    channels = {
        EVENTS: [str(kind.__struct_config__.tag) for kind in EVENT_TYPES],
        SCORES: ["churn.scored"],
        OUTCOMES: ["outcome.observed"],
        DEAD_LETTERS: ["dead-letter"],
        DECISIONS: ["dead-letter-decision"],
        TELEMETRY: ["telemetry"],
        ALERTS: ["alert"],
    }
    messages: dict[str, Any] = {
        name: {"contentType": "application/cloudevents+json", "payload": schema}
        for name, schema in by_name.items() if name != "dead-letter-headers"
    }  # fmt: skip
    for name in ("dead-letter-decision", "telemetry", "alert"):
        messages[name]["contentType"] = "application/json"
    messages["dead-letter"] = {
        "contentType": "application/octet-stream",
        "headers": by_name["dead-letter-headers"],
        "payload": {"description": "The original value, byte for byte."},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Churn",
            "version": SCHEMA_VERSION,
            "description": "Customer events in, explained churn scores out.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            topic.name: {
                "address": topic.name,
                "description": f"{topic.purpose}; kept for {topic.retention_days} days",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channels[topic.name]},
            }
            for topic in TOPICS
            if topic.name not in (HOURS, PAIRS)  # the monitor's own, of no form that is promised
        },
        "operations": {
            f"{action}-{name}": {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
            for action, name in (
                ("receive", EVENTS),
                ("send", SCORES),
                ("send", DEAD_LETTERS),
                ("send", DECISIONS),
                ("receive", OUTCOMES),
                ("send", TELEMETRY),
                ("send", ALERTS),
            )
        },
        "components": {"messages": messages, "schemas": components},
    }


def documents() -> Mapping[str, bytes]:
    """Every document, by its path below this folder."""
    contents = {f"json/{name}.json": json_schema(kind) for name, kind in MESSAGES.items()}
    contents["asyncapi.json"] = asyncapi()
    return {
        path: msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n" for path, content in contents.items()
    }


def main() -> None:
    """Write the documents next to this module."""
    for path, content in documents().items():
        (FOLDER / path).parent.mkdir(exist_ok=True)
        (FOLDER / path).write_bytes(content)


if __name__ == "__main__":
    main()
