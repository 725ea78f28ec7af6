"""Intervals of shares and means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from model.monitoring.intervals import UNKNOWN, mean, wilson


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_share_is_within_its_interval(trials: int, share: float) -> None:
    """The interval is within [0, 1], holds the share, and is SciPy's."""
    successes = round(share * trials)
    interval = wilson(successes, trials)
    assert interval.value == successes / trials
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    theirs = binomtest(successes, trials).proportion_ci(method="wilson")
    assert [interval.low, interval.high] == pytest.approx([theirs.low, theirs.high], abs=1e-9)


def test_share_of_nothing_is_unknown() -> None:
    """Without trials there is no share."""
    assert wilson(0, 0) == UNKNOWN


@given(st.lists(st.floats(0, 40), min_size=2))
def test_mean_is_within_its_interval(losses: list[float]) -> None:
    """The interval holds the mean and is finite; where it cannot be told there is the mean alone."""
    interval = mean(np.array(losses), with_interval=True)
    assert interval.value is not None
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= interval.value <= interval.high < np.inf
    alone = mean(np.array(losses), with_interval=False)
    assert (alone.value, alone.low, alone.high) == (interval.value, None, None)
