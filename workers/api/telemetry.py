"""Tells `churn.telemetry` what a process of the API does. Everything here is called by its event loop."""

import asyncio
from collections.abc import Sequence

from model.scoring import Scorer
from schemas.scores import Score
from workers.api.app import RequestCounts
from workers.telemetry.publisher import Publisher
from workers.telemetry.summaries import Summaries


class ApiTelemetry:
    """Counts requests, which are then passed on to `others`, and answers, and tells every `every_s` seconds.

    Inputs are not counted: what a caller states says nothing of the customers that there are.
    """

    def __init__(self, summaries: Summaries, publisher: Publisher, every_s: float, others: RequestCounts) -> None:
        self._summaries, self._publisher = summaries, publisher
        self._every_s, self._others = every_s, others

    def count(self, path: str, status: int, took_s: float) -> None:
        """Count one request."""
        tally = self._summaries.now()
        tally.requests[str(status)] += 1
        tally.add_latency(took_s)
        self._others.count(path, status, took_s)

    def answered(self, scorer: Scorer, scores: Sequence[Score]) -> None:
        """Count answers of one moment to whoever asked."""
        if not scores:
            return
        tally = self._summaries.tally(scores[0].scored_at)
        model = tally.model(scorer.artifact)
        model.add_scores([score.probability for score in scores])
        for score in scores:
            tally.counts[score.status] += 1
            if score.action:
                model.actions[score.action] += 1
            if score.problem:
                tally.problems[score.problem.code] += 1

    def trouble(self, what: str) -> None:
        """Count that a service did not answer."""
        self._summaries.now().errors[what] += 1

    async def run(self) -> None:
        """Tell for ever, and once more at the end."""
        try:
            while True:
                self._publisher.tell(self._summaries.take())
                await asyncio.sleep(self._every_s)
        finally:
            await asyncio.to_thread(self._publisher.close, self._summaries.take())
