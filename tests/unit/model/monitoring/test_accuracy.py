"""How good scores turned out, compared with scikit-learn on the same pairs."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, precision_score, roc_auc_score

from model.monitoring.accuracy import Pairs, matured, measured
from model.monitoring.intervals import UNKNOWN
from schemas.cloudevents import to_ms
from schemas.status import Interval, Measured

PROBABILITY = st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.5, 1.0])
ROW = st.tuples(PROBABILITY, st.booleans(), st.booleans(), st.sampled_from([0, 604_800_000]), st.sampled_from("ab"))
SEGMENTS: list[tuple[str, ...]] = [(), ("plan: gold",), ("plan: gold", "status: active"), ("status: active",)]


def pairs_of(
    probability: Sequence[float] | NDArray[np.floating],
    churned: Sequence[bool] | NDArray[np.bool_],
    *,
    acted: Sequence[bool] | NDArray[np.bool_] | None = None,
    judged_ms: Sequence[int] | NDArray[np.int64] | None = None,
    version: Sequence[str] | None = None,
    segments: Sequence[tuple[str, ...]] | None = None,
) -> Pairs:
    """Pairs of one version, week and no segment, where nothing else is said."""
    n = len(probability)
    judged = np.zeros(n, dtype=np.int64) if judged_ms is None else np.asarray(judged_ms, dtype=np.int64)
    return Pairs(
        np.asarray(probability, dtype=float),
        np.asarray(churned, dtype=bool),
        np.zeros(n, dtype=bool) if acted is None else np.asarray(acted, dtype=bool),
        judged,
        judged + 90 * 86_400_000,
        ["v"] * n if version is None else version,
        [()] * n if segments is None else segments,
    )


def check(result: Measured, p: NDArray[np.float64], y: NDArray[np.bool_], acted: NDArray[np.bool_]) -> None:
    """The numbers are scikit-learn's, and within their intervals."""
    assert (result.pairs, result.leavers, result.acted) == (len(y), y.sum(), acted.sum())
    assert result.mean_score == pytest.approx(p.mean(), rel=1e-12)
    assert result.churn_rate.value == y.mean()
    if 0 < y.sum() < len(y):
        assert result.roc_auc.value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        assert result.log_loss.value == pytest.approx(log_loss(y, p), abs=1e-12)
        assert result.brier.value == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    else:
        assert result.roc_auc == result.log_loss == result.brier == UNKNOWN
    if acted.any():
        assert result.precision_at_action.value == pytest.approx(precision_score(y, acted, zero_division=0), abs=1e-12)
    else:
        assert result.precision_at_action == UNKNOWN
    for interval in (result.roc_auc, result.log_loss, result.brier, result.churn_rate, result.precision_at_action):
        assert within(interval)


def within(interval: Interval) -> bool:
    """Whether an interval holds its estimate, or is not there."""
    if interval.low is None or interval.high is None or interval.value is None:
        return interval.low is interval.high
    return bool(0 <= interval.low <= interval.value <= interval.high < np.inf)


@settings(max_examples=50)  # scikit-learn takes its time
@given(st.lists(st.tuples(ROW, st.sampled_from(SEGMENTS)), max_size=80))
def test_numbers_are_scikit_learns_in_every_group(
    rows: list[tuple[tuple[float, bool, bool, int, str], tuple[str, ...]]],
) -> None:
    """For each version, week and segment that has pairs there is one result, the one scikit-learn has for its pairs."""
    p, y, acted, judged, version = (np.array([row[i] for row, _ in rows]) for i in range(5))
    segments = [some for _, some in rows]
    results = measured(pairs_of(p, y, acted=acted, judged_ms=judged, version=version.tolist(), segments=segments))
    weeks = {"": np.ones(len(rows), dtype=bool), "1970-W01": judged == 0, "1970-W02": judged == 604_800_000}
    found = 0
    for result in results:
        inside = np.array([result.segment in ("", *some) for some in segments])
        mask = (version == result.version) & weeks[result.week] & inside
        check(result, p[mask].astype(float), y[mask].astype(bool), acted[mask].astype(bool))
        found += 1
    groups = {
        (v, week, s)
        for (_, _, _, at, v), some in rows
        for week in ("", "1970-W01" if at == 0 else "1970-W02")
        for s in ("", *some)
    }
    assert {(r.version, r.week, r.segment) for r in results} == groups
    assert found == len(groups)


@given(st.integers(0, 2**32 - 1), st.integers(10, 60), st.integers(10, 60), st.sampled_from([2, 17, 53]))
def test_intervals_are_there_when_there_is_enough(seed: int, leavers: int, stayers: int, decimals_or_bits: int) -> None:
    """With ten leavers and ten stayers or more there are intervals, also with many equal scores, and numbers agree."""
    rng = np.random.default_rng(seed)
    y = np.arange(leavers + stayers) < leavers
    p = np.round(rng.random(len(y)) * 2.0**decimals_or_bits) / 2.0**decimals_or_bits
    (result, _) = measured(pairs_of(p, y, acted=rng.random(len(y)) < 0.3))
    assert result.log_loss.low is not None
    assert result.brier.high is not None
    assert (result.roc_auc.low is None) == (result.roc_auc.value in {0, 1})
    assert within(result.roc_auc)
    assert (result.roc_auc.high or 0) <= 1


