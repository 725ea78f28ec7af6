"""How often a client may ask: a token bucket each, in this process."""

import math
from collections.abc import Callable


class RateLimit:
    """`per_s` requests a second, and as many as two seconds' worth at once."""

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s, self._clock = per_s, clock
        self._most = max(1.0, 2 * per_s)
        self._buckets: dict[str, tuple[float, float]] = {}  # by client: tokens, as of when

    def wait_s(self, client: str) -> int:
        """0 and a token taken, or the whole seconds until there is one."""
        now_s = self._clock()
        tokens, then_s = self._buckets.get(client, (self._most, now_s))
        tokens = min(self._most, tokens + (now_s - then_s) * self._per_s)
        allowed = tokens >= 1.0
        self._buckets[client] = (tokens - allowed, now_s)
        return 0 if allowed else max(1, math.ceil((1.0 - tokens) / self._per_s))
