"""Ports for servers."""

import random
import socket

import pytest

from churn.stack.ports import free_port


def test_port_is_free_and_never_given_to_clients() -> None:
    """A server can bind the port, and it is outside the ranges that systems give to outgoing connections."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert 20_000 <= port < 32_000


def test_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port on which something listens is not given."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        drawn = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(random, "randrange", lambda *_: next(drawn))
        assert free_port() != taken.getsockname()[1]
