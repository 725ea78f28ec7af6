"""Whether a service really answers, and the bounded wait until it does."""

import socket
import time
from collections.abc import Callable

import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from churn.stack.errors import StackError

PROBE_TIMEOUT_S = 2.0


def tcp_trouble(bootstrap: str) -> str | None:
    """Why none of the `host:port[,host:port]` accepts a connection; none when one does.

    This is all that can be asked of a Kafka whose credentials are not ours to know.
    """
    reasons = []
    for address in bootstrap.split(","):
        host, _, port = address.rpartition("://")[2].rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65_535:
            reasons.append(f"{address!r} is not host:port")
            continue
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_TIMEOUT_S).close()
        except (OSError, UnicodeError) as error:
            reasons.append(str(error))
        else:
            return None
    return "; ".join(reasons)


def kafka_trouble(bootstrap: str) -> str | None:
    """Why a Kafka without credentials does not tell its topics; none when it does."""
    if reason := tcp_trouble(bootstrap):
        return reason
    try:
        # log_level 0: while a broker starts, librdkafka would write of each refused connection to the terminal
        AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=PROBE_TIMEOUT_S)
    except KafkaException as error:
        return str(error)
    return None


def redis_trouble(url: str) -> str | None:
    """Why the Redis at `url` does not answer PING; none when it does."""
    try:
        with redis.Redis.from_url(
            url, socket_timeout=PROBE_TIMEOUT_S, socket_connect_timeout=PROBE_TIMEOUT_S
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return str(error)
    return None


def wait_until_ready(
    what: str,
    trouble: Callable[[], str | None],
    *,
    hint: str,
    timeout_s: float,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Return as soon as `trouble` finds none.

    Raises `StackError`, ending with `hint`, when `timeout_s` seconds have passed or `alive` says that there is nothing
    to wait for.
    """
    deadline = time.monotonic() + timeout_s
    while (reason := trouble()) is not None:
        if not alive():
            raise StackError(f"{what} ended while it started; {hint}")
        if time.monotonic() > deadline:
            raise StackError(f"{what} did not answer within {timeout_s:g} s ({reason}); {hint}")
        time.sleep(0.05)
