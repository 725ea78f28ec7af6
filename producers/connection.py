"""Connecting a kafka-python client: in bounded time, with one clear error, leaving nothing open when it fails."""

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from kafka.cluster import collect_hosts
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from producers.errors import BrokerUnavailableError

PROBE_TIMEOUT_S = 3.0
BOOTSTRAP_TIMEOUT_S = 10.0


def connected(client: Callable[..., Any], config: Mapping[str, Any]) -> tuple[Any, Any]:
    """A kafka-python `client` made with `config`, and the network client beneath it.

    Raises `BrokerUnavailableError`: after at most 3 s for each server that cannot be connected to, or 10 s when one can
    and then does not speak Kafka.
    """
    # kafka-python would try in silence, say neither why nor that a name is wrong, and wait for TLS without end.
    _probe(config)
    networks = []

    def network(**settings: Any) -> Any:
        networks.append(KafkaNetClient(**settings))
        return networks[0]

    try:
        made = client(**config, kafka_client=network, bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_S * 1000)
    except KafkaError as error:
        networks[0].close()  # a client that could not be made leaves its sockets and its thread behind
        raise BrokerUnavailableError(
            f"no Kafka broker answers; something else accepts connections, or one expects another security protocol "
            f"than {_protocol(config)} ({error})"
        ) from None
    return made, networks[0]


def _probe(config: Mapping[str, Any]) -> None:
    """Connect to the first server that lets us, TLS included, and close again; raises `BrokerUnavailableError`."""
    servers = config["bootstrap_servers"]
    try:
        addresses = collect_hosts(servers, randomize=False)
    except ValueError:
        raise BrokerUnavailableError(f"bootstrap_servers is {servers!r}; expected host:port[,host:port]") from None
    tls = _tls(config) if _protocol(config).endswith("SSL") else None
    troubles = []
    for host, port, _ in addresses:
        try:
            with socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S) as plain:
                if tls is not None:
                    tls.wrap_socket(plain, server_hostname=host).close()
        except (OSError, OverflowError, UnicodeError) as error:
            troubles.append(f"{host}:{port}: {error}")
        else:
            return
    raise BrokerUnavailableError(f"no Kafka broker answers ({'; '.join(troubles)})")


def _protocol(config: Mapping[str, Any]) -> str:
    return str(config.get("security_protocol", "PLAINTEXT"))


def _tls(config: Mapping[str, Any]) -> ssl.SSLContext:
    """The TLS settings that kafka-python will use; raises `BrokerUnavailableError` when a file cannot be used."""
    files = {name: config.get(f"ssl_{name}") for name in ("cafile", "certfile", "keyfile")}
    try:
        context: ssl.SSLContext = config.get("ssl_context") or ssl.create_default_context(cafile=files["cafile"])
        if files["certfile"]:
            context.load_cert_chain(files["certfile"], files["keyfile"], config.get("ssl_password"))
    except OSError as error:
        raise BrokerUnavailableError(f"TLS cannot be set up from {files}: {error}") from None
    return context
