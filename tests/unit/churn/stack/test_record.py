"""The record of a stack on disk."""

from pathlib import Path

import pytest

from churn.stack.errors import StackError
from churn.stack.record import Record, Service, Stack, read, remove, without_password, write

STACK = Stack(
    kafka=Service(name="kafka", address="127.0.0.1:1", rung="Kafka", ours=True),
    redis=Service(name="redis", address="redis://:secret@127.0.0.1:2/0", rung="Redis", ours=False),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A record survives the disk, replaces an older one, and leaves no other file."""
    write(tmp_path, Record(STACK, kept=False))
    write(tmp_path, Record(STACK, kept=True))
    assert read(tmp_path) == Record(STACK, kept=True)
    assert [file.name for file in tmp_path.iterdir()] == ["stack.json"]


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """The addresses may hold a password, so the file is the owner's alone."""
    write(tmp_path, Record(STACK, kept=True))
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0


def test_none_is_none(tmp_path: Path) -> None:
    """No record is not an error, neither to read nor to remove."""
    remove(tmp_path)
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"stack": 1, "kept": true}', b'{"stack": {"kafka": {"name": "\xff"}}}', b"[" * 100_000],
    ids=lambda content: repr(content[:24]),
)  # fmt: skip
def test_a_broken_record_says_how_to_go_on(tmp_path: Path, content: bytes) -> None:
    """A file that is not a record is one clear error."""
    (tmp_path / "stack.json").write_bytes(content)
    with pytest.raises(StackError, match=r"stack\.json cannot be read .*churn stack down"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:p@ss@host:1/0", "redis://***@host:1/0"),
        ("redis://host:1/0", "redis://host:1/0"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    """Whatever stands before the host is hidden."""
    assert without_password(url) == shown
