"""The OpenAPI 3.1 document, made from the routes and the structs that they take and answer."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.http import ProblemDetails
from workers.api.messages import JSON
from workers.api.predict import Row
from workers.api.problems import CONTENT_TYPE, KINDS
from workers.api.routes import Body, Parameter, Route

DESCRIPTION = """How likely a customer is to leave, and why: the same answer as on the topic `churn.scores`.

Send a key as `Authorization: Bearer KEY`, and an `X-Request-Id` of your own if you have one: it comes back, and is in
the log. Errors are problem details (RFC 9457) that name the field, its value and what was expected."""
_EITHER = [
    {"required": ["customer"], "not": {"required": ["features"]}},
    {"required": ["features"], "not": {"anyOf": [{"required": ["customer"]}, {"required": ["at"]}]}},
]


def openapi(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The document of `routes`."""
    kinds = [ProblemDetails, *[route.answers for route in routes], *[r.body.kind for r in routes if r.body]]
    kinds += [parameter.kind for route in routes for parameter in route.parameters]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = list(zip(kinds, schemas, strict=True))
    # What the struct checks and its annotations cannot say.
    components[Row.__name__]["oneOf"] = _EITHER

    def schema(kind: Any) -> Any:
        return next(found for other, found in by_kind if other is kind)

    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Churn", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schema: Any) -> dict[str, Any]:
    content = {
        media: {"schema": schema(route.answers) if media == JSON else {"type": "string"}} for media in route.media
    }
    if route.example is not None:
        content[JSON]["example"] = route.example
    problems = [*_general(route), *route.problems]
    operation: dict[str, Any] = {
        "summary": route.summary,
        "description": route.description or route.summary,
        "operationId": "-".join([route.method.lower(), *[step.strip("{}") for step in route.path.split("/") if step]]),
        "responses": {
            "200": {"description": route.summary, "content": content},
            **{
                str(KINDS[kind].status): {
                    "description": KINDS[kind].title,
                    "content": {CONTENT_TYPE: {"schema": schema(ProblemDetails)}},
                }
                for kind in sorted({*problems}, key=lambda kind: KINDS[kind].status)
            },
        },
    }
    if route.parameters:
        operation["parameters"] = [_parameter(parameter, schema) for parameter in route.parameters]
    if route.body:
        operation["requestBody"] = _body(route.body, schema)
    if route.scope:
        operation["security"] = [{"key": [route.scope]}]
    return operation


def _general(route: Route) -> list[str]:
    """The problems that any route of its kind has."""
    problems = ["failed"]
    if route.scope:
        problems += ["no-key", "not-allowed", "too-often"]
    if route.parameters:
        problems.append("invalid")
    if route.body:
        problems += ["not-json", "too-slow", "too-large", "wrong-content-type", "invalid"]
    return problems


def _parameter(parameter: Parameter, schema: Any) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.expected,
        "schema": schema(parameter.kind),
    }
    return described | ({"example": parameter.example} if parameter.example else {})


def _body(body: Body, schema: Any) -> dict[str, Any]:
    examples = {name: {"value": value} for name, value in body.examples.items()}
    content: dict[str, Any] = {
        media: {"schema": schema(body.kind), "examples": examples} if media == JSON else {"schema": {"type": "string"}}
        for media in body.media
    }
    return {"required": True, "content": content}
