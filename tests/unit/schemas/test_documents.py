"""The checked-in documents are those that the structs generate, and the examples validate against them."""

import json

import pytest
from jsonschema import Draft202012Validator

from schemas.documents import FOLDER, documents, main


def test_checked_in_documents_are_up_to_date() -> None:
    """Fails when a struct changed and `python -m schemas.documents` was not run."""
    for path, content in documents().items():
        assert (FOLDER / path).read_bytes() == content, f"{path} is out of date: run python -m schemas.documents"


def test_main_writes_what_is_checked_in() -> None:
    """Running the module leaves the checked-in documents as they are."""
    main()
    test_checked_in_documents_are_up_to_date()


@pytest.mark.parametrize("example", sorted((FOLDER / "examples" / "valid").iterdir()), ids=lambda path: path.stem)
def test_valid_example_validates(example: object) -> None:
    """Any JSON Schema validator accepts the valid examples."""
    message = json.loads(example.read_bytes())  # type: ignore[attr-defined]
    schema = json.loads((FOLDER / "json" / f"{message['type']}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(message)


def test_asyncapi_names_every_topic_and_resolves() -> None:
    """Every reference in the AsyncAPI document leads somewhere."""
    document = json.loads((FOLDER / "asyncapi.json").read_bytes())
    assert sorted(document["channels"]) == [
        "churn.scores",
        "churn.telemetry",
        "customer.events",
        "customer.events.dlq",
        "customer.events.dlq.decisions",
        "customer.outcomes",
    ]

    def resolve(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                resolve(value)
        elif isinstance(node, list):
            for value in node:
                resolve(value)

    resolve(document)
