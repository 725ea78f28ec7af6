"""What is known of a stack outside the process that started it: `stack.json` in its folder."""

import os
import re
import tempfile
from pathlib import Path

import msgspec

from churn.stack.errors import StackError
from schemas.errors import InvalidRecordError, decoded


def without_password(url: str) -> str:
    """Give the URL as it may be shown."""
    return re.sub("//[^/]*@", "//***@", url)


class Service(msgspec.Struct, frozen=True):
    """A service that answers at `address`: host:port of Kafka, the URL of Redis."""

    name: str
    address: str
    rung: str  # what it stands on, as a sentence without secrets
    ours: bool  # whether we started it and end it


class Stack(msgspec.Struct, frozen=True):
    """The two services."""

    kafka: Service
    redis: Service

    @property
    def services(self) -> tuple[Service, Service]:
        """Both, in the order in which they start."""
        return self.kafka, self.redis


class Record(msgspec.Struct, frozen=True):
    """A stack as it is written down."""

    stack: Stack
    kept: bool  # whether it was left running on purpose, by `up`


_decode = msgspec.json.Decoder(Record).decode


def write(folder: Path, record: Record) -> None:
    """Write the record; a reader, also after a power failure, finds a whole one. It is for the owner's eyes only."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="stack.json.", delete=False) as file:
        file.write(msgspec.json.format(msgspec.json.encode(record)))
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(_path(folder))


def read(folder: Path) -> Record | None:
    """Read the record; none when there is none. Raises `StackError` when it is not one of ours."""
    try:
        return decoded(_decode, _path(folder).read_bytes())
    except FileNotFoundError:
        return None
    except InvalidRecordError as error:
        raise StackError(f"{_path(folder)} cannot be read ({error}); `churn stack down` removes it") from None


def remove(folder: Path) -> None:
    """Forget the stack."""
    _path(folder).unlink(missing_ok=True)


def containers_note(folder: Path) -> Path:
    """Name the file that exists for as long as containers of the stack may: without it nobody needs to ask Docker."""
    return folder / "containers"


def _path(folder: Path) -> Path:
    return folder / "stack.json"
