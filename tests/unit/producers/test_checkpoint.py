"""How far a replay came is on disk whole, or the trouble is said in one line."""

from pathlib import Path

import pytest

from producers.checkpoint import Checkpoint, Place
from producers.errors import ReplayError


def test_place_is_read_back(tmp_path: Path) -> None:
    """What was written last is read, and only the one file is left, in a folder that is made when needed."""
    checkpoint = Checkpoint(tmp_path / "replay" / "x.json")
    assert checkpoint.read(10) == Place(0, 10)
    checkpoint.write(Place(3, 10))
    checkpoint.write(Place(7, 10))
    assert checkpoint.read(10) == Place(7, 10)
    assert [file.name for file in (tmp_path / "replay").iterdir()] == ["x.json"]


def test_forgotten_place_is_the_start(tmp_path: Path) -> None:
    """After forgetting, and again, the replay starts over."""
    checkpoint = Checkpoint(tmp_path / "x.json")
    checkpoint.write(Place(3, 10))
    checkpoint.forget()
    checkpoint.forget()
    assert checkpoint.read(10) == Place(0, 10)


def test_place_in_another_number_of_records_is_refused(tmp_path: Path) -> None:
    """A file written when the data set had another number of records is not gone on from."""
    checkpoint = Checkpoint(tmp_path / "x.json")
    checkpoint.write(Place(3, 10))
    with pytest.raises(ReplayError, match="is of 10 records, expected 11"):
        checkpoint.read(11)


@pytest.mark.parametrize(
    "content", [
        b"", b"{}", b"\xff", b'{"sent": "x", "total": 1}', b'{"\xff": 1}', b'{"x": "\xff", "sent": "\xff"}',
        b'{"x": ' + b"[" * 100_000, b'{"sent": -1, "total": 1}', b'{"sent": 1, "total": ' + b"9" * 4000 + b"}",
    ],
    ids=lambda content: repr(content[:24]),
)  # fmt: skip
def test_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that is not one of ours is named."""
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(ReplayError, match=f"{file} cannot be read"):
        Checkpoint(file).read(1)


def test_place_behind_the_end_is_refused(tmp_path: Path) -> None:
    """A file that says that more was sent than there is would end the replay without a word."""
    checkpoint = Checkpoint(tmp_path / "x.json")
    checkpoint.write(Place(11, 10))
    with pytest.raises(ReplayError, match="is of 11 of 10 records"):
        checkpoint.read(10)


def test_unusable_folder_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is an error of every method, in one line."""
    (tmp_path / "file").write_text("")
    checkpoint = Checkpoint(tmp_path / "file" / "x.json")
    with pytest.raises(ReplayError, match="cannot be read"):
        checkpoint.read(1)
    with pytest.raises(ReplayError, match="cannot be written"):
        checkpoint.write(Place(1, 1))
    with pytest.raises(ReplayError, match="cannot be forgotten"):
        checkpoint.forget()
