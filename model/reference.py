"""What a model saw when it was trained, as histograms: what is asked of it later is compared with that.

A bin reaches from its lower edge, which belongs to it, to the next edge, which does not.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.telemetry import SCORE_EDGES

BINS = 10
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)]


class FeatureReference(msgspec.Struct, frozen=True):
    """The training values of a feature: `counts` below, between and above the edges, then of missing values."""

    edges: list[float]
    counts: list[Count]

    def __post_init__(self) -> None:
        """Refuse what is no such histogram."""
        if not all(map(math.isfinite, self.edges)) or any(left >= right for left, right in pairwise(self.edges)):
            raise ValueError("Expected finite ascending edges")
        if len(self.counts) != len(self.edges) + 2:
            raise ValueError("Expected a count for each bin and one for missing values")


class Reference(msgspec.Struct, frozen=True):
    """By feature, and the training scores by SCORE_EDGES; a model that was saved before there were any has none."""

    features: dict[str, FeatureReference] = {}
    scores: list[Count] = []

    def __post_init__(self) -> None:
        """Refuse scores that are in other bins."""
        if self.scores and len(self.scores) != len(SCORE_EDGES) + 1:
            raise ValueError(f"Expected {len(SCORE_EDGES) + 1} bins of scores")


def reference_of(names: Sequence[str], values: NDArray[np.float64], scores: NDArray[np.float64]) -> Reference:
    """The reference of n training rows of shape (n, k) and what the model makes of them, of shape (n,)."""
    features = {}
    for name, column in zip(names, values.T, strict=True):
        edges = edges_of(column)
        features[name] = FeatureReference(edges, histogram(column, edges).tolist())
    return Reference(features, histogram(scores, SCORE_EDGES)[:-1].tolist())


def edges_of(column: NDArray[np.float64]) -> list[float]:
    """Inner edges of at most ten bins, none of which is empty of `column`.

    They are the distinct deciles. Where one is the least value, its edge is above it: what most customers have, often
    0, is a bin of its own. Of a feature with few values each has its bin, with edges half-way between them.
    """
    distinct = np.unique(column)
    if len(distinct) <= BINS:
        edges = (distinct[:-1] + distinct[1:]) / 2
    else:
        deciles = np.quantile(column, np.arange(1, BINS) / BINS, method="inverted_cdf")
        edges = np.maximum(deciles, distinct[1])
    return [float(edge) for edge in np.unique(edges)]


def histogram(values: NDArray[np.float64], edges: Sequence[float]) -> NDArray[np.int64]:
    """How many of `values` are below, between and above the edges, then how many are missing (NaN)."""
    # NaN is sorted behind everything, infinity included.
    places = np.searchsorted([*edges, np.inf], values, side="right")
    return np.bincount(places, minlength=len(edges) + 2)
