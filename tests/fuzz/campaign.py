"""Feeding many bad inputs to every decoder, in rounds that can be repeated one by one."""

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter

from tests.fuzz.mutator import Mutator
from tests.fuzz.targets import Target

CORPUS = Path(__file__).parent / "corpus"
ROUND_BYTES = 500_000
SHRINKING_TRIES = 2000


@dataclass(slots=True)
class Tally:
    """What one decoder was fed, and what became of it."""

    inputs: int = 0
    fed_bytes: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception that was not declared, and the file with the input that gives it."""

    target: str
    error: str
    file: Path


class Campaign:
    """The rounds of one `seed`, from the round `start` on. Every bug is kept once, shrunk, in the folder `corpus`."""

    def __init__(self, targets: Sequence[Target], seed: int, start: int = 0, corpus: Path = CORPUS) -> None:
        self._targets, self._seed, self._corpus = targets, seed, corpus
        self.round = start
        self.tallies = {target.name: Tally() for target in targets}
        self.bugs: dict[tuple[str, str], Bug] = {}

    @property
    def fed_bytes(self) -> int:
        """All bytes so far."""
        return sum(tally.fed_bytes for tally in self.tallies.values())

    def run(self, most_bytes: int) -> Iterator[int]:
        """Feed about `most_bytes`; yields after every decoder's part of a round how many it was."""
        while self.fed_bytes < most_bytes:
            for target in self._targets:
                yield self._part(target)
            self.round += 1

    def _part(self, target: Target) -> int:
        random = Random(f"{self._seed}/{self.round}/{target.name}")
        mutator = Mutator(target.seeds, target.tokens, target.huge, random)
        tally, fed, began_s = self.tallies[target.name], 0, perf_counter()
        while fed < ROUND_BYTES * target.share // 100:
            value = mutator.next()
            fed += len(value)
            tally.inputs += 1
            try:
                tally.outcomes[target.feed(value)] += 1
            except Exception as error:  # noqa: BLE001 - finding it is what this is for
                tally.outcomes[type(error).__name__] += 1
                self._keep(target, value, signature(error))
        tally.fed_bytes += fed
        tally.seconds += perf_counter() - began_s
        return fed

    def _keep(self, target: Target, value: bytes, error: str) -> None:
        if (target.name, error) in self.bugs:
            return
        smallest = shrunk(value, lambda candidate: _signature_of(target, candidate) == error)
        file = self._corpus / target.name / hashlib.sha256(smallest).hexdigest()[:16]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(smallest)
        self.bugs[target.name, error] = Bug(target.name, error, file)


def signature(error: Exception) -> str:
    """What tells one bug from another: the class of the exception and where it came from."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _signature_of(target: Target, value: bytes) -> str | None:
    try:
        target.feed(value)
    except Exception as error:  # noqa: BLE001 - finding it is what this is for
        return signature(error)
    return None


def shrunk(value: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """A shorter input that still fails, made by leaving out pieces, large ones first."""
    tries, size = SHRINKING_TRIES, len(value) // 2
    while size and tries:
        at = 0
        while at < len(value) and tries:
            tries -= 1
            candidate = value[:at] + value[at + size :]
            if fails(candidate):
                value = candidate
            else:
                at += size
        size //= 2
    return value


def saved(corpus: Path = CORPUS) -> list[Path]:
    """The inputs that are kept, each in the folder of its decoder."""
    return sorted(path for path in corpus.glob("*/*") if path.is_file())
