"""One error line when a worker publishes many dead letters, and one line when that is over."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable

logger = logging.getLogger(__name__)

MINUTE_S = 60.0


class DeadLetterAlarm:
    """Goes off when there are more than `limit` dead letters in a minute, and is over after a minute without that."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._batches: deque[tuple[float, Counter[str]]] = deque()
        self._last_minute: Counter[str] = Counter()
        self._episode: Counter[str] = Counter()
        self._over_at_s: float | None = None  # while it is on

    def count(self, classes: Counter[str]) -> None:
        """Add the dead letters of a batch, by error class."""
        if classes:
            self._batches.append((self._clock(), classes))
            self._last_minute += classes
            self._episode += classes

    def check(self) -> None:
        """Say it once when there are too many, and once when that is over."""
        now_s = self._clock()
        while self._batches and self._batches[0][0] <= now_s - MINUTE_S:
            self._last_minute -= self._batches.popleft()[1]
        if self._last_minute.total() > self._limit:
            if self._over_at_s is None:
                self._episode = self._last_minute.copy()
                logger.error(
                    "many dead letters", extra={"limit_per_minute": self._limit, **_by_class(self._last_minute)}
                )
            self._over_at_s = now_s + MINUTE_S
        elif self._over_at_s is not None and now_s >= self._over_at_s:
            logger.info("no longer many dead letters", extra=_by_class(self._episode))
            self._over_at_s = None


def _by_class(counts: Counter[str]) -> dict[str, int]:
    return {"dead_letters": counts.total(), **{name.replace("-", "_"): count for name, count in counts.most_common()}}
