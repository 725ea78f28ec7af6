"""Recorded customers as the events that would have been published: a table of one row a customer turned into a log.

A row that repeats an earlier one cell by cell is dropped (300 of the 3,150 of the Iranian set). A customer's id is the
number of its row in the file, from 1.
"""

import hashlib
from collections.abc import Collection
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from producers.errors import DataFileError
from producers.mappings import MAPPINGS
from producers.table import read_table
from schemas.events import Event
from schemas.outcomes import OutcomeObserved

IRANIAN_FILE = Path(__file__).parent / "data" / "iranian_churn.csv"


class Dataset(NamedTuple):
    """The events of all customers in order of time, and their outcomes; `key` is another one for other contents."""

    name: str
    key: str
    events: list[Event]
    outcomes: list[OutcomeObserved]

    def only(self, customers: Collection[str]) -> "Dataset":
        """The same without all other customers; raises `DataFileError` when one of `customers` is not among them."""
        wanted = frozenset(customers)
        if absent := wanted - {outcome.subject for outcome in self.outcomes}:
            raise DataFileError(f"data set {self.name} has no customer {min(absent)!r}")
        return Dataset(
            self.name,
            _digest(f"{self.key} {sorted(wanted)}".encode()),
            [event for event in self.events if event.subject in wanted],
            [outcome for outcome in self.outcomes if outcome.subject in wanted],
        )


def load(file: Path) -> Dataset:
    """The customers in a CSV file of one of the known data sets, all of them in memory, about 5 kB each.

    The header tells which data set it is. Raises `DataFileError` naming the file, line, column and value that are
    wrong, and what was expected.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataFileError(f"{file}: {error.strerror}; expected a CSV file") from None
    mapping, rows = read_table(str(file), content, MAPPINGS)
    if not rows:
        raise DataFileError(f"{file}:2: no customers; expected one a row")
    histories = [mapping.history(row) for row in rows]
    return Dataset(
        mapping.name,
        _digest(content),
        # sorted() keeps the order of equals: of the rows, and within a customer of what comes first
        sorted(chain.from_iterable(history.events() for history in histories), key=attrgetter("time")),
        [history.outcome() for history in histories],
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
