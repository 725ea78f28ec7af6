"""Keys: who is let in, and what a bad line says."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.api.keys import ANYBODY, Client, Keys, KeysError, new_key


def test_a_key_lets_its_client_in() -> None:
    """As bearer, or as the password of any user; with the scopes of its line."""
    first, line = new_key("crm", ["predict", "explain"])
    second, other = new_key("shop", ["predict"])
    keys = Keys(["# clients", "", f"  {line}  # since May", other])
    assert keys.client(b"Bearer " + first.encode()) == Client("crm", frozenset({"predict", "explain"}))
    assert keys.client(b"basic " + base64.b64encode(b"x:" + second.encode())) == Client("shop", frozenset({"predict"}))
    assert first not in line
    assert second not in line


@given(st.binary(max_size=60))
def test_nothing_else_lets_anybody_in(header: bytes) -> None:
    """Whatever the header is."""
    keys = Keys([new_key("crm", ["predict"])[1]])
    assert keys.client(header) is None
    assert keys.client(b"Bearer " + header) is None
    assert keys.client(b"Basic " + base64.b64encode(header)) is None


def test_without_keys_anybody_may_do_everything() -> None:
    """Which is allowed on this machine only."""
    assert not Keys()
    assert Keys([new_key("crm", ["predict"])[1]])
    assert Keys().client(b"") == ANYBODY


@pytest.mark.parametrize(
    "line", ["crm", "crm predict short", f"crm root {'0' * 64}", f"the crm predict {'0' * 64}", f"crm , {'0' * 64}"]
)
def test_a_line_that_is_none(line: str) -> None:
    """The number of the line, and nothing of what is in it."""
    with pytest.raises(KeysError, match="line 2: expected client scope") as caught:
        Keys(["# first", line])
    assert "0000" not in str(caught.value)
