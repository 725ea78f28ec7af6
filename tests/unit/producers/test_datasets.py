"""Data sets: read from a file, reduced to some customers, and refused with one line where they cannot be used."""

from pathlib import Path

import pytest

from producers.datasets import IRANIAN_FILE, load
from producers.errors import DataFileError

EXCERPT = Path(__file__).parents[2] / "data" / "mlc_excerpt.csv"


def test_only_some_customers_are_another_data_set() -> None:
    """A part has the events and outcomes of its customers, in order, and a key that depends on them alone."""
    whole = load(EXCERPT)
    part = whole.only(["3", "1"])
    assert [outcome.subject for outcome in part.outcomes] == ["1", "3"]
    assert part.events == [event for event in whole.events if event.subject in {"1", "3"}]
    assert part.key == whole.only({"1", "3"}).key
    assert len({part.key, whole.key, whole.only(["1"]).key}) == 3


def test_part_with_a_stranger_is_refused() -> None:
    """A customer that the data set does not have is named."""
    with pytest.raises(DataFileError, match="data set mlc has no customer '26'"):
        load(EXCERPT).only(["1", "26"])


def test_key_follows_the_contents(tmp_path: Path) -> None:
    """A copy of a file is the same data set, and a changed one is another."""
    copy = tmp_path / "copy.csv"
    copy.write_bytes(EXCERPT.read_bytes())
    assert load(copy) == load(EXCERPT)
    copy.write_text(EXCERPT.read_text().replace("265.1", "265.2", 1))
    assert load(copy).key != load(EXCERPT).key


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.csv", None, "No such file or directory; expected a CSV file"),
        (".", None, "Is a directory; expected a CSV file"),
        ("empty.csv", IRANIAN_FILE.read_text().splitlines()[0], "2: no customers; expected one a row"),
    ],
)
def test_file_without_customers_is_named(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    """A file that is not there, is a folder or has no rows is named."""
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataFileError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:{'' if content else ' '}{message}"


def test_bad_cell_is_named(tmp_path: Path) -> None:
    """A cell that cannot be used is named with the file, line, column and value."""
    file = tmp_path / "bad.csv"
    file.write_text(EXCERPT.read_text().replace("OH,107", "OH,many"))
    with pytest.raises(DataFileError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:3: column 'account_length' is 'many'; expected a number, as 12 or 12.5"
