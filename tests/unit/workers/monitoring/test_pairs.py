"""Scores and outcomes: which score an outcome is joined with, and how pairs are kept."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import to_ms
from schemas.outcomes import Outcome, OutcomeObserved
from workers.monitoring.index import IndexedScore, ScoreIndex
from workers.monitoring.pairs import WITHOUT_SCORE, Pair, columns, encode, join

TIME = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
JUDGED_MS = to_ms(TIME - timedelta(days=30))
HOUR_MS = 3_600_000
_names = st.sampled_from("abc")
_pairs = st.builds(
    Pair, st.floats(0, 1), st.booleans(), st.booleans(), st.integers(0, 2**50), st.integers(0, 2**50), _names,
    st.lists(_names).map(tuple),
)  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ScoreIndex]:
    """An index of one customer with a score long before the moment judged, one at it and one after it."""
    with closing(ScoreIndex(tmp_path / "scores")) as index:
        moments = {0.1: JUDGED_MS - 9 * HOUR_MS, 0.2: JUDGED_MS, 0.3: JUDGED_MS + HOUR_MS}
        scores = [IndexedScore("1", ms, p, f"v{p}", p > 0.1, (f"s{p}",)) for p, ms in moments.items()]
        index.add(scores, {0: 3})
        yield index


def outcome(*, subject: str = "1", time: datetime = TIME, days: int = 30, churned: bool = True) -> OutcomeObserved:
    """An outcome of a customer."""
    data = Outcome(churned=churned, horizon_days=days)
    return OutcomeObserved(id="i", source="s", subject=subject, time=time, specversion="1.0", data=data)


def test_outcome_is_joined_with_the_score_of_the_moment_judged(index: ScoreIndex) -> None:
    """A score of the moment itself counts, a later one does not."""
    assert join(outcome(), index) == encode(
        Pair(0.2, churned=True, acted=True, judged_ms=JUDGED_MS, outcome_ms=to_ms(TIME), version="v0.2",
             segments=("s0.2",))
    )  # fmt: skip
    before = outcome(time=TIME - timedelta(milliseconds=1), churned=False)
    assert join(before, index) == encode(
        Pair(0.1, churned=False, acted=False, judged_ms=JUDGED_MS - 9 * HOUR_MS, outcome_ms=to_ms(TIME) - 1,
             version="v0.1", segments=("s0.1",))
    )  # fmt: skip


def test_customer_without_a_score_by_then(index: ScoreIndex) -> None:
    """Of a customer whom nobody scored, and of one who was scored too late, it is kept that there is no score."""
    assert join(outcome(subject="2"), index) == WITHOUT_SCORE
    assert join(outcome(days=31), index) == WITHOUT_SCORE


def test_moment_before_the_first_year(index: ScoreIndex) -> None:
    """An outcome whose moment judged is before all dates is one without a score, and stops nothing."""
    assert join(outcome(time=datetime(1, 1, 1, tzinfo=UTC), days=3650), index) == WITHOUT_SCORE


@given(st.lists(_pairs | st.none(), max_size=9))
def test_kept_pairs_are_read_back_in_columns(pairs: list[Pair | None]) -> None:
    """Row after row, without the outcomes that have no score."""
    found = columns([WITHOUT_SCORE if pair is None else encode(pair) for pair in pairs])
    lists = (found.probability, found.churned, found.acted, found.judged_ms, found.outcome_ms)
    rows = zip(*(one.tolist() for one in lists), found.version, found.segments, strict=True)
    assert [Pair(*row) for row in rows] == [pair for pair in pairs if pair is not None]
