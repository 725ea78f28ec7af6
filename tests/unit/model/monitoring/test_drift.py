"""Whether a window is like the training data."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from model.monitoring.drift import chi_squared_p, holm, psi, shifts
from schemas.status import Shift
from schemas.telemetry import SCORE_EDGES, ModelCounts


class Counted(NamedTuple):
    """A histogram."""

    edges: list[float]
    counts: list[int]


COUNTS = st.integers(0, 20) | st.integers(0, 2**63)
TWO = st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=15).map(lambda pairs: tuple(zip(*pairs, strict=True)))
NO_SCORES = [0] * (len(SCORE_EDGES) + 1)


@given(TWO, st.integers(0, 99))
@example(((0, 0, 5, 5), (0, 72057594037927932, 72057594037927932, 0)), 0)  # 5 more is not more, of so many
def test_measures_are_in_bounds_whatever_the_bins_are_called(two: tuple[list[int], list[int]], seed: int) -> None:
    """PSI is finite and not negative, p a probability; both are the same in another order and the other way round."""
    reference, now = np.array(two, dtype=float)
    index, p = psi(reference, now), chi_squared_p(reference, now)
    assert 0 <= index < math.inf
    assert 0 <= p <= 1
    order = np.random.default_rng(seed).permutation(len(reference))
    assert psi(reference[order], now[order]) == pytest.approx(index, rel=1e-9, abs=1e-12)
    assert chi_squared_p(reference[order], now[order]) == pytest.approx(p, rel=1e-6, abs=1e-12)
    assert psi(now, reference) == pytest.approx(index, rel=1e-9, abs=1e-12)


def test_psi_is_the_sum_of_its_formula() -> None:
    """Half a record more in each bin, then (q - p) ln(q / p)."""
    p, q = 30.5 / 101, 10.5 / 51
    by_hand = (q - p) * math.log(q / p) + ((1 - q) - (1 - p)) * math.log((1 - q) / (1 - p))
    assert psi([30, 70], [10, 40]) == pytest.approx(by_hand, rel=1e-12)
    assert psi([30, 70], [0, 0]) == psi([0, 0], [30, 70]) == 0
    assert psi([30, 70], [30, 70]) == 0


@given(st.lists(st.tuples(st.integers(20, 10**6), st.integers(20, 10**6)), min_size=2, max_size=12))
def test_test_is_scipys_where_bins_are_full(pairs: list[tuple[int, int]]) -> None:
    """Where no bin is small, p is that of SciPy's test of the table."""
    table = np.array(pairs).T
    theirs = chi2_contingency(table, correction=False)
    if theirs.expected_freq.min() >= 5:
        assert chi_squared_p(*table) == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)


def test_small_bins_are_taken_together() -> None:
    """Bins with few records make one with enough; two bins are needed for a test."""
    assert chi_squared_p([500, 500, 2, 2, 1, 0], [500, 500, 0, 2, 3, 0]) == chi_squared_p([500, 500, 5], [500, 500, 5])
    assert chi_squared_p([500, 500, 1], [500, 500, 1]) == chi_squared_p([501, 500], [501, 500])
    assert chi_squared_p([1, 9], [3, 2]) == 1
    assert chi_squared_p([9], [2]) == 1
    assert chi_squared_p([9, 9], [0, 0]) == 1


