"""When a scoring worker tells, and what of a batch that answers nothing."""

from collections import Counter
from collections.abc import Sequence
from typing import cast

from schemas.errors import InvalidRecordError
from schemas.telemetry import Telemetry
from tests.unit.model.test_scoring import SCORER
from tests.unit.workers.telemetry.test_summaries import START, Watch
from workers.scoring.account import Account
from workers.scoring.batch import Letter
from workers.scoring.records import Record
from workers.scoring.telemetry import StreamTelemetry
from workers.telemetry.publisher import Publisher
from workers.telemetry.summaries import Summaries


class Heard:
    """Takes the place of the publisher; what it does with a broker has tests of its own."""

    def __init__(self) -> None:
        self.summaries: list[Telemetry] = []

    def tell(self, summaries: Sequence[Telemetry]) -> None:
        """Keep them."""
        self.summaries += summaries

    close = tell


def test_it_tells_now_and_then() -> None:
    """At the first turn, then every so often, and at the end; of partitions that it has not, no lag is known."""
    now_s, heard = [50.0], Heard()
    telemetry = StreamTelemetry(Summaries("p", "score", Watch()), cast("Publisher", heard), 5.0, clock=lambda: now_s[0])
    telemetry.report({}, lambda _: 0, "")
    letters = [Letter(Record(0, 1, None, None, 0, []), InvalidRecordError("invalid", ""))]
    telemetry.count(Account(SCORER, START, counts=Counter({"dead-letter": 1}), letters=letters))
    now_s[0] += 4.9
    telemetry.report({0: 5}, lambda _: 3, "kafka")
    assert [(summary.lag, summary.partitions) for summary in heard.summaries] == [(None, 0)]
    now_s[0] += 0.1
    telemetry.report({0: 5}, lambda _: 3, "kafka")
    last = heard.summaries[-1]
    assert (last.lag, last.partitions, last.counts) == (3, 1, {"dead-letter": 1})
    assert last.errors == {"invalid": 1, "kafka": 2}
    assert (last.models, last.latency) == ({}, [])
    telemetry.close()
    assert len(heard.summaries) == 3
