"""A request as the handlers see it, and what they answer."""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from workers.api.problems import ApiError, Header, invalid

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
NDJSON = "application/x-ndjson"
HTML = "text/html; charset=utf-8"
MOST_PARAMETERS = 20

GZIP_BITS = 31  # zlib's word for a gzip header around 32 KiB windows
LENGTH_DIGITS = 15
_CLOSE: Header = (b"connection", b"close")

encode = msgspec.json.Encoder().encode


class Limits(NamedTuple):
    """What a body may be: bytes, and seconds until all of it is here."""

    body_bytes: int
    body_timeout_s: float


class Response(NamedTuple):
    """An answer; a body that is not bytes is sent piece by piece."""

    status: int
    body: bytes | AsyncIterator[bytes]
    content_type: str = JSON
    headers: tuple[Header, ...] = ()


def answer(content: Any, status: int = 200) -> Response:
    """`content` as JSON."""
    return Response(status, encode(content))


class Request:
    """One request; `id` is the caller's own or made here, `path` holds the parts that the route names."""

    def __init__(self, scope: Scope, receive: Receive, request_id: str, path: dict[str, str], limits: Limits) -> None:
        self._scope, self._receive, self._limits = scope, receive, limits
        self.id, self.path = request_id, path

    @cached_property
    def headers(self) -> dict[bytes, bytes]:
        """The headers, by name in small letters; of a repeated one the last."""
        return dict(self._scope["headers"])

    def query(self) -> dict[str, str]:
        """The parameters behind the question mark; raises `ApiError` for what cannot be read and what comes twice."""
        raw = self._scope["query_string"]
        try:
            pairs = parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
            )
        except ValueError:
            raise invalid("query", raw.decode("ascii", "replace"), "percent-encoded UTF-8, name=value") from None
        result = dict(pairs)
        if len(result) < len(pairs):
            ((name, _), *_) = Counter(name for name, _ in pairs).most_common()
            raise invalid(name, [value for other, value in pairs if other == name], "one value")
        return result

    def accepts_html(self) -> bool:
        """Whether a browser asks: it names HTML, programs do not."""
        return b"text/html" in self.headers.get(b"accept", b"")

    def content_type(self, *allowed: str) -> str:
        """The type of the body, by default the first of those allowed; raises `ApiError` when it is none of them."""
        sent = self.headers.get(b"content-type", allowed[0].encode()).decode("latin-1")
        kind = sent.partition(";")[0].strip().lower()
        if kind not in allowed:
            raise ApiError("wrong-content-type", f"Content-Type is {sent}; expected {' or '.join(allowed)}")
        return kind

    async def body(self, content_type: str = JSON) -> bytes:
        """All of the body, unpacked; raises `ApiError` when it is of another type, too large or too slow."""
        self.content_type(content_type)
        unpack = self._unpacking()
        most = self._limits.body_bytes
        too_large = ApiError("too-large", f"the body has more than {most:,} bytes", headers=[_CLOSE])
        declared = self.headers.get(b"content-length", b"0")
        if len(declared) > LENGTH_DIGITS or int(declared) > most:
            raise too_large
        body = bytearray()
        async for chunk in self._chunks():
            body += unpack(chunk, most + 1 - len(body))  # of a bomb no more than this is ever unpacked
            if len(body) > most:
                raise too_large
        return bytes(body)

    def _unpacking(self) -> Callable[[bytes, int], bytes]:
        """What makes plain bytes of a chunk, so many at most."""
        encoding = self.headers.get(b"content-encoding", b"identity").decode("latin-1")
        if encoding == "identity":
            return lambda chunk, _: chunk
        if encoding != "gzip":
            raise ApiError(
                "wrong-content-type", f"Content-Encoding is {encoding}; expected gzip, or none",
                headers=[(b"accept-encoding", b"gzip, identity")],
            )  # fmt: skip
        gzip = zlib.decompressobj(wbits=GZIP_BITS)

        def unpack(chunk: bytes, most: int) -> bytes:
            try:
                return gzip.decompress(chunk, most)
            except zlib.error as error:
                raise ApiError("not-json", f"the body is not gzip: {error}") from None

        return unpack

    async def _chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; raises `ApiError` when it ends before its time or not in time."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._limits.body_timeout_s
        more = True
        while more:
            try:
                async with asyncio.timeout_at(deadline_s):
                    message = await self._receive()
            except TimeoutError:
                raise ApiError(
                    "too-slow", f"the body did not end within {self._limits.body_timeout_s:g} s", headers=[_CLOSE]
                ) from None
            if message["type"] == "http.disconnect":
                raise ApiError("too-slow", "the connection ended before the body did")
            yield message.get("body", b"")
            more = message.get("more_body", False)
