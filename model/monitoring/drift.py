"""Whether the data have shifted: the last window against the training data, feature by feature, and the scores."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from model.monitoring.bins import equal_mass, labels
from schemas.status import Shift
from schemas.telemetry import SCORE_EDGES, ModelCounts

SCORE = "score"  # the name of the scores among the features
SCORE_BINS = 10
FEWEST_RECORDS = 500
SIGNIFICANT_P = 0.001
_FEWEST_EXPECTED = 5.0  # Cochran, "Some Methods for Strengthening the Common chi-squared Tests", Biometrics 10 (1954)


class Histogram(Protocol):
    """Counts of values: below, between and above inner edges, then of missing ones.

    An edge belongs to the bin above it.
    """

    @property
    def edges(self) -> Sequence[float]:
        """Ascending."""

    @property
    def counts(self) -> Sequence[int]:
        """Two more than there are edges."""


class _Compared(NamedTuple):
    name: str
    labels: list[str]
    reference: NDArray[np.float64]
    now: NDArray[np.float64]


def shifts(
    features: Mapping[str, Histogram], scores: Sequence[int], window: ModelCounts, drift_psi: float
) -> list[Shift]:
    """Compare a window with the model's reference: its `features`, and its `scores` by SCORE_EDGES.

    `drifted` is what has at least FEWEST_RECORDS, an adjusted p below SIGNIFICANT_P and a PSI of `drift_psi` or more.
    All three are needed. The test takes records for independent, and they are not: a customer's records of one window
    have nearly the same features. So where customers come often p is far too small, and it is the PSI that guards
    against false alarms: without a shift it depends on the number of customers, and stays below 0.2 from about 200 on
    (with ten bins). Where customers come once each, p is right, and in a small window it is the test that guards.

    What the window does not have, or has in other bins than the reference, cannot be compared and is left out.
    """
    compared = list(_compared(features, scores, window))
    adjusted = holm([chi_squared_p(c.reference, c.now) for c in compared])
    return [_shift(c, p, drift_psi) for c, p in zip(compared, adjusted, strict=True)]


def psi(reference: ArrayLike, now: ArrayLike) -> float:
    """The population stability index of counts of shape (k,): the sum over bins of (q - p) ln(q / p).

    p and q are the shares of the reference and of now (Siddiqi, "Credit Risk Scorecards", Wiley 2006). It is the
    Jeffreys divergence, never negative. Half a record is added to each bin, so an empty one does not make it infinite.
    0 where either side has no records. Without a shift, with N and M independent records in k bins, it is (k - 1)
    (1/N + 1/M) on average (Yurdakul, "Statistical Properties of Population Stability Index", 2018).
    """
    r, n = np.asarray(reference, dtype=float), np.asarray(now, dtype=float)
    if not r.sum() or not n.sum():
        return 0.0
    p, q = _smoothed(r), _smoothed(n)
    return float(((q - p) * np.log(q / p)).sum())


def chi_squared_p(reference: ArrayLike, now: ArrayLike) -> float:
    """Pearson's chi-squared test that two samples of counts, of shape (k,), are of one distribution: its p.

    The bins with the smallest counts are taken together until each is expected to have five in either sample. 1 where
    fewer than two bins are left.
    """
    both = np.array([reference, now], dtype=float)
    rows = both.sum(axis=1)
    if not rows.all():
        return 1.0
    totals = both.sum(axis=0)
    order = np.lexsort((*both, totals))  # by counts, and not by place: names of bins do not matter
    expected = totals[order] * (rows.min() / rows.sum())
    small = int((expected < _FEWEST_EXPECTED).sum())
    if expected[:small].sum() < _FEWEST_EXPECTED:
        small += 1
    r, n = np.add.reduceat(both[:, order], [0, *range(small, len(order))], axis=1)
    statistic = ((n * np.sqrt(rows[0] / rows[1]) - r * np.sqrt(rows[1] / rows[0])) ** 2 / (r + n)).sum()
    return float(chdtrc(len(r) - 1, statistic)) if len(r) > 1 else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that one of them all is below a level by chance at most so often as the level says.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979). Not
    Benjamini and Hochberg's: each single alert is acted on, so it is the chance of any false one that is bounded; and
    Holm's holds however the features depend on each other.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    values: list[float] = adjusted.tolist()
    return values


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))


def _compared(features: Mapping[str, Histogram], scores: Sequence[int], window: ModelCounts) -> Iterator[_Compared]:
    for name, reference in features.items():
        now = window.features.get(name, ())
        if len(now) == len(reference.counts):
            names = [*labels(reference.edges, lambda edge: f"{edge:,.6g}"), "missing"]
            yield _Compared(name, names, np.asarray(reference.counts, dtype=float), np.asarray(now, dtype=float))
    if len(window.scores) == len(scores) == len(SCORE_EDGES) + 1:
        first = equal_mass(scores, SCORE_BINS)
        names = labels([SCORE_EDGES[i - 1] for i in first[1:]], lambda edge: f"{100 * edge:.3g}%")
        both = np.add.reduceat(np.array([scores, window.scores], dtype=float), first, axis=1)
        yield _Compared(SCORE, names, both[0], both[1])


def _shift(compared: _Compared, p_adjusted: float, drift_psi: float) -> Shift:
    _, _, reference, now = compared
    index, records = psi(reference, now), int(now.sum())
    return Shift(
        name=compared.name,
        labels=compared.labels,
        reference=(reference / max(reference.sum(), 1.0)).tolist(),
        now=(now / max(now.sum(), 1.0)).tolist(),
        records=records,
        psi=index,
        p_adjusted=p_adjusted,
        drifted=records >= FEWEST_RECORDS and p_adjusted < SIGNIFICANT_P and index >= drift_psi,
    )
