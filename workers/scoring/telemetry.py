"""Tells `churn.telemetry` what a scoring worker does."""

import time
from collections.abc import Callable, Mapping

from workers.scoring.account import Account
from workers.telemetry.publisher import Publisher
from workers.telemetry.summaries import Summaries


class StreamTelemetry:
    """Watches a scoring worker, and tells every `every_s` seconds, also when there is nothing to do.

    It runs in the worker's own thread: a worker that hangs falls silent. What it counts is known to be committed; of a
    batch that the committed offset alone shows to have been published it knows nothing.
    """

    def __init__(
        self, summaries: Summaries, publisher: Publisher, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._summaries, self._publisher = summaries, publisher
        self._every_s, self._clock = every_s, clock
        self._due_s = clock()  # the first one says at once that the process is there

    def count(self, account: Account) -> None:
        """Add a batch to the hour of its scores' time."""
        tally = self._summaries.tally(account.now)
        tally.counts += account.counts
        tally.errors += account.error_classes
        if account.asked:
            tally.types += account.types
            tally.problems += account.problems
            tally.add_latencies(account.latency)
            model = tally.model(account.scorer.artifact)
            model.actions += account.actions
            model.add_scores(account.probabilities)
            model.add_inputs(account.matrices)

    def report(self, positions: Mapping[int, int], lag: Callable[[Mapping[int, int]], int], trouble: str) -> None:
        """Tell, if it is time to."""
        if trouble:
            self._summaries.now().errors[trouble] += 1
        if self._clock() >= self._due_s:
            self._due_s = self._clock() + self._every_s
            # Of partitions that it cannot work on just now a worker does not know how many records there are.
            self._summaries.lag = lag(positions) if positions else None
            self._summaries.partitions = len(positions)
            self._publisher.tell(self._summaries.take())

    def close(self) -> None:
        """Tell the last of it."""
        self._publisher.close(self._summaries.take())
