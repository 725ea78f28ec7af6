"""Who may ask what: keys of clients, kept as SHA-256 only.

A key is 32 random bytes, so that a plain hash of it tells nothing and needs no salt.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

AccessScope = Literal["predict", "explain", "admin"]
SCOPES: tuple[AccessScope, ...] = get_args(AccessScope)
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}) ([a-z,]+) ([0-9a-f]{64})", re.ASCII)


class KeysError(Exception):
    """A line that is no key; the message says which, and never quotes it."""


class Client(NamedTuple):
    """Who asks, and what they may."""

    name: str
    scopes: frozenset[str]


ANYBODY = Client("anybody", frozenset(SCOPES))


class Keys:
    """The keys of all clients; without any, anybody may do everything."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        """Read lines `client scope[,scope] sha256`; blank ones and those with # are left out. Raises `KeysError`."""
        self._clients: list[tuple[bytes, Client]] = []
        for number, line in enumerate(lines, start=1):
            if not (words := " ".join(line.partition("#")[0].split())):
                continue
            found = _LINE.fullmatch(words)
            scopes = frozenset(found[2].split(",")) if found else frozenset()
            if not found or not scopes <= {*SCOPES}:
                raise KeysError(f"line {number}: expected client scope[,scope] sha256, scopes of {', '.join(SCOPES)}")
            self._clients.append((bytes.fromhex(found[3]), Client(found[1], scopes)))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._clients)

    def client(self, authorization: bytes) -> Client | None:
        """Whose key is in an Authorization header: `Bearer KEY`, or `Basic` with the key as password."""
        if not self._clients:
            return ANYBODY
        digest = hashlib.sha256(_key(authorization)).digest()
        found = None
        for known, client in self._clients:  # all of them, so that the time does not tell which
            if hmac.compare_digest(known, digest):
                found = client
        return found


def new_key(client: str, scopes: Iterable[str]) -> tuple[str, str]:
    """A new key, which is shown once, and the line that is kept of it."""
    key = secrets.token_urlsafe(32)
    return key, f"{client} {','.join(scopes)} {hashlib.sha256(key.encode()).hexdigest()}"


def _key(authorization: bytes) -> bytes:
    scheme, _, given = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return given.strip() if scheme.lower() == b"bearer" else b""
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
