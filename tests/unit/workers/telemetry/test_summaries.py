"""Summaries: what is counted is in one of them, in the right hour, however often they are taken and merged."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.reference import Reference
from model.vector import FRESHNESS, Features
from schemas.telemetry import FRESHNESS_ORDER, SCORE_EDGES, TIME_EDGES_S, Telemetry, decode_telemetry, encode_telemetry
from tests.unit.model.test_training import ARTIFACT
from workers.telemetry.summaries import Summaries, hour_of, merged, process_name
from workers.telemetry.tally import Tally

START = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
NAMES = ARTIFACT.manifest.features
_BARE = msgspec.structs.replace(
    ARTIFACT, reference=Reference(), manifest=msgspec.structs.replace(ARTIFACT.manifest, version="bare")
)
# Values and freshness, row after row; probabilities; waits.
Batch = tuple[list[float], list[int], list[float | None], list[float]]
_batches = st.integers(1, 20).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-1e3, 1e3) | st.just(float("nan")), min_size=5 * n, max_size=5 * n),
        st.lists(st.integers(0, 3), min_size=5 * n, max_size=5 * n),
        st.lists(st.floats(0, 1) | st.none(), min_size=n, max_size=n),
        st.lists(st.floats(-10, 1e6), max_size=n),
    )
)


class Watch:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now


def features(values: Sequence[float], freshness: Sequence[int]) -> Features:
    """A matrix as a scorer makes it."""
    matrix = np.array(values, np.float64).reshape(-1, len(NAMES))
    return Features(matrix, np.zeros(matrix.shape, np.int64), np.array(freshness, np.int8).reshape(matrix.shape))


def count(tally: Tally, batch: Batch) -> None:
    """Count a batch with everything that can be counted."""
    values, freshness, probabilities, waits_s = batch
    for artifact in (ARTIFACT, _BARE):
        model = tally.model(artifact)
        model.add_scores(probabilities)
        model.add_inputs([features(values, freshness)])
        model.actions["none"] += len(probabilities)
    for wait_s in waits_s:
        tally.add_latency(wait_s)
    tally.add_latencies(np.bincount([3], minlength=len(TIME_EDGES_S) + 1))
    for counts in (tally.counts, tally.types, tally.requests, tally.problems, tally.errors):
        counts["x"] += 1


def total(summaries: Iterable[Telemetry]) -> Telemetry:
    """All of them as one, as their reader sees them."""
    return reduce(merged, [decode_telemetry(encode_telemetry(summary)) for summary in summaries])


@given(st.lists(_batches, min_size=1, max_size=5), st.integers(0, 4))
def test_merged_summaries_are_the_summary_of_all(batches: list[Batch], taken: int) -> None:
    """However batches are spread over summaries, the sum is that of one summary with all of them."""
    watch = Watch()
    often, once = (Summaries("p", "score", watch) for _ in range(2))
    told = []
    for number, batch in enumerate(batches):
        count(often.now(), batch)
        count(once.now(), batch)
        if number % (taken + 1) == 0:
            told += often.take()
    assert total([*told, *often.take()]) == total(once.take())


@given(_batches)
def test_counts_are_numpys(batch: Batch) -> None:
    """Scores, values, freshness and times are in the bins that numpy would put them in."""
    values, freshness, probabilities, waits_s = batch
    summaries = Summaries("p", "score", Watch())
    count(summaries.now(), batch)
    (summary,) = summaries.take()
    known = [probability for probability in probabilities if probability is not None]
    model, matrix = summary.models[ARTIFACT.manifest.version], features(values, freshness)
    assert model.scores == np.histogram(known, [-np.inf, *SCORE_EDGES, np.inf])[0].tolist()
    for j, name in enumerate(NAMES):
        column = matrix.values[:, j]
        here = column[~np.isnan(column)]
        expected, _ = np.histogram(here, [-np.inf, *ARTIFACT.reference.features[name].edges, np.inf])
        assert model.features[name] == [*expected, len(column) - len(here)]
        fresh = Counter(matrix.freshness[:, j].tolist())
        assert summary.freshness[name] == [2 * fresh[kind] for kind in range(4)], "of two models"
    times, _ = np.histogram([*waits_s, TIME_EDGES_S[2]], [-np.inf, *TIME_EDGES_S, np.inf])
    assert summary.latency == times.tolist()
    assert summary.models["bare"].features == {}
    assert summary.models["bare"].scores == model.scores


@given(st.lists(st.integers(-7200, 7200), max_size=20), st.lists(st.integers(0, 20), max_size=4))
def test_summary_is_of_one_hour(seconds: list[int], takes: list[int]) -> None:
    """Whatever the clock does, each moment is counted in its own hour, once, and no summary crosses one."""
    watch = Watch()
    summaries = Summaries("p", "api", watch)
    told = []
    for number, second in enumerate(seconds):
        watch.now = START + timedelta(seconds=second)
        summaries.now().requests[f"{hour_of(watch.now).hour}"] += 1
        if number in takes:
            told += summaries.take()
    told += summaries.take()
    found: Counter[str] = Counter()
    for summary in told:
        assert hour_of(summary.began) == hour_of(summary.ended)
        assert summary.began <= summary.ended
        assert set(summary.requests) <= {str(summary.began.hour)}
        found += Counter(summary.requests)
    assert found == Counter(str(hour_of(START + timedelta(seconds=second)).hour) for second in seconds)


def test_batch_of_the_hour_before_stays_there() -> None:
    """Scores of 10:59:59 that were committed at 11:00:01 are told as of ten o'clock."""
    watch = Watch()
    summaries = Summaries("p", "score", watch)
    watch.now = START + timedelta(minutes=30, seconds=1)
    summaries.tally(START + timedelta(minutes=29, seconds=59)).counts["scored"] += 7
    before, after = summaries.take()
    assert (before.began, before.ended, before.counts) == (START, START + timedelta(seconds=1799), {"scored": 7})
    assert (after.began, after.ended, after.counts) == (watch.now, watch.now, {})


def test_idle_process_tells_that_it_is_there() -> None:
    """With nothing to tell there is a small summary, which says how it stands."""
    summaries = Summaries("p", "score", Watch())
    summaries.lag, summaries.partitions = 5, 2
    (summary,) = summaries.take()
    assert encode_telemetry(summary) == (
        b'{"process":"p","kind":"score","began":"2026-11-24T10:30:00Z","ended":"2026-11-24T10:30:00Z","lag":5,'
        b'"partitions":2}'
    )


def test_later_summary_says_how_things_stand() -> None:
    """Lag and partitions are no counts."""
    watch = Watch()
    summaries = Summaries("p", "score", watch)
    summaries.lag, summaries.partitions = 5, 2
    first = summaries.take()
    watch.now += timedelta(seconds=5)
    summaries.lag, summaries.partitions = None, 0
    second = summaries.take()
    assert (total(second + first).lag, total(second + first).partitions) == (None, 0)


def test_hour_is_that_of_utc() -> None:
    """Half past ten in Kathmandu, 5:45 ahead, is in the fourth hour."""
    there = datetime(2026, 1, 1, 10, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert hour_of(there) == datetime(2026, 1, 1, 4, tzinfo=UTC)


def test_names_of_processes_differ() -> None:
    """Two starts with one process id are two processes."""
    assert len({process_name() for _ in range(100)}) == 100


def test_orders_of_freshness_are_one() -> None:
    """What is counted by the model's numbers is told in the order of the schema."""
    assert FRESHNESS_ORDER == FRESHNESS
