"""From states to the matrix of feature values at a moment, with the age and the freshness of every value."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.declaration import DAY_MS, Feature
from model.fold import totals_on
from model.state import ATTRIBUTES, TYPES, WINDOWED, CustomerState, accumulator, attribute

FRESH, STALE, DEFAULT, MISSING = range(4)
FRESHNESS: tuple[str, ...] = ("fresh", "stale", "default", "missing")

Reading = tuple[Any, ...]  # numbers, the moment first; None where an attribute is not known


class Features(NamedTuple):
    """A batch: n customers by k features. `values` has NaN where missing; `ages_ms` is -1 where nothing is known."""

    values: NDArray[np.float64]
    ages_ms: NDArray[np.int64]
    freshness: NDArray[np.int8]


class Vectorizer:
    """Reads a list of features off states; the same object serves the stream, HTTP and training."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        attributes = [f for f in self.features if f.kind == "latest"]
        windowed = [f for f in self.features if f.window_days]
        kinds = list(dict.fromkeys(kind for f in self.features if f.kind != "latest" for kind in f.types))
        # A reading is: the moment, times by event type, times by attribute, attribute values, totals by window.
        self._seen = _picker([TYPES.index(kind) for kind in kinds])
        self._latest = _picker([ATTRIBUTES.index(attribute(f)) for f in attributes])
        self._totals = _picker([WINDOWED.index((accumulator(f), f.window_days)) for f in windowed])
        self._columns: list[tuple[Feature, list[int], int | None]] = []
        times, values = 1 + len(kinds), 1 + len(kinds) + len(attributes)
        for f in self.features:
            if f.kind == "latest":
                at = attributes.index(f)
                self._columns.append((f, [times + at], values + at))
            else:
                total = values + len(attributes) + windowed.index(f) if f.window_days else None
                self._columns.append((f, [1 + kinds.index(kind) for kind in f.types], total))

    def read(self, state: CustomerState, at_ms: int) -> Reading:
        """All numbers of one state that its features at `at_ms` depend on; cheap, and safe from later folds.

        `at_ms` is not before the newest event. Raises `DamagedStateError`.
        """
        return (
            at_ms,
            *self._seen(state.seen_ms),
            *self._latest(state.latest_ms),
            *self._latest(state.latest),
            *self._totals(totals_on(state, at_ms // DAY_MS)),
        )

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


def given(features: Sequence[Feature], rows: Sequence[Mapping[str, float]]) -> Features:
    """The features of n customers as somebody states them, now and by name; what is not stated is defaulted."""
    shape = len(rows), len(features)
    values, freshness = np.empty(shape), np.empty(shape, np.int8)
    for j, f in enumerate(features):
        fallback = np.nan if f.default is None else f.default
        values[:, j] = [row.get(f.name, fallback) for row in rows]
        absent = MISSING if f.default is None else DEFAULT
        freshness[:, j] = [FRESH if f.name in row else absent for row in rows]
    return Features(values, np.full(shape, -1, np.int64), freshness)


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A function that picks the items at `places` as a tuple, also where `itemgetter` gives a bare item."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda items: tuple(items[place] for place in places)
