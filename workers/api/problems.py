"""Errors as RFC 9457 has them: every kind in one table, and each says what was sent and what was expected."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.http import FieldError, ProblemDetails

CONTENT_TYPE = "application/problem+json"
SHOWN_CHARACTERS = 200

Header = tuple[bytes, bytes]


class Kind(NamedTuple):
    """A kind of problem: its HTTP status, and its name for people."""

    status: int
    title: str


KINDS: dict[str, Kind] = {
    "not-json": Kind(400, "The body is not JSON"),
    "no-key": Kind(401, "A key is needed"),
    "not-allowed": Kind(403, "The key is not allowed to do this"),
    "not-found": Kind(404, "There is no such thing here"),
    "wrong-method": Kind(405, "This cannot be done here"),
    "too-slow": Kind(408, "The body did not come in time"),
    "before-newest-event": Kind(409, "The customer's features are of a later moment"),
    "too-large": Kind(413, "The body is too large"),
    "wrong-content-type": Kind(415, "The body is of another type than expected"),
    "invalid": Kind(422, "Something that was sent is not as expected"),
    "too-often": Kind(429, "The client asks too often"),
    "failed": Kind(500, "The service made a mistake"),
    "unavailable": Kind(503, "The features cannot be read right now"),
    "standby": Kind(503, "This monitor is not the active one"),
}


class ApiError(Exception):
    """A request that is answered with a problem; `kind` is one of `KINDS`."""

    def __init__(
        self, kind: str, detail: str, errors: Sequence[FieldError] = (), headers: Sequence[Header] = ()
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors, self.headers = kind, detail, [*errors], [*headers]

    def details(self, request_id: str) -> ProblemDetails:
        """What the caller reads."""
        status, title = KINDS[self.kind]
        return ProblemDetails(
            type=f"urn:churn:problem:{self.kind}",
            title=title,
            status=status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
        )


def missing(field: str, expected: str) -> ApiError:
    """The problem of a field that is not there."""
    return ApiError("invalid", f"{field} is missing; expected {expected}", [FieldError(field, None, expected)])


def unknown(field: str, value: Any, known: str) -> ApiError:
    """The problem of a field that nobody expects."""
    return ApiError("invalid", f"{field} is not known here; {known}", [FieldError(field, _cut(value), known)])


def invalid(field: str, value: Any, expected: str) -> ApiError:
    """The problem of one field that is not as expected."""
    shown = _cut(value)
    said = msgspec.json.encode(shown).decode()
    return ApiError("invalid", f"{field} is {said}; expected {expected}", [FieldError(field, shown, expected)])


def unavailable(detail: str, retry_after_s: int) -> ApiError:
    """The problem of features that cannot be read now."""
    return ApiError("unavailable", detail, headers=[(b"retry-after", str(retry_after_s).encode())])


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "…"
    return value if len(msgspec.json.encode(value)) <= SHOWN_CHARACTERS else f"({type(value).__name__})"
