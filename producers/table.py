"""Reading a CSV file of customers, one a row, with errors that say where and what."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from io import StringIO
from itertools import zip_longest
from typing import NamedTuple, TypeVar

from producers.errors import DataFileError
from producers.history import History

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_T = TypeVar("_T")


class Row:
    """One row of a file; every method raises `DataFileError` naming file, line, column, value and what was expected."""

    def __init__(self, file: str, line: int, number: int, cells: Mapping[str, str]) -> None:
        self.number = number  # of the row in the file, from 1, the header not counted
        self._place = f"{file}:{line}"
        self._cells = cells

    def whole(self, column: str, *, scale: int = 1, most: int = 10**8) -> int:
        """The cell times `scale`, which must be a whole number from 0 to `most`."""
        product = self._number(column) * scale
        if product != int(product) or product > most:
            steps = f" in steps of 1/{scale}" if scale > 1 else ""
            raise self._error(column, f"a number from 0 to {most / scale:g}{steps}")
        return int(product)

    def decimal(self, column: str) -> Decimal:
        """The cell, which must be a number from 0 to a billion."""
        number = self._number(column)
        if number > 10**9:
            raise self._error(column, "a number from 0 to 1000000000")
        return number

    def choice(self, column: str, meanings: Mapping[str, _T]) -> _T:
        """What the cell means."""
        if self._cells[column] not in meanings:
            raise self._error(column, " or ".join(meanings))
        return meanings[self._cells[column]]

    def _number(self, column: str) -> Decimal:
        if not _NUMBER.fullmatch(self._cells[column]):
            raise self._error(column, "a number, as 12 or 12.5")
        return Decimal(self._cells[column])

    def _error(self, column: str, expected: str) -> DataFileError:
        return DataFileError(f"{self._place}: column {column!r} is {self._cells[column]!r}; expected {expected}")


class DatasetMapping(NamedTuple):
    """How the rows of one data set are read: its name, the header by which it is known, and a row's history."""

    name: str
    columns: tuple[str, ...]
    history: Callable[[Row], History]


def read_table(file: str, content: bytes, mappings: tuple[DatasetMapping, ...]) -> tuple[DatasetMapping, list[Row]]:
    """The mapping that knows the header of a CSV file's `content`, and the rows that do not repeat an earlier one.

    Raises `DataFileError` when the content is no table or its header is none of `mappings`.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataFileError(f"{file}:{line}: byte {error.start} is {content[error.start]:#x}; expected UTF-8") from None
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        mapping = _mapping_of(file, tuple(next(reader, ())), mappings)
        return mapping, _rows(file, ((reader.line_num, cells) for cells in reader), mapping.columns)
    except csv.Error as error:
        raise DataFileError(f"{file}:{reader.line_num}: not CSV: {error}") from None


def _mapping_of(file: str, header: tuple[str, ...], mappings: tuple[DatasetMapping, ...]) -> DatasetMapping:
    nearest = max(mappings, key=lambda mapping: len(set(mapping.columns) & set(header)))
    for number, (expected, found) in enumerate(zip_longest(nearest.columns, header), start=1):
        if expected != found:
            known = ", ".join(mapping.name for mapping in mappings)
            raise DataFileError(
                f"{file}:1: column {number} of the header is {_shown(found)}; expected {_shown(expected)}, "
                f"as in data set {nearest.name} (known are {known})"
            )
    return nearest


def _shown(name: str | None) -> str:
    return "missing" if name is None else repr(name)


def _rows(file: str, lines: Iterable[tuple[int, list[str]]], columns: tuple[str, ...]) -> list[Row]:
    rows, seen, number = [], set(), 0
    for line, cells in lines:
        if not cells:
            continue  # a blank line
        number += 1
        if len(cells) != len(columns):
            raise DataFileError(f"{file}:{line}: {len(cells)} columns; expected {len(columns)}")
        key = tuple(cells)
        if key not in seen:
            seen.add(key)
            rows.append(Row(file, line, number, dict(zip(columns, cells, strict=True))))
    return rows
