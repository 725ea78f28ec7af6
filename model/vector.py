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
        times, values = 1 + len(kinds), 1 + len(kinds) + len(attributes)
        seen, columns = [], []
        for f in self.features:
            if f.kind == "latest":
                at = attributes.index(f)
                seen.append([times + at])
                columns.append(values + at)
            else:
                seen.append([1 + kinds.index(kind) for kind in f.types])
                columns.append(values + len(attributes) + windowed.index(f) if f.window_days else 0)
        widest = max(map(len, seen), default=1)
        repeated = [(some * widest)[:widest] for some in seen]  # to one width; the newest of them stays the same
        self._times = np.array(repeated, dtype=np.intp).reshape(len(seen), widest)
        self._values = np.array(columns, dtype=np.intp)
        self._is_age = self._values == 0
        self._span_ms = np.array([f.span_ms for f in self.features])
        self._scale = np.array([f.scale for f in self.features])
        self._default, self._absent = fallbacks(self.features)
        days = [np.inf if f.stale_after_days is None else f.stale_after_days for f in self.features]
        self._stale_ms = np.array(days) * DAY_MS

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
        newest = table[:, self._times].max(axis=2)
        ages = table[:, :1] - newest
        values = np.where(self._is_age, ages / self._span_ms, table[:, self._values])
        known = (newest > 0) & ~np.isnan(values)
        freshness = np.where(known, np.where(ages > self._stale_ms, STALE, FRESH), self._absent)
        return Features(
            np.where(known, values / self._scale, self._default),
            np.where(known, ages, -1).astype(np.int64),
            freshness.astype(np.int8),
        )


def fallbacks(features: Sequence[Feature]) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """What stands in for values that are not known, and the freshness of that, each of shape (k,)."""
    defaults = np.array([np.nan if f.default is None else f.default for f in features])
    return defaults, np.where(np.isnan(defaults), MISSING, DEFAULT).astype(np.int8)


def given(features: Sequence[Feature], rows: Sequence[Mapping[str, float]]) -> Features:
    """The features of n customers as somebody states them, now and by name; what is not stated is defaulted."""
    defaults, absent = fallbacks(features)
    values = np.array([[row.get(f.name, np.nan) for f in features] for row in rows], dtype=np.float64)
    stated = ~np.isnan(values)
    return Features(
        np.where(stated, values, defaults), np.full(values.shape, -1, np.int64), np.where(stated, FRESH, absent)
    )


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A function that picks the items at `places` as a tuple, also where `itemgetter` gives a bare item."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda items: tuple(items[place] for place in places)
