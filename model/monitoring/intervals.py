"""95% confidence intervals. They hold where customers are independent of each other, and count each pair as one."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from schemas.status import Interval

Z_95 = 1.959963984540054  # the 97.5% quantile of the normal distribution
UNKNOWN = Interval(None)


def wilson(successes: int, trials: int) -> Interval:
    """A share with Wilson's score interval (JASA 22, 1927), which holds for few trials and for shares near 0 and 1."""
    if not trials:
        return UNKNOWN
    share, z2 = successes / trials, Z_95 * Z_95
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    return Interval(share, max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0))


def mean(losses: NDArray[np.float64], *, with_interval: bool) -> Interval:
    """The mean of losses of shape (n,), none negative, with the normal approximation of its interval."""
    value = float(losses.mean())
    if not with_interval:
        return Interval(value)
    half = Z_95 * float(losses.std(ddof=1)) / sqrt(len(losses))
    return Interval(value, max(value - half, 0.0), value + half)
