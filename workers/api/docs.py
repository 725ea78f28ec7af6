"""`/openapi.json` and `/docs`."""

from collections.abc import Sequence
from typing import Any

import msgspec

from workers.api.messages import HTML, JSON, Request, Response
from workers.api.openapi import openapi
from workers.api.routes import Route


class Docs:
    """The handlers; `routes` is what is documented."""

    def __init__(self, routes: Sequence[Route], version: str) -> None:
        self._document = msgspec.json.encode(openapi(routes, version))

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("GET", "/openapi.json", self.document, None, "This document", dict[str, Any]),
            Route("GET", "/docs", self.page, None, "This document as a page", str, media=(HTML,)),
        ]

    async def document(self, _: Request) -> Response:
        """GET /openapi.json."""
        return Response(200, self._document, JSON)

    async def page(self, _: Request) -> Response:
        """GET /docs."""
        return Response(200, self._document, JSON)
