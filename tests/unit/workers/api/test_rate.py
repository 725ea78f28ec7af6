"""The rate limit: a token bucket for each client."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.api.rate import RateLimit


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.floats(0.5, 50))
def test_no_more_than_allowed_in_any_span(gaps_s: list[float], per_s: float) -> None:
    """In any span of time at most what its length allows, and a full bucket."""
    now_s = 0.0
    limit = RateLimit(per_s, lambda: now_s)
    allowed_s = []
    for gap_s in gaps_s:
        now_s += gap_s
        if not limit.wait_s("a"):
            allowed_s.append(now_s)
    most = max(1.0, 2 * per_s)
    for i, first_s in enumerate(allowed_s):
        for n, last_s in enumerate(allowed_s[i:], start=1):
            assert n <= most + (last_s - first_s) * per_s + 1e-6
    assert all(a <= b for a, b in pairwise(allowed_s))


def test_wait_is_long_enough() -> None:
    """Whoever waits as long as told is let in; another client is not held up."""
    now_s = 100.0
    limit = RateLimit(0.2, lambda: now_s)
    assert limit.wait_s("a") == 0
    wait_s = limit.wait_s("a")
    assert wait_s == 5
    assert limit.wait_s("b") == 0
    now_s += wait_s
    assert limit.wait_s("a") == 0


def test_seldom_is_allowed() -> None:
    """A client that asks no faster than the limit is never refused."""
    now_s = 0.0
    limit = RateLimit(10, lambda: now_s)
    for _ in range(1000):
        assert limit.wait_s("a") == 0
        now_s += 0.1
    assert pytest.approx(now_s) == 100
