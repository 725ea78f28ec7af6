"""Bins: what they are called, and how many small ones become a few."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def labels(edges: Sequence[float], text: Callable[[float], str]) -> list[str]:
    """What the bins below, between and above `edges` are called, by what `text` makes of an edge."""
    if not edges:
        return ["any"]
    between = [f"{text(low)} to {text(high)}" for low, high in pairwise(edges)]
    return [f"under {text(edges[0])}", *between, f"{text(edges[-1])} or more"]


def equal_mass(counts: Sequence[int], most: int) -> NDArray[np.intp]:
    """Where to begin a new bin so that neighbours together have about equal counts: at most `most` first bins.

    Each bin goes where the middle of its counts falls among `most` equal shares of all.
    """
    c = np.asarray(counts, dtype=float)
    middle = c.cumsum() - c / 2
    share = np.minimum((most * middle / max(c.sum(), 1.0)).astype(int), most - 1)
    return np.flatnonzero(np.diff(share, prepend=-1))
