"""How good the scores turned out: pairs of a score and what became of the customer, by version, week and segment."""

from collections.abc import Hashable, Iterator, Sequence
from datetime import date, timedelta
from itertools import compress
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.declaration import DAY_MS
from model.monitoring.intervals import UNKNOWN, mean, wilson
from model.monitoring.ranking import roc_auc
from schemas.status import Measured

ALL = ""  # every week, every segment
FEWEST_OF_A_CLASS = 10  # fewer leavers or stayers, and an interval would be more certain than it can be
_MONDAY = date(1969, 12, 29)  # of the week of 1970-01-01
_Name = TypeVar("_Name", bound=Hashable)
_Indices = NDArray[np.intp]


class Pairs(NamedTuple):
    """n scores and what became of their customers, in columns. A pair may be in several segments, and in none."""

    probability: NDArray[np.float64]
    churned: NDArray[np.bool_]
    acted: NDArray[np.bool_]  # whether an action was proposed
    judged_ms: NDArray[np.int64]  # the moment that the score is of
    outcome_ms: NDArray[np.int64]  # when the outcome was observed
    version: Sequence[str]
    segments: Sequence[tuple[str, ...]]


class _Losses(NamedTuple):
    """What is averaged, sorted by probability."""

    probability: NDArray[np.float64]
    churned: NDArray[np.bool_]
    acted: NDArray[np.bool_]
    log: NDArray[np.float64]
    squared: NDArray[np.float64]

    def of(self, i: _Indices) -> "_Losses":
        return _Losses(self.probability[i], self.churned[i], self.acted[i], self.log[i], self.squared[i])


def matured(pairs: Pairs, now_ms: int) -> Pairs:
    """The pairs whose outcome was observed by `now_ms`. One that is dated ahead tells nothing yet."""
    ripe = pairs.outcome_ms <= now_ms
    return Pairs(
        probability=pairs.probability[ripe],
        churned=pairs.churned[ripe],
        acted=pairs.acted[ripe],
        judged_ms=pairs.judged_ms[ripe],
        outcome_ms=pairs.outcome_ms[ripe],
        version=list(compress(pairs.version, ripe)),
        segments=list(compress(pairs.segments, ripe)),
    )


def measured(pairs: Pairs) -> list[Measured]:
    """The metrics of each version, and of its weeks, its segments and their weeks, where there are pairs."""
    order = np.argsort(pairs.probability, kind="stable")
    p, y = pairs.probability[order], pairs.churned[order]
    losses = _Losses(p, y, pairs.acted[order], _log_loss(p, y), (p - y) ** 2)
    versions, version_of = _coded(pairs.version)
    combinations, combination_of = _coded(pairs.segments)
    segments = sorted({segment for combination in combinations for segment in combination})
    version_of, combination_of = version_of[order], combination_of[order]
    week_of = (pairs.judged_ms[order] // DAY_MS + 3) // 7
    result = []
    for code, version in sorted(enumerate(versions), key=lambda item: item[1]):
        own = np.flatnonzero(version_of == code)
        for segment in (ALL, *segments):
            inside = np.array([segment in (ALL, *combination) for combination in combinations])
            indices = own[inside[combination_of[own]]]
            result += [
                _measured(version, week, segment, losses.of(some)) for week, some in _by_week(indices, week_of[indices])
            ]
    return result


def _by_week(indices: _Indices, week_of: NDArray[np.int64]) -> Iterator[tuple[str, _Indices]]:
    """All of `indices`, then those of each week; nothing where there are none."""
    if len(indices):
        yield ALL, indices
        order = np.argsort(week_of, kind="stable")  # stable: still sorted by probability within a week
        weeks, first = np.unique(week_of[order], return_index=True)
        for week, some in zip(weeks.tolist(), np.split(indices[order], first[1:]), strict=True):
            year, number, _ = (_MONDAY + timedelta(weeks=week)).isocalendar()
            yield f"{year}-W{number:02d}", some


def _measured(version: str, week: str, segment: str, losses: _Losses) -> Measured:
    pairs, leavers, acted = len(losses.churned), int(losses.churned.sum()), int(losses.acted.sum())
    scarcer = min(leavers, pairs - leavers)
    certain = scarcer >= FEWEST_OF_A_CLASS
    return Measured(
        version=version,
        week=week,
        segment=segment,
        pairs=pairs,
        leavers=leavers,
        roc_auc=roc_auc(losses.probability, losses.churned, with_interval=certain),
        log_loss=mean(losses.log, with_interval=certain) if scarcer else UNKNOWN,
        brier=mean(losses.squared, with_interval=certain) if scarcer else UNKNOWN,
        mean_score=float(losses.probability.mean()),
        churn_rate=wilson(leavers, pairs),
        precision_at_action=wilson(int((losses.churned & losses.acted).sum()), acted),
        acted=acted,
    )


def _log_loss(p: NDArray[np.float64], churned: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each pair; a score of exactly 0 or 1 is moved by the smallest step, as scikit-learn does."""
    step = np.finfo(np.float64).eps
    of_what_happened = np.clip(np.where(churned, p, 1 - p), step, 1 - step)
    return np.asarray(-np.log(of_what_happened))


def _coded(names: Sequence[_Name]) -> tuple[list[_Name], _Indices]:
    """The distinct names, and for each name the place of its like among them."""
    codes: dict[_Name, int] = {}
    places = np.fromiter((codes.setdefault(name, len(codes)) for name in names), dtype=np.intp, count=len(names))
    return list(codes), places
