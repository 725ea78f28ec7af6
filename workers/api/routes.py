"""What a route is: a path, what it takes and answers, and who may use it. The OpenAPI document is made from this."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from workers.api.keys import AccessScope
from workers.api.messages import JSON, Request, Response
from workers.api.problems import invalid

Handler = Callable[[Request], Awaitable[Response]]


class Parameter(NamedTuple):
    """A parameter of the path or the query: its type, and in words what is expected."""

    name: str
    kind: Any
    expected: str
    place: Literal["query", "path"] = "query"
    required: bool = False
    example: str | None = None

    def parse(self, text: str) -> Any:
        """The value; raises `ApiError`."""
        try:
            return msgspec.convert(text, self.kind, strict=False)
        except (msgspec.ValidationError, ValueError, OverflowError):
            raise invalid(self.name, text, self.expected) from None


class Body(NamedTuple):
    """The body of a request: its type, and examples by name; `media` lists the types that it may come in."""

    kind: Any
    examples: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    media: tuple[str, ...] = (JSON,)


class Route(NamedTuple):
    """One method of one path; `scope` None lets anybody in. `answers` is what comes with status 200."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    scope: AccessScope | None
    summary: str
    answers: Any
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[str, ...] = ()
    media: tuple[str, ...] = (JSON,)
    example: Any = None


class Router:
    """Finds the routes of a path, and what the names in it stand for."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._plain: dict[str, dict[str, Route]] = {}
        self._named: dict[tuple[str, ...], dict[str, Route]] = {}
        for route in routes:
            if "{" in route.path:
                self._named.setdefault(tuple(route.path.split("/")), {})[route.method] = route
            else:
                self._plain.setdefault(route.path, {})[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """The routes by method, and the named parts; None when there is no such path."""
        if (plain := self._plain.get(path)) is not None:
            return plain, {}
        steps = path.split("/")
        for template, routes in self._named.items():
            if len(template) == len(steps) and all(
                a == b or a[:1] == "{" for a, b in zip(template, steps, strict=True)
            ):
                return routes, {a[1:-1]: b for a, b in zip(template, steps, strict=True) if a[:1] == "{"}
        return None
