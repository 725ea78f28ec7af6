"""Ports for servers on this machine."""

import random
import socket


def free_port() -> int:
    """Find a port of 127.0.0.1 that nothing listens on.

    It lies below the ranges from which Linux (32768-60999) and macOS (49152-65535) give ports to outgoing connections:
    a server that binds seconds from now would else find its port taken by somebody's client.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