def test_test_errs_as_often_as_it_says() -> None:
    """Of 2,000 pairs of like samples, with small bins among them, p is below 5% for about 5%."""
    rng = np.random.default_rng(5)
    shares = rng.dirichlet(np.full(11, 0.6))
    references, windows = rng.multinomial(3000, shares, 2000), rng.multinomial(700, shares, 2000)
    p = [chi_squared_p(reference, now) for reference, now in zip(references, windows, strict=True)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_p_is_never_smaller(p_values: list[float]) -> None:
    """Adjusting keeps the order and the range, and never makes a p smaller."""
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    assert [a for _, a in sorted(zip(p_values, adjusted, strict=True))] == sorted(adjusted)


def test_holm_is_as_published() -> None:
    """The smallest of m is multiplied by m, the next by m - 1, and none gets below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def found(reference: list[int], now: list[int]) -> Shift:
    """The shift of one feature with two edges, at a PSI of 0.2."""
    shift, *_ = shifts({"calls": Counted([1.0, 10.0], reference)}, NO_SCORES, ModelCounts([], {}, {"calls": now}), 0.2)
    return shift


def test_shift_is_described() -> None:
    """A feature whose customers moved up is reported, with shares and names of its bins."""
    shift = found([1000, 1000, 1000, 0], [200, 200, 600, 0])
    assert shift.name == "calls"
    assert shift.labels == ["under 1", "1 to 10", "10 or more", "missing"]
    assert shift.reference == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert shift.now == [0.2, 0.2, 0.6, 0]
    assert (shift.records, shift.drifted) == (1000, True)
    assert shift.psi > 0.2
    assert shift.p_adjusted < 1e-6


def test_values_that_went_missing_are_a_shift() -> None:
    """A tenth of the values missing, where none was, is reported."""
    assert found([1000, 1000, 1000, 0], [300, 300, 300, 100]).drifted


@pytest.mark.parametrize(
    ("reference", "now"),
    [
        ([1000, 1000, 1000, 0], [100, 100, 299, 0]),  # too few records
        ([1000, 1000, 1000, 0], [30_000, 33_000, 36_000, 0]),  # certain, and too small to matter
        ([3, 3, 4, 0], [100, 150, 350, 0]),  # large, and perhaps by chance: the reference is of ten customers
        ([0, 0, 0, 0], [0, 0, 1000, 0]),  # nothing to compare with
        ([1000, 1000, 1000, 0], [0, 0, 0, 0]),  # nothing to compare
    ],
)
def test_not_every_difference_is_drift(reference: list[int], now: list[int]) -> None:
    """Too few records, too small, or too uncertain: shown, and not reported."""
    assert not found(reference, now).drifted


def test_what_cannot_be_compared_is_left_out() -> None:
    """A feature without counts, or in other bins than the reference, is not there."""
    features = {"calls": Counted([1.0], [5, 5, 0]), "spend": Counted([2.0], [5, 5, 0])}
    assert shifts(features, NO_SCORES, ModelCounts([1, 2], {}, {"calls": [1, 2, 3, 4]}), 0.2) == []
    assert shifts({}, [], ModelCounts([], {}), 0.2) == []


def test_scores_are_compared_in_about_ten_bins() -> None:
    """The bins of scores are those that have about a tenth of the reference each, named in percent."""
    reference = [0] * 20 + [500] * 20 + [0] * (len(SCORE_EDGES) - 39)
    now = [0] * 30 + [500] * 20 + [0] * (len(SCORE_EDGES) - 49)
    (shift,) = shifts({}, reference, ModelCounts(now, {}), 0.2)
    assert (shift.name, shift.drifted, shift.records) == ("score", True, 10_000)
    assert shift.reference == pytest.approx([0.1] * 10)
    assert shift.now == pytest.approx([0] * 5 + [0.1] * 4 + [0.6])
    assert shift.labels[0] == f"under {100 * SCORE_EDGES[21]:.3g}%"
    assert shift.labels[-1] == f"{100 * SCORE_EDGES[37]:.3g}% or more"


@given(
    st.lists(COUNTS, min_size=4, max_size=4),
    st.lists(COUNTS, min_size=4, max_size=4),
    st.lists(COUNTS, min_size=len(NO_SCORES), max_size=len(NO_SCORES)),
    st.lists(COUNTS, min_size=len(NO_SCORES), max_size=len(NO_SCORES)),
)
def test_whatever_the_counts_numbers_come_out(
    reference: list[int], now: list[int], scores: list[int], scores_now: list[int]
) -> None:
    """Shares add up to 1, or are 0 where there is nothing; each bin has a name; no number is NaN or infinite."""
    window = ModelCounts(scores_now, {}, {"calls": now})
    for shift in shifts({"calls": Counted([1.0, 2.0], reference)}, scores, window, 0.2):
        assert len(shift.labels) == len(shift.reference) == len(shift.now)
        assert sum(shift.now) == (pytest.approx(1) if shift.records else 0)
        assert sum(shift.reference) == pytest.approx(1) or not any(shift.reference)
        assert all(map(math.isfinite, [shift.psi, shift.p_adjusted]))
        assert shift.psi >= 0
