"""The last score of every customer in every hour, in one SQLite file: what outcomes are joined with.

The file is a copy of `churn.scores` and nothing else. Scores and the offsets that they were read up to change in one
transaction, so that a monitor that was killed goes on where it was, and a file that is lost is made anew.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HOUR_MS = 3_600_000
_FORMAT = 1
_TABLES = """
create table if not exists scores (
    customer text, hour integer, as_of_ms integer, probability real, label integer,
    primary key (customer, hour)) without rowid;
create table if not exists labels (id integer primary key, version text, acted integer, segments text,
    unique (version, acted, segments));
create table if not exists offsets (partition integer primary key, next integer);
"""
_KEEP = """
insert into scores values (?, ?, ?, ?, ?) on conflict (customer, hour) do update set
    as_of_ms = excluded.as_of_ms, probability = excluded.probability, label = excluded.label
    where excluded.as_of_ms >= scores.as_of_ms
"""
_LAST = """
select probability, version, acted, segments, as_of_ms from scores join labels on labels.id = label
    where customer = ? and hour <= ? and as_of_ms <= ? order by hour desc limit 1
"""


class IndexedScore(NamedTuple):
    """What is kept of a score; `segments` are those that the customer was in."""

    customer: str
    as_of_ms: int
    probability: float
    version: str
    acted: bool
    segments: tuple[str, ...]


class IndexFailedError(Exception):
    """The file cannot be written, as on a disk that is full; nothing of it has changed."""


class ScoreIndex:
    """The file; any thread may use it, one at a time."""

    def __init__(self, file: Path) -> None:
        """Open `file` or make it; one that is damaged or of another format is made anew."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._connection = _opened(file)
        except sqlite3.DatabaseError:
            for path in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
                path.unlink(missing_ok=True)
            self._connection = _opened(file)
        self._labels = self._known_labels()

    def offsets(self) -> dict[int, int]:
        """The next offset to read, by partition."""
        with self._lock:
            return dict(self._connection.execute("select partition, next from offsets"))

    def add(self, scores: Iterable[IndexedScore], offsets: Mapping[int, int]) -> None:
        """Keep `scores`, which are those up to `offsets`; both or neither. Raises `IndexFailedError`."""
        with self._writing():
            self._add(scores, offsets)

    def last(self, customer: str, at_ms: int) -> IndexedScore | None:
        """The last score of a customer as of `at_ms` or before.

        Of an hour only the last score is kept: if that is later than `at_ms`, the hour before counts.
        """
        with self._lock:
            row = self._connection.execute(_LAST, (customer, at_ms // HOUR_MS, at_ms)).fetchone()
        if row is None:
            return None
        probability, version, acted, segments, as_of_ms = row
        return IndexedScore(
            customer, as_of_ms, probability, version, bool(acted), tuple(filter(None, segments.split("\n")))
        )

    def forget(self) -> None:
        """Delete everything: the topic was made anew. Raises `IndexFailedError`."""
        with self._writing():
            for table in ("scores", "offsets"):
                self._connection.execute(f"delete from {table}")  # noqa: S608 - two constants

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            try:
                with self._connection:
                    yield
            except BaseException as error:
                self._labels = self._known_labels()  # those that were new are gone
                if isinstance(error, sqlite3.Error):
                    raise IndexFailedError(str(error)) from None
                raise

    def _add(self, scores: Iterable[IndexedScore], offsets: Mapping[int, int]) -> None:
        rows = [
            (s.customer, s.as_of_ms // HOUR_MS, s.as_of_ms, s.probability, self._label(s)) for s in scores
        ]  # fmt: skip
        self._connection.executemany(_KEEP, rows)
        self._connection.executemany("insert or replace into offsets values (?, ?)", offsets.items())

    def _known_labels(self) -> dict[tuple[str, bool, str], int]:
        rows = self._connection.execute("select version, acted, segments, id from labels")
        return {(version, bool(acted), segments): number for version, acted, segments, number in rows}

    def _label(self, score: IndexedScore) -> int:
        key = (score.version, score.acted, "\n".join(score.segments))
        if key not in self._labels:
            cursor = self._connection.execute("insert into labels values (null, ?, ?, ?)", key)
            self._labels[key] = int(cursor.lastrowid or 0)
        return self._labels[key]


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False)
    try:
        _insist(connection.execute("pragma user_version").fetchone()[0])
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")  # what a crash of the machine undoes is read again
        connection.executescript(_TABLES + f"pragma user_version = {_FORMAT};")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _insist(version: int) -> None:
    if version not in (0, _FORMAT):
        raise sqlite3.DatabaseError(f"format {version}, expected {_FORMAT}")
