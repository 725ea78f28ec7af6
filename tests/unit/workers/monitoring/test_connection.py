"""Faust speaks to the brokers as the other clients do."""

import ssl
from typing import Any

import pytest
from certifi import where

from workers.monitoring.connection import connection

SASL = {"sasl_plain_username": "churn", "sasl_plain_password": "hunter2", "sasl_mechanism": "SCRAM-SHA-512"}


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
def test_settings_become_options(protocol: str) -> None:
    """Every broker is named; who we are and whom we trust only where it is asked."""
    config = {"bootstrap_servers": "a:9092, b:9092", "security_protocol": protocol, "ssl_cafile": where(), **SASL}
    options: dict[str, Any] = connection(config)
    assert options["broker"] == ["kafka://a:9092", "kafka://b:9092"]
    if protocol == "PLAINTEXT":
        assert "broker_credentials" not in options
        return
    credentials = options["broker_credentials"]
    assert credentials.protocol.value == protocol
    context = getattr(credentials, "ssl_context", None) or getattr(credentials, "context", None)
    assert isinstance(context, ssl.SSLContext) == ("SSL" in protocol.split("_"))
    if protocol.startswith("SASL"):
        assert (credentials.username, credentials.password) == ("churn", "hunter2")
        assert credentials.mechanism.value == "SCRAM-SHA-512"
