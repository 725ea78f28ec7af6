"""Whether scores are right as probabilities: of those with a score of 10%, one in ten leaves."""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearson3, rankdata

from model.monitoring.intervals import wilson
from schemas.status import CalibrationPoint

POINTS = 10
FEWEST_PAIRS = 200
SIGNIFICANT_P = 0.001
WORTH_TELLING = 0.2  # of the mean score


class Calibration(NamedTuple):
    """The mean score and the share that left; `p` is how likely such a distance is if the scores are right."""

    pairs: int
    mean_score: float
    observed: float
    p: float

    @property
    def off(self) -> bool:
        """Whether it is worth an alert: enough pairs, hardly by chance, and far enough to change what one does."""
        far = abs(self.observed - self.mean_score) >= WORTH_TELLING * self.mean_score
        return self.pairs >= FEWEST_PAIRS and self.p < SIGNIFICANT_P and far


def calibration(probability: NDArray[np.float64], churned: NDArray[np.bool_]) -> Calibration:
    """Compare the scores of n > 0 pairs with their outcomes, as a whole.

    If the scores are right, the number of leavers has mean sum(p) and variance sum(p (1 - p)), so it is
    z = (sum(y) - sum(p)) / sqrt(sum(p (1 - p))) that is judged (Spiegelhalter, Statistics in Medicine 5, 1986, judges
    the Brier score likewise). Where few leave, z is skewed, and its normal p would cry wolf several times too often.
    So p is of the Pearson type III distribution with the same mean, variance and skewness, by half a customer from the
    count: near what the exact distribution, the Poisson binomial, has, and rather above it than below.
    """
    pairs, leavers, expected = len(churned), int(churned.sum()), float(probability.sum())
    spread = probability * (1 - probability)
    variance, third = float(spread.sum()), float((spread * (1 - 2 * probability)).sum())
    return Calibration(pairs, expected / pairs, leavers / pairs, _two_sided_p(leavers, expected, variance, third))


def reliability(version: str, probability: NDArray[np.float64], churned: NDArray[np.bool_]) -> list[CalibrationPoint]:
    """Points of the reliability diagram, over up to POINTS bins with about equally many pairs; equal scores share one.

    Bröcker and Smith, "Increasing the Reliability of Reliability Diagrams", Weather and Forecasting 22 (2007).
    """
    bin_of = (POINTS * (rankdata(probability) - 0.5) / max(len(probability), 1)).astype(np.intp)
    pairs = np.bincount(bin_of, minlength=POINTS)
    leavers = np.bincount(bin_of, churned, POINTS)
    predicted = np.bincount(bin_of, probability, POINTS)
    return [
        CalibrationPoint(version, float(predicted[i] / pairs[i]), wilson(int(leavers[i]), int(pairs[i])), int(pairs[i]))
        for i in np.flatnonzero(pairs)
    ]


def _two_sided_p(leavers: int, expected: float, variance: float, third: float) -> float:
    """Twice the smaller tail; `third` is the third central moment."""
    if variance < 1e-9:  # every score is 0 or 1, or as good as
        return float(abs(leavers - expected) < 0.5)
    deviation = sqrt(variance)
    skewness = third / (variance * deviation)
    at_most = pearson3.cdf((leavers + 0.5 - expected) / deviation, skewness)
    at_least = pearson3.sf((leavers - 0.5 - expected) / deviation, skewness)
    return float(min(2 * min(at_most, at_least), 1.0))
