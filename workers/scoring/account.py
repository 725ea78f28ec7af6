"""What a batch came to, for those who watch: the line in the log, the telemetry, the metrics."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.scoring import Scorer
from model.vector import Features
from schemas.scores import Score
from schemas.telemetry import TIME_EDGES_S
from workers.scoring.batch import Accepted, Letter

_status, _action, _probability = attrgetter("status"), attrgetter("action"), attrgetter("probability")


@dataclass
class Account:
    """Filled while the records of a batch are made; it counts once they are committed, at `committed_ms`.

    What takes time to find out is found out when somebody asks.
    """

    scorer: Scorer
    now: datetime  # the time of the batch's scores
    committed_ms: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # records by what they are
    letters: Sequence[Letter] = ()
    asked: Sequence[Accepted] = ()
    matrices: list[Features] = field(default_factory=list)
    probabilities: list[float | None] = field(default_factory=list)
    actions: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    def add(self, matrix: Features, answers: Sequence[Score]) -> None:
        """Note some answers and what they were made from."""
        self.counts.update(map(_status, answers))
        self.actions.update(action for action in map(_action, answers) if action)
        self.problems.update(answer.problem.code for answer in answers if answer.problem)
        self.probabilities.extend(map(_probability, answers))
        self.matrices.append(matrix)

    @cached_property
    def error_classes(self) -> Counter[str]:
        """What is wrong with the dead letters."""
        return Counter(letter.error.error_class for letter in self.letters)

    @cached_property
    def waits_s(self) -> NDArray[np.float64]:
        """How long each answer took, from the broker's clock when its event arrived."""
        arrived_ms = np.fromiter((item.record.timestamp_ms for item in self.asked), np.int64, len(self.asked))
        return (self.committed_ms - arrived_ms) / 1000

    @cached_property
    def latency(self) -> NDArray[np.int64]:
        """The answers by TIME_EDGES_S."""
        return np.bincount(np.searchsorted(TIME_EDGES_S, self.waits_s, "right"), minlength=len(TIME_EDGES_S) + 1)

    @property
    def types(self) -> Counter[str]:
        """The answered events by type."""
        kinds = Counter(type(item.event) for item in self.asked)
        return Counter({str(kind.__struct_config__.tag): count for kind, count in kinds.items()})


class Watcher(Protocol):
    """Somebody who watches a scoring worker."""

    def count(self, account: Account) -> None:
        """Take in what a batch came to, which is published."""

    def report(self, positions: Mapping[int, int], lag: Callable[[Mapping[int, int]], int], trouble: str) -> None:
        """Take in the next offsets by partition after a turn, and what failed in it: "kafka", "redis" or nothing.

        `lag` finds out how many records are behind offsets.
        """
