"""ROC AUC with DeLong's interval, from scores that are sorted already."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from model.monitoring.intervals import UNKNOWN, Z_95
from schemas.status import Interval


def roc_auc(probability: NDArray[np.float64], churned: NDArray[np.bool_], *, with_interval: bool) -> Interval:
    """The chance that a leaver has a higher score than one who stays; `probability` of shape (n,) is ascending.

    The interval is by DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), from ranks as Sun and Xu (IEEE Signal
    Processing Letters 21, 2014) do, and symmetric in log-odds, so it stays between 0 and 1. Unknown where one class is
    all there is; without an interval where the ranking is perfect, as the variance is then estimated to be 0.
    """
    first = np.flatnonzero(np.diff(probability, prepend=-1.0))  # of each run of equal scores
    leavers = np.add.reduceat(churned, first, dtype=np.float64)
    stayers = np.diff(first, append=len(churned)) - leavers
    m, n = leavers.sum(), stayers.sum()
    if not m or not n:
        return UNKNOWN
    beaten = (stayers.cumsum() - stayers / 2) / n  # share of stayers that a leaver of this score is ahead of
    beating = 1 - (leavers.cumsum() - leavers / 2) / m  # share of leavers that are ahead of a stayer of this score
    auc = float((leavers @ (stayers.cumsum() - stayers / 2)) / (m * n))
    if not with_interval or not 0 < auc < 1:
        return Interval(auc)
    variance = leavers @ (beaten - auc) ** 2 / (m - 1) / m + stayers @ (beating - auc) ** 2 / (n - 1) / n
    half, middle = Z_95 * sqrt(variance) / (auc * (1 - auc)), logit(auc)
    return Interval(auc, min(float(expit(middle - half)), auc), max(float(expit(middle + half)), auc))
