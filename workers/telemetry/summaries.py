"""The summaries of one process: each is of one hour of the clock, and two of an hour add up to one."""

import os
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest

from schemas.telemetry import ModelCounts, Telemetry
from workers.telemetry.tally import Kind, Tally


def process_name() -> str:
    """A name that no other process has had: host, process id, and luck, for ids are given again."""
    return f"{socket.gethostname()[:150]}-{os.getpid()}-{secrets.token_hex(4)}"


def hour_of(time: datetime) -> datetime:
    """When the hour of the clock, in UTC, began."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class Summaries:
    """Counts what a process does; `lag` and `partitions` are told as they are when a summary ends."""

    def __init__(self, process: str, kind: Kind, clock: Callable[[], datetime]) -> None:
        self._process, self._kind = process, kind
        self._clock = clock
        self._tally = Tally(clock())
        self._closed: list[Telemetry] = []
        self.lag: int | None = None
        self.partitions = 0

    def tally(self, time: datetime) -> Tally:
        """Where to count what is of `time`. What was counted is closed first when that is of another hour."""
        if hour_of(time) != hour_of(self._tally.began):
            self._close(time)
        self._tally.reach(time)
        return self._tally

    def now(self) -> Tally:
        """Where to count what is of this moment."""
        return self.tally(self._clock())

    def take(self) -> list[Telemetry]:
        """Everything that was counted since the last time, oldest first; the last one ends now."""
        now = self._clock()
        self.tally(now)
        self._close(now)
        closed, self._closed = self._closed, []
        return closed

    def _close(self, next_began: datetime) -> None:
        self._closed.append(self._tally.summary(self._process, self._kind, self.lag, self.partitions))
        self._tally = Tally(next_began)


def merged(first: Telemetry, second: Telemetry) -> Telemetry:
    """One summary for two of one process and hour; of what is no count, the later one says how it is."""
    later = max(first, second, key=lambda summary: summary.ended)
    return Telemetry(
        process=later.process,
        kind=later.kind,
        began=min(first.began, second.began),
        ended=later.ended,
        counts=_summed(first.counts, second.counts),
        types=_summed(first.types, second.types),
        requests=_summed(first.requests, second.requests),
        problems=_summed(first.problems, second.problems),
        errors=_summed(first.errors, second.errors),
        lag=later.lag,
        partitions=later.partitions,
        models={
            version: _models(first.models.get(version, _NOTHING), second.models.get(version, _NOTHING))
            for version in first.models | second.models
        },
        latency=_added(first.latency, second.latency),
        freshness=_by_name(first.freshness, second.freshness),
    )


_NOTHING = ModelCounts([], {})


def _models(first: ModelCounts, second: ModelCounts) -> ModelCounts:
    return ModelCounts(
        _added(first.scores, second.scores),
        _summed(first.actions, second.actions),
        _by_name(first.features, second.features),
    )


def _summed(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(first) + Counter(second))


def _by_name(first: Mapping[str, Sequence[int]], second: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    return {name: _added(first.get(name, ()), second.get(name, ())) for name in [*first, *(second.keys() - first)]}


def _added(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Bin by bin; either may be empty, which says that nothing was counted."""
    return [a + b for a, b in zip_longest(first, second, fillvalue=0)]