def test_no_interval_of_a_few() -> None:
    """With nine leavers there are values and no intervals, but for shares."""
    result, _ = measured(pairs_of(np.linspace(0.1, 0.9, 200), np.arange(200) % 23 == 1))
    assert result.leavers == 9
    assert result.roc_auc.value is not None
    assert result.roc_auc.low is result.log_loss.low is result.brier.low is None
    assert result.churn_rate.low is not None


def test_auc_has_delongs_variance() -> None:
    """The interval is what the definition of DeLong's variance gives, pair by pair."""
    rng = np.random.default_rng(11)
    y = rng.random(300) < 0.2
    p = np.round(np.clip(rng.normal(0.3 + 0.2 * y, 0.2), 0, 1), 2)
    ahead = (p[y][:, None] > p[~y]) + 0.5 * (p[y][:, None] == p[~y])
    variance = ahead.mean(axis=1).var(ddof=1) / y.sum() + ahead.mean(axis=0).var(ddof=1) / (~y).sum()
    auc, half = ahead.mean(), 1.959963984540054 * np.sqrt(variance)
    logit = np.log(auc / (1 - auc))
    low, high = (1 / (1 + np.exp(-(logit + side * half / (auc * (1 - auc))))) for side in (-1, 1))
    result, _ = measured(pairs_of(p, y))
    assert [result.roc_auc.low, result.roc_auc.high] == pytest.approx([low, high], rel=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """About 95% of the intervals of 400 samples hold the value of the whole, for every metric."""
    rng = np.random.default_rng(3)
    p = rng.beta(1, 6, 400 * 500)
    y = rng.random(len(p)) < p
    acted = p > 0.3
    whole, _ = measured(pairs_of(p, y, acted=acted))
    hits = dict.fromkeys(("roc_auc", "log_loss", "brier", "churn_rate", "precision_at_action"), 0)
    for part in np.split(np.arange(len(p)), 400):
        sample, _ = measured(pairs_of(p[part], y[part], acted=acted[part]))
        for name in hits:
            interval = getattr(sample, name)
            hits[name] += interval.low <= getattr(whole, name).value <= interval.high
    assert {name: count / 400 for name, count in hits.items()} == pytest.approx(dict.fromkeys(hits, 0.95), abs=0.035)


@pytest.mark.parametrize(
    ("day", "week"),
    [("1969-12-28", "1969-W52"), ("2024-12-30", "2025-W01"), ("2026-12-31", "2026-W53"), ("2027-01-03", "2026-W53")],
)
def test_weeks_are_of_iso_8601(day: str, week: str) -> None:
    """A week begins on Monday and belongs to the year of its Thursday."""
    at = to_ms(datetime.fromisoformat(day).replace(hour=23, tzinfo=UTC))
    assert [r.week for r in measured(pairs_of([0.5], [True], judged_ms=[at]))] == ["", week]


def test_nothing_was_measured_yet() -> None:
    """Without pairs there are no results."""
    assert measured(pairs_of([], [])) == []


def test_only_outcomes_that_have_happened_count() -> None:
    """A pair whose outcome is dated later than now is left out, with all its columns."""
    later = pairs_of(
        [0.1, 0.2, 0.3],
        [True, False, True],
        acted=[False, True, True],
        judged_ms=[0, 2, 1],
        version=["a", "b", "c"],
        segments=SEGMENTS[:3],
    )
    now = matured(later, later.outcome_ms[2])
    assert now.probability.tolist() == [0.1, 0.3]
    assert now.churned.tolist() == [True, True]
    assert now.acted.tolist() == [False, True]
    assert now.judged_ms.tolist() == [0, 1]
    assert (now.version, now.segments) == (["a", "c"], [(), ("plan: gold", "status: active")])


def test_a_million_pairs_take_a_few_seconds() -> None:
    """A million pairs in 50 groups are measured in less CPU time than five seconds."""
    rng = np.random.default_rng(1)
    n = 1_000_000
    p = rng.beta(1, 12, n)
    kinds = [(f"plan: {i % 2}", f"age: {i // 2}") for i in range(6)]
    pairs = pairs_of(
        p,
        rng.random(n) < p,
        acted=p > 0.2,
        judged_ms=rng.integers(0, 8, n) * 604_800_000,
        segments=[kinds[i] for i in rng.integers(0, 6, n).tolist()],
    )
    began = time.process_time()
    assert len(measured(matured(pairs, 2**60))) == 54
    assert time.process_time() - began < 5
