"""Whether scores are right as probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson_binom

from model.monitoring.calibration import calibration, reliability

RATES = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])


def test_scores_that_are_too_high_are_reported() -> None:
    """Scores of 4.0% on average and 2.4% who left, of 5,000: reported."""
    rng = np.random.default_rng(0)
    p = np.clip(rng.gamma(1, 0.04, 5000), 0, 1)
    p *= 0.04 / p.mean()
    found = calibration(p, np.arange(5000) % 5000 < 120)
    assert found.off
    assert (found.pairs, found.observed) == (5000, 0.024)
    assert found.mean_score == pytest.approx(0.04)
    assert found.p < 1e-7


def test_right_scores_are_not_reported() -> None:
    """Of 10,000 sets whose customers leave as the scores say, at most 0.2% are reported, also where few leave."""
    rng, reported = np.random.default_rng(0), 0
    for pairs, mean in [(200, 0.01), (200, 0.04), (500, 0.15), (1000, 0.02), (2000, 0.04)]:
        p = np.minimum(rng.gamma(1, mean, (2000, pairs)), 0.9)
        churned = rng.random(p.shape) < p
        reported += sum(calibration(some, left).off for some, left in zip(p, churned, strict=True))
    assert reported <= 20


@pytest.mark.parametrize(
    ("pairs", "leavers"),
    [
        (199, 199),  # too few pairs
        (1000, 120),  # may be chance
        (100_000, 11_000),  # certain, and no reason to do anything
    ],
)
def test_not_every_distance_is_worth_telling(pairs: int, leavers: int) -> None:
    """Scores of 10% and another rate: not reported when it is too few, chance, or near."""
    assert not calibration(np.full(pairs, 0.1), np.arange(pairs) < leavers).off


@given(st.lists(st.tuples(RATES, st.booleans()), min_size=1, max_size=300))
def test_p_is_a_probability(rows: list[tuple[float, bool]]) -> None:
    """Whatever the scores, also those that are certain, every number is finite and p between 0 and 1."""
    found = calibration(np.array([p for p, _ in rows]), np.array([y for _, y in rows]))
    assert 0 <= found.p <= 1
    assert 0 <= found.observed <= 1
    assert 0 <= found.mean_score <= 1


def test_certain_scores_are_right_or_wrong() -> None:
    """Where every score is 0 or 1, one who did otherwise is a contradiction."""
    certain = np.arange(300) < 100
    assert calibration(certain.astype(float), certain).p == 1
    assert calibration(np.zeros(300), certain).off
    assert not calibration(np.zeros(300), np.zeros(300, dtype=bool)).off


@pytest.mark.parametrize("mean", [0.02, 0.04, 0.15, 0.9])
def test_p_is_near_the_exact_one(mean: float) -> None:
    """Around the level of the test, p is that of the exact distribution or somewhat more, so it does not cry wolf."""
    p = np.minimum(np.random.default_rng(1).gamma(1, mean, 400), 0.99)
    exact = poisson_binom(p)
    for leavers in range(401):
        true = 2 * min(exact.cdf(leavers), exact.sf(leavers - 1))
        if 2e-4 < true < 0.02:
            found = calibration(p, np.arange(400) < leavers).p
            assert true * 0.99 < found < true * 1.3 + 0.0012


@given(st.lists(st.tuples(RATES, st.booleans()), max_size=300))
def test_points_hold_every_pair_once(rows: list[tuple[float, bool]]) -> None:
    """Bins are in order, have about a tenth each or are of equal scores, and together have every pair."""
    p, y = np.array([p for p, _ in rows]), np.array([y for _, y in rows], dtype=bool)
    points = reliability("v", p, y)
    assert len(points) <= 10
    assert sum(point.pairs for point in points) == len(rows)
    assert sum(point.pairs * (point.observed.value or 0) for point in points) == pytest.approx(y.sum())
    assert sum(point.pairs * point.predicted for point in points) == pytest.approx(p.sum())
    predicted = [point.predicted for point in points]
    assert predicted == sorted(predicted)
    for point in points:
        assert point.observed.low is not None
        assert point.observed.high is not None
        assert point.observed.low <= (point.observed.value or 0) <= point.observed.high


def test_points_of_right_scores_are_on_the_diagonal() -> None:
    """Ten bins of a tenth each, and what was predicted is within nearly all intervals."""
    rng = np.random.default_rng(2)
    p = rng.beta(1, 8, 20_000)
    points = reliability("v", p, rng.random(len(p)) < p)
    assert [point.pairs for point in points] == [2000] * 10
    inside = [(x.observed.low or 0) <= x.predicted <= (x.observed.high or 0) for x in points]
    assert sum(inside) >= 8
