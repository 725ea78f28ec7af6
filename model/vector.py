"""From states to the matrix of feature values at a moment, with the age and the freshness of every value."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.declaration import DAY_MS, Feature
from model.state import ACCUMULATORS, ATTRIBUTES, TYPES, CustomerState, accumulator, attribute

FRESH, STALE, DEFAULT, MISSING = range(4)
FRESHNESS: tuple[str, ...] = ("fresh", "stale", "default", "missing")

Reading = list[Any]  # numbers, the moment first; None where an attribute is not known


class Features(NamedTuple):
    """A batch: n customers by k features. `values` has NaN where missing; `ages_ms` is -1 where nothing is known."""

    values: NDArray[np.float64]
    ages_ms: NDArray[np.int64]
    freshness: NDArray[np.int8]


class Vectorizer:
    """Reads a list of features off states; the same object serves the stream, HTTP and training."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        windowed = [f for f in self.features if f.window_days]
        self._windows = [
            (window, [ACCUMULATORS.index(accumulator(f)) for f in windowed if f.window_days == window])
            for window in dict.fromkeys(f.window_days for f in windowed) if window
        ]  # fmt: skip
        in_order = [f.name for window, _ in self._windows for f in windowed if f.window_days == window]
        self._attributes = [f for f in self.features if f.kind == "latest"]
        self._latest = [ATTRIBUTES.index(attribute(f)) for f in self._attributes]
        # A reading is: moment, time by event type, time by attribute, sums by window, attribute values.
        width = 1 + len(TYPES) + len(self._latest)
        self._columns: list[tuple[Feature, list[int], int | None]] = []
        for f in self.features:
            seen = [1 + TYPES.index(kind) for kind in f.types]
            if f.kind == "latest":
                at = self._attributes.index(f)
                self._columns.append((f, [1 + len(TYPES) + at], width + len(in_order) + at))
            else:
                self._columns.append((f, seen, width + in_order.index(f.name) if f.window_days else None))

    def read(self, state: CustomerState, at_ms: int) -> Reading:
        """All numbers of one state that its features at `at_ms` depend on; cheap, and safe from later folds."""
        reading: Reading = [at_ms, *state.seen_ms, *[state.latest_ms[i] for i in self._latest]]
        days, sums, day = state.days, state.sums, at_ms // DAY_MS
        for window, columns in self._windows:
            start = bisect_right(days, day - window)
            reading += [sum(sums[c][start:]) for c in columns]
        reading += [state.latest[i] for i in self._latest]
        return reading

    def matrix(self, readings: Sequence[Reading]) -> Features:
        """The features of n readings as arrays of shape (n, k)."""
        table = np.array(readings, dtype=np.float64)
        shape = len(readings), len(self.features)
        values, ages, freshness = np.empty(shape), np.empty(shape, np.int64), np.empty(shape, np.int8)
        moments = table[:, 0]
        for j, (f, seen, column) in enumerate(self._columns):
            newest = table[:, seen].max(axis=1)
            age = moments - newest
            value = age / f.span_ms if column is None else table[:, column]
            known = (newest > 0) & ~np.isnan(value)
            fallback = np.nan if f.default is None else f.default
            values[:, j] = np.where(known, value / f.scale, fallback)
            ages[:, j] = np.where(known, age, -1)
            old = np.inf if f.stale_after_days is None else f.stale_after_days * DAY_MS
            freshness[:, j] = np.where(
                known, np.where(age > old, STALE, FRESH), MISSING if f.default is None else DEFAULT
            )
        return Features(values, ages, freshness)
