"""Hours: the sum of all summaries, each of them once."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.telemetry import TIME_EDGES_S, ModelCounts, Telemetry
from workers.monitoring.hours import HourTotals, Seen, add, bins, decode, encode, hour_of, quantile, total

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
_names = st.sampled_from("abc")
_counts = st.dictionaries(_names, st.integers(1, 9))
_bins = st.lists(st.integers(0, 9), min_size=4, max_size=4)
_models = st.builds(ModelCounts, _bins, _counts, st.dictionaries(_names, _bins))
_seconds = st.integers(0, 3599)
_summaries = st.builds(
    lambda seconds, **counts: Telemetry(
        process="p", kind="score", began=START + timedelta(seconds=min(seconds)),
        ended=START + timedelta(seconds=max(seconds)), **counts
    ),
    st.tuples(_seconds, _seconds),
    counts=_counts,
    types=_counts,
    requests=_counts,
    problems=_counts,
    errors=_counts,
    models=st.dictionaries(_names, _models),
    latency=_bins,
    freshness=st.dictionaries(_names, _bins),
)  # fmt: skip
Summaries = list[Telemetry]


def hour(summaries: Sequence[Telemetry]) -> HourTotals:
    """The hour with all of them in it."""
    result = HourTotals()
    for offset, summary in enumerate(summaries):
        result = add(result, summary, offset)
    return result


def without_offset(one: HourTotals) -> HourTotals:
    """The sums alone."""
    return total([one])


@given(st.lists(_summaries, max_size=5).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_order_does_not_matter(two: tuple[Summaries, Summaries]) -> None:
    """However summaries are ordered, the hour is the same."""
    one, other = two
    assert hour(one) == hour(other)


@given(st.lists(st.tuples(_summaries, st.integers(0, 2)), max_size=6))
def test_sum_of_parts_is_the_total(placed: list[tuple[Telemetry, int]]) -> None:
    """Hours that are summed up come to what one hour with all of their summaries comes to."""
    parts = [hour([summary for summary, part in placed if part == number]) for number in range(3)]
    assert total(parts) == total(reversed(parts)) == without_offset(hour([summary for summary, _ in placed]))


@given(st.lists(_summaries, max_size=5))
def test_counts_are_sums(summaries: Summaries) -> None:
    """Every count of the hour is what the summaries have of it together."""
    found = hour(summaries)
    for name in ("counts", "types", "requests", "problems", "errors"):
        assert getattr(found, name) == sum((Counter(getattr(s, name)) for s in summaries), Counter[str]())
    assert found.latency == np.array([s.latency for s in summaries], int).sum(axis=0, initial=0).tolist() or not summaries
    for version, model in found.models.items():
        own = [s for s in summaries if version in s.models]
        assert model.scores == np.sum([s.models[version].scores for s in own], axis=0).tolist()
        assert model.actions == sum((Counter(s.models[version].actions) for s in own), Counter[str]())
        for feature, counted in model.features.items():
            parts = [s.models[version].features[feature] for s in own if feature in s.models[version].features]
            assert counted == np.sum(parts, axis=0).tolist()
        assert found.seen[version] == Seen(min(s.began for s in own), max(s.ended for s in own))
    for feature, counted in found.freshness.items():
        assert counted == np.sum([s.freshness[feature] for s in summaries if feature in s.freshness], axis=0).tolist()
    assert found.models.keys() == found.seen.keys() == {version for s in summaries for version in s.models}


@given(st.lists(_summaries, min_size=1, max_size=5), st.data())
def test_summary_that_is_in_changes_nothing(summaries: Summaries, data: st.DataObject) -> None:
    """A record that is read again, after a restart, is not counted again."""
    found = hour(summaries)
    again = data.draw(st.integers(0, len(summaries) - 1))
    assert add(found, summaries[again], again) is found
    assert found.applied == len(summaries)


@given(st.lists(_summaries, max_size=3))
def test_encoded_hour_is_read_back(summaries: Summaries) -> None:
    """What the table keeps is the hour."""
    assert decode(encode(hour(summaries))) == hour(summaries)


@given(_bins, _bins)
def test_bins_are_added(one: list[int], other: list[int]) -> None:
    """Bin by bin; nothing yet is as good as zeros."""
    assert bins(one, other) == (np.array(one) + other).tolist()
    assert bins(one, []) == bins([], one) == one


def test_hour_is_that_of_utc() -> None:
    """Half past ten in Kathmandu, 5:45 ahead, is in the fourth hour."""
    there = datetime(2026, 1, 1, 10, 30, 1, 5, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert hour_of(there) == datetime(2026, 1, 1, 4, tzinfo=UTC)


@given(st.lists(st.integers(0, len(TIME_EDGES_S) - 1), min_size=1), st.sampled_from([0.0, 0.01, 0.5, 0.99, 1.0]))
def test_quantile_is_numpys_to_the_bin(places: list[int], share: float) -> None:
    """Where every value is an edge, it is the quantile of the values."""
    counts = np.bincount(places, minlength=len(TIME_EDGES_S) + 1)
    exact = np.quantile([TIME_EDGES_S[place] for place in places], share, method="inverted_cdf")
    assert quantile(counts.tolist(), TIME_EDGES_S, share) == exact


def test_quantile_at_the_ends() -> None:
    """Without values there is none; above all edges it is the last."""
    assert quantile([], TIME_EDGES_S, 0.5) is None
    assert quantile([0, 0, 0], [1.0, 2.0], 0.5) is None
    assert quantile([0, 0, 5], [1.0, 2.0], 0.5) == 2.0
    assert quantile([1, 98, 1], [1.0, 2.0], 0.01) == 1.0
