"""An example of anything that a JSON Schema describes, for the docs page."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

# What a reader recognizes says more than "text" and 0; a field that is not here has a sample by its type.
USUAL: dict[str, Any] = {
    "Change.band": "low",
    "Change.text": "complaints, last 270 days",
    "about": "complaints, last 270 days",
    "action": "hand-to-retention",
    "age_s": 86_400,
    "band": "high",
    "baseline": -1.9,
    "contribution": 2.4,
    "customer": "1234",
    "data_name": "iranian",
    "detail": "complaints is -1; expected 0 to 1000000000",
    "event_id": "4e0c7c1a-9a55-4d1c-8a34-0b8a1a3e8a10",
    "expected": "0 to 1000000000",
    "feature": "complaints",
    "field": "complaints",
    "flags": "spend",
    "freshness": "fresh",
    "model_name": "churn-splines",
    "name": "churn-splines",
    "needed": 0,
    "probability": 0.62,
    "status": "scored",
    "text": "You complained 1 time in the last 9 months.",
    "title": "Something that was sent is not as expected",
    "unit": "events",
    "version": "20260301T120000Z-1a2b3c",
}
UNUSUAL = {"problem"}  # fields that are absent when all is well
FEATURE = "complaints"  # the key where features are by name
MOMENT = "2026-03-01T12:00:00Z"


def sample(schema: Schema, components: Mapping[str, Schema], name: str = "") -> Any:
    """A value that `schema` allows; `name` is that of the field it is for."""
    if "$ref" in schema:
        return sample(components[schema["$ref"].rpartition("/")[2]], components, name)
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], components, name)
    if USUAL.get(name) in schema.get("enum", ()):
        return USUAL[name]
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("enum", "examples"):
        if schema.get(word):
            return schema[word][-1]
    return _by_type(schema, components, name)


def _by_type(schema: Schema, components: Mapping[str, Schema], name: str) -> Any:
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {
                key: sample(below, components, _known(schema.get("title"), key))
                for key, below in schema["properties"].items()
                if key not in UNUSUAL
            }
        case "object":
            return {FEATURE: sample(schema.get("additionalProperties") or {}, components, FEATURE)}
        case "array":
            return [sample(schema["items"], components, name)] * max(1, schema.get("minItems", 1))
        case kind:
            return _leaf(kind, schema, name)


def _known(title: str | None, key: str) -> str:
    """What the field is called above, by itself or in its type only."""
    return f"{title}.{key}" if f"{title}.{key}" in USUAL else key


def _leaf(kind: Any, schema: Schema, name: str) -> Any:
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        usual = USUAL.get(name)
        number = schema.get("minimum", 1) if usual is None or isinstance(usual, str) else usual
        return int(number) if kind == "integer" else float(number)
    return MOMENT if schema.get("format") == "date-time" else str(USUAL.get(name, name or "text"))
