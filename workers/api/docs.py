"""`/openapi.json`, and `/docs`: the same document as a page, made once, with nothing that would have to be fetched."""

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from workers.api.messages import HTML, JSON, NDJSON, Request, Response
from workers.api.openapi import openapi
from workers.api.pages import docs_page
from workers.api.routes import Route
from workers.api.samples import Schema, sample

BREAK = " \\\n  "


class Operation(NamedTuple):
    """One method of one path, as it is shown."""

    id: str
    method: str
    path: str
    about: dict[str, Any]
    scope: str
    curls: list[tuple[str, str]]
    answers: list[tuple[str, str]]
    problems: list[tuple[str, str]]


class Docs:
    """The handlers; `routes` is what is documented."""

    def __init__(self, routes: Sequence[Route], version: str) -> None:
        document = openapi(routes, version)
        self._document = msgspec.json.encode(document)
        self._page = docs_page(
            info=document["info"], operations=[*operations(document)], schemas=document["components"]["schemas"]
        )

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("GET", "/", self.home, None, "Where to begin", str, media=(HTML,)),
            Route("GET", "/openapi.json", self.document, None, "This document", dict[str, Any]),
            Route("GET", "/docs", self.page, None, "This document as a page", str, media=(HTML,)),
        ]

    async def home(self, _: Request) -> Response:
        """GET /."""
        return Response(303, b"", HTML, ((b"location", b"docs"),))

    async def document(self, _: Request) -> Response:
        """GET /openapi.json."""
        return Response(200, self._document, JSON)

    async def page(self, _: Request) -> Response:
        """GET /docs."""
        return self._page


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Everything that can be asked, in the order of the document."""
    components = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            responses = dict(about["responses"])
            content = responses.pop("200")["content"]
            yield Operation(
                about["operationId"],
                method.upper(),
                path,
                about,
                ", ".join(scope for need in about.get("security", ()) for scope in need["key"]),
                [*_curls(method.upper(), path, about, components)],
                [(media, _answer(media, given, components)) for media, given in content.items()],
                [(status, said["description"]) for status, said in responses.items()],
            )


def _curls(method: str, path: str, about: dict[str, Any], components: dict[str, Schema]) -> Iterator[tuple[str, str]]:
    """What an example shows, and the line of a shell that runs it."""
    query = []
    for parameter in about.get("parameters", ()):
        value = str(parameter.get("example", "")) or sample(parameter["schema"], components, parameter["name"])
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", value)
        elif parameter["required"]:
            query.append(f"{parameter['name']}={value}")
    key = ['-H "Authorization: Bearer $KEY"'] if about.get("security") else []
    words = [f'curl "$CHURN{path}{"?" * bool(query)}{"&".join(query)}"', *key]
    if method == "GET":
        yield "", BREAK.join(words)
        return
    for media, given in about["requestBody"]["content"].items():
        for name, body in _bodies(media, given, components, about):
            yield name, BREAK.join([*words, f"-H 'Content-Type: {media}'", f"--data-binary {shlex.quote(body)}"])


def _bodies(
    media: str, given: dict[str, Any], components: dict[str, Schema], about: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Bodies by name; of rows as lines those that are in the array."""
    if media == NDJSON:
        rows = next(_bodies(JSON, about["requestBody"]["content"][JSON], components, about))[1]
        yield "a row a line", "\n".join(json.dumps(row) for row in json.loads(rows))
        return
    examples = given.get("examples") or {"": {"value": sample(given["schema"], components)}}
    for name, example in examples.items():
        yield name, json.dumps(example["value"])


def _answer(media: str, given: dict[str, Any], components: dict[str, Schema]) -> str:
    """An example of an answer; none where it is text."""
    if media != JSON:
        return ""
    return json.dumps(given.get("example") or sample(given["schema"], components), indent=2)
