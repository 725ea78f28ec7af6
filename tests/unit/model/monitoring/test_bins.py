"""Names of bins, and few bins from many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.monitoring.bins import equal_mass, labels
from schemas.telemetry import SCORE_EDGES


def test_bins_have_names() -> None:
    """A bin is called by its edges; without edges there is one for any value."""
    assert labels([12, 1500.5], lambda edge: f"{edge:,g}") == ["under 12", "12 to 1,500.5", "1,500.5 or more"]
    assert labels([], str) == ["any"]


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
    counts = np.bincount(np.searchsorted(SCORE_EDGES, scores, side="right"), minlength=len(SCORE_EDGES) + 1)
    shares = np.add.reduceat(counts, equal_mass(counts.tolist(), 10)) / counts.sum()
    assert len(shares) == 10
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.03)
