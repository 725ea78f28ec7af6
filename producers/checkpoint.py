"""How far a replay has come, on disk: whole at any moment, also after a crash or a power failure."""

import os
from pathlib import Path
from typing import Annotated

import msgspec

from producers.errors import ReplayError
from schemas.errors import InvalidRecordError, decoded

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Place(msgspec.Struct, frozen=True):
    """`sent` of the `total` records, from the first on, are known to be in the topic."""

    sent: _Count
    total: _Count


_decode = msgspec.json.Decoder(Place).decode


class Checkpoint:
    """The place of one replay, in one file; every method raises `ReplayError` when the file cannot be used."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self, total: int) -> Place:
        """The place last written of a replay of `total` records; at the start if there is none."""
        try:
            place = decoded(_decode, self._file.read_bytes())
        except FileNotFoundError:
            return Place(0, total)
        except (OSError, InvalidRecordError) as error:
            raise ReplayError(f"{self._file} cannot be read ({error}); `churn replay --again` starts over") from None
        if place.total != total:
            raise ReplayError(
                f"{self._file} is of {place.total} records, expected {total}; `churn replay --again` starts over"
            )
        if place.sent > total:
            raise ReplayError(f"{self._file} is of {place.sent} of {total} records; `churn replay --again` starts over")
        return place

    def write(self, place: Place) -> None:
        """Replace what was written before."""
        temporary = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(place))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file)
            _sync_folder(self._file.parent)
        except OSError as error:
            raise ReplayError(f"how far the replay came cannot be written: {error}") from None

    def forget(self) -> None:
        """Start over next time."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            raise ReplayError(f"how far the replay came cannot be forgotten: {error}") from None


def _sync_folder(folder: Path) -> None:
    """Make the new name of a file in `folder` outlive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
