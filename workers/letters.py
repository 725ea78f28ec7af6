"""Dead letters as they are worked on: which are wanted, which are open, which can be sent again. No input or output."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from schemas.deadletters import (
    DeadLetterDecision,
    DeadLetterHeaders,
    Headers,
    Place,
    Verdict,
)
from schemas.topics import EVENTS
from workers.scoring.transactions import Output

Status = Literal["open", "replayed", "dropped"]
Obstacle = Literal["already replayed", "already dropped", "too large (cut)", "unreadable", "no dead letter of ours"]
# Classes of letters that are not the whole record.
_INCOMPLETE: dict[str, Obstacle] = {"too-large": "too large (cut)", "unreadable": "unreadable"}
Decisions = Mapping[Place, DeadLetterDecision]
UNKNOWN = "unknown"  # the error class of a record whose headers are not those of a dead letter

BATCH_LETTERS = 500
BATCH_BYTES = 8_000_000


class DeadLetter(msgspec.Struct, frozen=True):
    """A record of `customer.events.dlq`: what it once was, and what was added; None when it was not added by us."""

    place: Place
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    added: DeadLetterHeaders | None

    @property
    def error_class(self) -> str:
        """What was wrong."""
        return self.added.error_class if self.added else UNKNOWN

    @property
    def size(self) -> int:
        """The bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


class Filters(NamedTuple):
    """Which letters are wanted: of these error classes, of this partition of `customer.events`, since and before."""

    error_classes: frozenset[str] = frozenset()
    partition: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def match(self, letter: DeadLetter) -> bool:
        """Whether `letter` is wanted."""
        return (
            (not self.error_classes or letter.error_class in self.error_classes)
            and (self.partition is None or (letter.added is not None and int(letter.added.partition) == self.partition))
            and (self.since_ms is None or letter.timestamp_ms >= self.since_ms)
            and (self.until_ms is None or letter.timestamp_ms < self.until_ms)
        )


def status(letter: DeadLetter, decisions: Decisions) -> Status:
    """What became of a letter; a decision about an older letter that had its place does not count."""
    found = decisions.get(letter.place)
    return found.decision if found and found.letter_timestamp_ms == letter.timestamp_ms else "open"


def obstacle(letter: DeadLetter, decisions: Decisions, verdict: Verdict) -> Obstacle | None:
    """Why the verdict cannot be carried out on a letter."""
    if (found := status(letter, decisions)) != "open":
        return "already replayed" if found == "replayed" else "already dropped"
    if verdict == "replayed" and letter.added is None:
        return "no dead letter of ours"
    if verdict == "replayed" and letter.error_class in _INCOMPLETE:
        return _INCOMPLETE[letter.error_class]
    return None


def original(letter: DeadLetter) -> Output:
    """The record that a letter once was."""
    return Output(EVENTS, letter.key, letter.value, letter.headers)


def batches(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """The letters in lists that are small enough for one transaction."""
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += letter.size
        if len(batch) >= BATCH_LETTERS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
