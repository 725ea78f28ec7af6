"""Who may ask, and where: the keys of the clients, whether a process may do without, whether it can listen."""

import ipaddress
import socket
from pathlib import Path

from churn.errors import UserError
from churn.settings import Settings
from workers.api.keys import Keys, KeysError


def allowed_keys(settings: Settings, variable: str, host: str) -> Keys:
    """The keys for what listens on `host`, which `variable` says; raises `UserError` when others could do without."""
    keys = _keys(settings)
    if not keys and not _is_this_machine(host):
        raise UserError(
            f"{variable}={host!r}: others could ask without a key; set CHURN_API_KEYS or "
            "CHURN_API_KEYS_FILE (see `churn key`)"
        )
    return keys


def insist_free(variables: str, host: str, port: int) -> None:
    """Raise `UserError` when nobody can listen there, or somebody does: a server would share the port with another."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        said = str(error.strerror).partition(" (while")[0]
        raise UserError(f"{variables}: {host}:{port}: {said}") from None


def split(text: str) -> list[str]:
    """The words between semicolons."""
    return [word for word in text.split(";") if word.strip()]


def _keys(settings: Settings) -> Keys:
    lines = split(settings.api_keys)
    if settings.api_keys_file:
        try:
            lines += Path(settings.api_keys_file).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UserError(f"CHURN_API_KEYS_FILE={settings.api_keys_file}: {reason}") from None
    try:
        return Keys(lines)
    except KeysError as error:
        raise UserError(f"CHURN_API_KEYS, CHURN_API_KEYS_FILE: {error}") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
