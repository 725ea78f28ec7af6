"""How Faust speaks to the brokers, from the same settings as the other clients."""

import ssl
from collections.abc import Mapping
from typing import Any

import faust


def connection(config: Mapping[str, str]) -> dict[str, Any]:
    """The options of a Faust app for the settings of a kafka-python client."""
    servers = config["bootstrap_servers"].split(",")
    options: dict[str, Any] = {"broker": [f"kafka://{server.strip()}" for server in servers]}
    protocol = config["security_protocol"]
    context = ssl.create_default_context(cafile=config.get("ssl_cafile")) if "SSL" in protocol.split("_") else None
    if "SASL" in protocol:
        options["broker_credentials"] = faust.SASLCredentials(
            username=config["sasl_plain_username"],
            password=config["sasl_plain_password"],
            mechanism=config["sasl_mechanism"],
            ssl_context=context,
        )
    elif context is not None:
        options["broker_credentials"] = faust.SSLCredentials(context)
    return options
