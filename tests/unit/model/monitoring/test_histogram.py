"""Values into bins, names of bins, and few bins from many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.monitoring.histogram import equal_mass, histogram, labels
from schemas.telemetry import SCORE_EDGES

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def test_bins_of_values() -> None:
    """A value on an edge belongs to the bin above it, and what is missing to the last one."""
    assert histogram([0.0, 1.0, 1.5, 2.0, 9.0, np.nan], [1.0, 2.0]).counts == [1, 2, 2, 1]


def test_bins_have_names() -> None:
    """A bin is called by its edges; without edges there is one for any value."""
    assert labels([12, 1500.5], lambda edge: f"{edge:,g}") == ["under 12", "12 to 1,500.5", "1,500.5 or more"]
    assert labels([], str) == ["any"]


@given(st.lists(FLOATS | st.just(float("nan"))), st.lists(FLOATS, max_size=12, unique=True).map(sorted))
def test_every_value_is_in_one_bin(values: list[float], edges: list[float]) -> None:
    """Counts add up to the values, and there is a count for each name and one for missing values."""
    counts = histogram(values, edges).counts
    assert sum(counts) == len(values)
    assert len(counts) == len(labels(edges, str)) + 1
    assert counts[-1] == np.isnan(values).sum()


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=82))
def test_no_bin_is_lost_when_they_are_taken_together(counts: list[int]) -> None:
    """The first new bin begins with the first one, there are at most ten, and each has what it should."""
    first = equal_mass(counts, 10)
    assert first[0] == 0
    assert len(first) <= 10
    assert (np.diff(first) > 0).all()
    largest, total = float(max(counts)), float(sum(counts))
    assert (np.add.reduceat(np.array(counts, dtype=float), first) <= total / 10 + largest + total * 1e-9).all()


def test_scores_come_to_ten_bins() -> None:
    """Scores of a usual model are cut into ten bins with about a tenth each."""
    scores = 1 / (1 + np.exp(-np.random.default_rng(0).normal(-3, 1.5, 20_000)))
    counts = np.array(histogram(scores, SCORE_EDGES).counts[:-1])
    shares = np.add.reduceat(counts, equal_mass(counts.tolist(), 10)) / counts.sum()
    assert len(shares) == 10
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.03)
