"""Faust speaks to the brokers as the other clients do."""

import ssl
from pathlib import Path
from typing import Any

import faust
import pytest

from churn.settings import Settings
from workers.monitoring.connection import connection

AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUeRafK72yH0nTResgCj1uC6iQO2gwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUQ2h1cm4gdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI1MTIzNjI1
WhgPMjEyNjExMDExMjM2MjVaMB8xHTAbBgNVBAMMFENodXJuIHRlc3QgYXV0aG9y
aXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEChtF2M/HUASDQQvgE3LyW0kP
vL0XAqo8ZYcUK3aOpIbfN5xpFulKpnUaJqKH9Bu/IscClcDu5pfSJuolz20nqaNT
MFEwHQYDVR0OBBYEFHS7TYiODqgZRli1xydudCHfEGQeMB8GA1UdIwQYMBaAFHS7
TYiODqgZRli1xydudCHfEGQeMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
SAAwRQIgVnoLaUYBKKBJdCvpXznT9fmKj1DepEA5cdumh9zksGACIQD12fmAg8cC
AaSg9hq7t+18u+Kxr9o6fLdp/hBePcvsQA==
-----END CERTIFICATE-----
"""
NAME = ((("commonName", "Churn test authority"),),)


@pytest.fixture
def authority(tmp_path: Path) -> str:
    """The file of an authority that nobody else knows."""
    path = tmp_path / "ca.pem"
    path.write_text(AUTHORITY, encoding="ascii")
    return str(path)


def options(protocol: str, servers: str = "kafka:9092", **more: str) -> dict[str, Any]:
    """The options of the app, from the settings of every client."""
    variables = {"KAFKA_BOOTSTRAP_SERVERS": servers, "KAFKA_SECURITY_PROTOCOL": protocol, **more}
    login = {"KAFKA_SASL_USERNAME": "churn", "KAFKA_SASL_PASSWORD": "hunter2"}
    return connection(Settings.load(variables | login).kafka_python())


def checks(context: object) -> list[object]:
    """Whom the context trusts; it insists on a certificate with the broker's name."""
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    return [certificate["subject"] for certificate in context.get_ca_certs()]


def test_plain() -> None:
    """Without TLS and login there are only the servers, of which there may be several."""
    assert options("PLAINTEXT") == {"broker": ["kafka://kafka:9092"]}
    assert options("PLAINTEXT", "a:1, b:2,c:3") == {"broker": ["kafka://a:1", "kafka://b:2", "kafka://c:3"]}


def test_tls(authority: str) -> None:
    """The broker's certificate is checked, with the authority of the settings and no other."""
    credentials = options("SSL", KAFKA_SSL_CA_LOCATION=authority)["broker_credentials"]
    assert isinstance(credentials, faust.SSLCredentials)
    assert credentials.protocol.value == "SSL"
    assert checks(credentials.context) == [NAME]


def test_tls_with_the_authorities_of_the_system() -> None:
    """Where none is named, the broker's certificate is checked all the same."""
    assert NAME not in checks(options("SSL")["broker_credentials"].context)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_login_over_tls(authority: str, mechanism: str) -> None:
    """User, password and mechanism reach Faust, and the certificate is checked."""
    more = {"KAFKA_SASL_MECHANISM": mechanism, "KAFKA_SSL_CA_LOCATION": authority}
    credentials = options("SASL_SSL", **more)["broker_credentials"]
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.username, credentials.password) == ("churn", "hunter2")
    assert (credentials.mechanism.value, credentials.protocol.value) == (mechanism, "SASL_SSL")
    assert checks(credentials.ssl_context) == [NAME]


def test_login_without_tls() -> None:
    """As the settings say, and shown without the password."""
    credentials = options("SASL_PLAINTEXT", "a:1,b:2")["broker_credentials"]
    assert (credentials.username, credentials.password) == ("churn", "hunter2")
    assert (credentials.ssl_context, credentials.protocol.value) == (None, "SASL_PLAINTEXT")
    assert "hunter2" not in repr(credentials)


def test_missing_authority_is_an_error(tmp_path: Path) -> None:
    """Nobody is trusted instead."""
    with pytest.raises(FileNotFoundError):
        options("SSL", KAFKA_SSL_CA_LOCATION=str(tmp_path / "no.pem"))
