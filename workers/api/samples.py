"""An example of anything that a JSON Schema describes, for the docs page."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

# What a reader recognizes says more than "text" and 0; a name that is not here has a sample by its type.
USUAL: dict[str, Any] = {
    "about": "complaints, last 270 days",
    "contribution": 2.4,
    "customer": "1234",
    "data_name": "iranian",
    "detail": "complaints is -1; expected 0 to 1000000000",
    "expected": "0 to 1000000000",
    "feature": "complaints",
    "field": "complaints",
    "model_name": "churn-splines",
    "probability": 0.62,
    "text": "You complained 1 time in the last 9 months.",
    "title": "Something that was sent is not as expected",
    "unit": "events",
    "version": "20260301T120000Z-1a2b3c",
}
FEATURE = "complaints"  # the key where features are by name
MOMENT = "2026-03-01T12:00:00Z"


def sample(schema: Schema, components: Mapping[str, Schema], name: str = "") -> Any:
    """A value that `schema` allows; `name` is that of the field it is for."""
    if "$ref" in schema:
        return sample(components[schema["$ref"].rpartition("/")[2]], components, name)
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], components, name)
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
            return {key: sample(below, components, key) for key, below in schema["properties"].items()}
        case "object":
            return {FEATURE: sample(schema.get("additionalProperties") or {}, components, FEATURE)}
        case "array":
            return [sample(schema["items"], components, name)] * max(1, schema.get("minItems", 1))
        case kind:
            return _leaf(kind, schema, name)


def _leaf(kind: Any, schema: Schema, name: str) -> Any:
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        number: Any = USUAL.get(name, schema.get("minimum", 1))
        return int(number) if kind == "integer" else float(number)
    return MOMENT if schema.get("format") == "date-time" else USUAL.get(name, name or "text")
