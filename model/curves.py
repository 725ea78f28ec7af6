"""Piecewise polynomials, those of all features at once."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Curve(Protocol):
    """A polynomial between every two knots, level outside; `coefficients` have the highest power first."""

    @property
    def knots(self) -> list[float]:
        """Ascending."""

    @property
    def coefficients(self) -> list[list[float]]:
        """One row between every two knots, of (x - the left one)."""

    @property
    def center(self) -> float:
        """What is subtracted."""


class Curves:
    """k curves of n values each: one pass over arrays, however many curves there are."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        shape = len(curves), max(len(c.coefficients) for c in curves)
        powers = max(len(c.coefficients[0]) for c in curves)
        # A piece that a curve does not have begins at infinity; a power that it does not have is zero.
        self._left = np.full(shape, np.inf)
        self._coefficients = np.zeros((*shape, powers))
        for i, c in enumerate(curves):
            pieces, own = len(c.coefficients), len(c.coefficients[0])
            self._left[i, :pieces] = c.knots[:-1]
            self._coefficients[i, :pieces, powers - own :] = c.coefficients
        self._inner = self._left[:, 1:]
        self._first, self._last = np.array([(c.knots[0], c.knots[-1]) for c in curves]).T
        self._center = np.array([c.center for c in curves])
        self._each = np.arange(len(curves))

    def at(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The heights at values of shape (n, k); NaN at NaN."""
        x = np.clip(values, self._first, self._last)
        piece = (x[:, :, np.newaxis] >= self._inner).sum(axis=2)
        offset, rows = x - self._left[self._each, piece], self._coefficients[self._each, piece]
        result = rows[:, :, 0]
        for power in range(1, rows.shape[2]):
            result = result * offset + rows[:, :, power]
        contributions: NDArray[np.float64] = result - self._center
        return contributions
