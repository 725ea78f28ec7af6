"""The index of scores: the last of each hour, and how far the topic was read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.monitoring.index import HOUR_MS, IndexedScore, IndexFailedError, ScoreIndex

_moments = st.integers(0, 4 * HOUR_MS) | st.sampled_from([0, HOUR_MS - 1, HOUR_MS, 2 * HOUR_MS])
_scores = st.builds(
    IndexedScore,
    st.sampled_from(["1", "2"]),
    _moments,
    st.floats(0, 1),
    st.sampled_from(["old", "new"]),
    st.booleans(),
    st.lists(st.sampled_from(["plan: basic", "plan: premium"]), unique=True, max_size=2).map(tuple),
)
SCORE = IndexedScore("1", 7, 0.25, "v", acted=True, segments=("plan: basic",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where an index may be, in a folder that is not there yet."""
    return tmp_path / "monitor" / "scores.sqlite"


def kept(scores: list[IndexedScore]) -> dict[tuple[str, int], IndexedScore]:
    """The score of each customer and hour that is to be kept: the latest, of equals the one that came last."""
    result: dict[tuple[str, int], IndexedScore] = {}
    for score in scores:
        key = (score.customer, score.as_of_ms // HOUR_MS)
        if key not in result or score.as_of_ms >= result[key].as_of_ms:
            result[key] = score
    return result


@given(st.lists(st.lists(_scores, max_size=5), max_size=5), _moments, st.sampled_from(["1", "2", "3"]))
def test_last_score_is_the_models(batches: list[list[IndexedScore]], at_ms: int, customer: str) -> None:
    """However scores come, the last one by a moment is that of a plain search."""
    with TemporaryDirectory() as folder, closing(ScoreIndex(Path(folder, "scores"))) as index:
        for number, batch in enumerate(batches):
            index.add(batch, {0: number})
        everything = kept([score for batch in batches for score in batch]).values()
        before = [score for score in everything if score.customer == customer and score.as_of_ms <= at_ms]
        assert index.last(customer, at_ms) == max(before, key=lambda score: score.as_of_ms, default=None)


def test_reopened_file_goes_on(file: Path) -> None:
    """Scores, offsets and the versions that are known are there again."""
    with closing(ScoreIndex(file)) as index:
        assert index.offsets() == {}
        index.add([SCORE], {0: 5, 1: 3})
    with closing(ScoreIndex(file)) as index:
        assert index.offsets() == {0: 5, 1: 3}
        assert index.last("1", 7) == SCORE
        later = SCORE._replace(as_of_ms=8, probability=0.5)
        index.add([later], {0: 6})
        assert (index.last("1", 8), index.offsets()) == (later, {0: 6, 1: 3})


def test_scores_and_offsets_change_together(file: Path) -> None:
    """If one cannot be kept, neither is; and what comes next has its own version, not one that was never kept."""

    def broken() -> Iterator[IndexedScore]:
        yield SCORE._replace(version="lost")
        raise RuntimeError

    with closing(ScoreIndex(file)) as index:
        index.add([SCORE], {0: 1})
        with pytest.raises(RuntimeError):
            index.add(broken(), {0: 2})
        with pytest.raises(OverflowError):
            index.add([SCORE._replace(customer="2", version="lost too")], {0: 2**64})
        assert (index.offsets(), index.last("1", 9), index.last("2", 9)) == ({0: 1}, SCORE, None)
        found = [SCORE._replace(customer=name, version=name) for name in ("other", "lost", "lost too")]
        index.add(found, {0: 3})
        assert [index.last(score.customer, 9) for score in found] == found
    with closing(ScoreIndex(file)) as index:
        assert [index.last(score.customer, 9) for score in found] == found


def test_damaged_file_is_made_anew(file: Path) -> None:
    """A file that is no database is replaced, with what belongs to it."""
    file.parent.mkdir()
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        path.write_bytes(b"no database" * 1000)
    with closing(ScoreIndex(file)) as index:
        assert index.offsets() == {}
        index.add([SCORE], {0: 1})
        assert index.last("1", 7) == SCORE


def test_file_of_another_format_is_made_anew(file: Path) -> None:
    """Nothing of a file that another version made is used."""
    with closing(ScoreIndex(file)) as index:
        index.add([SCORE], {0: 1})
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma user_version = 99")
    with closing(ScoreIndex(file)) as index:
        assert (index.offsets(), index.last("1", 7)) == ({}, None)


def test_forgotten_index_is_empty(file: Path) -> None:
    """After that it is filled as a new one is."""
    with closing(ScoreIndex(file)) as index:
        index.add([SCORE], {0: 1})
        index.forget()
        assert (index.offsets(), index.last("1", 7)) == ({}, None)
        index.add([SCORE], {0: 1})
        assert (index.offsets(), index.last("1", 7)) == ({0: 1}, SCORE)


def test_full_disk_is_said_and_changes_nothing(file: Path) -> None:
    """What does not fit is kept neither in part nor with an offset; once there is room it is."""
    many = [SCORE._replace(customer=str(n)) for n in range(20_000)]
    with closing(ScoreIndex(file)) as index:
        index.add([SCORE], {0: 1})
        index._connection.execute("pragma max_page_count = 10")
        with pytest.raises(IndexFailedError, match="full"):
            index.add([*many, SCORE._replace(customer="2", version="w")], {0: 2})
        assert index.offsets() == {0: 1}
        assert index.last("1", 7) == SCORE
        index._connection.execute("pragma max_page_count = 1000000")
        index.add([*many, SCORE._replace(customer="2", version="w")], {0: 2})
        assert index.last("2", 7) == SCORE._replace(customer="2", version="w")
