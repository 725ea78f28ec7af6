"""The docs page: every operation, commands that are well-formed, examples that are valid."""

import asyncio
import json
import shlex
from typing import Any

import jsonschema
import pytest

from tests.unit.workers.api.test_pages import Checker, Parts
from workers.api.docs import Docs, Operation, operations
from workers.api.explain import Explain
from workers.api.health import HealthChecks
from workers.api.messages import Response
from workers.api.oip import OpenInference
from workers.api.openapi import openapi
from workers.api.predict import Predict
from workers.api.routes import Route
from workers.api.samples import sample

PARTS: Any = Parts()
HEALTH = HealthChecks(lambda: None, lambda: b"")
ROUTES: list[Route] = [
    *Predict(PARTS, 10).routes(),
    *Explain(PARTS, PARTS).routes(),
    *OpenInference(PARTS, HEALTH, "1", 10).routes(),
    *HEALTH.routes(),
]
DOCUMENT = openapi(ROUTES, "1")
COMPONENTS = DOCUMENT["components"]["schemas"]
OPERATIONS = [*operations(DOCUMENT)]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


def asked(path: str) -> Response:
    """What `path` answers."""
    (route,) = [route for route in Docs(ROUTES, "1").routes() if route.path == path]
    request: Any = None
    return asyncio.run(route.handler(request))  # type: ignore[arg-type]


def test_the_page_has_every_operation_and_type() -> None:
    """Each has its place, and the links lead to them."""
    page = Checker(asked("/docs"))
    assert {operation.id for operation in OPERATIONS} <= {*page.ids}
    assert {*COMPONENTS} <= {*page.ids}
    assert len(OPERATIONS) == len(ROUTES)
    text = " ".join(page.text)
    assert all(route.summary in text for route in ROUTES)


def test_the_document_is_served_and_the_home_page_leads_to_the_docs() -> None:
    """As JSON; and by a redirect that survives a proxy with a prefix."""
    body = asked("/openapi.json").body
    assert isinstance(body, bytes)
    assert json.loads(body) == json.loads(json.dumps(DOCUMENT))
    home = asked("/")
    assert (home.status, dict(home.headers)[b"location"]) == (303, b"docs")


@every_operation
def test_commands_are_well_formed(operation: Operation) -> None:
    """A shell takes them apart into one curl with a path without braces, a key where one is needed, and valid JSON."""
    for _, line in operation.curls:
        command, address, *options = shlex.split(line.replace("\\\n", " "))
        assert command == "curl"
        assert address.startswith("$CHURN/")
        assert "{" not in address
        assert ("Authorization: Bearer $KEY" in options) == bool(operation.scope)
        if "--data-binary" in options:
            body = options[options.index("--data-binary") + 1]
            lines = "Content-Type: application/x-ndjson" in options
            for row in body.splitlines() if lines else [body]:
                json.loads(row)
    assert operation.curls
    assert (operation.method == "POST") == any("--data-binary" in line for _, line in operation.curls)


@every_operation
def test_answers_have_valid_examples(operation: Operation) -> None:
    """What is shown is what the schema describes; text has no example."""
    for media, example in operation.answers:
        if media == "application/json":
            schema = operation.about["responses"]["200"]["content"][media]["schema"]
            jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(
                json.loads(example)
            )
        else:
            assert not example


@pytest.mark.parametrize("name", [*COMPONENTS])
def test_every_sample_is_valid(name: str) -> None:
    """Of each type, a sample that its own schema allows."""
    if name == "Row":  # either by id or by features, which only its struct knows
        return
    value = sample(COMPONENTS[name], COMPONENTS)
    jsonschema.Draft202012Validator({**COMPONENTS[name], "components": DOCUMENT["components"]}).validate(value)


def test_samples_of_what_no_type_has_yet() -> None:
    """A constant, a truth, a list that must have two, anything at all."""
    assert sample({"const": 1}, {}) == 1
    assert sample({"type": "boolean"}, {}) is True
    assert sample({"type": "array", "items": {"type": "integer", "minimum": 4}, "minItems": 2}, {}) == [4, 4]
    assert sample({}, {}) == "text"


def test_samples_have_fields_that_people_know() -> None:
    """A customer is 1234, a reason is a sentence."""
    assert sample({"type": "string"}, {}, "customer") == "1234"
    assert sample({"type": "number"}, {}, "probability") == 0.62
