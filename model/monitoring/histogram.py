"""Counts by bin: where bins begin, what they are called, and how many small ones become a few."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10


class Histogram(NamedTuple):
    """Counts between inner edges: a bin below, between and above them, and a last one for missing values.

    A value on an edge belongs to the bin above it. Without edges there is one bin, and the one for missing values.
    """

    edges: Sequence[float]
    counts: Sequence[int]


def bin_edges(values: ArrayLike) -> list[float]:
    """Edges for BINS or fewer bins of about equally many of `values`, of shape (n,), NaN where missing.

    Deciles, but of distinct values: with plain deciles a flag that one in twenty has would have one bin for all.
    """
    x = np.asarray(values, dtype=float)
    distinct, counts = np.unique(x[~np.isnan(x)], return_counts=True)
    edges: list[float] = distinct[equal_mass(counts, BINS)[1:]].tolist()
    return edges


def histogram(values: ArrayLike, edges: Sequence[float]) -> Histogram:
    """Count `values` of shape (n,), NaN where missing."""
    x = np.asarray(values, dtype=float)
    bins = np.where(np.isnan(x), len(edges) + 1, np.searchsorted(np.asarray(edges, dtype=float), x, side="right"))
    return Histogram(edges, np.bincount(bins, minlength=len(edges) + 2).tolist())


def labels(edges: Sequence[float], text: Callable[[float], str]) -> list[str]:
    """What the bins between `edges` are called, by what `text` makes of an edge."""
    if not edges:
        return ["any"]
    between = [f"{text(low)} to {text(high)}" for low, high in pairwise(edges)]
    return [f"under {text(edges[0])}", *between, f"{text(edges[-1])} or more"]


def equal_mass(counts: ArrayLike, most: int) -> NDArray[np.intp]:
    """Where to begin a new bin so that neighbours together have about equal counts: at most `most` first bins.

    Each bin goes where the middle of its counts falls among `most` equal shares of all.
    """
    c = np.asarray(counts, dtype=float)
    middle = c.cumsum() - c / 2
    share = np.minimum((most * middle / max(c.sum(), 1.0)).astype(int), most - 1)
    return np.flatnonzero(np.diff(share, prepend=-1))
