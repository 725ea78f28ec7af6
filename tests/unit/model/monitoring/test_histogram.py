"""Values into bins, names of bins, and few bins from many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.monitoring.histogram import bin_edges, equal_mass, histogram, labels
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


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        (range(100), [10, 20, 30, 40, 50, 60, 70, 80, 90]),
        ([0] * 95 + [1] * 5, [1]),
        ([0] * 5 + [1] * 95, [1]),
        ([0] * 95 + [0.3, 0.8, 2, 7, 90], [0.3]),
        ([1, 2, 2, 3, 3, 3, 4, 4, 5, np.nan], [2, 3, 4, 5]),
        ([7] * 50, []),
        ([], []),
        ([np.nan], []),
    ],
)
def test_edges_part_values_evenly(values: list[float], edges: list[float]) -> None:
    """Deciles where values differ; what many have in common is a bin of its own, however rare all else is."""
    assert bin_edges(values) == edges


@given(st.lists(FLOATS | st.sampled_from([0.0, 1.0, float("nan")]), max_size=200))
def test_edges_make_bins_that_are_not_empty(values: list[float]) -> None:
    """Edges ascend and are values; every bin but perhaps that of missing values has some."""
    edges = bin_edges(values)
    assert edges == sorted(set(edges))
    assert set(edges) <= set(values)
    counts = histogram(values, edges).counts[:-1]
    assert len(counts) <= 10
    assert all(counts) or not sum(counts)
