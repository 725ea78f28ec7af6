"""Reading a CSV file: what is wrong with it is said in one line, with file, line, column, value and expectation."""

import csv
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import DataFileError
from producers.mappings import MAPPINGS
from producers.mappings.iranian import IRANIAN
from producers.mappings.mlc import MLC
from producers.table import Row, read_table

HEADER = ",".join(IRANIAN.columns)
ROW = "8,0,38,0,4370,71,5,17,3,1,1,30,197.64,0"


def read(text: str | bytes) -> list[Row]:
    """The rows of a file with this content."""
    content = text.encode() if isinstance(text, str) else text
    return read_table("f.csv", content, MAPPINGS)[1]


def row(**cells: str) -> Row:
    """Row 4 of a file, in line 5."""
    return Row("f.csv", 5, 4, cells)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_header_tells_the_mapping(mapping: object) -> None:
    """Each mapping is found by its own header."""
    header = ",".join(mapping.columns)  # type: ignore[attr-defined]
    assert read_table("f.csv", header.encode(), MAPPINGS)[0] is mapping


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_files_of_all_systems_are_read(start: bytes, ending: str) -> None:
    """A byte order mark, Windows' line ends, a missing last line end and blank lines are no trouble."""
    lines = (ending or "\n").join([HEADER, ROW, "", ROW.replace("8,", "9,", 1)]) + ending
    assert [found.number for found in read(start + lines.encode())] == [1, 2]


def test_repeated_rows_are_dropped_and_keep_their_number() -> None:
    """A row equal to an earlier one is dropped, and the rows behind it keep the numbers they have in the file."""
    rows = read("\n".join([HEADER, ROW, ROW, ROW.replace("8,", "9,", 1), ROW]))
    assert [found.number for found in rows] == [1, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "f.csv:1: column 1 of the header is missing; expected 'Call  Failure', as in data set iranian"),
        ("a,b\n1,2", "f.csv:1: column 1 of the header is 'a'; expected 'Call  Failure', as in data set iranian"),
        (HEADER.replace("Churn", "churn"), "f.csv:1: column 14 of the header is 'churn'; expected 'Churn'"),
        (HEADER.replace(",", ";"), "f.csv:1: column 1 of the header is 'Call  Failure;Complains"),
        (HEADER + ",x", "f.csv:1: column 15 of the header is 'x'; expected missing, as in data set iranian"),
        (",".join(MLC.columns[:-1]), "f.csv:1: column 20 of the header is missing; expected 'churn', as in"),
        (f"{HEADER}\n{ROW}\n1,2", "f.csv:3: 2 columns; expected 14"),
        (f"{HEADER}\n{ROW},9", "f.csv:2: 15 columns; expected 14"),
        (f'{HEADER}\n"8', "f.csv:2: not CSV: unexpected end of data"),
        (f"{HEADER}\n{ROW}\n".encode() + b"\xff\xfe", "f.csv:3: byte 227 is 0xff; expected UTF-8"),
        (f"{HEADER}\n" + "8" * 200_000, "f.csv:2: not CSV: field larger than field limit (131072)"),
    ],
)  # fmt: skip
def test_file_that_is_no_table_is_named(content: str | bytes, message: str) -> None:
    """Whatever is wrong with a file as a whole is said with its line."""
    with pytest.raises(DataFileError) as caught:
        read(content)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@given(content=st.binary(max_size=300))
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    """Any bytes either are a table or give the one declared error."""
    with suppress(DataFileError):
        read(HEADER.encode() + b"\n" + content)


@pytest.mark.parametrize(
    ("cell", "scale", "value"), [("0", 1, 0), ("7", 1, 7), ("7.0", 1, 7), ("265.1", 60, 15_906), ("2.7", 100, 270)]
)  # fmt: skip
def test_whole_numbers_are_exact(cell: str, scale: int, value: int) -> None:
    """A cell times its scale is the exact integer."""
    assert row(x=cell).whole("x", scale=scale) == value


@pytest.mark.parametrize(
    ("cell", "scale", "expected"),
    [
        ("-1", 1, "a number, as 12 or 12.5"),
        ("", 1, "a number, as 12 or 12.5"),
        (" 1", 1, "a number, as 12 or 12.5"),
        ("nan", 1, "a number, as 12 or 12.5"),
        ("1e999", 1, "a number, as 12 or 12.5"),
        ("9" * 5000, 1, "a number, as 12 or 12.5"),
        ("٣", 1, "a number, as 12 or 12.5"),
        ("1\n", 1, "a number, as 12 or 12.5"),
        ("1.5", 1, "a number from 0 to 150"),
        ("151", 1, "a number from 0 to 150"),
        ("0.001", 100, "a number from 0 to 1.5 in steps of 1/100"),
        ("1.51", 100, "a number from 0 to 1.5 in steps of 1/100"),
    ],
)
def test_other_numbers_are_refused(cell: str, scale: int, expected: str) -> None:
    """A cell that is no such number is named with what was expected."""
    with pytest.raises(DataFileError) as caught:
        row(x=cell).whole("x", scale=scale, most=150)
    assert str(caught.value) == f"f.csv:5: column 'x' is {cell!r}; expected {expected}"


def test_decimals_are_exact_and_bounded() -> None:
    """A decimal is what is written, up to a billion."""
    assert row(x="46.035").decimal("x") == Decimal("46.035")
    with pytest.raises(DataFileError, match=r"column 'x' is '1000000000\.1'; expected a number from 0 to 1000000000"):
        row(x="1000000000.1").decimal("x")


def test_choices_are_the_listed_ones() -> None:
    """A choice has its meaning, and any other cell is refused with the list."""
    assert row(x="yes").choice("x", {"no": False, "yes": True}) is True
    with pytest.raises(DataFileError, match=r"f\.csv:5: column 'x' is 'Yes'; expected no or yes"):
        row(x="Yes").choice("x", {"no": False, "yes": True})


def test_line_counts_quoted_line_ends() -> None:
    """The line of an error is the line in the file also behind a cell of several lines."""
    header = ",".join(f'"{name}"' for name in MLC.columns)
    cells = next(csv.reader(['"a\nb"' + ",1" * 19]))
    assert len(cells) == 20
    with pytest.raises(DataFileError, match=r"f\.csv:4: 1 columns"):
        read(f"{header}\n" + '"a\nb"' + ",1" * 19 + "\nx")
