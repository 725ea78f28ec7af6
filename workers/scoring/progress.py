"""What the scoring worker did, in one log line a second."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from workers.scoring.account import Account
from workers.scoring.alarm import DeadLetterAlarm

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0


class Progress:
    """Counts since the start; the file `heartbeat`, if given, is touched with every line while all is well.

    More than `dead_letters_per_minute` are a line of their own.
    """

    def __init__(
        self,
        heartbeat: Path | None = None,
        dead_letters_per_minute: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._heartbeat = heartbeat
        self._alarm = DeadLetterAlarm(dead_letters_per_minute, clock)
        self._clock = clock
        self._reported_s = clock()
        self._reported_total = 0

    def count(self, account: Account) -> None:
        """Add a batch's records by what they are: scored, could-not-compute, dead-letter, sent-on."""
        self.counts += account.counts
        self._alarm.count(account.error_classes)

    def report(self, positions: Mapping[int, int], lag: Callable[[Mapping[int, int]], int], trouble: str) -> None:
        """Write the line if a second has passed since the last; `positions` are the next offsets by partition."""
        self._alarm.check()
        now_s = self._clock()
        if (passed_s := now_s - self._reported_s) < INTERVAL_S:
            return
        total = self.counts.total()
        logger.info(
            "progress",
            extra={
                "events": total,
                "scored": self.counts["scored"],
                "could_not_compute": self.counts["could-not-compute"],
                "dead_letters": self.counts["dead-letter"],
                "sent_on": self.counts["sent-on"],
                "events_per_s": round((total - self._reported_total) / passed_s),
                "partitions": len(positions),
                "lag": lag(positions),
            },
        )
        self._reported_s, self._reported_total = now_s, total
        if self._heartbeat and not trouble:
            self._beat(self._heartbeat)

    def _beat(self, file: Path) -> None:
        try:
            file.touch()
        except OSError as error:  # a full disk is no reason to stop; who waits for the heartbeat may see to that
            logger.error("the heartbeat cannot be written", extra={"error": error.strerror})  # noqa: TRY400
